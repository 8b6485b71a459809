#include "nn_fixture.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

image image_create(const char *header, const void *data, size_t data_bytes)
{
    size_t header_bytes = strlen(header);
    image file = {.size = 8 + header_bytes + data_bytes};
    file.bytes = malloc(file.size);
    ck_assert_ptr_nonnull(file.bytes);
    image_set_header_bytes(&file, header_bytes);
    memcpy(file.bytes + 8, header, header_bytes);
    if (data_bytes)
        memcpy(file.bytes + 8 + header_bytes, data, data_bytes);
    return file;
}

void image_set_header_bytes(image *file, uint64_t header_bytes)
{
    for (int i = 0; i < 8; i++)
        file->bytes[i] = (unsigned char)(header_bytes >> 8 * i);
}

void fixture_fill(float *x, size_t count, float limit, unsigned seed)
{
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = ((float)(state >> 8) / 8388608.0f - 1.0f) * limit;
    }
}

nn_tensor fixture_matrix(const char *name, const float *data, size_t rows, size_t columns)
{
    return (nn_tensor){
        .name = name, .type = NN_F32, .rank = 2, .shape = {rows, columns}, .data = data};
}

nn_scratch *fixture_scratch(size_t bytes)
{
    nn_scratch *scratch = NULL;
    steno_error error;
    ck_assert_int_eq(nn_scratch_create(bytes, &scratch, &error), STENO_OK);
    return scratch;
}

unsigned fixture_fail_each_allocation(steno_status (*attempt)(void *argument), void *argument)
{
    size_t alive = memory_alive();
    for (unsigned failing = 1;; failing++) {
        memory_fail_at(memory_attempts() + failing);
        steno_status status = attempt(argument);
        memory_fail_at(0);
        ck_assert_uint_eq(memory_alive(), alive);
        if (status == STENO_OK)
            return failing - 1;
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
    }
}

int fixture_run(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 120);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
