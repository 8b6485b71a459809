/*
 * TLS of the server: what its addresses show to clients, which may change while they listen.  gRPC
 * asks for it at the beginning of each connection, on threads of its own.
 *
 *     server_tls_create(chain, key, client_ca, addresses, &tls, &error);
 *     credentials = server_tls_credentials(tls, index);       for each address
 *     server_tls_replace(tls, chain, key, client_ca, &error)
 *     server_tls_destroy(tls);                                after gRPC's server
 */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include <grpc/grpc_security.h>
#include <stddef.h>

#include "steno/status.h"

typedef struct server_tls server_tls;

/* Texts in PEM, copied.  client_ca: NULL if clients need no certificate; with one they need it.
 * Errors: MEMORY. */
steno_status server_tls_create(const char *chain, const char *key, const char *client_ca,
    size_t addresses, server_tls **out_tls, steno_error *error);

/* Of one address; the caller's to release, but tells gRPC where to ask, so tls has to outlive
 * gRPC's server. */
grpc_server_credentials *server_tls_credentials(server_tls *self, size_t address);

/* Connections that begin from now on see these.  client_ca: NULL as before, or not, as before.  Any
 * thread.  Errors: MEMORY; nothing has changed then. */
steno_status server_tls_replace(server_tls *self, const char *chain, const char *key,
    const char *client_ca, steno_error *error);

/* NULL is fine. */
void server_tls_destroy(server_tls *self);

#endif
