/*
 * Two counters that only grow: how many items were ever written, and how many were ever read; each
 * has one thread that changes it.  Their difference is what the ring holds, and an item's place is
 * its number modulo the capacity, a power of two, so that the counters may overflow.
 *
 * The producer publishes items by storing `written` with release after it has copied them, and the
 * consumer loads it with acquire before it copies them out; `read` gives the room back in the same
 * way.  A thread loads its own counter relaxed: nobody else changes it.  The counters lie on cache
 * lines of their own, as each is written by another thread.
 *
 * Rejected: a lock (a callback that waits for a thread of lower priority loses audio), and one
 * counter of what is held, which both would have to change.
 */
#include "base/ring.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

struct ring {
    size_t capacity; /* items, a power of two */
    size_t item_bytes;
    unsigned char *items; /* [capacity, item_bytes] */

    alignas(MEMORY_ALIGNMENT) atomic_size_t written; /* the producer's */
    alignas(MEMORY_ALIGNMENT) atomic_size_t read;    /* the consumer's */
};

steno_status ring_create(size_t items, size_t item_bytes, ring **out_ring, steno_error *error)
{
    size_t capacity = 1;
    while (capacity < items && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    ring *self = memory_allocate(1, sizeof *self);
    if (!self || capacity < items)
        goto fail;
    self->capacity = capacity;
    self->item_bytes = item_bytes;
    self->items = memory_allocate(capacity, item_bytes);
    if (!self->items)
        goto fail;
    *out_ring = self;
    return STENO_OK;

fail:
    ring_destroy(self);
    return error_memory(error);
}

void ring_destroy(ring *self)
{
    if (!self)
        return;
    memory_free(self->items);
    memory_free(self);
}

static size_t smaller(size_t one, size_t other)
{
    return one < other ? one : other;
}

size_t ring_writable(const ring *self)
{
    size_t written = atomic_load_explicit(&self->written, memory_order_relaxed);
    return self->capacity - (written - atomic_load_explicit(&self->read, memory_order_acquire));
}

size_t ring_write(ring *self, const void *items, size_t count)
{
    count = smaller(count, ring_writable(self));
    size_t written = atomic_load_explicit(&self->written, memory_order_relaxed);
    size_t place = written & (self->capacity - 1);
    size_t first = smaller(count, self->capacity - place), size = self->item_bytes;
    memcpy(self->items + place * size, items, first * size);
    memcpy(self->items, (const unsigned char *)items + first * size, (count - first) * size);
    atomic_store_explicit(&self->written, written + count, memory_order_release);
    return count;
}

size_t ring_readable(const ring *self)
{
    size_t read = atomic_load_explicit(&self->read, memory_order_relaxed);
    return atomic_load_explicit(&self->written, memory_order_acquire) - read;
}

/* Copies the first `count` items, which are there. */
static void copy_out(const ring *self, size_t read, unsigned char *items, size_t count)
{
    size_t place = read & (self->capacity - 1);
    size_t first = smaller(count, self->capacity - place), size = self->item_bytes;
    memcpy(items, self->items + place * size, first * size);
    memcpy(items + first * size, self->items, (count - first) * size);
}

size_t ring_read(ring *self, void *items, size_t count)
{
    count = smaller(count, ring_readable(self));
    size_t read = atomic_load_explicit(&self->read, memory_order_relaxed);
    copy_out(self, read, items, count);
    atomic_store_explicit(&self->read, read + count, memory_order_release);
    return count;
}

size_t ring_peek(const ring *self, void *item)
{
    if (ring_readable(self) == 0)
        return 0;
    copy_out(self, atomic_load_explicit(&self->read, memory_order_relaxed), item, 1);
    return 1;
}
