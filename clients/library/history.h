/*
 * Audio between the one who gives it and the server: a ring of bytes, of which some are sent and
 * kept, in case they must be sent once more, and the rest is still to be sent.
 *
 *        begin            sent             end
 *     ...--|---- kept ------|--- to be sent ---|         end - begin <= capacity
 *
 * Positions count bytes since the stream began.  Pure; whoever owns it locks.
 */
#ifndef CLIENT_HISTORY_H
#define CLIENT_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct history {
    uint8_t *bytes; /* [capacity] */
    size_t capacity;
    uint64_t begin, sent, end;
} history;

/* False: no memory. */
bool history_init(history *self, size_t capacity);
void history_finish(history *self);

size_t history_room(const history *self);
/* Appends; size is no more than there is room for. */
void history_add(history *self, const void *bytes, size_t size);

/* What is to be sent next and lies in one piece, at most `most`: its size, 0 if there is nothing.
 */
size_t history_peek(const history *self, size_t most, const uint8_t **out_bytes);
/* So much of it is sent. */
void history_pass(history *self, size_t size);

/* What lies before `position` and is sent need not be kept. */
void history_forget(history *self, uint64_t position);
/* All that is kept is to be sent again. */
void history_rewind(history *self);

#endif
