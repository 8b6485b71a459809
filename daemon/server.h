/*
 * The gRPC server: addresses listened on, methods served, calls under way.
 *
 * Threads: one (whose server_run it is) runs the completion queue and with it all calls and
 * services; engine workers reach it only through call_wake.  A second waits for server_shutdown,
 * which may be called from any thread or a signal's.
 *
 * What is over a limit is refused with RESOURCE_EXHAUSTED and a message that names the limit;
 * connections too many are closed.
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include "daemon/call.h"
#include "steno/status.h"

typedef struct server_options {
    /* "HOST:PORT" (port 0: any free one), "tls:HOST:PORT", "unix:PATH"; [count] */
    const char *const *addresses;
    size_t address_count;
    uint32_t max_streams;              /* recognising calls at once; RESOURCE_EXHAUSTED beyond */
    uint32_t max_streams_per_client;   /* of one address; 0: no limit of its own */
    uint32_t max_calls;                /* of any kind at once */
    uint32_t max_calls_per_connection; /* clients let further ones wait; 0: no limit of its own */
    uint32_t max_connections; /* at once, in the process; closed at once beyond; 0: no limit */
    uint32_t idle_ms;         /* after which a connection without a call is closed; 0: never */
    size_t max_message_bytes;
    size_t max_metadata_bytes;
    size_t memory_bytes;                   /* gRPC's resource quota */
    const char *tls_certificate, *tls_key; /* PEM texts, for "tls:" addresses; else NULL */

    /* Called once on the server's thread when server_shutdown has been; NULL: nothing to do. */
    void (*draining)(void *context);
    void *context;
} server_options;

typedef struct server server;

/* Listens; calls wait for server_run.  methods [count] are borrowed until destroy, options only for
 * the time of the call.  Errors name the address: ARGUMENT (not one, or a certificate that is no
 * good), STATE (somebody listens there), NOT_FOUND, PERMISSION, LIMIT (so many connections), IO,
 * MEMORY. */
steno_status server_create(const server_options *options, const call_method *const *methods,
    size_t method_count, server **out_server, steno_error *error);

/* The port that an address with port 0 got; 0 for a Unix socket. */
int server_port(const server *server, size_t address);

/* Serves until server_shutdown has been called and the last call has ended. */
void server_run(server *server);

/* New recognising calls are refused with UNAVAILABLE; those under way get `drain_ms` to end, then
 * are cancelled.  Other calls are served until the last recognising one has ended, then finished
 * with UNAVAILABLE.  Async-signal-safe; more calls than one: the shortest time left holds. */
void server_shutdown(server *server, uint32_t drain_ms);

void server_destroy(server *server);

/* Recognising calls under way now, and all so far. */
uint32_t server_streams(const server *server);
uint64_t server_streams_total(const server *server);

#endif
