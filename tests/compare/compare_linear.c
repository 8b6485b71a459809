/* Linear layers: fast against reference on odd shapes, batched against alone, and from
 * several threads. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "base/memory.h"
#include "compare.h"

static const nn_precision precisions[] = {NN_PRECISION_F32, NN_PRECISION_BF16, NN_PRECISION_INT8};
static const char *const precision_names[] = {"f32", "bf16", "int8"};

/*
 * Inputs lie in [-1.7, 1.7) and weights in +-1.7 / sqrt(in_size), so that outputs are of order 1
 * and partial sums below 8.  In f32 and bf16 the operands are the same numbers in both
 * implementations and the fast sum rounds in_size times, each by at most 8 * 2^-24: as a random
 * walk sqrt(256) * 5e-7 = 8e-6.  In int8 sums are exact, and the rest is a few roundings.  SiLU
 * adds less than 1e-6 of the value.
 */
static const float tolerances[] = {1e-5f, 1e-5f, 2e-6f};

typedef struct prepared {
    const nn_ops *ops;
    nn_linear *linear;
    nn_scratch *scratch;
    size_t in_size, out_size;
} prepared;

static prepared layer_create(const nn_ops *ops, nn_precision precision, const float *weight,
    const float *bias, size_t in_size, size_t out_size, size_t max_rows)
{
    nn_tensor tensor = {
        .name = "weight", .type = NN_F32, .rank = 2, .shape = {out_size, in_size}, .data = weight};
    prepared result = {.ops = ops, .in_size = in_size, .out_size = out_size};
    steno_error error = {0};
    ck_assert_msg(
        ops->linear_create(&tensor, bias, precision, max_rows, &result.linear, &error) == STENO_OK,
        "%s", error.message);
    result.scratch = compare_scratch(ops->linear_scratch(result.linear, max_rows));
    return result;
}

static void layer_destroy(prepared *layer)
{
    nn_scratch_destroy(layer->scratch);
    layer->ops->linear_destroy(layer->linear);
}

static float *layer_run(
    const prepared *layer, const float *in, size_t rows, nn_activation activation)
{
    float *out = memory_allocate(rows * layer->out_size, sizeof *out);
    ck_assert_ptr_nonnull(out);
    layer->ops->linear_forward(layer->linear, layer->scratch, in, rows, activation, out);
    return out;
}

static void compare_layer(nn_precision precision, size_t in_size, size_t out_size)
{
    float *weight = compare_random(in_size * out_size, 1.7f / sqrtf((float)in_size), 1);
    float *bias = compare_random(out_size, 1.0f, 2);
    float *in = compare_random(129 * in_size, 1.7f, 3);
    prepared fast = layer_create(nn_ops_onednn(), precision, weight, bias, in_size, out_size, 129);
    prepared reference =
        layer_create(nn_ops_reference(), precision, weight, bias, in_size, out_size, 129);
    for (const size_t *rows = compare_rows; *rows; rows++)
        for (int activation = NN_IDENTITY; activation <= NN_SILU; activation++) {
            char what[80];
            snprintf(what, sizeof what, "%s %zu -> %zu, %zu rows, activation %d",
                precision_names[precision], in_size, out_size, *rows, activation);
            float *found = layer_run(&fast, in, *rows, (nn_activation)activation);
            float *expected = layer_run(&reference, in, *rows, (nn_activation)activation);
            compare_close(what, found, expected, *rows * out_size, tolerances[precision]);
            memory_free(found);
            memory_free(expected);
        }
    layer_destroy(&fast);
    layer_destroy(&reference);
    memory_free(weight);
    memory_free(bias);
    memory_free(in);
}

START_TEST(odd_shapes)
{
    nn_precision precision = precisions[_i];
    if (!nn_ops_onednn() || !nn_ops_onednn()->supports(precision))
        return;
    for (const size_t *in_size = compare_sizes; *in_size; in_size++)
        for (const size_t *out_size = compare_sizes; *out_size; out_size++)
            compare_layer(precision, *in_size, *out_size);
    compare_layer(precision, 129, 65); /* the shortest rows of int8 are 128 */
}
END_TEST

/* Where rows have the same bits however many are computed: see nn/ops_onednn.c. */
static bool same_bits(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bw");
#else
    return false;
#endif
}

/* Every row count up to 150, and one through the largest product: each row must have the bits it
 * has alone, whichever products the count is made of. */
static void compare_batched(nn_precision precision, size_t in_size, size_t out_size)
{
    enum { MOST = 150, MANY = 300 };
    float *weight = compare_random(in_size * out_size, 0.1f, 4);
    float *in = compare_random(MANY * in_size, 1.7f, 5);
    prepared layer =
        layer_create(nn_ops_onednn(), precision, weight, NULL, in_size, out_size, MANY);
    float *alone = memory_allocate(MANY * out_size, sizeof *alone);
    ck_assert_ptr_nonnull(alone);
    for (size_t row = 0; row < MANY; row++)
        layer.ops->linear_forward(
            layer.linear, layer.scratch, in + row * in_size, 1, NN_SILU, alone + row * out_size);
    for (size_t rows = 2; rows <= MANY; rows = rows == MOST ? MANY : rows + 1) {
        float *batched = layer_run(&layer, in, rows, NN_SILU);
        char what[80];
        snprintf(what, sizeof what, "%s %zu -> %zu, %zu rows", precision_names[precision], in_size,
            out_size, rows);
        if (same_bits())
            compare_equal(what, batched, alone, rows * out_size);
        else
            compare_close(what, batched, alone, rows * out_size, tolerances[NN_PRECISION_F32]);
        memory_free(batched);
    }
    memory_free(alone);
    layer_destroy(&layer);
    memory_free(weight);
    memory_free(in);
}

START_TEST(batched_equals_alone)
{
    static const size_t shapes[][2] = {
        {256, 1024}, {1024, 256}, {256, 768}, {256, 501}, {640, 256}, {64, 64}, {255, 17}};
    nn_precision precision = precisions[_i];
    if (!nn_ops_onednn() || !nn_ops_onednn()->supports(precision))
        return;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        compare_batched(precision, shapes[i][0], shapes[i][1]);
}
END_TEST

enum { THREADS = 4, CALLS = 40, SHARED_ROWS = 37, SHARED_SIZE = 256 };

typedef struct caller {
    pthread_t thread;
    const prepared *layer;
    const float *in;
    float *out; /* of the last call */
} caller;

static void *call_often(void *argument)
{
    caller *self = argument;
    nn_scratch *scratch =
        compare_scratch(self->layer->ops->linear_scratch(self->layer->linear, SHARED_ROWS));
    for (int i = 0; i < CALLS; i++)
        self->layer->ops->linear_forward(
            self->layer->linear, scratch, self->in, SHARED_ROWS, NN_SILU, self->out);
    nn_scratch_destroy(scratch);
    return NULL;
}

START_TEST(threads_share_a_layer)
{
    nn_precision precision = precisions[_i];
    if (!nn_ops_onednn() || !nn_ops_onednn()->supports(precision))
        return;
    float *weight = compare_random(SHARED_SIZE * SHARED_SIZE, 0.1f, 6);
    prepared layer = layer_create(
        nn_ops_onednn(), precision, weight, NULL, SHARED_SIZE, SHARED_SIZE, SHARED_ROWS);
    caller callers[THREADS];
    float *inputs[THREADS], *expected[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        inputs[i] = compare_random(SHARED_ROWS * SHARED_SIZE, 1.7f, 7 + i);
        expected[i] = layer_run(&layer, inputs[i], SHARED_ROWS, NN_SILU);
        callers[i] = (caller){.layer = &layer, .in = inputs[i]};
        callers[i].out = compare_random(SHARED_ROWS * SHARED_SIZE, 0.0f, 1);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(callers[i].thread, NULL), 0);
        compare_equal("threads", callers[i].out, expected[i], SHARED_ROWS * SHARED_SIZE);
        memory_free(inputs[i]);
        memory_free(expected[i]);
        memory_free(callers[i].out);
    }
    layer_destroy(&layer);
    memory_free(weight);
}
END_TEST

TCase *compare_linear_tests(void)
{
    TCase *tcase = tcase_create("linear");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, odd_shapes, 0, 3);
    tcase_add_loop_test(tcase, batched_equals_alone, 0, 3);
    tcase_add_loop_test(tcase, threads_share_a_layer, 0, 3);
    return tcase;
}
