/* What the server and its calls share: the insides of a call, and what each does for the other. */
#ifndef SERVER_CALL_PRIVATE_H
#define SERVER_CALL_PRIVATE_H

#include <grpc/grpc.h>
#include <stdatomic.h>

#include "server/call.h"
#include "server/completion.h"
#include "server/server.h"
#include "system/alarms.h"

/* Messages and bytes waiting to go out, the one under way included.  A message is never split, so
 * the last may go beyond. */
#define CALL_QUEUE_MESSAGES 64
#define CALL_QUEUE_BYTES (1 << 20)
/* How long a client may take to fetch what a finished call still has for it. */
#define CALL_LINGER_MS 30000

/* A copy of a request header, made when first asked for. */
typedef struct header_copy {
    struct header_copy *next;
    size_t index; /* in headers */
    char text[];
} header_copy;

struct call {
    /* Constant. */
    server *server;
    grpc_call *grpc;
    const call_method *method; /* NULL: refused */
    char *peer;                /* of gpr_malloc */
    grpc_metadata_array headers;
    char client[CALL_CLIENT_BYTES];
    char request_id[CALL_REQUEST_ID_BYTES];
    grpc_metadata answer_header; /* x-request-id */
    server_refusal refusal;
    uint64_t began_ms;
    gpr_timespec deadline;
    operation reading, writing, finishing, closing, waking;

    /* Any thread: whether `waking` is out. */
    _Atomic bool is_woken;

    /* The server's thread. */
    void *session; /* NULL before begin and after end */
    call *previous, *next;
    bool counts; /* as a stream */
    bool lasts;  /* draining waits for it */
    alarm_entry alarm;
    unsigned out; /* operations out, other than waking */

    bool is_reading, has_message, half_closed;
    grpc_byte_buffer *incoming;

    grpc_byte_buffer *queue[CALL_QUEUE_MESSAGES]; /* a ring; the first may be under way */
    size_t queue_sizes[CALL_QUEUE_MESSAGES];
    size_t queue_first, queue_count, queue_bytes;
    bool is_writing, sent_headers;

    bool finished, sent_status;
    bool is_cut_off; /* by call_cancel */
    call_status status;
    char message[512];

    bool may_send; /* more messages, for all that system/connections.h knows */
    bool is_over;  /* gRPC has said so; what is out comes back, then the memory goes */
    int was_cancelled;

    header_copy *copies;
};

/* Takes grpc_call and what headers holds.  NULL: out of memory; nothing is taken. */
call *call_create(
    server *server, grpc_call *grpc_call, grpc_metadata_array *headers, const call_method *method);
/* Hands it to its method. */
void call_begin(call *call);
/* Answers with a status at once. */
void call_refuse(call *call, call_status status, const char *message);
/* Its alarm is due. */
void call_ring(call *call);
/* Ends it without regard to what is queued. */
void call_cancel(call *call, call_status status, const char *message);

/* The alarms of the server that a call is of. */
alarms *server_alarms(server *server);
/* A call is over: takes it from the books. */
void server_forget(server *server, call *call);

#endif
