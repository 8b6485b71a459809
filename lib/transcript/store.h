/*
 * Store: output kept until it can be put in order.  A record is a run of bytes with the channel
 * and time it is sorted by; records follow one another.
 */
#ifndef TRANSCRIPT_STORE_H
#define TRANSCRIPT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

typedef struct store_record {
    size_t at, size; /* in bytes */
    uint64_t start_ms;
    unsigned channel;
} store_record;

typedef struct store {
    char *bytes;
    size_t used, capacity;
    store_record *records;
    size_t record_count, record_capacity;
} store;

void store_finish(store *store); /* zeros are an empty store */

/* A steno_write whose context is a store.  STENO_ERROR_MEMORY leaves the store as it was. */
steno_status store_append(void *context, const char *bytes, size_t size);
/* What was appended since the last record is one. */
steno_status store_record_add(store *store, unsigned channel, uint64_t start_ms);

/* By time, then by channel, then in the order added; or by channel first. */
void store_sort_by_time(store *store);
void store_sort_by_channel(store *store);

#endif
