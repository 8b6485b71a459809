/*
 * How many connections the process takes at once.  What comes beyond is closed at once; so is what
 * comes while there are no file descriptors or no memory for it, and who sends on and on without
 * any call or message coming whole.  Others go on unharmed.
 *
 *     connections_begin(1000, 32 << 20, &error);     before listening
 *     ... gRPC listens, accepts, closes ...
 *     connections_end();
 *
 * One limit for the process, so there is one server in it at a time.  accept4 (see connections.c)
 * may run on any thread.
 */
#ifndef SYSTEM_CONNECTIONS_H
#define SYSTEM_CONNECTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

/* As many as files may be opened for, 1000 at most. */
uint32_t connections_preset(void);

/* most: 1 at least; message_bytes: the largest message that a client may send.  Raises the
 * process's limit of open files if need be.  Errors: LIMIT (that many files are not allowed), IO,
 * MEMORY. */
steno_status connections_begin(uint32_t most, size_t message_bytes, steno_error *error);
/* A call or message of this client has come whole.  peer: as gRPC writes it; calls: 1 if the call
 * is one that may send messages from now on, -1 if one no longer will, else 0.  Any thread. */
void connections_heard(const char *peer, int calls);
/* Connections of one listening socket are taken without being counted: that of those who watch over
 * the daemon, most of all when it is full.  -1: of none. */
void connections_spare_listener(int listener);
/* So many more files may be open, for others than gRPC, as far as the system allows it.  After
 * begin. */
void connections_leave_room(uint32_t others);
/* Whatever comes is taken again.  Fine without begin. */
void connections_end(void);

#endif
