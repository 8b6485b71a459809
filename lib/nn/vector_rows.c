/* Operators on single values and on rows; see vector_ops.h. */
#include <math.h>

#include "nn/vector_math.h"
#include "nn/vector_ops.h"

VECTOR_CLONES
void vector_layer_norm(
    const float *in, size_t rows, size_t d, const float *gain, const float *bias, float *out)
{
    for (size_t row = 0; row < rows; row++, in += d, out += d) {
        float sum = 0.0f, rest = 0.0f, squares = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < d; i++)
            sum += in[i];
        float mean = sum / (float)d;
        /* Two passes: the sum of squares less the squared mean would cancel.  The second also
         * finds what the rounded first sum missed of the mean. */
#pragma omp simd reduction(+ : rest, squares)
        for (size_t i = 0; i < d; i++) {
            float difference = in[i] - mean;
            rest += difference;
            squares += difference * difference;
        }
        float correction = rest / (float)d;
        mean += correction;
        float variance = squares / (float)d - correction * correction;
        float inverse = 1.0f / sqrtf((variance > 0.0f ? variance : 0.0f) + 1e-5f);
#pragma omp simd
        for (size_t i = 0; i < d; i++)
            out[i] = (in[i] - mean) * inverse * gain[i] + bias[i];
    }
}

VECTOR_CLONES
void vector_silu(float *x, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        x[i] *= vector_sigmoid(x[i]);
}

VECTOR_CLONES
void vector_tanh(float *x, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        x[i] = vector_tanh_one(x[i]);
}

VECTOR_CLONES
void vector_glu(const float *in, size_t rows, size_t d, float *out)
{
    for (size_t row = 0; row < rows; row++, in += 2 * d, out += d) {
#pragma omp simd
        for (size_t i = 0; i < d; i++)
            out[i] = in[i] * vector_sigmoid(in[d + i]);
    }
}

VECTOR_CLONES
void vector_add_scaled(float *y, const float *x, float factor, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        y[i] += factor * x[i];
}

VECTOR_CLONES
void vector_energies(const float *x, const float *key, const float *query, const float *weight,
    size_t rows, size_t d, float *out)
{
    for (size_t row = 0; row < rows; row++, x += d, key += d) {
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < d; i++)
            sum += weight[i] * vector_tanh_one(x[i] + key[i] + query[i]);
        out[row] = sum;
    }
}

VECTOR_INLINE float largest(const float *x, size_t n)
{
    float top = x[0];
#pragma omp simd reduction(max : top)
    for (size_t i = 1; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

VECTOR_CLONES
void vector_softmax(float *x, size_t rows, size_t n)
{
    for (size_t row = 0; n > 0 && row < rows; row++, x += n) {
        float top = largest(x, n), sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < n; i++) {
            x[i] = vector_exp(x[i] - top);
            sum += x[i];
        }
        float inverse = 1.0f / sum;
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            x[i] *= inverse;
    }
}

VECTOR_CLONES
void vector_log_softmax(float *x, size_t rows, size_t n)
{
    for (size_t row = 0; n > 0 && row < rows; row++, x += n) {
        float top = largest(x, n), sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < n; i++)
            sum += vector_exp(x[i] - top);
        float shift = logf(sum);
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            x[i] = x[i] - top - shift;
    }
}

VECTOR_CLONES
void vector_to_bf16(const float *in, size_t count, uint16_t *out)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        out[i] = number_to_bf16(in[i]);
}

VECTOR_CLONES
void vector_dequantise(float *x, size_t rows, size_t n, const number_range *ranges,
    const float *scale, const int32_t *weight_sum)
{
    for (size_t row = 0; row < rows; row++, x += n) {
        float row_scale = ranges[row].scale;
        uint32_t zero = (uint32_t)ranges[row].zero;
#pragma omp simd
        for (size_t i = 0; i < n; i++) {
            /* Unsigned: either term may pass 2^31, their difference does not. */
            uint32_t sum = number_bits(x[i]) - zero * (uint32_t)weight_sum[i];
            x[i] = row_scale * scale[i] * (float)(int32_t)sum;
        }
    }
}

VECTOR_CLONES
void vector_finish(float *x, size_t rows, size_t n, const float *bias, nn_activation activation)
{
    for (size_t row = 0; row < rows; row++, x += n) {
        if (activation == NN_SILU) {
#pragma omp simd
            for (size_t i = 0; i < n; i++) {
                float sum = x[i] + bias[i];
                x[i] = sum * vector_sigmoid(sum);
            }
        } else {
#pragma omp simd
            for (size_t i = 0; i < n; i++)
                x[i] += bias[i];
        }
    }
}
