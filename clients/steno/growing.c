#include "growing.h"

#include <stdlib.h>
#include <string.h>

steno_status growing_add(growing *self, const char *bytes, size_t size)
{
    if (self->capacity - self->size <= size) {
        size_t capacity = self->capacity * 2 + size + 64;
        char *larger = realloc(self->bytes, capacity);
        if (larger == NULL)
            return STENO_ERROR_MEMORY;
        self->bytes = larger;
        self->capacity = capacity;
    }
    memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
    self->bytes[self->size] = '\0';
    return STENO_OK;
}

void growing_clear(growing *self)
{
    self->size = 0;
    if (self->bytes != NULL)
        self->bytes[0] = '\0';
}

void growing_finish(growing *self)
{
    free(self->bytes);
    *self = (struct growing){0};
}
