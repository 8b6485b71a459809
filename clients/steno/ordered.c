#include "ordered.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"

steno_status ordered_init(
    ordered *self, console *screen, size_t count, const char *separator, steno_error *error)
{
    *self = (struct ordered){
        .console = screen,
        .separator = separator,
        .fresh = true,
        .count = count,
        .items = calloc(count, sizeof(ordered_item)),
    };
    if (self->items == NULL)
        return failure_memory(error);
    for (size_t i = 0; i < count; i++)
        self->items[i] = (ordered_item){.owner = self, .index = i};
    pthread_mutex_init(&self->lock, NULL);
    return STENO_OK;
}

void ordered_finish(ordered *self)
{
    for (size_t i = 0; i < self->count; i++)
        growing_finish(&self->items[i].waiting);
    free(self->items);
    pthread_mutex_destroy(&self->lock);
}

steno_status ordered_write(void *context, const char *bytes, size_t size)
{
    ordered_item *item = context;
    /* The lock: whoever passes the turn on writes the next item's bytes. */
    pthread_mutex_lock(&item->owner->lock);
    steno_status status = growing_add(&item->waiting, bytes, size);
    pthread_mutex_unlock(&item->owner->lock);
    return status;
}

/* Under the lock: writes what waits of the item whose turn it is. */
static steno_status show(ordered *self)
{
    growing *waiting = &self->items[self->turn].waiting;
    if (waiting->size == 0)
        return STENO_OK;
    steno_status status = STENO_OK;
    if (self->fresh && self->written)
        status = console_write(self->console, self->separator, strlen(self->separator));
    if (status == STENO_OK)
        status = console_write(self->console, waiting->bytes, waiting->size);
    growing_clear(waiting);
    self->fresh = false;
    self->written = true;
    return status;
}

steno_status ordered_flush(ordered_item *item)
{
    ordered *self = item->owner;
    pthread_mutex_lock(&self->lock);
    steno_status status = item->index == self->turn ? show(self) : STENO_OK;
    pthread_mutex_unlock(&self->lock);
    return status;
}

steno_status ordered_interim(ordered_item *item, const char *text)
{
    ordered *self = item->owner;
    pthread_mutex_lock(&self->lock);
    steno_status status = STENO_OK;
    if (item->index == self->turn)
        status = console_interim(self->console, text);
    pthread_mutex_unlock(&self->lock);
    return status;
}

steno_status ordered_done(ordered_item *item)
{
    ordered *self = item->owner;
    pthread_mutex_lock(&self->lock);
    item->done = true;
    steno_status status = STENO_OK;
    while (status == STENO_OK && self->turn < self->count) {
        status = show(self);
        if (!self->items[self->turn].done)
            break;
        growing_finish(&self->items[self->turn].waiting);
        self->turn++;
        self->fresh = true;
    }
    pthread_mutex_unlock(&self->lock);
    return status;
}
