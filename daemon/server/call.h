/*
 * A call: one RPC of one client, as services see it.  The server and its calls are the only code
 * that knows gRPC; a service is a table of call_methods that get bytes in and put bytes out.
 *
 *                    call_read                      call_write (queued, in order)
 *     client --> message, message, ... half_close      message, message, ... --> client
 *                                                      call_finish(status)
 *
 *     BEGUN --call_read--> READING --message--> BEGUN ... --half_close--> HALF_CLOSED
 *     any state --call_finish--> FINISHING (queued writes go out first) --> end
 *     any state --client cancels, deadline, connection lost--> end
 *
 * All functions of a service's call_method, and all call_ functions but call_wake, run on the
 * server's one thread for that call; none may block.  Reading is explicit: no call_read, and flow
 * control holds the client back.
 */
#ifndef SERVER_CALL_H
#define SERVER_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct call call;

/* gRPC's status codes, by their own numbers. */
typedef enum call_status {
    CALL_OK = 0,
    CALL_CANCELLED = 1,
    CALL_UNKNOWN = 2,
    CALL_INVALID_ARGUMENT = 3,
    CALL_DEADLINE_EXCEEDED = 4,
    CALL_NOT_FOUND = 5,
    CALL_ALREADY_EXISTS = 6,
    CALL_PERMISSION_DENIED = 7,
    CALL_RESOURCE_EXHAUSTED = 8,
    CALL_FAILED_PRECONDITION = 9,
    CALL_ABORTED = 10,
    CALL_OUT_OF_RANGE = 11,
    CALL_UNIMPLEMENTED = 12,
    CALL_INTERNAL = 13,
    CALL_UNAVAILABLE = 14,
    CALL_UNAUTHENTICATED = 16,
} call_status;

/* "OK", "INVALID_ARGUMENT", ...: as gRPC writes them.  Static. */
const char *call_status_name(call_status status);

/* Bytes of who a client is and of a request's id, terminated. */
enum { CALL_CLIENT_BYTES = 160, CALL_REQUEST_ID_BYTES = 65 };

/* One method of a service. */
typedef struct call_method {
    const char *path;    /* "/package.Service/Method" */
    bool client_streams; /* otherwise exactly one message comes, then half_close */
    bool recognises;     /* counts against max_streams */
    bool lasts;          /* neither, but what drains waits for it, too, and takes no new one */
    bool writes_singly;  /* call_can_write only when all that was written is out */
    void *service;       /* handed to begin */

    /* The call has come.  Returns the session that the other functions get, or NULL after having
     * called call_finish.  The first call_read is the session's own to make. */
    void *(*begin)(void *service, call *call);
    /* A message; the bytes are borrowed for the time of the call. */
    void (*message)(void *session, const uint8_t *bytes, size_t size);
    /* The client sends no more; unasked for where only one message comes.  May come just before an
     * end by cancellation, which gRPC does not tell apart.  NULL if nothing is to be done. */
    void (*half_close)(void *session);
    /* After call_wake, or when call_can_write has become true again.  NULL likewise. */
    void (*ready)(void *session);
    /* The call is over, however it ended; frees the session.  Nothing of the call may be used
     * afterwards, call_wake included. */
    void (*end)(void *session);
} call_method;

/* Asks for the next message: leads to message or half_close.  Not while one is being asked for. */
void call_read(call *call);

/* Queues one message; the bytes are copied.  A session that heeds call_can_write never finds the
 * queue full; one that does not is ended with CALL_RESOURCE_EXHAUSTED. */
void call_write(call *call, const uint8_t *bytes, size_t size);
bool call_can_write(const call *call);

/* Ends the call once what was queued is out.  message: for a person, "" for CALL_OK; copied. */
void call_finish(call *call, call_status status, const char *message);
bool call_is_finished(const call *call);

/* Has `ready` called on the server's thread, soon and at least once after this.  Any thread. */
void call_wake(call *call);

/* Milliseconds: has `ready` called then, unless something sooner does; replaces the one before. */
void call_wake_at(call *call, uint64_t monotonic_ms);

/* The client's address as gRPC writes it ("ipv4:127.0.0.1:4711", "unix:"); the value of a request
 * header, or NULL.  Both live as long as the call. */
const char *call_peer(const call *call);
const char *call_header(const call *call, const char *key);

/* Who the client is, as far as is known: what its credentials say, else its address without the
 * port.  As long as the call. */
const char *call_client(const call *call);
/* The name on the client's certificate, checked by TLS, copied; false if there is none. */
bool call_certificate_name(const call *call, char *out_name, size_t size);
/* What log and client know the call by: the header x-request-id if it is 1 to 64 letters, digits,
 * dots, dashes and underscores, else one made up.  The client gets it back in the initial metadata.
 * As long as the call. */
const char *call_request_id(const call *call);

#endif
