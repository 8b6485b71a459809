/* The messages of steno.v1.Captions as plain structs. */
#ifndef CLIENT_WIRE_CAPTIONS_H
#define CLIENT_WIRE_CAPTIONS_H

#include "proto/message_memory.h"
#include "steno/client_captions.h"

#define WIRE_LIST_CAPTURES "/steno.v1.Captions/ListCaptures"
#define WIRE_WATCH "/steno.v1.Captions/Watch"

/* One block of memory_allocate.  MEMORY. */
steno_status wire_write_watch(const steno_client_watch_options *options, uint8_t **out_bytes,
    size_t *out_size, steno_error *error);

/* What an answer says; what it points to lives in `memory`, which is reset first.  FORMAT: not a
 * message of ours; MEMORY. */
steno_status wire_read_caption(message_memory *memory, const uint8_t *bytes, size_t size,
    steno_client_caption *out_caption, steno_error *error);

/* One block.  FORMAT, MEMORY. */
steno_status wire_read_captures(const char *address, const uint8_t *bytes, size_t size,
    steno_client_captures **out_captures, steno_error *error);

#endif
