/*
 * The definition of each operator: one obvious loop nest each, written for reading.  Never
 * optimised; sums are in double where the fast code's order of summation differs anyway, so that
 * the difference between the two is the fast code's rounding alone.
 *
 * Linear layers also define what the lower precisions mean: bf16 rounds the weights and the
 * inputs to bfloat16 and sums in full precision; int8 quantises each row of weights once and each
 * row of inputs as it comes (number.h), sums exactly in integers, and scales back.
 */
#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "nn/number.h"
#include "nn/ops.h"
#include "nn/weight_rows.h"

struct nn_linear {
    size_t out_size, in_size;
    nn_precision precision;
    float *weight;     /* [out_size, in_size]; F32 and BF16 (rounded to it) */
    int8_t *quantised; /* [out_size, in_size]; INT8 */
    float *scale;      /* [out_size]; INT8 */
    float *bias;       /* [out_size], zeros without one */
};

static bool supports(nn_precision precision)
{
    return precision == NN_PRECISION_F32; /* the others are emulated */
}

static void linear_destroy(nn_linear *linear)
{
    if (!linear)
        return;
    memory_free(linear->weight);
    memory_free(linear->quantised);
    memory_free(linear->scale);
    memory_free(linear->bias);
    memory_free(linear);
}

static steno_status linear_create(const nn_tensor *weight, const float *bias,
    nn_precision precision, size_t max_rows, nn_linear **out_linear, steno_error *error)
{
    (void)max_rows; /* any number of rows is fine here */
    steno_status status = weight_rows_check(weight, precision, error);
    if (status < 0)
        return status;
    precision = weight_rows_precision(weight, precision);
    nn_linear *linear = memory_allocate(1, sizeof *linear);
    if (!linear)
        return error_memory(error);
    linear->out_size = weight->shape[0];
    linear->in_size = weight->shape[1];
    linear->precision = precision;
    size_t elements = linear->out_size * linear->in_size;
    linear->bias = memory_allocate(linear->out_size, sizeof(float));
    if (precision == NN_PRECISION_INT8) {
        linear->quantised = memory_allocate(elements, 1);
        linear->scale = memory_allocate(linear->out_size, sizeof(float));
    } else {
        linear->weight = memory_allocate(elements, sizeof(float));
    }
    if (!linear->bias ||
        (precision == NN_PRECISION_INT8 && (!linear->quantised || !linear->scale)) ||
        (precision != NN_PRECISION_INT8 && !linear->weight)) {
        status = error_memory(error);
        goto failed;
    }
    for (size_t i = 0; bias && i < linear->out_size; i++)
        linear->bias[i] = bias[i];
    if (precision == NN_PRECISION_INT8) {
        status = weight_rows_quantise(weight, linear->quantised, linear->scale, error);
        if (status < 0)
            goto failed;
    } else {
        nn_tensor_to_float(weight, linear->weight);
        for (size_t i = 0; precision == NN_PRECISION_BF16 && i < elements; i++)
            linear->weight[i] = number_from_bf16(number_to_bf16(linear->weight[i]));
    }
    *out_linear = linear;
    return STENO_OK;

failed:
    linear_destroy(linear);
    return status;
}

static size_t linear_scratch(const nn_linear *linear, size_t rows)
{
    (void)rows;
    return linear->precision == NN_PRECISION_INT8 ? nn_scratch_round(linear->in_size) : 0;
}

static float activate(nn_activation activation, float x)
{
    return activation == NN_SILU ? x / (1.0f + expf(-x)) : x;
}

static float dot_float(const nn_linear *linear, const float *in, size_t output)
{
    const float *weight = linear->weight + output * linear->in_size;
    double sum = 0.0;
    for (size_t i = 0; i < linear->in_size; i++) {
        float x = in[i];
        if (linear->precision == NN_PRECISION_BF16)
            x = number_from_bf16(number_to_bf16(x));
        sum += (double)x * weight[i];
    }
    return (float)sum;
}

static float dot_quantised(
    const nn_linear *linear, const uint8_t *in, number_range range, size_t output)
{
    const int8_t *weight = linear->quantised + output * linear->in_size;
    int32_t sum = 0; /* cannot overflow: weight_rows_check limits in_size */
    for (size_t i = 0; i < linear->in_size; i++)
        sum += (in[i] - range.zero) * weight[i];
    return range.scale * linear->scale[output] * (float)sum;
}

static void linear_forward(const nn_linear *linear, nn_scratch *scratch, const float *in,
    size_t rows, nn_activation activation, float *out)
{
    size_t mark = nn_scratch_mark(scratch);
    uint8_t *quantised = NULL;
    if (linear->precision == NN_PRECISION_INT8)
        quantised = nn_scratch_take(scratch, linear->in_size);
    for (size_t row = 0; row < rows; row++) {
        const float *x = in + row * linear->in_size;
        float *y = out + row * linear->out_size;
        number_range range = {0};
        if (quantised)
            range = number_quantise_row(x, linear->in_size, quantised);
        for (size_t o = 0; o < linear->out_size; o++) {
            float product =
                quantised ? dot_quantised(linear, quantised, range, o) : dot_float(linear, x, o);
            y[o] = activate(activation, product + linear->bias[o]);
        }
    }
    nn_scratch_release(scratch, mark);
}

static void layer_norm(
    const float *in, size_t rows, size_t d, const float *gain, const float *bias, float *out)
{
    for (size_t row = 0; row < rows; row++) {
        const float *x = in + row * d;
        double sum = 0.0, squares = 0.0;
        for (size_t i = 0; i < d; i++)
            sum += x[i];
        double mean = sum / (double)d;
        for (size_t i = 0; i < d; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        double inverse = 1.0 / sqrt(squares / (double)d + 1e-5);
        for (size_t i = 0; i < d; i++)
            out[row * d + i] = (float)((x[i] - mean) * inverse) * gain[i] + bias[i];
    }
}

static void silu(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = activate(NN_SILU, x[i]);
}

static void hyperbolic_tangent(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = tanhf(x[i]);
}

static void glu(const float *in, size_t rows, size_t d, float *out)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < d; i++) {
            float value = in[row * 2 * d + i];
            float gate = in[row * 2 * d + d + i];
            out[row * d + i] = value / (1.0f + expf(-gate));
        }
}

static void add_scaled(float *y, const float *x, float factor, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] += factor * x[i];
}

static void energies(const float *x, const float *key, const float *query, const float *weight,
    size_t rows, size_t d, float *out)
{
    for (size_t row = 0; row < rows; row++, x += d, key += d) {
        double sum = 0.0;
        for (size_t i = 0; i < d; i++)
            sum += (double)(weight[i] * tanhf(x[i] + key[i] + query[i]));
        out[row] = (float)sum;
    }
}

static float largest(const float *x, size_t n)
{
    float result = x[0];
    for (size_t i = 1; i < n; i++)
        result = fmaxf(result, x[i]);
    return result;
}

static void softmax(float *x, size_t rows, size_t n)
{
    for (size_t row = 0; n > 0 && row < rows; row++, x += n) {
        float top = largest(x, n);
        double sum = 0.0;
        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i] - top);
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(exp((double)x[i] - top) / sum);
    }
}

static void log_softmax(float *x, size_t rows, size_t n)
{
    for (size_t row = 0; n > 0 && row < rows; row++, x += n) {
        float top = largest(x, n);
        double sum = 0.0;
        for (size_t i = 0; i < n; i++)
            sum += exp((double)x[i] - top);
        for (size_t i = 0; i < n; i++)
            x[i] = (float)((double)x[i] - top - log(sum));
    }
}

static void depthwise(const float *in, size_t rows, size_t d, size_t kernel, const float *weight,
    const float *bias, float *out)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < d; i++) {
            double sum = bias[i];
            for (size_t tap = 0; tap < kernel; tap++)
                sum += (double)weight[tap * d + i] * in[(row + tap) * d + i];
            out[row * d + i] = (float)sum;
        }
}

/* One output bin takes input bins 2 bin - 1 .. 2 bin + 1; those outside are zeros. */
static void conv_first(const float *in, size_t rows, size_t bins, size_t channels,
    const float *weight, const float *bias, float *out)
{
    size_t out_bins = bins / 2;
    for (size_t row = 0; row < rows; row++)
        for (size_t bin = 0; bin < out_bins; bin++)
            for (size_t c = 0; c < channels; c++) {
                double sum = bias[c];
                for (size_t i = 0; i < 3; i++)
                    for (size_t j = 0; j < 3; j++) {
                        size_t padded = 2 * bin + j; /* bin 0 is the padding */
                        if (padded >= 1 && padded <= bins)
                            sum += (double)weight[(i * 3 + j) * channels + c] *
                                   in[(2 * row + i) * bins + padded - 1];
                    }
                out[(row * out_bins + bin) * channels + c] = activate(NN_SILU, (float)sum);
            }
}

static void conv_depthwise(const float *in, size_t rows, size_t bins, size_t channels,
    const float *weight, const float *bias, float *out)
{
    size_t out_bins = (bins + 1) / 2;
    for (size_t row = 0; row < rows; row++)
        for (size_t bin = 0; bin < out_bins; bin++)
            for (size_t c = 0; c < channels; c++) {
                double sum = bias[c];
                for (size_t i = 0; i < 3; i++)
                    for (size_t j = 0; j < 3; j++) {
                        size_t padded = 2 * bin + j;
                        if (padded >= 1 && padded <= bins)
                            sum += (double)weight[(i * 3 + j) * channels + c] *
                                   in[((2 * row + i) * bins + padded - 1) * channels + c];
                    }
                out[(row * out_bins + bin) * channels + c] = (float)sum;
            }
}

static void attention(nn_scratch *scratch, const float *query, size_t query_stride, size_t rows,
    const float *key, const float *value, size_t key_stride, size_t keys, size_t size,
    const float *bias, float *out, size_t out_stride)
{
    size_t mark = nn_scratch_mark(scratch);
    float *score = nn_scratch_take(scratch, rows * keys * sizeof *score);
    for (size_t q = 0; q < rows; q++)
        for (size_t k = 0; k < keys; k++) {
            double dot = 0.0;
            for (size_t i = 0; i < size; i++)
                dot += (double)query[q * query_stride + i] * key[k * key_stride + i];
            ptrdiff_t distance = (ptrdiff_t)q - (ptrdiff_t)k;
            score[q * keys + k] = (float)(dot / sqrt((double)size)) + bias[distance];
        }
    softmax(score, rows, keys);
    for (size_t q = 0; q < rows; q++)
        for (size_t i = 0; i < size; i++) {
            double sum = 0.0;
            for (size_t k = 0; k < keys; k++)
                sum += (double)score[q * keys + k] * value[k * key_stride + i];
            out[q * out_stride + i] = (float)sum;
        }
    nn_scratch_release(scratch, mark);
}

const nn_ops *nn_ops_reference(void)
{
    static const nn_ops ops = {
        .name = "reference",
        .supports = supports,
        .linear_create = linear_create,
        .linear_destroy = linear_destroy,
        .linear_scratch = linear_scratch,
        .linear_forward = linear_forward,
        .layer_norm = layer_norm,
        .silu = silu,
        .tanh = hyperbolic_tangent,
        .glu = glu,
        .add_scaled = add_scaled,
        .energies = energies,
        .softmax = softmax,
        .log_softmax = log_softmax,
        .depthwise = depthwise,
        .conv_first = conv_first,
        .conv_depthwise = conv_depthwise,
        .attention = attention,
    };
    return &ops;
}
