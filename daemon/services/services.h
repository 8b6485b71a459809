/*
 * All that is served over gRPC, as one table of methods: recognition, captions, health and
 * reflection, the latter two of all of them.
 *
 *     services_create(speech, captions, max_watchers, &services, &error);
 *     count = services_methods(services, &methods);        for server_create
 *     services_destroy(services);                          after the server
 */
#ifndef SERVICES_SERVICES_H
#define SERVICES_SERVICES_H

#include "captions/captions.h"
#include "server/call.h"
#include "speech/speech.h"

typedef struct services services;

/* Both borrowed until destroy.  max_watchers: of captions, at once.  Errors: as of
 * recognition_create. */
steno_status services_create(speech *speech, captions *captions, uint32_t max_watchers,
    services **out_services, steno_error *error);
/* NULL is fine. */
void services_destroy(services *self);

/* They live until destroy. */
size_t services_methods(const services *self, const call_method *const **out_methods);

/* What the metrics want to know (recognition.h). */
uint32_t services_operations_pending(const services *self);
void services_watch(
    services *self, void (*answered)(void *context, uint64_t latency_ms), void *context);

/* Not healthy from now on.  The server's thread. */
void services_drain(services *self);

#endif
