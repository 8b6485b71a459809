/*
 * Work on items 0 .. count-1 side by side: each of a few threads takes the next item until there
 * are none, while the main thread waits for signals and shows progress.  One thread an item keeps
 * the code of an item straight (read, feed, wait); the engine's own workers do the computing.
 */
#ifndef STENO_PARALLEL_H
#define STENO_PARALLEL_H

#include <stddef.h>
#include <stdint.h>

#include "interrupt.h"
#include "steno/status.h"

typedef struct parallel {
    size_t count;
    uint32_t threads;                         /* at most; 1 or more */
    void (*work)(void *context, size_t item); /* on a thread of its own */
    void (*tick)(void *context); /* on the calling thread, again and again and at the end */
    void *context;
    interrupt *interrupt; /* once stopped, no further item is begun */
} parallel;

/* Returns when all that was begun is done.  STENO_ERROR_MEMORY if no thread could be started. */
steno_status parallel_run(const parallel *self, steno_error *error);

#endif
