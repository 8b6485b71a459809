/* What network.c and call.c share. */
#ifndef CLIENT_NETWORK_PRIVATE_H
#define CLIENT_NETWORK_PRIVATE_H

#include <grpc/grpc.h>
#include <stdatomic.h>

#include "network.h"

/* The tag of an operation: gRPC gives it back when that is done. */
typedef struct operation {
    void (*done)(void *owner, bool success);
    void *owner;
} operation;

struct network {
    grpc_completion_queue *queue;
    pthread_t thread;
    /* Counts operations begun.  gRPC orders what was written before one is begun before its return;
     * this says so in C's own terms, which tools that look for races can follow. */
    _Atomic uint64_t begun;
};

struct connection {
    network *network;
    grpc_channel *channel;
    char *authorization; /* the header's value; NULL: none is sent */
};

#endif
