#include "golden.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/suite.h"

/* Both sides compute in f32 and differ in the order of their sums.  With the tiny model 1e-6 was
 * the most, and a wrong detail (a bias one distance off, another order of gates, a window one
 * encoding wide) changes some values by 0.01.  A shipped model is deeper and wider, and its
 * log-probabilities are larger: less than 5e-5 was measured. */
static const float tolerance_tiny = 1e-5f, tolerance_shipped = 1e-4f;

static const char *paths[2];

bool golden_arguments(int argc, char **argv)
{
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: %s MODEL.safetensors [NUMBERS.safetensors]\n", argv[0]);
        return false;
    }
    paths[0] = argv[1];
    paths[1] = argc == 3 ? argv[2] : NULL;
    return true;
}

static nn_weights *open_file(const char *path, void **out_bytes)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    ck_assert_int_gt(size, 0);
    rewind(file);
    *out_bytes = memory_allocate((size_t)size, 1);
    ck_assert_uint_eq(fread(*out_bytes, 1, (size_t)size, file), size);
    fclose(file);
    nn_weights *weights = NULL;
    steno_error error = {0};
    ck_assert_msg(nn_weights_open(*out_bytes, (size_t)size, &weights, &error) == STENO_OK, "%s: %s",
        path, error.message);
    return weights;
}

void golden_open(golden *g)
{
    *g = (golden){.tiny = !paths[1]};
    g->tolerance = g->tiny ? tolerance_tiny : tolerance_shipped;
    g->model = open_file(paths[0], &g->bytes[0]);
    g->numbers = g->tiny ? g->model : open_file(paths[1], &g->bytes[1]);
}

void golden_close(golden *g)
{
    if (!g->tiny)
        nn_weights_close(g->numbers);
    nn_weights_close(g->model);
    memory_free(g->bytes[0]);
    memory_free(g->bytes[1]);
}

/* As a number, or 0 if there is none of that name. */
static size_t config_number(const golden *g, const char *name)
{
    const char *text = nn_weights_metadata(g->model, "config");
    ck_assert_ptr_nonnull(text);
    json_t *config = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(config);
    json_t *value = json_object_get(config, name);
    size_t number = value ? (size_t)json_integer_value(value) : 0;
    json_decref(config);
    return number;
}

size_t golden_config(const golden *g, const char *name)
{
    size_t number = config_number(g, name);
    ck_assert_msg(number > 0, "config has no number %s", name);
    return number;
}

size_t golden_ctc_frames(const golden *g)
{
    size_t frames = config_number(g, "ctc_frames");
    return frames ? frames : 1;
}

const nn_tensor *golden_find(const golden *g, const char *name)
{
    for (size_t i = 0; i < nn_weights_count(g->numbers); i++)
        if (strcmp(nn_weights_at(g->numbers, i)->name, name) == 0)
            return nn_weights_at(g->numbers, i);
    ck_abort_msg("no array %s", name);
}

float *golden_floats(const golden *g, const char *name, size_t rows, size_t columns)
{
    const nn_tensor *tensor = golden_find(g, name);
    ck_assert_uint_eq(nn_tensor_elements(tensor), rows * columns);
    ck_assert_uint_eq(tensor->shape[0], rows);
    float *values = memory_allocate(rows * columns, sizeof *values);
    nn_tensor_to_float(tensor, values);
    return values;
}

size_t *golden_list(const golden *g, const char *name, size_t end, size_t *out_count)
{
    const nn_tensor *tensor = golden_find(g, name);
    ck_assert_int_eq(tensor->type, NN_I64);
    ck_assert_uint_eq(tensor->rank, 1);
    *out_count = tensor->shape[0];
    size_t *list = memory_allocate(*out_count, sizeof *list);
    for (size_t i = 0; i < *out_count; i++) {
        int64_t value;
        memcpy(&value, (const char *)tensor->data + i * sizeof value, sizeof value);
        ck_assert(value >= 0 && (size_t)value < end);
        list[i] = (size_t)value;
    }
    return list;
}

void golden_assert_close(const golden *g, const char *name, const float *values,
    const float *expected, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows * columns; i++)
        ck_assert_msg(fabsf(values[i] - expected[i]) <= g->tolerance, "%s[%zu, %zu]: %g, not %g",
            name, i / columns, i % columns, (double)values[i], (double)expected[i]);
}

int golden_operator_sets(void)
{
    return nn_ops_onednn() ? 2 : 1;
}

const nn_ops *golden_operators(int which)
{
    return which == 0 ? nn_ops_reference() : nn_ops_onednn();
}

int golden_run(TCase *tests, const char *name)
{
    tcase_set_timeout(tests, 300); /* valgrind on a slow machine */
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
