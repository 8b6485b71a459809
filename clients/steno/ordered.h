/*
 * Standard output shared by files that are worked on side by side: what they write appears in the
 * order of the files, each whole.  The first unfinished file writes through at once; those after
 * it gather in memory until their turn.  Any thread; each item is used by one at a time.
 */
#ifndef STENO_ORDERED_H
#define STENO_ORDERED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "console.h"
#include "growing.h"
#include "steno/status.h"

typedef struct ordered_item {
    struct ordered *owner;
    size_t index;
    growing waiting;
    bool done;
} ordered_item;

typedef struct ordered {
    pthread_mutex_t lock;
    console *console;
    const char *separator; /* written between one item's output and the next one's */
    bool written;          /* something was */
    bool fresh;            /* the item whose turn it is has not written yet */
    size_t turn, count;
    ordered_item *items; /* [count] */
} ordered;

steno_status ordered_init(
    ordered *self, console *console, size_t count, const char *separator, steno_error *error);
void ordered_finish(ordered *self);

/* A steno_write: context is an ordered_item.  Shown from the next ordered_flush on. */
steno_status ordered_write(void *context, const char *bytes, size_t size);
/* Shows what was written if it is the item's turn. STENO_ERROR_IO: standard output is gone. */
steno_status ordered_flush(ordered_item *item);
/* Shows forming text if it is the item's turn. */
steno_status ordered_interim(ordered_item *item, const char *text);
/* The item is complete: passes the turn on. */
steno_status ordered_done(ordered_item *item);

#endif
