/*
 * Audio files made in memory for the tests: by hand for WAV, whose header the tests damage, and by
 * libsndfile for the rest.
 */
#ifndef TESTS_RECORDINGS_H
#define TESTS_RECORDINGS_H

#include <stddef.h>
#include <stdint.h>

#include "steno/audio.h"

struct recording {
    unsigned char *bytes; /* freed with free() */
    size_t size;
};

/* `count` samples that sound like speech to a codec: a gliding tone that comes and goes. */
void recording_signal(float *samples, size_t count, double rate_hz);

/* 16-bit PCM with a header of 44 bytes; data_size: what it says of its samples' bytes. */
struct recording recording_wav(
    const float *samples, uint32_t frames, uint32_t channels, uint32_t rate_hz, uint32_t data_size);

/* format: as SF_INFO's; quality: libsndfile's compression level 0..1, variable bit rate. */
struct recording recording_encode(
    const float *samples, size_t frames, int channels, int rate_hz, int format, double quality);

/* A whole file of tests/data. */
struct recording recording_load(const char *name);

/* Byte offset of page `number`, counted from 0, of an Ogg file that has it. */
size_t recording_page(struct recording ogg, unsigned number);

/* Reads to the end in pieces of `piece` frames.  Returns how many frames came, in *out_samples
 * (freed with free()), and how it ended. */
size_t recording_read(steno_audio_file *file, size_t piece, float **out_samples,
    steno_status *out_end, steno_error *error);

/* A source that reads `recording`, `step` bytes at most each time; fails with EIO from byte
 * fail_at on. */
struct reader {
    struct recording recording;
    size_t position, step, fail_at;
};
steno_source reader_source(struct reader *reader, int can_seek);

#endif
