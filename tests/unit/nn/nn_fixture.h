/* What the tests of nn share: files in memory, numbers, and allocations that fail. */
#ifndef NN_FIXTURE_H
#define NN_FIXTURE_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "nn/ops.h"

/* A safetensors file of that header and `data_bytes` bytes of data, in a block of exactly its size
 * (so that tools notice a byte read beyond it); free() it. */
typedef struct image {
    unsigned char *bytes;
    size_t size;
} image;

image image_create(const char *header, const void *data, size_t data_bytes);
/* The same with its header length replaced. */
void image_set_header_bytes(image *file, uint64_t header_bytes);

/* Pseudo-random values in [-limit, limit), the same for the same seed. */
void fixture_fill(float *x, size_t count, float limit, unsigned seed);

/* A rank 2 tensor of floats, borrowed. */
nn_tensor fixture_matrix(const char *name, const float *data, size_t rows, size_t columns);

nn_scratch *fixture_scratch(size_t bytes);

/* Runs `attempt` again and again, its first, second, ... allocation failing, until it succeeds.
 * Every failure must be STENO_ERROR_MEMORY and leave nothing allocated; the success cleans up after
 * itself.  Returns how many allocations there were. */
unsigned fixture_fail_each_allocation(steno_status (*attempt)(void *argument), void *argument);

/* Runs the tests of one file; the exit status of its main. */
int fixture_run(const char *name, const TTest *const *tests, size_t count);

#endif
