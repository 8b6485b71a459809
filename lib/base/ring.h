/*
 * A ring of items of one size between two threads: one puts in, one takes out, and neither ever
 * waits, locks, allocates or calls the system, so that the one putting in may be the callback of a
 * sound device.
 *
 *     ring_create(frames, frame_bytes, &ring, &error);
 *     if (ring_writable(ring) >= count) ring_write(ring, samples, count);      the producer
 *     count = ring_read(ring, samples, capacity);                              the consumer
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stddef.h>

#include "steno/status.h"

typedef struct ring ring;

/* Room for at least `items` (1 or more) of `item_bytes` each.  STENO_ERROR_MEMORY. */
steno_status ring_create(size_t items, size_t item_bytes, ring **out_ring, steno_error *error);
/* NULL is fine. */
void ring_destroy(ring *ring);

/* The producer's side: items there is room for (never fewer later unless it writes), and putting
 * in as many of `count` as there is room for; returns how many. */
size_t ring_writable(const ring *ring);
size_t ring_write(ring *ring, const void *items, size_t count);

/* The consumer's side: items that are there, taking up to `count` of them, and looking at the
 * first without taking it (0 or 1). */
size_t ring_readable(const ring *ring);
size_t ring_read(ring *ring, void *items, size_t count);
size_t ring_peek(const ring *ring, void *item);

#endif
