/*
 * The recognising services, Google's, Riva's and Vosk's, with what goes with them: operations, and
 * what the model is and how the server does.
 *
 *     recognition_create(speech, &recognition, &error);
 *     count = recognition_methods(recognition, &methods);   for server_create
 *     ...
 *     recognition_destroy(recognition);                     after the server
 */
#ifndef SERVICES_RECOGNITION_H
#define SERVICES_RECOGNITION_H

#include <stddef.h>
#include <stdint.h>

#include "server/call.h"
#include "speech/speech.h"
#include "steno/status.h"

typedef struct recognition recognition;

/* maker: of the sessions; borrowed until destroy.  Errors: MEMORY, INTERNAL (no thread). */
steno_status recognition_create(speech *maker, recognition **out_recognition, steno_error *error);

/* The methods served; they live until destroy. */
size_t recognition_methods(recognition *self, const call_method *const **out_methods);

/* Operations that are not done; any thread. */
uint32_t recognition_operations_pending(recognition *self);
/* Has `answered` called with the time from the end of a stream's audio to its last result, on the
 * server's thread.  Before the first call. */
void recognition_watch(
    recognition *self, void (*answered)(void *context, uint64_t latency_ms), void *context);

/* After every call has ended; abandons operations that are not done.  NULL is fine. */
void recognition_destroy(recognition *self);

#endif
