/* `steno listen`: text from a microphone while someone speaks. */
#ifndef STENO_LISTEN_H
#define STENO_LISTEN_H

#include "options.h"

/* An exit status. */
int listen_command(const option_values *options);

#endif
