/* Number formats, quantisation, and the accuracy that nn/vector_math.h promises. */
#include <math.h>
#include <string.h>

#include "nn/number.h"
#include "nn/vector_math.h"
#include "nn_fixture.h"

START_TEST(bfloat16_rounds_to_nearest_even)
{
    ck_assert_uint_eq(number_to_bf16(1.0f), 0x3f80);
    ck_assert_uint_eq(number_to_bf16(-2.0f), 0xc000);
    ck_assert_uint_eq(number_to_bf16(0x1.01p0f), 0x3f80); /* half way: to the even one, down */
    ck_assert_uint_eq(number_to_bf16(0x1.03p0f), 0x3f82); /* half way: up */
    ck_assert_uint_eq(number_to_bf16(0x1.010002p0f), 0x3f81);
    ck_assert_uint_eq(number_to_bf16(INFINITY), 0x7f80);
    ck_assert_float_eq(number_from_bf16(0x3f81), 0x1.02p0f);
    ck_assert_float_eq(number_from_bf16(0x8000), -0.0f);
}
END_TEST

START_TEST(half_precision_is_exact)
{
    ck_assert_float_eq(number_from_f16(0x3c00), 1.0f);
    ck_assert_float_eq(number_from_f16(0xc500), -5.0f);
    ck_assert_float_eq(number_from_f16(0x3555), 0x1.554p-2f);
    ck_assert_float_eq(number_from_f16(0x7bff), 65504.0f);
    ck_assert_float_eq(number_from_f16(0x0001), 0x1p-24f);
    ck_assert_float_eq(number_from_f16(0x83ff), -0x1.ff8p-15f);
    ck_assert_float_eq(number_from_f16(0x0400), 0x1p-14f);
    ck_assert(number_from_f16(0x7c00) == INFINITY);
    ck_assert(isnan(number_from_f16(0x7e00)));
    ck_assert(signbit(number_from_f16(0x8000)));
}
END_TEST

START_TEST(a_quantised_row_is_within_half_a_step)
{
    static const size_t counts[] = {1, 2, 3, 17, 64, 255, 256, 1001};
    float x[1001];
    uint8_t bytes[1001];
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        fixture_fill(x, counts[i], 3.0f, (unsigned)i);
        number_range range = number_quantise_row(x, counts[i], bytes);
        ck_assert_int_ge(range.zero, 0);
        ck_assert_int_le(range.zero, 255);
        for (size_t j = 0; j < counts[i]; j++) {
            float back = range.scale * (float)(bytes[j] - range.zero);
            /* Half a step from rounding the value, and for those at the ends of the range half a
             * step more where zero itself was rounded. */
            float allowed = bytes[j] == 0 || bytes[j] == 255 ? 1.001f : 0.501f;
            ck_assert_float_le(fabsf(back - x[j]), allowed * range.scale);
        }
    }
}
END_TEST

START_TEST(a_one_sided_row_uses_all_steps)
{
    float x[3] = {0.0f, 2.55f, 1.0f};
    uint8_t bytes[3];
    number_range range = number_quantise_row(x, 3, bytes);
    ck_assert_int_eq(range.zero, 0);
    ck_assert_float_eq_tol(range.scale, 0.01f, 1e-8f);
    ck_assert_uint_eq(bytes[0], 0);
    ck_assert_uint_eq(bytes[1], 255);
    ck_assert_uint_eq(bytes[2], 100);
}
END_TEST

START_TEST(zeros_and_nans_are_harmless)
{
    float x[4] = {0.0f, -0.0f, 1e-42f, 0.0f};
    uint8_t bytes[4];
    number_range range = number_quantise_row(x, 4, bytes);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(bytes[i], range.zero);
    ck_assert_float_gt(range.scale, 0.0f);
    x[1] = NAN;
    x[2] = INFINITY;
    number_quantise_row(x, 4, bytes); /* any bytes, but no trap and no undefined behaviour */
    int8_t weights[4];
    float zeros[4] = {0};
    ck_assert_float_gt(number_quantise_weights(zeros, 4, weights), 0.0f);
    ck_assert_int_eq(weights[0], 0);
}
END_TEST

START_TEST(weights_are_symmetric)
{
    float x[3] = {-1.27f, 0.5f, 0.004f};
    int8_t bytes[3];
    ck_assert_float_eq_tol(number_quantise_weights(x, 3, bytes), 0.01f, 1e-8f);
    ck_assert_int_eq(bytes[0], -127);
    ck_assert_int_eq(bytes[1], 50);
    ck_assert_int_eq(bytes[2], 0);
}
END_TEST

START_TEST(exponential_is_as_accurate_as_promised)
{
    for (int i = -86999; i <= 86999; i++) {
        float x = (float)i * 0.001f;
        double exact = exp((double)x);
        ck_assert_double_le(fabs((double)vector_exp(x) - exact) / exact, 3e-7);
    }
    ck_assert_float_eq(vector_exp(0.0f), 1.0f);
    ck_assert_float_eq(vector_exp(-87.1f), 0.0f);
    ck_assert_float_eq(vector_exp(-INFINITY), 0.0f);
    ck_assert_float_eq(vector_exp(1000.0f), vector_exp(87.0f));
}
END_TEST

START_TEST(sigmoid_and_tanh_are_as_accurate_as_promised)
{
    for (int i = -86999; i <= 86999; i++) {
        float x = (float)i * 0.001f;
        double exact = 1.0 / (1.0 + exp(-(double)x));
        ck_assert_double_le(fabs((double)vector_sigmoid(x) - exact) / exact, 1e-6);
        ck_assert_double_le(fabs((double)vector_tanh_one(x) - tanh((double)x)), 3e-7);
    }
    ck_assert_float_eq(vector_tanh_one(INFINITY), 1.0f);
    ck_assert_float_eq(vector_tanh_one(-INFINITY), -1.0f);
}
END_TEST

static void check_types(const void *data, nn_type type, size_t count, const float *expected)
{
    /* One byte into the buffer: files promise no alignment. */
    unsigned char buffer[65];
    memcpy(buffer + 1, data, 64);
    nn_tensor tensor = {.name = "t", .type = type, .rank = 1, .shape = {count}, .data = buffer + 1};
    float out[8];
    nn_tensor_to_float(&tensor, out);
    for (size_t i = 0; i < count; i++)
        ck_assert_float_eq(out[i], expected[i]);
}

START_TEST(every_type_becomes_floats)
{
    const float expected[2] = {1.5f, -2.0f};
    const float f32[16] = {1.5f, -2.0f};
    const uint16_t bf16[32] = {0x3fc0, 0xc000};
    const uint16_t f16[32] = {0x3e00, 0xc000};
    const int64_t i64[8] = {7, -3000000000};
    const uint8_t u8[64] = {0, 128, 255};
    const uint16_t u16[32] = {1, 65535};
    const int32_t i32[16] = {-16777216, INT32_MAX};
    check_types(f32, NN_F32, 2, expected);
    check_types(bf16, NN_BF16, 2, expected);
    check_types(f16, NN_F16, 2, expected);
    check_types(i64, NN_I64, 2, (const float[]){7.0f, -3e9f});
    check_types(u8, NN_U8, 3, (const float[]){0, 128, 255});
    check_types(u16, NN_U16, 2, (const float[]){1, 65535});
    check_types(i32, NN_I32, 2, (const float[]){-16777216.0f, 0x1p31f});
}
END_TEST

START_TEST(bytes_are_scaled_by_their_row)
{
    const float scales[2] = {0.5f, 2.0f};
    const nn_tensor scale = {
        .name = "t.scale", .type = NN_F32, .rank = 1, .shape = {2}, .data = scales};
    const signed char bytes[6] = {1, -128, 127, 3, 0, -1};
    const nn_tensor tensor = {
        .name = "t", .type = NN_I8, .rank = 3, .shape = {2, 1, 3}, .data = bytes, .scale = &scale};
    ck_assert_uint_eq(nn_tensor_elements(&tensor), 6);
    const float expected[6] = {0.5f, -64.0f, 63.5f, 6.0f, 0.0f, -2.0f};
    float out[6];
    nn_tensor_to_float(&tensor, out);
    for (size_t i = 0; i < 6; i++)
        ck_assert_float_eq(out[i], expected[i]);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {bfloat16_rounds_to_nearest_even, half_precision_is_exact,
        a_quantised_row_is_within_half_a_step, a_one_sided_row_uses_all_steps,
        zeros_and_nans_are_harmless, weights_are_symmetric, exponential_is_as_accurate_as_promised,
        sigmoid_and_tanh_are_as_accurate_as_promised, every_type_becomes_floats,
        bytes_are_scaled_by_their_row};
    return fixture_run("nn number", tests, sizeof tests / sizeof *tests);
}
