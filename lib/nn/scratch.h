/* Working memory of one thread: a stack of aligned blocks, sized once, never grown. */
#ifndef NN_SCRATCH_H
#define NN_SCRATCH_H

#include <stddef.h>

#include "steno/status.h"

typedef struct nn_scratch nn_scratch;

steno_status nn_scratch_create(size_t bytes, nn_scratch **out_scratch, steno_error *error);
void nn_scratch_destroy(nn_scratch *scratch);

/* An uninitialised block aligned to 64 bytes; asserts that it fits: callers size the scratch by
 * their own documented need.  nn_scratch_round gives what a block really takes. */
void *nn_scratch_take(nn_scratch *scratch, size_t bytes);
size_t nn_scratch_round(size_t bytes);

/* mark = nn_scratch_mark(s); ... nn_scratch_release(s, mark) gives back all taken since. */
size_t nn_scratch_mark(const nn_scratch *scratch);
void nn_scratch_release(nn_scratch *scratch, size_t mark);

#endif
