/*
 * grpc.health.v1.Health: whether the server as a whole ("") and each of its services is being
 * served.  All are until the server drains.
 *
 *     health_create(&names, &health, &error);
 *     health_methods(health, &own);        for server_create
 *     ... health_drain(health) ...         from the server's hook
 *     health_destroy(health);              after the server
 *
 * The server's thread.
 */
#ifndef SERVICES_HEALTH_H
#define SERVICES_HEALTH_H

#include <stddef.h>

#include "server/call.h"
#include "services/names.h"
#include "steno/status.h"

typedef struct health health;

/* names: the services that there are; borrowed until destroy.  Errors: MEMORY. */
steno_status health_create(const service_names *names, health **out_health, steno_error *error);

/* The methods served; they live until destroy. */
size_t health_methods(health *self, const call_method *const **out_methods);

/* NOT_SERVING from now on; those who watch are told. */
void health_drain(health *self);

/* After every call has ended.  NULL is fine. */
void health_destroy(health *self);

#endif
