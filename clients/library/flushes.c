#include "flushes.h"

#include <assert.h>
#include <string.h>

bool flushes_add(flushes *self, uint64_t position)
{
    if (self->count == FLUSHES_MAX)
        return false;
    assert(self->count == 0 || self->positions[self->count - 1] <= position);
    self->positions[self->count++] = position;
    return true;
}

bool flushes_next(const flushes *self, uint64_t *out_position)
{
    if (self->sent == self->count)
        return false;
    *out_position = self->positions[self->sent];
    return true;
}

void flushes_pass(flushes *self)
{
    assert(self->sent < self->count);
    self->sent++;
}

void flushes_forget(flushes *self, uint64_t begin)
{
    size_t gone = 0;
    while (gone < self->sent && self->positions[gone] <= begin)
        gone++;
    self->count -= gone;
    self->sent -= gone;
    memmove(self->positions, self->positions + gone, self->count * sizeof self->positions[0]);
}

void flushes_rewind(flushes *self)
{
    self->sent = 0;
}
