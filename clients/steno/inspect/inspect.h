/* `steno inspect`: pictures of what is heard in a recording. */
#ifndef STENO_INSPECT_INSPECT_H
#define STENO_INSPECT_INSPECT_H

#include "options.h"

/* Returns the exit status. */
int inspect(const option_values *options);

#endif
