/*
 * What `steno` returns to the shell, and how failures of single files add up to one status.
 */
#ifndef STENO_EXIT_STATUS_H
#define STENO_EXIT_STATUS_H

#include "steno/status.h"

enum {
    EXIT_STATUS_FINE = 0,
    EXIT_STATUS_AUDIO = 1,    /* a file's audio could not be recognised (whole) */
    EXIT_STATUS_USAGE = 2,    /* the command line is wrong; nothing was done */
    EXIT_STATUS_MODEL = 3,    /* the model can't be loaded */
    EXIT_STATUS_INPUT = 4,    /* a file is missing or unreadable, and nothing worse */
    EXIT_STATUS_OUTPUT = 5,   /* a result can't be written */
    EXIT_STATUS_SERVER = 6,   /* no server could be reached, or it failed or refused */
    EXIT_STATUS_SIGNAL = 128, /* plus the signal's number: ended by it */
};

/* The exit status for an input that failed with `status`. */
int exit_status_of_input(steno_status status);

/* The status of a run in which both happened: output before server before audio before input. */
int exit_status_worse(int one, int other);

#endif
