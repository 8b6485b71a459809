/* `steno watch`: what a capture of stenod hears. */
#ifndef STENO_WATCH_H
#define STENO_WATCH_H

#include "options.h"

/* An exit status. */
int watch(const option_values *options);

#endif
