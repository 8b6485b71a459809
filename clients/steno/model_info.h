/* `steno model info`: what a model is. */
#ifndef STENO_MODEL_INFO_H
#define STENO_MODEL_INFO_H

#include "options.h"

/* Returns the exit status. */
int model_info(const option_values *options);

#endif
