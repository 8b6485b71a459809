/*
 * Where the results of `steno listen` go: to the screen, to standard output or a file in the format
 * asked for, as soon as each is there.
 */
#ifndef STENO_LIVE_OUTPUT_H
#define STENO_LIVE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "live_file.h"
#include "options.h"
#include "screen.h"
#include "session.h"
#include "steno/format.h"

typedef struct live_output {
    session *session;
    screen *screen;
    bool interim;               /* forming text as lines */
    live_file *file;            /* NULL: standard output */
    steno_formatter *formatter; /* NULL: the screen is all */
    steno_error error;          /* why writing ended, where memory did it */
} live_output;

/* Whether results go to a file rather than standard output. */
bool live_output_goes_to_file(const option_values *options);

/* Creates the file of --output.  source: what formats call that which is heard.  An exit status,
 * said on standard error where it isn't fine; live_output_close is due in either case. */
int live_output_open(live_output *self, session *session, screen *screen,
    const option_values *options, const char *source);

/* A result that is no event; times count from `origin_ms` on.  STENO_ERROR_IO or MEMORY: nothing
 * more can be written. */
steno_status live_output_add(live_output *self, const steno_result *result, uint64_t origin_ms);

/* Writes what the format puts at the end.  An exit status, said. */
int live_output_close(live_output *self, uint64_t duration_ms);

#endif
