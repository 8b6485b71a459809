/* A place where the server listens: an address, its port or the file of its socket. */
#ifndef SERVER_PLACE_H
#define SERVER_PLACE_H

#include <grpc/grpc.h>

#include "server/tls.h"
#include "steno/status.h"
#include "system/listen.h"

typedef struct server_place {
    listen_socket socket; /* zeroed for TCP */
    int port;             /* 0 for a Unix socket */
} server_place;

/* Has gRPC listen on the address, the `index`th.  tls: NULL if there are no certificates.  Errors
 * as of server_create. */
steno_status server_place_open(server_place *self, grpc_server *grpc, const char *address,
    size_t index, server_tls *tls, steno_error *error);
/* After gRPC's server.  Zeroed is fine. */
void server_place_close(server_place *self);

#endif
