/*
 * Operations: recognition that outlasts the call that asked for it, by name until an hour after it
 * is done.
 *
 * One thread of their own runs them one after the other, so that however many wait, calls under
 * way share the engine with one of them only.  All functions but create and destroy are for the
 * server's thread.  What waits is bounded: OPERATIONS_MAX of them, OPERATIONS_MAX_BYTES of audio.
 * Nothing survives the process.
 */
#ifndef SERVICES_OPERATIONS_H
#define SERVICES_OPERATIONS_H

#include "server/call.h"
#include "speech/speech.h"
#include "wire/wire.h"

enum { OPERATIONS_MAX = 256, OPERATIONS_KEPT_MS = 3600 * 1000 };

#define OPERATIONS_MAX_BYTES ((size_t)512 << 20)

typedef struct operations operations;

/* maker: of the sessions; borrowed until destroy. */
steno_status operations_create(speech *maker, operations **out_operations, steno_error *error);
/* Abandons what is not done.  NULL is fine. */
void operations_destroy(operations *operations);

/* Puts the request in the queue and writes the new operation.  On success the request is taken: it
 * lies in a block of memory_allocate, and is finished and freed here.  owner: who may list it, of
 * CALL_CLIENT_BYTES at most. STENO_ERROR_LIMIT when too much waits. */
steno_status operations_start(operations *operations, wire_request *request, const char *owner,
    wire_output *output, steno_error *error);

/* How many wait to be done or are being done; any thread. */
uint32_t operations_pending(operations *operations);

/* google.longrunning.Operations: a request's bytes in, the response out.  STENO_ERROR_NOT_FOUND for
 * a name that is none, or of an operation that has expired or was deleted. */
steno_status operations_get(operations *operations, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error);
steno_status operations_list(operations *operations, const char *owner, const uint8_t *bytes,
    size_t size, wire_output *output, steno_error *error);
steno_status operations_cancel(operations *operations, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error);
/* What is not done is cancelled, too. */
steno_status operations_delete(operations *operations, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error);

/* WaitOperation; its service is the operations. */
extern const call_method operations_wait_method;

#endif
