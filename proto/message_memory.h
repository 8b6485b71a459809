/*
 * Memory for the parse of one protobuf message: an arena with an end.  A few hostile bytes can ask
 * a parser for many times their size (empty repeated fields, a message merged again and again);
 * here everything a parse takes counts, and beyond the limit the parse fails like a damaged
 * message.
 *
 *     message_memory memory;
 *     message_memory_init(&memory, 4 << 20);
 *     request = ..._request__unpack(&memory.allocator, size, bytes);
 *     if (request == NULL)
 *         ... message_memory_is_exceeded(&memory) ? too large : damaged ...
 *     message_memory_reset(&memory);       instead of free_unpacked; request is gone
 *     message_memory_finish(&memory);
 *
 * One owner, one thread.  The struct must not move between init and finish.
 */
#ifndef PROTO_MESSAGE_MEMORY_H
#define PROTO_MESSAGE_MEMORY_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct message_memory {
    ProtobufCAllocator allocator; /* hand its address to unpack */

    struct message_chunk *newest; /* a list of blocks, all freed by finish; NULL: none yet */
    size_t limit_bytes;
    size_t used_bytes; /* handed out since the last reset, padding included */
    bool exceeded;
} message_memory;

/* Allocates nothing.  limit_bytes: what a parse may take in all, besides the message itself. */
void message_memory_init(message_memory *memory, size_t limit_bytes);

/* Whether a request since the last reset went beyond the limit or found no memory. */
bool message_memory_is_exceeded(const message_memory *memory);

/* Ends the life of all that was handed out; keeps one block for the next message. */
void message_memory_reset(message_memory *memory);

/* Frees everything.  A finished or zeroed struct is fine. */
void message_memory_finish(message_memory *memory);

#endif
