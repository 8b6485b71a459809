#include "server/place.h"

#include <grpc/grpc_security.h>
#include <sys/stat.h>

#include "base/error.h"

/* gRPC only logs why it can't. */
static steno_status refuse(const listen_address *address, const char *text, steno_error *error)
{
    if (address->kind == LISTEN_TLS)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "can't listen on %s: TLS does not take the certificate or the key", text);
    return error_set(error, STENO_ERROR_IO, "can't listen on %s", text);
}

steno_status server_place_open(server_place *self, grpc_server *grpc, const char *text,
    size_t index, server_tls *tls, steno_error *error)
{
    listen_address address;
    steno_status status = listen_parse(text, &address, error);
    if (status < 0)
        return status;
    if (address.kind == LISTEN_TLS && tls == NULL)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "%s: TLS needs a certificate and its private key", text);
    status = listen_probe(&address, text, error);
    if (status < 0)
        return status;
    grpc_server_credentials *credentials = address.kind == LISTEN_TLS
                                               ? server_tls_credentials(tls, index)
                                               : grpc_insecure_server_credentials_create();
    /* A Unix socket is for its user and group from its first moment on: 0660. */
    mode_t mask = umask(0117);
    int port = grpc_server_add_http2_port(grpc, address.grpc, credentials);
    umask(mask);
    grpc_server_credentials_release(credentials);
    if (port == 0)
        return refuse(&address, text, error);
    if (address.kind == LISTEN_UNIX)
        return listen_keep_socket(&address, text, &self->socket, error);
    self->port = port;
    return STENO_OK;
}

void server_place_close(server_place *self)
{
    listen_remove_socket(&self->socket);
}
