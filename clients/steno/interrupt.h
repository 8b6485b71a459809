/*
 * Stopping early: on SIGINT, SIGTERM or SIGHUP, or because standard output is gone.  The signals
 * are blocked in all threads and read from a descriptor by the main thread, so there is no handler
 * and no state outside this object.  After the first signal they act as usual: a second ends the
 * program at once.
 */
#ifndef STENO_INTERRUPT_H
#define STENO_INTERRUPT_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "steno/status.h"

typedef struct interrupt {
    sigset_t before; /* the mask to restore */
    int signal_fd;   /* readable when a signal waits */
    int stop_fd;     /* readable from interrupt_stop on; for poll */
    atomic_bool stopped;
    int signal; /* the signal that came, or 0; main thread */
} interrupt;

/* Call before threads are started, from the main thread. */
steno_status interrupt_init(interrupt *self, steno_error *error);
void interrupt_finish(interrupt *self);

/* While nothing is begun that would have to come to an end, signals may act as usual, at once: from
 * allow to take_over.  Main thread. */
void interrupt_allow(interrupt *self);
void interrupt_take_over(interrupt *self);

/* Takes the signal that waits, if any, and stops. Main thread. */
void interrupt_take(interrupt *self);

/* Asks all to come to an end; true for the first to ask. Any thread. */
bool interrupt_stop(interrupt *self);
bool interrupt_stopped(const interrupt *self);
/* Waits so long, or until a stop is asked for.  Any thread. */
void interrupt_pause(const interrupt *self, uint32_t ms);

#endif
