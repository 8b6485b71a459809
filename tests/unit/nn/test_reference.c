/* Known answers of the reference operators, worked out by hand. */
#include <math.h>

#include "nn_fixture.h"

static void check_floats(const float *found, const float *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(fabsf(found[i] - expected[i]) <= 2e-6f * fmaxf(1.0f, fabsf(expected[i])),
            "value %zu: %.8g, expected %.8g", i, (double)found[i], (double)expected[i]);
}

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

START_TEST(layer_norm)
{
    const float x[6] = {1, 2, 3, 5, 5, 5}, gain[3] = {1, 2, 1}, bias[3] = {0, 1, -1};
    float out[6];
    nn_ops_reference()->layer_norm(x, 2, 3, gain, bias, out);
    float unit = 1.0f / sqrtf(2.0f / 3.0f + 1e-5f);
    check_floats(out, (const float[]){-unit, 1, unit - 1, 0, 1, -1}, 6);
}
END_TEST

START_TEST(activations)
{
    float x[3] = {0, 1, -3}, y[3] = {0, 0.5f, -20};
    nn_ops_reference()->silu(x, 3);
    check_floats(x, (const float[]){0, 0.73105858f, -0.14227762f}, 3);
    nn_ops_reference()->tanh(y, 3);
    check_floats(y, (const float[]){0, 0.46211716f, -1}, 3);
}
END_TEST

START_TEST(gated_linear_unit)
{
    const float in[8] = {1, 2, 0, 100, 3, 4, -100, 1};
    float out[4];
    nn_ops_reference()->glu(in, 2, 2, out);
    check_floats(out, (const float[]){0.5f, 2, 0, 4 * sigmoid(1)}, 4);
}
END_TEST

START_TEST(add_scaled)
{
    float y[3] = {1, 2, 3};
    nn_ops_reference()->add_scaled(y, (const float[]){2, 0, -2}, 0.5f, 3);
    check_floats(y, (const float[]){2, 2, 2}, 3);
}
END_TEST

START_TEST(additive_energies)
{
    const float x[4] = {0, 1, 2, -1}, key[4] = {0.5f, 1, -1, 1}, query[2] = {0.5f, -2};
    const float weight[2] = {2, 10};
    float out[2];
    nn_ops_reference()->energies(x, key, query, weight, 2, 2, out);
    check_floats(out, (const float[]){2 * tanhf(1), 2 * tanhf(1.5f) - 10 * tanhf(2)}, 2);
}
END_TEST

START_TEST(softmax_and_its_logarithm)
{
    const float l2 = logf(2);
    float x[6] = {0, l2, 0, 1000, 1000, -INFINITY}, y[6] = {0, l2, 0, 1000, 1000, 0};
    nn_ops_reference()->softmax(x, 2, 3);
    check_floats(x, (const float[]){0.25f, 0.5f, 0.25f, 0.5f, 0.5f, 0}, 6);
    nn_ops_reference()->log_softmax(y, 2, 3);
    check_floats(y, (const float[]){-2 * l2, -l2, -2 * l2, -l2, -l2, -1000 - l2}, 6);
    nn_ops_reference()->softmax(x, 0, 3);
    nn_ops_reference()->log_softmax(x, 3, 0);
}
END_TEST

START_TEST(depthwise_convolution)
{
    /* Two channels, three taps; the last tap meets the newest row. */
    const float in[8] = {1, 10, 2, 20, 3, 30, 4, 40};
    const float weight[6] = {1, 0, 10, 0, 100, 1}, bias[2] = {0.5f, -1};
    float out[4];
    nn_ops_reference()->depthwise(in, 2, 2, 3, weight, bias, out);
    check_floats(out, (const float[]){321.5f, 29, 432.5f, 39}, 4);
}
END_TEST

START_TEST(first_convolution)
{
    /* Four bins, one row: the weights 1, 2, 4 along frequency on the middle time only. */
    const float in[12] = {9, 9, 9, 9, 1, 10, 100, 1000, 9, 9, 9, 9};
    const float weight[9] = {0, 0, 0, 1, 2, 4, 0, 0, 0}, bias[1] = {0.5f};
    float out[2];
    nn_ops_reference()->conv_first(in, 1, 4, 1, weight, bias, out);
    float expected[2] = {2 * 1 + 4 * 10 + 0.5f, 1 * 10 + 2 * 100 + 4 * 1000 + 0.5f};
    for (int i = 0; i < 2; i++)
        expected[i] *= sigmoid(expected[i]);
    check_floats(out, expected, 2);
}
END_TEST

START_TEST(depthwise_convolution_in_two_dimensions)
{
    /* Three bins (odd), two channels, one row; each time step has its own weights. */
    const float in[18] = {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9};
    const float weight[18] = {0, 0, 1, 0, 0, 0, 1, 0, 10, 0, 100, 0, 0, 0, 0, 1, 1, 0};
    const float bias[2] = {0, 0.25f};
    float out[4];
    nn_ops_reference()->conv_depthwise(in, 1, 3, 2, weight, bias, out);
    /* Bin 0 sees (padding, 0, 1), bin 1 sees (1, 2, padding). */
    check_floats(
        out, (const float[]){1 + 10 * 4 + 100 * 5 + 8, 7 + 0.25f, 3 + 5 + 10 * 6, 9 + 0.25f}, 4);
}
END_TEST

START_TEST(attention)
{
    nn_scratch *scratch = fixture_scratch(nn_scratch_round(2 * 3 * 4));
    /* Rows of 4 floats of which a head uses 1: scores are query * key + bias[q - k]. */
    const float query[8] = {0, -1, -1, -1, 1, -1, -1, -1};
    const float key[12] = {0, 7, 7, 7, 1, 7, 7, 7, 2, 7, 7, 7};
    const float value[12] = {1, 7, 7, 7, 10, 7, 7, 7, 100, 7, 7, 7};
    const float l2 = logf(2);
    const float table[4] = {0, l2, 0, 2 * l2}; /* for q - k = -2, -1, 0, 1 */
    float out[6] = {0, 5, 5, 0, 5, 5};
    nn_ops_reference()->attention(scratch, query, 4, 2, key, value, 4, 3, 1, table + 2, out, 3);
    float e = expf(1);
    float second = (4 * 1 + e * 10 + 2 * e * e * 100) / (4 + e + 2 * e * e);
    check_floats(out, (const float[]){(1 + 2 * 10 + 100) / 4.0f, 5, 5, second, 5, 5}, 6);
    ck_assert_uint_eq(nn_scratch_mark(scratch), 0);

    /* The scores are divided by the root of the size: here 4, so 16 becomes 8. */
    const float wide[4] = {2, 2, 2, 2}, narrow[8] = {2, 2, 2, 2, 0, 0, 0, 0};
    const float values[8] = {1, 0, 0, 0, 0, 1, 0, 0}, none[3] = {0};
    float weights[4];
    nn_ops_reference()->attention(
        scratch, wide, 4, 1, narrow, values, 4, 2, 4, none + 2, weights, 4);
    check_floats(weights, (const float[]){sigmoid(8), sigmoid(-8), 0, 0}, 4);
    nn_scratch_destroy(scratch);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {layer_norm, activations, gated_linear_unit, add_scaled,
        additive_energies, softmax_and_its_logarithm, depthwise_convolution, first_convolution,
        depthwise_convolution_in_two_dimensions, attention};
    return fixture_run("nn reference", tests, sizeof tests / sizeof *tests);
}
