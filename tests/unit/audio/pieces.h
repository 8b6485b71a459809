/* Driving an audio stream with a recording cut into pieces. */
#ifndef TESTS_PIECES_H
#define TESTS_PIECES_H

#include "recordings.h"
#include "steno/audio_stream.h"

/* How the bytes are cut and the samples are taken. */
struct cutting {
    size_t piece;    /* bytes written at once; 0: sizes that differ, by `seed` */
    size_t capacity; /* frames asked for at once */
    uint32_t seed;
};

struct decoded {
    float *samples; /* [frames, channels]; freed with free() */
    size_t frames;
    steno_audio_info info; /* channels 0 if it never became known */
    steno_status end;      /* END or an error */
    steno_error error;
};

/* A small generator of numbers that is the same everywhere. */
uint32_t pieces_random(uint32_t *state);

/* Writes and reads all of it; checks what holds for any bytes: counts within bounds, samples
 * within [-1, 1), errors that stick and have words, FULL only with a full buffer. */
struct decoded pieces_decode(steno_audio_kind kind, const steno_raw_format *raw,
    struct recording recording, struct cutting cutting);

/* That both ended alike and have the same samples to the bit. */
void pieces_check_same(const char *name, const struct decoded *a, const struct decoded *b);

#endif
