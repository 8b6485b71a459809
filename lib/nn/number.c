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

/* To the nearest, for |x| < 2^22: 1.5 * 2^23 + x has the result in its low bits.  Of a NaN it makes
 * some number. */
VECTOR_INLINE int32_t round_to_int(float x)
{
    return (int32_t)((number_bits(x + 0x1.8p23f) & 0x7fffff) - 0x400000);
}

/* The least and the greatest value, zero included.  Each half of the row has its own running pair,
 * so that the processor need not finish one comparison before it can begin the next. */
VECTOR_INLINE void find_range(const float *in, size_t count, float *out_lowest, float *out_highest)
{
    float low_a = 0.0f, low_b = 0.0f, high_a = 0.0f, high_b = 0.0f;
    size_t half = (count + 1) / 2; /* of an odd count, the middle belongs to both */
    const float *second = in + count - half;
#pragma omp simd reduction(min : low_a, low_b) reduction(max : high_a, high_b)
    for (size_t i = 0; i < half; i++) {
        low_a = in[i] < low_a ? in[i] : low_a;
        high_a = in[i] > high_a ? in[i] : high_a;
        low_b = second[i] < low_b ? second[i] : low_b;
        high_b = second[i] > high_b ? second[i] : high_b;
    }
    *out_lowest = low_a < low_b ? low_a : low_b;
    *out_highest = high_a > high_b ? high_a : high_b;
}

VECTOR_CLONES
number_range number_quantise_row(const float *in, size_t count, uint8_t *out)
{
    float lowest, highest;
    find_range(in, count, &lowest, &highest);
    /* A row of zeros (or next to it: the scale must have an inverse) comes out as zeros. */
    float scale = highest - lowest > 1e-30f ? (highest - lowest) / 255.0f : 1.0f;
    float inverse = 1.0f / scale;
    int32_t zero = round_to_int(-lowest * inverse);
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        int32_t level = round_to_int(in[i] * inverse) + zero;
        level = level > 0 ? level : 0; /* only a NaN needs it */
        level = level < 255 ? level : 255;
        out[i] = (uint8_t)level;
    }
    return (number_range){.scale = scale, .zero = zero};
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
