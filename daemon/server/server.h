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
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "server/call.h"
#include "steno/status.h"

/* Why a call was refused before its service saw it. */
typedef enum server_refusal {
    SERVER_TAKEN,            /* it was not */
    SERVER_NO_SUCH_METHOD,   /* nothing is served there */
    SERVER_SHUTTING_DOWN,    /* draining */
    SERVER_TOO_MANY_CALLS,   /* max_calls */
    SERVER_TOO_MANY_STREAMS, /* max_streams */
    SERVER_CLIENT_TOO_MANY,  /* the limit of one client */
    SERVER_NOT_ADMITTED,     /* `admit` did not want it */
} server_refusal;

/* How a call went, when it is over. */
typedef struct server_report {
    const call_method *method; /* NULL: none is served there */
    const call *call;          /* NULL: cut off in a flood, without anything known of it */
    call_status status;
    const char *message; /* "" for CALL_OK */
    server_refusal refusal;
    uint64_t duration_ms;
} server_report;

/* Whom a call is from. */
typedef struct server_client {
    char name[CALL_CLIENT_BYTES]; /* preset: its address, without the port */
    uint32_t max_streams;         /* at once; preset: max_streams_per_client; 0: no limit */
} server_client;

typedef struct server_options {
    /* "HOST:PORT" (port 0: any free one), "tls:HOST:PORT", "unix:PATH"; [count], none only where
     * server_adopt brings the connections (`adopts`) */
    const char *const *addresses;
    size_t address_count;
    bool adopts;
    uint32_t max_streams;              /* recognising calls at once; RESOURCE_EXHAUSTED beyond */
    uint32_t max_streams_per_client;   /* of one address; 0: no limit of its own */
    uint32_t max_calls;                /* of any kind at once */
    uint32_t max_calls_per_connection; /* clients let further ones wait; 0: no limit of its own */
    uint32_t max_connections; /* at once, in the process; closed at once beyond; 0: no limit */
    uint32_t idle_ms;         /* after which a connection without a call is closed; 0: never */
    /* Until a new connection must have begun to speak HTTP/2, and TLS; 0: 20 s.  gRPC also closes
     * one that did if this server was too busy to listen. */
    uint32_t handshake_ms;
    size_t max_message_bytes;
    size_t max_metadata_bytes;
    size_t memory_bytes;                   /* gRPC's resource quota */
    const char *tls_certificate, *tls_key; /* PEM texts, for "tls:" addresses; else NULL */
    const char *tls_client_ca;             /* likewise; NULL: clients need no certificate */

    /* Called once on the server's thread when server_shutdown has been; NULL: nothing to do. */
    void (*draining)(void *context);
    /* Likewise when the notice is over and streams are refused: calls that last are to be ended. */
    void (*refusing)(void *context);
    /* These on the server's thread, too, and not needed either.  beat: at least every beat_ms while
     * the server is alive.  admit: may say more of the client, or that the call may not be; of
     * calls that last also later, when nothing but its answer counts.
     * ended: a call is over. */
    void (*beat)(void *context);
    uint32_t beat_ms;
    call_status (*admit)(void *context, const call *call, const call_method *method,
        server_client *client, char *message, size_t size);
    void (*ended)(void *context, const server_report *report);
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

/* For `notice_ms` all goes on, but that `draining` has been called: time for who sends clients here
 * to hear of it.  Then new recognising calls are refused with UNAVAILABLE, and those under way get
 * `drain_ms` to end, then are cancelled, as are those that last.  Other calls are served until the
 * last of these has ended, then finished with UNAVAILABLE.  Async-signal-safe; more calls than one:
 * the shortest times left hold. */
void server_shutdown(server *server, uint32_t notice_ms, uint32_t drain_ms);

void server_destroy(server *server);

/* Other limits from now on, on streams that come.  Any thread. */
void server_set_limits(server *server, uint32_t max_streams, uint32_t max_streams_per_client);

/* Other certificates for connections that begin from now on; client_ca NULL only if it was, and not
 * if not.  Nothing where there is no TLS.  Any thread.  Errors: MEMORY; then nothing has changed.
 */
steno_status server_set_certificates(server *server, const char *certificate, const char *key,
    const char *client_ca, steno_error *error);

/* Takes a connection over, a descriptor of a stream socket that does not block, as plaintext.
 * context: the server.  Any thread, but not after `draining`. */
void server_adopt(void *context, int fd);

/* Asks `admit` again about calls that last, and ends those that may be no longer.  Any thread; does
 * not wait for it. */
void server_admit_again(server *server);

/* Recognising calls under way now, and all so far. */
uint32_t server_streams(const server *server);
uint64_t server_streams_total(const server *server);

#endif
