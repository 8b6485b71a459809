/* Fast operators against the reference: what the comparisons share. */
#ifndef TESTS_COMPARE_H
#define TESTS_COMPARE_H

#include <check.h>
#include <stddef.h>

#include "nn/ops.h"

/* Pseudo-random values in [-limit, limit), the same for the same seed; memory_free(). */
float *compare_random(size_t count, float limit, unsigned seed);
/* A copy; memory_free(). */
float *compare_copy(const float *x, size_t count);

/* Fails, naming `what`, unless |fast - reference| <= tolerance * max(1, |reference|) everywhere. */
void compare_close(
    const char *what, const float *fast, const float *reference, size_t count, float tolerance);
/* Fails unless the bits are the same. */
void compare_equal(const char *what, const float *a, const float *b, size_t count);

nn_scratch *compare_scratch(size_t bytes);

extern const size_t compare_rows[], compare_sizes[]; /* odd and even ones, 0 at the end */

TCase *compare_linear_tests(void);

#endif
