/*
 * Exponentials for vector loops: no branches, no calls, no table.
 */
#ifndef NN_VECTOR_MATH_H
#define NN_VECTOR_MATH_H

#include "nn/number.h"
#include "nn/vector.h"

/*
 * e^x, relative error below 3e-7 between -87 and 87 (results from 1.6e-38 to 6e37, so that they
 * and their inverses are normal numbers).  Below, down to minus infinity, it is 0; above, e^87.
 *
 * x = n ln 2 + r with whole n and |r| <= ln(2) / 2.  ln 2 is subtracted in two parts (the first,
 * of 9 bits, times n is exact: Cody and Waite), e^r is its Taylor polynomial of degree 7, whose
 * remainder r^8 / 8! is below 6e-9; 2^n is made in the exponent bits.
 */
VECTOR_INLINE float vector_exp(float x)
{
    float zero_below = x < -87.0f ? 0.0f : 1.0f;
    x = x > -87.0f ? x : -87.0f;
    x = x < 87.0f ? x : 87.0f;
    float n = vector_round(x * 0x1.715476p+0f); /* 1 / ln 2 */
    float r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    float power = 1.0f / 5040.0f;
    power = power * r + 1.0f / 720.0f;
    power = power * r + 1.0f / 120.0f;
    power = power * r + 1.0f / 24.0f;
    power = power * r + 1.0f / 6.0f;
    power = power * r + 0.5f;
    power = power * r + 1.0f;
    power = power * r + 1.0f;
    return zero_below * power * number_from_bits((uint32_t)((int32_t)n + 127) << 23);
}

/* 1 / (1 + e^-x), relative error below 1e-6 for x > -87. */
VECTOR_INLINE float vector_sigmoid(float x)
{
    return 1.0f / (1.0f + vector_exp(-x));
}

/* tanh x, absolute error below 3e-7 (near zero the relative error is larger). */
VECTOR_INLINE float vector_tanh_one(float x)
{
    return 1.0f - 2.0f / (1.0f + vector_exp(2.0f * x));
}

#endif
