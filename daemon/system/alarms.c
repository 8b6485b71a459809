#include "system/alarms.h"

#include <assert.h>
#include <time.h>

#include "base/memory.h"

uint64_t alarms_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

steno_status alarms_init(alarms *self, size_t room)
{
    *self = (alarms){.heap = memory_allocate(room + 1, sizeof(alarm_entry *)), .room = room};
    return self->heap != NULL ? STENO_OK : STENO_ERROR_MEMORY;
}

void alarms_finish(alarms *self)
{
    memory_free(self->heap);
    self->heap = NULL;
}

static void put(alarms *self, alarm_entry *entry, size_t place)
{
    self->heap[place] = entry;
    entry->place = place;
}

/* Moves the entry at `place` to where it belongs, when that may be anywhere. */
static void settle(alarms *self, size_t place)
{
    alarm_entry *entry = self->heap[place];
    while (place > 1 && self->heap[place / 2]->at_ms > entry->at_ms) {
        put(self, self->heap[place / 2], place);
        place /= 2;
    }
    for (;;) {
        size_t child = place * 2;
        if (child + 1 <= self->count && self->heap[child + 1]->at_ms < self->heap[child]->at_ms)
            child++;
        if (child > self->count || self->heap[child]->at_ms >= entry->at_ms)
            break;
        put(self, self->heap[child], place);
        place = child;
    }
    put(self, entry, place);
}

void alarms_set(alarms *self, alarm_entry *entry, uint64_t at_ms)
{
    entry->at_ms = at_ms;
    if (entry->place == 0) {
        assert(self->count < self->room);
        put(self, entry, ++self->count);
    }
    settle(self, entry->place);
}

void alarms_remove(alarms *self, alarm_entry *entry)
{
    size_t place = entry->place;
    if (place == 0)
        return;
    alarm_entry *last = self->heap[self->count--];
    entry->place = 0;
    if (last != entry) {
        put(self, last, place);
        settle(self, place);
    }
}

uint64_t alarms_next_ms(const alarms *self)
{
    return self->count > 0 ? self->heap[1]->at_ms : UINT64_MAX;
}

alarm_entry *alarms_take_due(alarms *self, uint64_t now_ms)
{
    if (alarms_next_ms(self) > now_ms || self->count == 0)
        return NULL;
    alarm_entry *due = self->heap[1];
    alarms_remove(self, due);
    return due;
}
