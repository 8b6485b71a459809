/*
 * Blocks in a list, the newest first, from which requests are cut one after the other.  Freeing a
 * single request does nothing, so free_unpacked on a failed parse is harmless and nothing can leak.
 *
 *     newest: | header | request | request | ... | room |  -> older -> older
 *
 * Blocks double up to BLOCK_MAX_BYTES; a larger request gets a block of its own size.
 */
#include "proto/message_memory.h"

#include <stdint.h>

#include "base/memory.h"

#define BLOCK_MIN_BYTES 4096
#define BLOCK_MAX_BYTES (256 << 10)
/* What any C type needs. */
#define REQUEST_ALIGNMENT _Alignof(max_align_t)

typedef struct message_chunk {
    struct message_chunk *older;
    size_t size, used; /* of `bytes` */
    _Alignas(max_align_t) uint8_t bytes[];
} message_chunk;

static bool add_chunk(message_memory *memory, size_t request_bytes)
{
    size_t size = memory->newest != NULL ? memory->newest->size * 2 : BLOCK_MIN_BYTES;
    if (size > BLOCK_MAX_BYTES)
        size = BLOCK_MAX_BYTES;
    if (size < request_bytes)
        size = request_bytes;
    message_chunk *chunk = memory_allocate(1, sizeof(*chunk) + size);
    if (chunk == NULL)
        return false;
    chunk->older = memory->newest;
    chunk->size = size;
    memory->newest = chunk;
    return true;
}

static void *cut(void *data, size_t size)
{
    message_memory *memory = data;
    size_t room = memory->limit_bytes - memory->used_bytes;
    if (size > room || room - size < REQUEST_ALIGNMENT - 1) {
        memory->exceeded = true;
        return NULL;
    }
    /* An empty request gets an address of its own, too. */
    size = ((size > 0 ? size : 1) + REQUEST_ALIGNMENT - 1) / REQUEST_ALIGNMENT * REQUEST_ALIGNMENT;
    message_chunk *chunk = memory->newest;
    if ((chunk == NULL || chunk->size - chunk->used < size) && !add_chunk(memory, size)) {
        memory->exceeded = true;
        return NULL;
    }
    chunk = memory->newest;
    void *request = chunk->bytes + chunk->used;
    chunk->used += size;
    memory->used_bytes += size;
    return request;
}

static void keep(void *data, void *request) {}

void message_memory_init(message_memory *memory, size_t limit_bytes)
{
    *memory = (message_memory){
        .allocator = {.alloc = cut, .free = keep, .allocator_data = memory},
        .limit_bytes = limit_bytes,
    };
}

bool message_memory_is_exceeded(const message_memory *memory)
{
    return memory->exceeded;
}

static void free_chunks(message_chunk *chunk)
{
    while (chunk != NULL) {
        message_chunk *older = chunk->older;
        memory_free(chunk);
        chunk = older;
    }
}

void message_memory_reset(message_memory *memory)
{
    message_chunk *kept = memory->newest;
    if (kept != NULL) {
        free_chunks(kept->older);
        kept->older = NULL;
        kept->used = 0;
        if (kept->size > BLOCK_MAX_BYTES) {
            free_chunks(kept);
            memory->newest = NULL;
        }
    }
    memory->used_bytes = 0;
    memory->exceeded = false;
}

void message_memory_finish(message_memory *memory)
{
    free_chunks(memory->newest);
    memory->newest = NULL;
    memory->used_bytes = 0;
}
