/*
 * A bell: other threads ring it, to wake the one that waits for it, in the middle of a sleep or
 * before it.
 */
#ifndef STENO_BELL_H
#define STENO_BELL_H

#include "steno/status.h"

typedef struct bell {
    int fd; /* an eventfd */
} bell;

/* STENO_ERROR_IO: no descriptors left. */
steno_status bell_init(bell *self);
/* Fine after an error, too. */
void bell_finish(bell *self);

/* bell: a bell.  Any thread; as a callback of libsteno's streams, for instance. */
void bell_ring(void *bell);

/* Sleeps until it rings, there is something to read from one of the descriptors (-1: none), or the
 * time is over. */
void bell_wait(const bell *self, int one_fd, int other_fd, int timeout_ms);

#endif
