#include "saved_audio.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void saved_audio_init(saved_audio *self, screen *terminal, const char *path)
{
    *self = (struct saved_audio){.screen = terminal, .path = path};
}

static void note(saved_audio *self, const steno_error *error)
{
    if (self->status == STENO_OK)
        screen_say(self->screen, error->message);
    self->status = error->status;
}

static void end(saved_audio *self)
{
    steno_error error;
    if (steno_recording_close(self->recording, &error) < 0)
        note(self, &error);
    self->recording = NULL;
}

/* "talk.flac", then "talk-2.flac"; NULL when memory is out. */
static char *name_of(const saved_audio *self)
{
    const char *dot = strrchr(self->path, '.');
    char *name = NULL;
    if (self->files == 0)
        return strdup(self->path);
    if (asprintf(&name, "%.*s-%u%s", (int)(dot - self->path), self->path, self->files + 1, dot) < 0)
        return NULL;
    return name;
}

void saved_audio_begin(saved_audio *self, uint32_t rate_hz, uint32_t channels)
{
    bool fits = self->rate_hz == rate_hz && self->channels == channels;
    if (self->path == NULL || self->status < 0 || (self->recording != NULL && fits))
        return;
    end(self);
    char *name = name_of(self);
    steno_error error = {STENO_ERROR_MEMORY, "out of memory"};
    steno_status status = STENO_ERROR_MEMORY;
    if (name != NULL)
        status = steno_recording_create(name, rate_hz, channels, &self->recording, &error);
    if (status < 0) {
        note(self, &error);
    } else if (self->files > 0) {
        char message[512];
        snprintf(message, sizeof message,
            "the audio goes on in %s: it is %u Hz with %u channel%s now", name, (unsigned)rate_hz,
            (unsigned)channels, channels == 1 ? "" : "s");
        screen_say(self->screen, message);
    }
    free(name);
    self->rate_hz = rate_hz;
    self->channels = channels;
    self->files++;
}

void saved_audio_round(const saved_audio *self, float *samples, size_t count)
{
    for (size_t i = 0; self->recording != NULL && i < count; i++) {
        float steps = samples[i] == samples[i] ? rintf(samples[i] * 32768) : 0;
        samples[i] = fminf(32767, fmaxf(-32768, steps)) / 32768;
    }
}

void saved_audio_add(saved_audio *self, const float *samples, size_t frames)
{
    steno_error error;
    if (self->recording == NULL || frames == 0 || self->status < 0)
        return;
    if (steno_recording_write(self->recording, samples, frames, &error) < 0)
        note(self, &error);
}

steno_status saved_audio_finish(saved_audio *self)
{
    end(self);
    return self->status;
}
