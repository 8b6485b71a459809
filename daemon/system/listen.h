/*
 * Addresses to listen on: what they say, and whether they can be had.  gRPC itself only logs why a
 * port can't be bound and takes a Unix socket over from whoever listens on it; so both are looked
 * into here beforehand.
 *
 *     HOST:PORT       plaintext over TCP; HOST a name, an IPv4 address or an IPv6 one in brackets
 *     tls:HOST:PORT   TLS over TCP
 *     unix:PATH       a Unix socket, for its user and group
 */
#ifndef SYSTEM_LISTEN_H
#define SYSTEM_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "steno/status.h"

typedef enum listen_kind {
    LISTEN_PLAIN,
    LISTEN_TLS,
    LISTEN_UNIX,
} listen_kind;

typedef struct listen_address {
    listen_kind kind;
    char host[256];   /* without brackets; "" for Unix */
    uint16_t port;    /* 0: any free one */
    const char *path; /* of the Unix socket, inside the text parsed; else NULL */
    const char *grpc; /* the address as gRPC wants it, inside the text parsed */
} listen_address;

/* out_address borrows from text.  Errors: ARGUMENT, naming the address and what is wrong. */
steno_status listen_parse(const char *text, listen_address *out_address, steno_error *error);

/* Whether only this machine reaches it: Unix sockets, 127.0.0.0/8, ::1, "localhost". */
bool listen_is_local(const listen_address *address);

/* Whether it is free.  A socket file that nobody listens on any more is removed.  Errors name the
 * address and the reason: STATE (somebody listens there), NOT_FOUND (no such host or folder),
 * PERMISSION, IO. */
steno_status listen_probe(const listen_address *address, const char *text, steno_error *error);

/* The file of a Unix socket that is listened on, and not another of its name.  Zeroed: none. */
typedef struct listen_socket {
    char *path; /* owned */
    dev_t device;
    ino_t inode;
} listen_socket;

/* Remembers the file that is there now.  Errors: IO, MEMORY. */
steno_status listen_keep_socket(
    const listen_address *address, const char *text, listen_socket *out_socket, steno_error *error);
/* Removes the file if it is still that one, and forgets it. */
void listen_remove_socket(listen_socket *kept);

#endif
