/*
 * How far a run over many files is: each file's share is its size in bytes, known before it is
 * opened; what is done of it is told by the thread that works on it.
 */
#ifndef STENO_PROGRESS_H
#define STENO_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

typedef struct progress_item {
    uint64_t weight;                        /* 0: unknown (a pipe) */
    atomic_uint_fast64_t done_ms, total_ms; /* of audio; total 0: unknown */
    atomic_bool complete;
} progress_item;

typedef struct progress {
    size_t count;
    progress_item *items; /* [count] */
    uint64_t start_ms;    /* clock when it began */
} progress;

/* Sizes of the files at `paths` are looked up ("-": unknown). */
steno_status progress_init(
    progress *self, const char *const *paths, size_t count, steno_error *error);
void progress_finish(progress *self);

/* total_ms: UINT64_MAX when unknown. Any thread. */
void progress_update(progress *self, size_t item, uint64_t done_ms, uint64_t total_ms);
void progress_complete(progress *self, size_t item);

/* Where it stands: audio recognised, and the share 0..1 of the work or -1 when that is unknown. */
void progress_sum(const progress *self, uint64_t *out_audio_ms, double *out_share);

/* "[=====>    ]  52 %  34.0 x real time  0:12 left" for `elapsed_ms` of work. */
void progress_format(uint64_t audio_ms, double share, uint64_t elapsed_ms, char *out, size_t size);

/* The same for now. */
void progress_line(const progress *self, char *out, size_t size);

/* Milliseconds of a clock that only runs forward. */
uint64_t progress_clock_ms(void);

#endif
