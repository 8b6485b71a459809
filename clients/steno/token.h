/* `steno token`: makes, lists and revokes the tokens of a daemon. */
#ifndef STENO_TOKEN_H
#define STENO_TOKEN_H

#include "options.h"

/* Returns the exit status. */
int token(const option_values *options);

#endif
