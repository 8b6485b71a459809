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

/* The lock and the condition that a call's owner needs. */
steno_status client_init_lock(pthread_mutex_t *lock, pthread_cond_t *cond, steno_error *error);

#endif
