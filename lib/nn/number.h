/*
 * Number formats: how floats become bfloat16 and 8-bit integers and come back.  Every
 * implementation of the linear layer rounds by these, so that they agree on the operands and can
 * differ in the order of their sums only.
 */
#ifndef NN_NUMBER_H
#define NN_NUMBER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline float number_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t number_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* bfloat16 is the upper half of a float. */
static inline float number_from_bf16(uint16_t bits)
{
    return number_from_bits((uint32_t)bits << 16);
}

/* Rounds to nearest, ties to even.  A NaN may come out as infinity when its payload lies in the
 * lower half; the networks' activations are finite. */
static inline uint16_t number_to_bf16(float value)
{
    uint32_t bits = number_bits(value);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits; subnormals included. */
float number_from_f16(uint16_t bits);

/*
 * A row of activations as unsigned bytes: value = scale * (quantised - zero), zero exactly
 * representable.  The byte range covers the row's own minimum to maximum: after SiLU, values
 * reach far up but not below -0.28, so a range symmetric about zero would waste half the steps.
 */
typedef struct number_range {
    float scale;  /* > 0 */
    int32_t zero; /* 0..255 */
} number_range;

number_range number_quantise_row(const float *in, size_t count, uint8_t *out);

/* A row of weights as signed bytes -127..127, symmetric; returns the scale (> 0). */
float number_quantise_weights(const float *in, size_t count, int8_t *out);

#endif
