/*
 * What every command that recognises needs: terminal, signals, the recogniser and the setting of
 * its jobs, as the command line asks.
 */
#ifndef STENO_SESSION_H
#define STENO_SESSION_H

#include "console.h"
#include "interrupt.h"
#include "job.h"
#include "options.h"
#include "phrases.h"
#include "progress.h"

typedef struct session {
    console console;
    interrupt interrupt;
    bool interrupt_ready;
    recogniser *recogniser;
    steno_model *model; /* of an engine; NULL: on a server */
    steno_raw_format raw;
    phrase_list phrases;
    job_setting setting;
    uint32_t jobs; /* files side by side */
    bool show_progress;
} session;

/* Loads the model and starts the engine, or finds the server; says what went wrong on standard
 * error.  Returns an exit status; session_close is due in either case. */
int session_open(session *self, const option_values *options);

/* Returns EXIT_STATUS_SIGNAL + N if signal N (or a closed standard output, as SIGPIPE) ended the
 * work, else `status`. */
int session_close(session *self, int status);

/* The exit status of an input for which a job has returned `status`. */
int session_exit_status(const session *self, steno_status status, const job_report *report);

/* Draws how far the work is, if that is wanted. */
void session_show_progress(session *self, const progress *work);

/* Standard output can't be written: ends all, and says why unless its reader has simply gone. */
void session_output_failed(session *self);

/* Opens the model of --model or the shipped one: an exit status.  path may be NULL. */
int session_open_model(
    console *console, const option_values *options, const char *path, steno_model **out_model);

#endif
