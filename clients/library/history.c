#include "history.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

bool history_init(history *self, size_t capacity)
{
    *self = (history){.bytes = memory_allocate(capacity, 1), .capacity = capacity};
    return self->bytes != NULL;
}

void history_finish(history *self)
{
    memory_free(self->bytes);
    self->bytes = NULL;
}

size_t history_room(const history *self)
{
    return self->capacity - (size_t)(self->end - self->begin);
}

void history_add(history *self, const void *bytes, size_t size)
{
    assert(size <= history_room(self));
    size_t place = (size_t)(self->end % self->capacity);
    size_t first = size < self->capacity - place ? size : self->capacity - place;
    if (size > 0) {
        memcpy(self->bytes + place, bytes, first);
        memcpy(self->bytes, (const uint8_t *)bytes + first, size - first);
    }
    self->end += size;
}

size_t history_peek(const history *self, size_t most, const uint8_t **out_bytes)
{
    size_t place = (size_t)(self->sent % self->capacity);
    size_t size = (size_t)(self->end - self->sent);
    if (size > self->capacity - place)
        size = self->capacity - place;
    *out_bytes = self->bytes + place;
    return size < most ? size : most;
}

void history_pass(history *self, size_t size)
{
    assert(size <= self->end - self->sent);
    self->sent += size;
}

void history_forget(history *self, uint64_t position)
{
    if (position > self->sent)
        position = self->sent;
    if (position > self->begin)
        self->begin = position;
}

void history_rewind(history *self)
{
    self->sent = self->begin;
}
