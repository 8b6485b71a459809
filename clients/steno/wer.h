/* `steno wer`: the engine's word error rate over a manifest. */
#ifndef STENO_WER_H
#define STENO_WER_H

#include "options.h"

/* Returns the exit status. */
int wer(const option_values *options);

#endif
