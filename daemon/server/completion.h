/*
 * What comes back from gRPC.  It works on operations: each is started with a tag and returned once,
 * with that tag, by the completion queue.  Here the tag is an `operation` inside the call (or
 * server) it belongs to, whose memory outlives all that are out.
 *
 *     self->reading = (operation){on_read, self};
 *     grpc_call_start_batch(self->grpc, what, 1, &self->reading, NULL);
 *     while (completion_take(queue, UINT64_MAX))
 *         ;
 */
#ifndef SERVER_COMPLETION_H
#define SERVER_COMPLETION_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stdint.h>

/* An operation's tag. */
typedef struct operation {
    void (*done)(void *owner, bool success);
    void *owner;
} operation;

/* Waits for an operation to come back, until the time of alarms_now_ms (UINT64_MAX: for ever), and
 * calls what is to be done then.  Returns false once the queue has shut down and nothing is left.
 */
bool completion_take(grpc_completion_queue *queue, uint64_t until_ms);

#endif
