/*
 * Flushes between the one who asks for them and the server: each has a place in the audio (a
 * position of history.h), goes to the server when all audio before it has, and is kept as long as
 * that audio is, in case both must be sent once more.
 *
 *     position:    3    7    9   |   12   15
 *                  ---- sent ----    to be sent
 *
 * Pure; whoever owns it locks.
 */
#ifndef CLIENT_FLUSHES_H
#define CLIENT_FLUSHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLUSHES_MAX = 16 };

/* Zeros: there are none. */
typedef struct flushes {
    uint64_t positions[FLUSHES_MAX]; /* [count], not falling */
    size_t count, sent;
} flushes;

/* One more, not before those that there are; false: no room. */
bool flushes_add(flushes *self, uint64_t position);
/* Where the next to be sent is; false: there is none. */
bool flushes_next(const flushes *self, uint64_t *out_position);
/* That one is sent. */
void flushes_pass(flushes *self);

/* Audio before `begin` is not kept any more: nor are flushes sent there. */
void flushes_forget(flushes *self, uint64_t begin);
/* All that are kept are to be sent again. */
void flushes_rewind(flushes *self);

#endif
