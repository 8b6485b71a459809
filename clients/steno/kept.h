/*
 * Results kept beyond the stream's next call, so that the channels of a file can be told in the
 * order of their time once all are known.
 */
#ifndef STENO_KEPT_H
#define STENO_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "steno/result.h"

typedef struct kept_result {
    steno_result *result; /* one block with all it points to */
    unsigned channel;
    size_t order; /* as it came */
} kept_result;

typedef struct kept {
    kept_result *results; /* [count] */
    size_t count, capacity;
} kept;

/* Keeps a copy. STENO_ERROR_MEMORY. */
steno_status kept_add(kept *self, const steno_result *result, unsigned channel);
/* Moves the times of all that is kept so much later. */
void kept_delay(kept *self, uint64_t by_ms);
/* By start time, then channel, then as they came. */
void kept_sort(kept *self);
void kept_finish(kept *self);

#endif
