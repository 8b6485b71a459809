/*
 * steno.v1.Captions: clients that watch captures, over gRPC.  A call is a reader of the hub
 * (captions/captions.h) with one message at a time on its way, so that what a slow client gets next
 * is the newest interim, and the finals that it has not had.
 */
#ifndef SERVICES_WATCHING_H
#define SERVICES_WATCHING_H

#include "captions/captions.h"
#include "server/call.h"

typedef struct watching watching;

/* hub: borrowed until destroy.  max_watchers: at once; RESOURCE_EXHAUSTED beyond.  Errors:
 * MEMORY. */
steno_status watching_create(
    captions *hub, uint32_t max_watchers, watching **out_watching, steno_error *error);
/* After every call has ended.  NULL is fine. */
void watching_destroy(watching *watching);

/* The methods served; they live until destroy. */
size_t watching_methods(watching *watching, const call_method *const **out_methods);

#endif
