/*
 * Sockets that the service manager listens on and has handed over: a thread accepts their
 * connections and passes them on.  The sockets stay with the service manager: connections that come
 * while the daemon is away wait for the next one.
 *
 *     inherited_check(fd, plaintext_is_fine, name, size, &error);      for each
 *     inherited_create(first, count, server_adopt, server, &inherited, &error);
 *     ... inherited_stop(inherited) ...                before the server stops
 *     inherited_destroy(inherited);
 *
 * gRPC's C core takes connections from outside as plaintext only, so a socket must be one that this
 * machine alone reaches, unless plaintext beyond that is allowed.
 */
#ifndef SYSTEM_INHERITED_H
#define SYSTEM_INHERITED_H

#include <stdbool.h>
#include <stddef.h>

#include "steno/status.h"

/* Writes the socket's address as listen.h has them ("unix:/run/stenod/stenod.sock").  Errors:
 * ARGUMENT (other machines reach it and that is not allowed), IO. */
steno_status inherited_check(
    int fd, bool plaintext_is_fine, char *out_name, size_t size, steno_error *error);

typedef struct inherited inherited;

/* Takes the sockets `first` to `first + count - 1` on success and starts to accept.  adopt: called
 * on the thread with each connection, a descriptor that becomes its own.  Errors: IO, MEMORY. */
steno_status inherited_create(int first, unsigned count, void (*adopt)(void *context, int fd),
    void *context, inherited **out_inherited, steno_error *error);

/* Accepts no more; adopt is not called after the return.  NULL, and again, is fine. */
void inherited_stop(inherited *self);
/* Stops, and closes the sockets. */
void inherited_destroy(inherited *self);

#endif
