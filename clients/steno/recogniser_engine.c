/*
 * Recognition in this process: a stream of the engine for the mix, or one for each channel.  Of an
 * offer each stream takes what it has room for; the hearing has taken what all have, and a stream
 * that is ahead skips that much of the next offer.
 */
#include <stdlib.h>

#include "failure.h"
#include "recogniser.h"

typedef struct engine_recogniser {
    recogniser base;
    steno_engine *engine;
    steno_model *model;
} engine_recogniser;

typedef struct engine_hearing {
    hearing base;
    uint32_t channels; /* of the audio */
    bool per_channel;
    steno_stream *streams[STENO_CHANNELS_MAX];
    size_t ahead[STENO_CHANNELS_MAX]; /* frames taken of what is still to be offered */
    bool ended[STENO_CHANNELS_MAX];
    unsigned stream_count; /* 1: of the mix, or of each channel */
    unsigned turn;         /* who is asked first for results */
    unsigned awaited;      /* whom to wait for */
} engine_hearing;

static void destroy(recogniser *base)
{
    engine_recogniser *self = (engine_recogniser *)base;
    steno_engine_destroy(self->engine);
    steno_model_unref(self->model);
    free(self);
}

static steno_status check(recogniser *base, const hearing_setting *setting, steno_error *error)
{
    const engine_recogniser *self = (const engine_recogniser *)base;
    steno_stream *probe = NULL;
    steno_status status =
        steno_stream_create(self->engine, self->model, &setting->stream, &probe, error);
    steno_stream_destroy(probe);
    return status;
}

static void close_hearing(hearing *base)
{
    engine_hearing *self = (engine_hearing *)base;
    for (unsigned i = 0; i < self->stream_count; i++)
        steno_stream_destroy(self->streams[i]);
    free(self);
}

static steno_status open_streams(const engine_recogniser *from, const hearing_setting *setting,
    const steno_audio_info *info, engine_hearing *self, steno_error *error)
{
    steno_stream_options options = setting->stream;
    options.rate_hz = info->rate_hz;
    options.channels = info->channels;
    unsigned wanted = setting->per_channel ? info->channels : 1;
    while (self->stream_count < wanted) {
        if (setting->per_channel)
            options.channel = self->stream_count + 1;
        steno_status status = steno_stream_create(
            from->engine, from->model, &options, &self->streams[self->stream_count], error);
        if (status < 0)
            return status;
        self->stream_count++;
    }
    return STENO_OK;
}

static steno_status open_hearing(recogniser *base, const hearing_setting *setting,
    const steno_audio_info *info, hearing **out_hearing, steno_error *error)
{
    engine_hearing *self = calloc(1, sizeof *self);
    if (self == NULL)
        return failure_memory(error);
    self->base.kind = base->kind;
    self->channels = info->channels;
    self->per_channel = setting->per_channel;
    steno_status status = open_streams((const engine_recogniser *)base, setting, info, self, error);
    if (status < 0)
        close_hearing(&self->base);
    else
        *out_hearing = &self->base;
    return status;
}

static steno_status feed(
    hearing *base, const float *samples, size_t frames, size_t *out_taken, steno_error *error)
{
    engine_hearing *self = (engine_hearing *)base;
    size_t least = frames;
    for (unsigned i = 0; i < self->stream_count; i++) {
        size_t begin = self->ahead[i] < frames ? self->ahead[i] : frames, taken = 0;
        steno_status status = steno_stream_feed(
            self->streams[i], samples + begin * self->channels, frames - begin, &taken);
        if (status < 0) {
            return failure_set(
                error, status, "feeding the recogniser failed: %s", steno_status_name(status));
        }
        self->ahead[i] += taken;
        if (self->ahead[i] < least) {
            least = self->ahead[i];
            self->awaited = i;
        }
    }
    for (unsigned i = 0; i < self->stream_count; i++)
        self->ahead[i] -= least;
    *out_taken = least;
    return least < frames ? STENO_FULL : STENO_OK;
}

static void finish(hearing *base)
{
    engine_hearing *self = (engine_hearing *)base;
    for (unsigned i = 0; i < self->stream_count; i++)
        steno_stream_finish(self->streams[i]);
}

/* The streams in turn.  With STENO_AGAIN the first that has not ended is the one to wait for,
 * unless one is that has no room. */
static steno_status next(
    hearing *base, const steno_result **out_result, unsigned *out_channel, steno_error *error)
{
    engine_hearing *self = (engine_hearing *)base;
    bool all_ended = true;
    for (unsigned i = 0; i < self->stream_count; i++) {
        unsigned index = (self->turn + i) % self->stream_count;
        if (self->ended[index])
            continue;
        steno_status status = steno_stream_next(self->streams[index], out_result, error);
        if (status == STENO_OK) {
            *out_channel = self->per_channel ? index + 1 : 0;
            self->turn = index;
        }
        if (status != STENO_AGAIN && status != STENO_END)
            return status;
        self->ended[index] = status == STENO_END;
        if (all_ended && status == STENO_AGAIN && self->ended[self->awaited])
            self->awaited = index;
        all_ended &= self->ended[index];
    }
    return all_ended ? STENO_END : STENO_AGAIN;
}

static steno_status wait(hearing *base, int timeout_ms)
{
    engine_hearing *self = (engine_hearing *)base;
    return steno_stream_wait(self->streams[self->awaited], timeout_ms);
}

static uint64_t fed_ms(const hearing *base)
{
    return steno_stream_fed_ms(((const engine_hearing *)base)->streams[0]);
}

static uint64_t done_ms(const hearing *base)
{
    const engine_hearing *self = (const engine_hearing *)base;
    uint64_t done = UINT64_MAX;
    for (unsigned i = 0; i < self->stream_count; i++) {
        uint64_t one = steno_stream_done_ms(self->streams[i]);
        done = one < done ? one : done;
    }
    return done;
}

static const recogniser_kind engine_kind = {
    .destroy = destroy,
    .check = check,
    .open = open_hearing,
    .close = close_hearing,
    .feed = feed,
    .finish = finish,
    .next = next,
    .wait = wait,
    .fed_ms = fed_ms,
    .done_ms = done_ms,
};

steno_status recogniser_create_engine(
    steno_model *model, uint32_t threads, recogniser **out_recogniser, steno_error *error)
{
    engine_recogniser *self = calloc(1, sizeof *self);
    if (self == NULL)
        return failure_memory(error);
    self->base.kind = &engine_kind;
    steno_engine_options options = {.threads = threads};
    steno_status status = steno_engine_create(&options, &self->engine, error);
    if (status < 0) {
        free(self);
        return status;
    }
    self->model = steno_model_ref(model);
    *out_recogniser = &self->base;
    return STENO_OK;
}
