#include "nn/scratch.h"

#include <assert.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

struct nn_scratch {
    unsigned char *bytes;
    size_t capacity;
    size_t used;
};

steno_status nn_scratch_create(size_t bytes, nn_scratch **out_scratch, steno_error *error)
{
    if (bytes > SIZE_MAX - MEMORY_ALIGNMENT)
        return error_memory(error);
    nn_scratch *scratch = memory_allocate(1, sizeof *scratch);
    if (!scratch)
        return error_memory(error);
    scratch->capacity = nn_scratch_round(bytes);
    scratch->bytes = memory_allocate(scratch->capacity, 1);
    if (!scratch->bytes) {
        nn_scratch_destroy(scratch);
        return error_memory(error);
    }
    *out_scratch = scratch;
    return STENO_OK;
}

void nn_scratch_destroy(nn_scratch *scratch)
{
    if (!scratch)
        return;
    memory_free(scratch->bytes);
    memory_free(scratch);
}

size_t nn_scratch_round(size_t bytes)
{
    return (bytes + MEMORY_ALIGNMENT - 1) & ~(size_t)(MEMORY_ALIGNMENT - 1);
}

void *nn_scratch_take(nn_scratch *scratch, size_t bytes)
{
    size_t taken = nn_scratch_round(bytes);
    assert(taken <= scratch->capacity - scratch->used);
    void *block = scratch->bytes + scratch->used;
    scratch->used += taken;
    return block;
}

size_t nn_scratch_mark(const nn_scratch *scratch)
{
    return scratch->used;
}

void nn_scratch_release(nn_scratch *scratch, size_t mark)
{
    assert(mark <= scratch->used);
    scratch->used = mark;
}
