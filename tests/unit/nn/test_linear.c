/* Linear layers of every implementation: known answers, errors, allocation. */
#include <math.h>
#include <string.h>

#include "nn_fixture.h"

enum { OUT = 5, IN = 160, ROWS = 7 };

static const nn_precision precisions[] = {NN_PRECISION_F32, NN_PRECISION_BF16, NN_PRECISION_INT8};

/* Every implementation in this build and each precision it can compute (the reference all). */
static void for_each(void (*check)(const nn_ops *ops, nn_precision precision))
{
    const nn_ops *const all[] = {nn_ops_reference(), nn_ops_onednn()};
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; all[i] && j < 3; j++)
            if (i == 0 || all[i]->supports(precisions[j]))
                check(all[i], precisions[j]);
}

/* out [rows, OUT] of a fresh layer. */
static void run(const nn_ops *ops, nn_precision precision, const nn_tensor *weight,
    const float *bias, const float *in, size_t rows, nn_activation activation, float *out)
{
    nn_linear *linear = NULL;
    steno_error error = {0};
    ck_assert_msg(ops->linear_create(weight, bias, precision, rows, &linear, &error) == STENO_OK,
        "%s", error.message);
    nn_scratch *scratch = fixture_scratch(ops->linear_scratch(linear, rows));
    ops->linear_forward(linear, scratch, in, rows, activation, out);
    ck_assert_uint_eq(nn_scratch_mark(scratch), 0);
    nn_scratch_destroy(scratch);
    ops->linear_destroy(linear);
}

/* Small whole numbers that every precision represents exactly: rows with the range 0 to 255 (so
 * that a quantisation step is 1) and weights with the largest magnitude 127. */
static void check_exact(const nn_ops *ops, nn_precision precision)
{
    float weight[2 * IN] = {0}, in[2 * IN] = {0}, out[4];
    const float bias[2] = {0.5f, -1000};
    weight[0] = 127;
    weight[1] = -3;
    weight[IN + IN - 1] = -127;
    in[0] = 2;
    in[1] = 255;
    in[IN] = -127;
    in[IN + 1] = 128;
    in[IN + IN - 1] = 10;
    nn_tensor tensor = fixture_matrix("w", weight, 2, IN);
    run(ops, precision, &tensor, bias, in, 2, NN_IDENTITY, out);
    const float expected[4] = {
        2 * 127 - 3 * 255 + 0.5f, -1000, -127 * 127 - 3 * 128 + 0.5f, -127 * 10 - 1000};
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq_tol(out[i], expected[i], 0.01f); /* bytes: scales are rounded */
    run(ops, precision, &tensor, NULL, in, 2, NN_IDENTITY, out);
    ck_assert_float_eq_tol(out[0], expected[0] - 0.5f, 0.01f);
    run(ops, precision, &tensor, bias, in, 1, NN_SILU, out);
    ck_assert_float_eq_tol(out[0], 0.0f, 1e-6f); /* of -510.5 */
    in[0] = 0;
    in[1] = 0;
    run(ops, precision, &tensor, bias, in, 1, NN_SILU, out);
    ck_assert_float_eq_tol(out[0], 0.5f / (1 + expf(-0.5f)), 1e-6f);
}

START_TEST(known_answers)
{
    for_each(check_exact);
}
END_TEST

/* A tensor of bytes with scales is what it converts to. */
static void check_stored_bytes(const nn_ops *ops, nn_precision precision)
{
    signed char bytes[OUT * IN];
    float scales[OUT], floats[OUT * IN], in[ROWS * IN], out[ROWS * OUT], expected[ROWS * OUT];
    for (int i = 0; i < OUT * IN; i++)
        bytes[i] = (signed char)(i * 37 % 251 - 125);
    fixture_fill(scales, OUT, 0.01f, 3);
    nn_tensor scale = {
        .name = "w.scale", .type = NN_F32, .rank = 1, .shape = {OUT}, .data = scales};
    nn_tensor tensor = {
        .name = "w", .type = NN_I8, .rank = 2, .shape = {OUT, IN}, .data = bytes, .scale = &scale};
    nn_tensor_to_float(&tensor, floats);
    nn_tensor plain = fixture_matrix("w", floats, OUT, IN);
    fixture_fill(in, ROWS * IN, 1.0f, 4);
    run(ops, precision, &tensor, NULL, in, ROWS, NN_IDENTITY, out);
    run(nn_ops_reference(), NN_PRECISION_F32, &plain, NULL, in, ROWS, NN_IDENTITY, expected);
    /* Outputs are sums of 160 products of up to 1.25: about 8.  bf16 has 8 bits: 0.4 % of each
     * operand; int8 inputs are within half of 2/255. */
    float allowed = precision == NN_PRECISION_F32 ? 1e-4f : 0.1f;
    for (int i = 0; i < ROWS * OUT; i++)
        ck_assert_float_eq_tol(out[i], expected[i], allowed);
}

START_TEST(stored_bytes)
{
    for_each(check_stored_bytes);
}
END_TEST

static void check_empty(const nn_ops *ops, nn_precision precision)
{
    float weight[IN], out[2] = {3, 4};
    fixture_fill(weight, IN, 1.0f, 1);
    nn_tensor tensor = fixture_matrix("w", weight, 1, IN);
    run(ops, precision, &tensor, NULL, weight, 0, NN_SILU, out);
    ck_assert_float_eq(out[0], 3.0f);
    ops->linear_destroy(NULL);
}

START_TEST(no_rows)
{
    for_each(check_empty);
}
END_TEST

static void check_scratch_grows(const nn_ops *ops, nn_precision precision)
{
    float weight[IN];
    fixture_fill(weight, IN, 1.0f, 1);
    nn_tensor tensor = fixture_matrix("w", weight, 1, IN);
    nn_linear *linear = NULL;
    steno_error error;
    ck_assert_int_eq(ops->linear_create(&tensor, NULL, precision, 600, &linear, &error), STENO_OK);
    for (size_t rows = 1; rows <= 600; rows++)
        ck_assert_uint_le(ops->linear_scratch(linear, rows - 1), ops->linear_scratch(linear, rows));
    ops->linear_destroy(linear);
}

START_TEST(more_rows_never_need_less_scratch)
{
    for_each(check_scratch_grows);
}
END_TEST

static void check_bad_weights(const nn_ops *ops, nn_precision precision)
{
    float value = 0;
    nn_linear *linear = NULL;
    steno_error error = {0};
    nn_tensor tensor = {.name = "block.7", .type = NN_F32, .rank = 1, .shape = {1}, .data = &value};
    ck_assert_int_eq(
        ops->linear_create(&tensor, NULL, precision, 1, &linear, &error), STENO_ERROR_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "block.7"));
    tensor = fixture_matrix("block.8", &value, 0, 4);
    ck_assert_int_eq(
        ops->linear_create(&tensor, NULL, precision, 1, &linear, &error), STENO_ERROR_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "block.8"));
    if (precision == NN_PRECISION_INT8) {
        tensor = fixture_matrix("block.9", &value, 1, 65537);
        ck_assert_int_eq(
            ops->linear_create(&tensor, NULL, precision, 1, &linear, &error), STENO_ERROR_LIMIT);
        ck_assert_ptr_nonnull(strstr(error.message, "block.9"));
    }
    ck_assert_ptr_null(linear);
}

START_TEST(bad_weights_are_named)
{
    for_each(check_bad_weights);
}
END_TEST

START_TEST(precisions_the_machine_lacks_are_refused)
{
    const nn_ops *ops = nn_ops_onednn();
    float weight[IN] = {1};
    nn_tensor tensor = fixture_matrix("w", weight, 1, IN);
    for (size_t i = 0; ops && i < 3; i++) {
        nn_linear *linear = NULL;
        steno_error error;
        steno_status status = ops->linear_create(&tensor, NULL, precisions[i], 1, &linear, &error);
        ck_assert_int_eq(status, ops->supports(precisions[i]) ? STENO_OK : STENO_ERROR_UNSUPPORTED);
        ops->linear_destroy(linear);
    }
    ck_assert(nn_ops_reference()->supports(NN_PRECISION_F32));
    ck_assert(!nn_ops_reference()->supports(NN_PRECISION_INT8));
}
END_TEST

typedef struct creation {
    const nn_ops *ops;
    nn_precision precision;
    nn_tensor weight;
} creation;

static steno_status create(void *argument)
{
    const creation *job = argument;
    nn_linear *linear = NULL;
    steno_error error;
    steno_status status =
        job->ops->linear_create(&job->weight, NULL, job->precision, 20, &linear, &error);
    job->ops->linear_destroy(linear);
    return status;
}

static void check_failing_allocations(const nn_ops *ops, nn_precision precision)
{
    float weight[OUT * IN];
    fixture_fill(weight, OUT * IN, 1.0f, 5);
    creation job = {ops, precision, fixture_matrix("w", weight, OUT, IN)};
    ck_assert_uint_ge(fixture_fail_each_allocation(create, &job), 3);
}

START_TEST(each_allocation_may_fail)
{
    for_each(check_failing_allocations);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {known_answers, stored_bytes, no_rows,
        more_rows_never_need_less_scratch, bad_weights_are_named,
        precisions_the_machine_lacks_are_refused, each_allocation_may_fail};
    return fixture_run("nn linear", tests, sizeof tests / sizeof *tests);
}
