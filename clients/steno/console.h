/*
 * The terminal: standard output and standard error share a screen, so all that goes there passes
 * one lock, which takes away the progress line or the forming text before anything else is shown.
 * Any thread.
 */
#ifndef STENO_CONSOLE_H
#define STENO_CONSOLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "steno/status.h"

typedef struct console {
    pthread_mutex_t lock;
    FILE *errors; /* standard error, wherever that was moved to */
    /* That can redraw a line, which TERM=dumb says one can't. */
    bool output_is_terminal, errors_are_terminal;
    bool progress_shown; /* a progress line stands on standard error */
    bool interim_shown;  /* forming text stands on standard output */
    int write_errno;     /* under the lock; see console_write_errno */
} console;

/* Before threads are started (columns_init). */
void console_init(console *self);
/* Takes away what is shown for a moment only. */
void console_finish(console *self);

/* "steno: SUBJECT: MESSAGE" on standard error, or "steno: MESSAGE" where subject is NULL or the
 * message begins with it already.  What files and servers are called may be anything: here and in
 * console_interim it is shown as columns.h says, and gives the terminal no orders. */
void console_error(console *self, const char *subject, const char *message);

/* Shows a line on standard error in place of the one shown before; "" takes it away. */
void console_progress(console *self, const char *line);

/* Writes to standard output.  STENO_ERROR_IO once a write has failed. */
steno_status console_write(console *self, const char *bytes, size_t size);
/* errno of the first write to standard output that failed; 0: none has. */
int console_write_errno(console *self);

/* Shows text that may still change: on a terminal in place of the one shown before (its end, where
 * the line is too short for all), elsewhere as a line "~ TEXT". */
steno_status console_interim(console *self, const char *text);

#endif
