/* `steno watch`: what a capture of stenod hears. */
#ifndef STENO_WATCH_H
#define STENO_WATCH_H

#include "options.h"

/* An exit status. */
int watch(const option_values *options);

/* STENO_ERROR_ARGUMENT: what does not go together. */
steno_status watch_check_options(const option_values *options, steno_error *error);

#endif
