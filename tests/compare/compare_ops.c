/*
 * The operators other than linear layers: fast against reference on odd shapes, and each row
 * against the same row alone, which must be equal to the last bit.
 *
 * Tolerances: the reference sums in double, so the difference is the fast code's rounding.
 * Inputs are of order 1.  2e-6 is thirty roundings of a number of order 1 (2^-24 each): sums of
 * up to 256 terms in 16 lanes, and the exponential's own 3e-7.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "compare.h"
#include "support/suite.h"

static const float tolerance = 2e-6f;

typedef void (*row_op)(const nn_ops *ops, float *x, size_t rows, size_t size, float *out);

static void op_layer_norm(const nn_ops *ops, float *x, size_t rows, size_t size, float *out)
{
    float *gain = compare_random(size, 1.0f, 11), *bias = compare_random(size, 1.0f, 12);
    ops->layer_norm(x, rows, size, gain, bias, out);
    memory_free(gain);
    memory_free(bias);
}

static void op_glu(const nn_ops *ops, float *x, size_t rows, size_t size, float *out)
{
    ops->glu(x, rows, size, out);
}

static void in_place(float *x, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = x[i];
}

static void op_silu(const nn_ops *ops, float *x, size_t rows, size_t size, float *out)
{
    in_place(x, rows * size, out);
    ops->silu(out, rows * size);
}

static void op_tanh(const nn_ops *ops, float *x, size_t rows, size_t size, float *out)
{
    in_place(x, rows * size, out);
    ops->tanh(out, rows * size);
}

static void op_add_scaled(const nn_ops *ops, float *x, size_t rows, size_t size, float *out)
{
    in_place(x, rows * size, out);
    ops->add_scaled(out, x, 0.5f, rows * size);
}

static void op_softmax(const nn_ops *ops, float *x, size_t rows, size_t size, float *out)
{
    in_place(x, rows * size, out);
    ops->softmax(out, rows, size);
}

static void op_log_softmax(const nn_ops *ops, float *x, size_t rows, size_t size, float *out)
{
    in_place(x, rows * size, out);
    ops->log_softmax(out, rows, size);
}

static const struct {
    const char *name;
    row_op run;
    size_t width; /* input values per output value */
} row_ops[] = {
    {"layer_norm", op_layer_norm, 1},
    {"glu", op_glu, 2},
    {"silu", op_silu, 1},
    {"tanh", op_tanh, 1},
    {"add_scaled", op_add_scaled, 1},
    {"softmax", op_softmax, 1},
    {"log_softmax", op_log_softmax, 1},
};
enum { ROW_OPS = sizeof row_ops / sizeof *row_ops };

START_TEST(operators_on_rows)
{
    const nn_ops *fast = nn_ops_onednn(), *reference = nn_ops_reference();
    if (!fast)
        return;
    for (const size_t *rows = compare_rows; *rows; rows++)
        for (const size_t *size = compare_sizes; *size; size++) {
            size_t count = *rows * *size, width = row_ops[_i].width;
            char what[80];
            snprintf(what, sizeof what, "%s [%zu, %zu]", row_ops[_i].name, *rows, *size);
            float *x = compare_random(count * width, 5.0f, (unsigned)(*rows + *size));
            float *found = compare_copy(x, count), *expected = compare_copy(x, count);
            row_ops[_i].run(fast, x, *rows, *size, found);
            row_ops[_i].run(reference, x, *rows, *size, expected);
            compare_close(what, found, expected, count, tolerance);
            for (size_t row = 0; row < *rows; row++) {
                row_ops[_i].run(fast, x + row * *size * width, 1, *size, expected);
                compare_equal(what, found + row * *size, expected, *size);
            }
            memory_free(x);
            memory_free(found);
            memory_free(expected);
        }
}
END_TEST

START_TEST(energies)
{
    const nn_ops *fast = nn_ops_onednn(), *reference = nn_ops_reference();
    if (!fast)
        return;
    for (const size_t *rows = compare_rows; *rows; rows++)
        for (const size_t *size = compare_sizes; *size; size++) {
            size_t count = *rows * *size;
            float *x = compare_random(count, 2.0f, 1), *key = compare_random(count, 2.0f, 2);
            float *query = compare_random(*size, 2.0f, 3), *weight = compare_random(*size, 1, 4);
            float *found = compare_random(*rows, 0, 5), *expected = compare_random(*rows, 0, 5);
            fast->energies(x, key, query, weight, *rows, *size, found);
            reference->energies(x, key, query, weight, *rows, *size, expected);
            compare_close("energies", found, expected, *rows, tolerance * (float)*size);
            for (size_t row = 0; row < *rows; row++)
                fast->energies(
                    x + row * *size, key + row * *size, query, weight, 1, *size, expected + row);
            compare_equal("energies, row by row", found, expected, *rows);
            memory_free(x);
            memory_free(key);
            memory_free(query);
            memory_free(weight);
            memory_free(found);
            memory_free(expected);
        }
}
END_TEST

START_TEST(layer_norm_in_place_and_of_a_large_mean)
{
    const nn_ops *fast = nn_ops_onednn();
    if (!fast)
        return;
    float *x = compare_random(3 * 255, 1.0f, 1), *ones = compare_random(255, 0.0f, 1);
    float *zeros = compare_random(255, 0.0f, 1), *expected = compare_random(3 * 255, 0.0f, 1);
    for (size_t i = 0; i < 255; i++)
        ones[i] = 1.0f;
    for (size_t i = 0; i < 3 * 255; i++)
        x[i] += 1000.0f;
    nn_ops_reference()->layer_norm(x, 3, 255, ones, zeros, expected);
    fast->layer_norm(x, 3, 255, ones, zeros, x);
    /* The mean of numbers near 1000 is known to 1000 * 2^-24 = 6e-5; their deviation is 0.6. */
    compare_close("layer_norm, mean 1000", x, expected, 3 * 255, 2e-4f);
    memory_free(x);
    memory_free(ones);
    memory_free(zeros);
    memory_free(expected);
}
END_TEST

START_TEST(extreme_values)
{
    const nn_ops *fast = nn_ops_onednn(), *reference = nn_ops_reference();
    if (!fast)
        return;
    const float extremes[] = {-INFINITY, -1e30f, -200.0f, -90.0f, -88.0f, -87.0f, -1e-30f, 0.0f,
        1e-30f, 86.0f, 88.0f, 90.0f, 200.0f};
    enum { COUNT = sizeof extremes / sizeof *extremes };
    for (size_t i = 0; i < ROW_OPS; i++) {
        if (row_ops[i].width != 1 || row_ops[i].run == op_layer_norm)
            continue;
        /* SiLU of minus infinity is not a number by its formula. */
        size_t skip = row_ops[i].run == op_silu || row_ops[i].run == op_log_softmax ? 1 : 0;
        float *x = compare_copy(extremes + skip, COUNT - skip);
        float *found = compare_copy(x, COUNT - skip), *expected = compare_copy(x, COUNT - skip);
        if (row_ops[i].run == op_add_scaled)
            x[0] = found[0] = expected[0] = 0.0f;
        row_ops[i].run(fast, x, 1, COUNT - skip, found);
        row_ops[i].run(reference, x, 1, COUNT - skip, expected);
        compare_close(row_ops[i].name, found, expected, COUNT - skip, tolerance);
        memory_free(x);
        memory_free(found);
        memory_free(expected);
    }
}
END_TEST

START_TEST(depthwise)
{
    const nn_ops *fast = nn_ops_onednn(), *reference = nn_ops_reference();
    if (!fast)
        return;
    for (const size_t *rows = compare_rows; *rows; rows++)
        for (const size_t *size = compare_sizes; *size; size++)
            for (size_t kernel = 1; kernel <= 15; kernel += 7) {
                size_t in_count = (*rows + kernel - 1) * *size, count = *rows * *size;
                float *in = compare_random(in_count, 1.0f, 1), *bias = compare_random(*size, 1, 2);
                float *weight = compare_random(kernel * *size, 1.0f, 3);
                float *found = compare_random(count, 0, 1), *expected = compare_random(count, 0, 1);
                fast->depthwise(in, *rows, *size, kernel, weight, bias, found);
                reference->depthwise(in, *rows, *size, kernel, weight, bias, expected);
                compare_close("depthwise", found, expected, count, tolerance);
                size_t last = *rows - 1;
                fast->depthwise(in + last * *size, 1, *size, kernel, weight, bias, expected);
                compare_equal("depthwise", found + last * *size, expected, *size);
                memory_free(in);
                memory_free(bias);
                memory_free(weight);
                memory_free(found);
                memory_free(expected);
            }
}
END_TEST

/* first: conv_first, whose input has one channel and whose bins are even. */
static void compare_convolution(bool first, size_t rows, size_t bins, size_t channels)
{
    const nn_ops *fast = nn_ops_onednn(), *reference = nn_ops_reference();
    size_t in_row = first ? bins : bins * channels;
    size_t out_row = (first ? bins / 2 : (bins + 1) / 2) * channels;
    float *in = compare_random((2 * rows + 1) * in_row, 1.0f, 1);
    float *weight = compare_random(9 * channels, 1.0f, 2);
    float *bias = compare_random(channels, 1.0f, 3);
    float *found = compare_random(rows * out_row, 0, 1);
    float *expected = compare_random(rows * out_row, 0, 1);
    void (*run)(const float *, size_t, size_t, size_t, const float *, const float *, float *) =
        first ? fast->conv_first : fast->conv_depthwise;
    char what[80];
    snprintf(what, sizeof what, "%s, %zu rows, %zu bins, %zu channels",
        first ? "conv_first" : "conv_depthwise", rows, bins, channels);
    run(in, rows, bins, channels, weight, bias, found);
    (first ? reference->conv_first : reference->conv_depthwise)(
        in, rows, bins, channels, weight, bias, expected);
    compare_close(what, found, expected, rows * out_row, tolerance);
    run(in + 2 * (rows - 1) * in_row, 1, bins, channels, weight, bias, expected);
    compare_equal(what, found + (rows - 1) * out_row, expected, out_row);
    memory_free(in);
    memory_free(weight);
    memory_free(bias);
    memory_free(found);
    memory_free(expected);
}

START_TEST(convolutions_of_the_subsampling)
{
    static const size_t channel_counts[] = {1, 5, 16, 17, 32, 64};
    static const size_t bin_counts[] = {1, 2, 3, 5, 10, 20, 40, 80};
    if (!nn_ops_onednn())
        return;
    for (size_t rows = 1; rows <= 17; rows += 4)
        for (size_t i = 0; i < sizeof channel_counts / sizeof *channel_counts; i++)
            for (size_t j = 0; j < sizeof bin_counts / sizeof *bin_counts; j++) {
                if (bin_counts[j] % 2 == 0)
                    compare_convolution(true, rows, bin_counts[j], channel_counts[i]);
                compare_convolution(false, rows, bin_counts[j], channel_counts[i]);
            }
}
END_TEST

/* Queries, keys and values lie as in the network: heads side by side in wider rows. */
static void compare_attention(size_t rows, size_t keys, size_t size)
{
    const nn_ops *fast = nn_ops_onednn(), *reference = nn_ops_reference();
    size_t stride = size + 3, longest = rows > keys ? rows : keys;
    float *query = compare_random(rows * stride, 2.0f, 1);
    float *key = compare_random(keys * stride, 2.0f, 2);
    float *value = compare_random(keys * stride, 1.0f, 3);
    float *table = compare_random(2 * longest, 1.0f, 4), *bias = table + longest;
    float *found = compare_random(rows * stride, 1.0f, 5);
    float *expected = compare_copy(found, rows * stride); /* also what lies between the rows */
    nn_scratch *scratch = compare_scratch(nn_scratch_round(rows * keys * sizeof(float)));
    char what[80];
    snprintf(what, sizeof what, "attention %zu x %zu, size %zu", rows, keys, size);
    fast->attention(
        scratch, query, stride, rows, key, value, stride, keys, size, bias, found, stride);
    reference->attention(
        scratch, query, stride, rows, key, value, stride, keys, size, bias, expected, stride);
    /* A score is a sum of `size` products of up to 4, divided by its root: up to 4 sqrt(size) =
     * 64, known to a few times 64 * 2^-24, which is the relative error of its weight. */
    compare_close(what, found, expected, rows * stride, 2e-5f);
    size_t last = rows - 1;
    fast->attention(scratch, query + last * stride, stride, 1, key, value, stride, keys, size,
        bias + last, expected, stride);
    compare_equal(what, found + last * stride, expected, size);
    nn_scratch_destroy(scratch);
    memory_free(query);
    memory_free(key);
    memory_free(value);
    memory_free(table);
    memory_free(found);
    memory_free(expected);
}

START_TEST(attention)
{
    static const size_t sizes[] = {1, 5, 16, 17, 48, 64, 80, 255};
    static const size_t key_counts[] = {1, 2, 3, 4, 7, 63, 80, 129};
    if (!nn_ops_onednn())
        return;
    for (size_t rows = 1; rows <= 17; rows += rows < 4 ? 1 : 13)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t j = 0; j < sizeof key_counts / sizeof *key_counts; j++)
                compare_attention(rows, key_counts[j], sizes[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fast operators equal the reference");
    TCase *tcase = tcase_create("others");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, operators_on_rows, 0, ROW_OPS);
    tcase_add_test(tcase, energies);
    tcase_add_test(tcase, layer_norm_in_place_and_of_a_large_mean);
    tcase_add_test(tcase, extreme_values);
    tcase_add_test(tcase, depthwise);
    tcase_add_test(tcase, convolutions_of_the_subsampling);
    tcase_add_test(tcase, attention);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, compare_linear_tests());
    return suite_run(suite);
}
