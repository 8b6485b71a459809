/* What client.c and stream.c share. */
#ifndef CLIENT_CLIENT_PRIVATE_H
#define CLIENT_CLIENT_PRIVATE_H

#include <stdatomic.h>

#include "network.h"
#include "steno/client.h"

typedef struct client_server {
    address address;
    connection *connection;
} client_server;

struct steno_client {
    /* Constant after create. */
    network *network;
    client_server *servers; /* [server_count] */
    size_t server_count;
    uint32_t connect_timeout_ms;

    /* Any thread. */
    atomic_size_t next; /* where the next stream begins */
    atomic_size_t streams;
};

/* What is made of an answer, borrowed for the time of the call. */
typedef steno_status client_use(
    void *context, const char *from, const uint8_t *bytes, size_t size, steno_error *error);

/* Asks the servers in order until one answers something that can be used; waits for it.  The
 * question's message is empty.  Errors are the last one's. */
steno_status client_ask(
    steno_client *client, const char *path, client_use *use, void *context, steno_error *error);

/* The lock and the condition that a call's owner needs. */
steno_status client_init_lock(pthread_mutex_t *lock, pthread_cond_t *cond, steno_error *error);

#endif
