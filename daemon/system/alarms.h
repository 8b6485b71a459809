/*
 * Alarms: who is to be called when, the soonest first.  A binary heap of what its users embed, so
 * that setting one never allocates.
 *
 *     alarms_set(&alarms, &call->alarm, at_ms);
 *     while ((due = alarms_take_due(&alarms, now_ms)) != NULL)
 *         ...
 *
 * One thread.
 */
#ifndef SYSTEM_ALARMS_H
#define SYSTEM_ALARMS_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

/* The clock that alarms go by: milliseconds of CLOCK_MONOTONIC.  Async-signal-safe. */
uint64_t alarms_now_ms(void);

/* Zeroed: not set. */
typedef struct alarm_entry {
    uint64_t at_ms;
    size_t place; /* in the heap, from 1; 0: not set */
    void *owner;  /* the user's own */
} alarm_entry;

typedef struct alarms {
    alarm_entry **heap; /* [1 + room], from 1 on; the parent of n is n / 2 */
    size_t count, room;
} alarms;

/* Room for `room` alarms at once.  Errors: MEMORY. */
steno_status alarms_init(alarms *self, size_t room);
void alarms_finish(alarms *self);

/* Sets, or moves one that is set; there must be room. */
void alarms_set(alarms *self, alarm_entry *entry, uint64_t at_ms);
/* Fine if it is not set. */
void alarms_remove(alarms *self, alarm_entry *entry);

/* When the soonest is due; UINT64_MAX: none is set. */
uint64_t alarms_next_ms(const alarms *self);
/* Removes and returns one that is due by now; NULL: none. */
alarm_entry *alarms_take_due(alarms *self, uint64_t now_ms);

#endif
