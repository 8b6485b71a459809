/*
 * Gets the thread that waits at a completion queue out of its wait, though no operation came back:
 *
 *     bell_init(&bell, queue, error);
 *     bell_ring(&bell);          another thread, or a signal's handler
 *     bell_finish(&bell);
 *     grpc_completion_queue_shutdown(queue);
 */
#ifndef SERVER_BELL_H
#define SERVER_BELL_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/completion.h"
#include "steno/status.h"

typedef struct bell {
    /* Constant after init. */
    grpc_channel *nowhere;
    grpc_call *call; /* on `nowhere`; never sends anything */
    operation strike;
    int fd; /* an eventfd, if there is a channel */
    pthread_t ringer;
    bool has_ringer;

    /* Any thread. */
    _Atomic bool is_struck;  /* `strike` is out */
    _Atomic bool is_closing; /* the ringer is to go */
} bell;

/* Starts a thread.  Errors: IO; then there is nothing to ring, and bell_finish is still due. */
steno_status bell_init(bell *self, grpc_completion_queue *queue, steno_error *error);
/* Async-signal-safe; any thread.  Rung again before the thread woke, it wakes once. */
void bell_ring(bell *self);
/* Before the queue shuts down; the memory stays until the queue has, since the last ring may still
 * be in it.  Zeroed is fine. */
void bell_finish(bell *self);

#endif
