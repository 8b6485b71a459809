/*
 * The names of the services that a table of methods has: "package.Service" of the paths
 * "/package.Service/Method", each once, in alphabetical order.
 */
#ifndef SERVICES_NAMES_H
#define SERVICES_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "server/call.h"
#include "steno/status.h"

typedef struct service_names {
    char **names; /* [count] */
    size_t count;
} service_names;

/* Adds those of some methods.  Errors: MEMORY; then nothing of them may have been added. */
steno_status service_names_add(
    service_names *self, const call_method *const *methods, size_t count);
bool service_names_has(const service_names *self, const char *name);
/* A zeroed struct is fine. */
void service_names_finish(service_names *self);

#endif
