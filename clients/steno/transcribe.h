/* `steno transcribe`: recordings to text, side by side, results in the order of the arguments. */
#ifndef STENO_TRANSCRIBE_H
#define STENO_TRANSCRIBE_H

#include "options.h"

/* Returns the exit status. */
int transcribe(const option_values *options);

#endif
