#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Relaxed order throughout: these are counters that order nothing else. */
static atomic_size_t alive;
static _Atomic uint64_t attempts;
static _Atomic uint64_t fail_at;
static _Thread_local uint64_t thread_bytes;

void *memory_allocate(size_t count, size_t size)
{
    uint64_t attempt = atomic_fetch_add_explicit(&attempts, 1, memory_order_relaxed) + 1;
    if (attempt == atomic_load_explicit(&fail_at, memory_order_relaxed))
        return NULL;
    if (size != 0 && count > (SIZE_MAX - MEMORY_ALIGNMENT) / size)
        return NULL;
    size_t bytes = count * size;
    bytes =
        bytes ? (bytes + MEMORY_ALIGNMENT - 1) & ~(size_t)(MEMORY_ALIGNMENT - 1) : MEMORY_ALIGNMENT;
    void *block = aligned_alloc(MEMORY_ALIGNMENT, bytes);
    if (block) {
        memset(block, 0, bytes);
        thread_bytes += bytes;
        atomic_fetch_add_explicit(&alive, 1, memory_order_relaxed);
    }
    return block;
}

void memory_free(void *block)
{
    if (block)
        atomic_fetch_sub_explicit(&alive, 1, memory_order_relaxed);
    free(block);
}

char *memory_duplicate(const char *string)
{
    size_t bytes = strlen(string) + 1;
    char *copy = memory_allocate(bytes, 1);
    if (copy)
        memcpy(copy, string, bytes);
    return copy;
}

size_t memory_alive(void)
{
    return atomic_load_explicit(&alive, memory_order_relaxed);
}

uint64_t memory_attempts(void)
{
    return atomic_load_explicit(&attempts, memory_order_relaxed);
}

uint64_t memory_thread_bytes(void)
{
    return thread_bytes;
}

void memory_fail_at(uint64_t attempt)
{
    atomic_store_explicit(&fail_at, attempt, memory_order_relaxed);
}
