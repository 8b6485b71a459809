/*
 * Allocation.  All of libsteno allocates here, so that tests can count what is alive and make
 * any single allocation fail.  Thread-safe.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Alignment of every block in bytes: a cache line, and one AVX-512 register. */
#define MEMORY_ALIGNMENT 64

/* `count` objects of `size` bytes, zeroed, aligned to MEMORY_ALIGNMENT.  NULL when memory is out
 * or count * size overflows.  A zero-sized request gives a valid block. */
void *memory_allocate(size_t count, size_t size);

/* Frees a block of memory_allocate; NULL is fine. */
void memory_free(void *block);

/* A copy of a terminated string, or NULL. */
char *memory_duplicate(const char *string);

/* Blocks alive now, and allocations attempted since the start: for tests and soak checks. */
size_t memory_alive(void);
uint64_t memory_attempts(void);

/* Bytes the calling thread has allocated so far, whatever was freed since: the difference over
 * the creation of an object is what it holds. */
uint64_t memory_thread_bytes(void);

/* Makes the attempt number `attempt` (as counted by memory_attempts, first is 1) fail, once;
 * 0 turns it off.  For tests only. */
void memory_fail_at(uint64_t attempt);

#endif
