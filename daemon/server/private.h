/* What server.c and calls.c share: the insides of the server. */
#ifndef SERVER_PRIVATE_H
#define SERVER_PRIVATE_H

#include <grpc/grpc.h>
#include <stdatomic.h>

#include "server/bell.h"
#include "server/call_private.h"
#include "server/completion.h"
#include "server/place.h"
#include "server/server.h"
#include "server/tls.h"
#include "system/alarms.h"

typedef enum server_phase {
    SERVER_SERVING,
    SERVER_LEAVING, /* serving, and `draining` has been called */
    SERVER_DRAINING,
    SERVER_STOPPING,
    SERVER_STOPPED,
} server_phase;

struct server {
    /* Constant after create. */
    const call_method *const *methods; /* [method_count] */
    size_t method_count;
    server_options limits; /* its numbers and hook; the pointers to texts have gone */
    server_place *places;  /* [place_count] */
    size_t place_count;
    server_tls *tls; /* NULL: no certificates */
    grpc_server *grpc;
    grpc_completion_queue *queue;

    /* Any thread. */
    bell bell;                                 /* there is something new in what follows */
    _Atomic uint64_t refuse_at_ms, stop_at_ms; /* UINT64_MAX: not to */
    _Atomic bool admits_again;                 /* calls that last are to be looked at */
    _Atomic uint32_t max_streams, max_streams_per_client;
    _Atomic uint32_t streams;
    _Atomic uint64_t streams_total;

    /* The server's thread. */
    server_phase phase;
    bool has_cancelled;        /* the calls, time being up */
    uint64_t disconnect_at_ms; /* UINT64_MAX: not yet; 0: done */
    uint64_t beat_at_ms;       /* UINT64_MAX: never */
    bool is_requesting;
    operation request, stopped;
    grpc_call *requested;
    grpc_call_details details;
    grpc_metadata_array headers;
    call *calls;
    uint32_t call_count; /* refused ones included */
    uint32_t lasting;    /* of the calls that draining waits for beside streams */
    alarms alarms;
};

/* Has gRPC hand over the next call that a client begins. */
void server_request_call(server *server);
/* Ends the calls that last whose clients may no longer have them. */
void server_admit_lasting(server *server);

#endif
