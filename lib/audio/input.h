/*
 * Where the bytes of an audio file come from: a path, a block of memory or the caller's callbacks,
 * behind one read and one seek.  Holds no format.
 */
#ifndef AUDIO_INPUT_H
#define AUDIO_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/audio.h"

typedef struct input {
    char name[256];      /* for messages; a longer one keeps its end */
    steno_source source; /* path and callbacks; unused once `bytes` is set */
    int descriptor;      /* -1 unless opened here */
    bool seekable;
    uint64_t size;    /* bytes in all; UINT64_MAX when unknown */
    int error_number; /* errno of a read that failed, or 0; sticks */

    const unsigned char *bytes; /* the whole input in memory, or NULL */
    unsigned char *owned;       /* the same block where it is ours to change and to free */
    size_t position;            /* in bytes */
} input;

/* Each fills in *input; on failure nothing is left open.  Errors as steno_audio_open says. */
steno_status input_open_path(input *input, const char *path, steno_error *error);
/* bytes: borrowed until input_close. */
steno_status input_open_memory(
    input *input, const char *name, const void *bytes, size_t size, steno_error *error);
/* source: copied; its context is borrowed until input_close. */
steno_status input_open_source(
    input *input, const char *name, const steno_source *source, steno_error *error);
void input_close(input *input);

/* Bytes read: `input_read` waits until `size` have come or the input ends, `input_read_some` gives
 * what one read gives (0: the end).  -1 on failure, with error_number set. */
int64_t input_read(input *input, void *bytes, size_t size);
int64_t input_read_some(input *input, void *bytes, size_t size);

/* As lseek: the new position or -1. */
int64_t input_seek(input *input, int64_t offset, int whence);

/* Brings the whole input into memory (unless it is there) as a block of its own that may be
 * changed, from its first byte where it can seek.  STENO_ERROR_LIMIT above `limit` bytes. */
steno_status input_load(input *input, size_t limit, steno_error *error);

/* The failure of a read, in words. */
steno_status input_error(const input *input, steno_error *error);

#endif
