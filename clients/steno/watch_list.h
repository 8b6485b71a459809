/* The captures of a daemon, listed by `steno watch` without a name. */
#ifndef STENO_WATCH_LIST_H
#define STENO_WATCH_LIST_H

#include "options.h"

/* An exit status. */
int watch_list(const option_values *options);

#endif
