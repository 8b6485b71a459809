#include "compare.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

const size_t compare_rows[] = {1, 3, 7, 17, 129, 0};
const size_t compare_sizes[] = {1, 5, 17, 48, 255, 256, 0};

float *compare_random(size_t count, float limit, unsigned seed)
{
    float *x = memory_allocate(count, sizeof *x);
    ck_assert_ptr_nonnull(x);
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = ((float)(state >> 8) / 8388608.0f - 1.0f) * limit;
    }
    return x;
}

float *compare_copy(const float *x, size_t count)
{
    float *copy = memory_allocate(count, sizeof *copy);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, x, count * sizeof *copy);
    return copy;
}

void compare_close(
    const char *what, const float *fast, const float *reference, size_t count, float tolerance)
{
    for (size_t i = 0; i < count; i++) {
        float allowed = tolerance * fmaxf(1.0f, fabsf(reference[i]));
        if (!(fabsf(fast[i] - reference[i]) <= allowed)) /* also for a NaN */
            ck_abort_msg("%s: value %zu of %zu is %.9g, the reference %.9g", what, i, count,
                (double)fast[i], (double)reference[i]);
    }
}

void compare_equal(const char *what, const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0)
            ck_abort_msg("%s: value %zu of %zu is %.9g and %.9g", what, i, count, (double)a[i],
                (double)b[i]);
}

nn_scratch *compare_scratch(size_t bytes)
{
    nn_scratch *scratch = NULL;
    steno_error error;
    ck_assert_int_eq(nn_scratch_create(bytes, &scratch, &error), STENO_OK);
    return scratch;
}
