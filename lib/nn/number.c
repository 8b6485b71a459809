#include "nn/number.h"

#include <math.h>

#include "nn/vector.h"

float number_from_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
    uint32_t exponent = (bits >> 10) & 31;
    uint32_t fraction = bits & 1023;
    if (exponent == 0) /* zero and subnormals: multiples of 2^-24 */
        return (sign ? -1.0f : 1.0f) * 0x1p-24f * (float)fraction;
    if (exponent == 31)
        return number_from_bits(sign | 0x7f800000 | fraction << 13);
    return number_from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

VECTOR_CLONES
number_range number_quantise_row(const float *in, size_t count, uint8_t *out)
{
    float lowest = 0.0f, highest = 0.0f; /* zero is always inside the range */
#pragma omp simd reduction(min : lowest) reduction(max : highest)
    for (size_t i = 0; i < count; i++) {
        lowest = in[i] < lowest ? in[i] : lowest;
        highest = in[i] > highest ? in[i] : highest;
    }
    /* A row of zeros (or next to it: the scale must have an inverse) comes out as zeros. */
    float scale = highest - lowest > 1e-30f ? (highest - lowest) / 255.0f : 1.0f;
    float inverse = 1.0f / scale;
    float zero = vector_round(-lowest * inverse);
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float level = vector_round(in[i] * inverse) + zero;
        level = level > 0.0f ? level : 0.0f; /* in this order a NaN becomes 0 */
        level = level < 255.0f ? level : 255.0f;
        out[i] = (uint8_t)(int32_t)level;
    }
    return (number_range){.scale = scale, .zero = (int32_t)zero};
}

float number_quantise_weights(const float *in, size_t count, int8_t *out)
{
    float largest = 0.0f;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(in[i]));
    float scale = largest > 1e-30f ? largest / 127.0f : 1.0f;
    for (size_t i = 0; i < count; i++)
        out[i] = (int8_t)lrintf(fminf(fmaxf(in[i] / scale, -127.0f), 127.0f));
    return scale;
}
