/*
 * What --save-audio writes: the audio as it was recognised.  A microphone that comes back with
 * another rate or other channels is written to a file of its own, NAME-2.flac.  What can't be
 * written is said once, and listening goes on.
 */
#ifndef STENO_SAVED_AUDIO_H
#define STENO_SAVED_AUDIO_H

#include <stddef.h>
#include <stdint.h>

#include "screen.h"
#include "steno/recording.h"

typedef struct saved_audio {
    screen *screen;
    const char *path; /* NULL: nothing is saved */
    steno_recording *recording;
    uint32_t rate_hz, channels; /* of it */
    unsigned files;             /* begun */
    steno_status status;        /* negative: something could not be written */
} saved_audio;

/* path: borrowed; NULL: nothing is saved. */
void saved_audio_init(saved_audio *self, screen *screen, const char *path);
/* Audio of this kind follows. */
void saved_audio_begin(saved_audio *self, uint32_t rate_hz, uint32_t channels);
/* Rounds `count` samples to what the file can hold, unless nothing is saved: recognised after that,
 * they say what the file will say. */
void saved_audio_round(const saved_audio *self, float *samples, size_t count);
/* samples: interleaved [frames, channels]. */
void saved_audio_add(saved_audio *self, const float *samples, size_t frames);
/* Negative if anything could not be written. */
steno_status saved_audio_finish(saved_audio *self);

#endif
