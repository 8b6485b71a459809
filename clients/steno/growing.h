/* Bytes that grow: text gathered before it can go where it belongs. */
#ifndef STENO_GROWING_H
#define STENO_GROWING_H

#include <stddef.h>

#include "steno/status.h"

typedef struct growing {
    char *bytes; /* [size], then a zero where size > 0 */
    size_t size, capacity;
} growing;

steno_status growing_add(growing *self, const char *bytes, size_t size);
/* Empties it and keeps the room. */
void growing_clear(growing *self);
void growing_finish(growing *self);

#endif
