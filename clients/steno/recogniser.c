#include "recogniser.h"

void recogniser_destroy(recogniser *self)
{
    if (self != NULL)
        self->kind->destroy(self);
}

bool recogniser_is_remote(const recogniser *self)
{
    return self->kind->is_remote;
}

steno_status recogniser_check(recogniser *self, const hearing_setting *setting, steno_error *error)
{
    return self->kind->check(self, setting, error);
}

steno_status hearing_open(recogniser *self, const hearing_setting *setting,
    const steno_audio_info *info, hearing **out_hearing, steno_error *error)
{
    return self->kind->open(self, setting, info, out_hearing, error);
}

void hearing_destroy(hearing *self)
{
    if (self != NULL)
        self->kind->close(self);
}

steno_status hearing_feed(
    hearing *self, const float *samples, size_t frames, size_t *out_taken, steno_error *error)
{
    return self->kind->feed(self, samples, frames, out_taken, error);
}

void hearing_finish(hearing *self)
{
    self->kind->finish(self);
}

steno_status hearing_next(
    hearing *self, const steno_result **out_result, unsigned *out_channel, steno_error *error)
{
    return self->kind->next(self, out_result, out_channel, error);
}

steno_status hearing_wait(hearing *self, int timeout_ms)
{
    return self->kind->wait(self, timeout_ms);
}

uint64_t hearing_fed_ms(const hearing *self)
{
    return self->kind->fed_ms(self);
}

uint64_t hearing_done_ms(const hearing *self)
{
    return self->kind->done_ms(self);
}
