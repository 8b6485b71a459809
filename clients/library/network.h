/*
 * gRPC, as the rest of the library sees it: a network with the one thread that moves bytes,
 * connections to servers, and calls on them.  network.c and call.c are the only code that knows it.
 *
 *     network_create(&network, &error);
 *     connection_create(network, &address, &setting, &connection, &error);
 *     call_create(connection, "/package.Service/Method", 0, &owner, &call, &error);
 *     ... messages go out by owner.pull, come in by call_take, until call_is_over ...
 *     call_destroy(call);  connection_destroy(connection);  network_destroy(network);
 */
#ifndef CLIENT_NETWORK_H
#define CLIENT_NETWORK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

typedef struct network network;

steno_status network_create(network **out_network, steno_error *error);
/* After all its connections.  NULL is fine. */
void network_destroy(network *network);

typedef struct connection connection;

/* PEM texts and the like; NULL where there is none.  Borrowed during creation. */
typedef struct connection_setting {
    const char *authorities, *certificate, *key, *server_name;
    const char *token;
    uint32_t timeout_ms; /* for connecting */
} connection_setting;

/* Connects with the first call on it, and again with later ones. */
steno_status connection_create(network *network, const address *address,
    const connection_setting *setting, connection **out_connection, steno_error *error);
/* After all its calls.  NULL is fine. */
void connection_destroy(connection *connection);

typedef struct call call;

typedef enum call_pulled {
    CALL_NOTHING, /* now; call_push when there is */
    CALL_MESSAGE,
    CALL_CLOSE, /* nor will there be */
} call_pulled;

/* Who makes a call.  One lock guards both; `cond` is broadcast whenever something has changed. */
typedef struct call_owner {
    pthread_mutex_t *lock;
    pthread_cond_t *cond;
    /* With the lock: the next message to send, whose bytes are copied at once.  Asked once the
     * server has taken the call, then after each message sent, and by call_push. */
    call_pulled (*pull)(void *context, const uint8_t **out_bytes, size_t *out_size);
    /* Without it, on the network's thread: something has changed.  May be NULL. */
    void (*changed)(void *context);
    void *context;
} call_owner;

/* timeout_ms: for the whole call; 0: none. */
steno_status call_create(connection *connection, const char *path, uint32_t timeout_ms,
    const call_owner *owner, call **out_call, steno_error *error);
/* Without the lock.  Cancels what is under way and waits until gRPC has let go of it.  NULL is
 * fine. */
void call_destroy(call *call);

/* The following with the lock. */

/* There may be something to send. */
void call_push(call *call);
/* Whether a message has come. */
bool call_has_message(const call *call);
/* The oldest message, valid until the next call_take; false: there is none. */
bool call_take(call *call, const uint8_t **out_bytes, size_t *out_size);
/* Over, and all messages taken. */
bool call_is_over(const call *call);
/* How it ended: gRPC's code and a text that lives as long as the call; whether the server had taken
 * the call. */
int call_code(const call *call);
const char *call_details(const call *call);
bool call_was_opened(const call *call);

#endif
