#include "transcript/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void store_finish(store *self)
{
    memory_free(self->bytes);
    memory_free(self->records);
}

/* Makes room for `needed` objects in a block that holds `used`, at least doubling it. */
static steno_status grow(void **block, size_t used, size_t needed, size_t *capacity, size_t size)
{
    if (needed <= *capacity)
        return STENO_OK;
    size_t larger = *capacity * 2 > needed ? *capacity * 2 : needed;
    void *grown = memory_allocate(larger, size);
    if (!grown)
        return STENO_ERROR_MEMORY;
    if (used > 0)
        memcpy(grown, *block, used * size);
    memory_free(*block);
    *block = grown;
    *capacity = larger;
    return STENO_OK;
}

steno_status store_append(void *context, const char *bytes, size_t size)
{
    store *self = context;
    void *block = self->bytes;
    steno_status status = grow(&block, self->used, self->used + size, &self->capacity, 1);
    if (status < 0)
        return status;
    self->bytes = block;
    memcpy(self->bytes + self->used, bytes, size);
    self->used += size;
    return STENO_OK;
}

steno_status store_record_add(store *self, unsigned channel, uint64_t start_ms)
{
    size_t at = 0;
    if (self->record_count > 0) {
        const store_record *last = self->records + self->record_count - 1;
        at = last->at + last->size;
    }
    void *block = self->records;
    steno_status status = grow(&block, self->record_count, self->record_count + 1,
        &self->record_capacity, sizeof *self->records);
    if (status < 0)
        return status;
    self->records = block;
    self->records[self->record_count++] =
        (store_record){.at = at, .size = self->used - at, .start_ms = start_ms, .channel = channel};
    return STENO_OK;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_time(const void *a, const void *b)
{
    const store_record *x = a, *y = b;
    int order = compare(x->start_ms, y->start_ms);
    if (order == 0)
        order = compare(x->channel, y->channel);
    return order != 0 ? order : compare(x->at, y->at); /* qsort isn't stable by itself */
}

static int by_channel(const void *a, const void *b)
{
    const store_record *x = a, *y = b;
    int order = compare(x->channel, y->channel);
    return order != 0 ? order : by_time(a, b);
}

void store_sort_by_time(store *self)
{
    if (self->record_count > 0)
        qsort(self->records, self->record_count, sizeof *self->records, by_time);
}

void store_sort_by_channel(store *self)
{
    if (self->record_count > 0)
        qsort(self->records, self->record_count, sizeof *self->records, by_channel);
}
