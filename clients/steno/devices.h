/* `steno devices`: the microphones there are. */
#ifndef STENO_DEVICES_H
#define STENO_DEVICES_H

#include "options.h"

/* An exit status. */
int devices(const option_values *options);

/* No microphone was found: says what to check or to install, line by line. */
void devices_advise(void (*say)(void *context, const char *line), void *context);

#endif
