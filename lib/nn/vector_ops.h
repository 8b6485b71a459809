/*
 * The operators of ops.h other than linear layers, and the passes around a matrix product, in C
 * that compilers turn into vector code.  Shapes and meaning as in ops.h; safe from any thread.
 *
 * Sums are taken in as many lanes as the instruction set has, so two machines may differ in the
 * last bits; on one machine a row's result depends on that row alone.
 */
#ifndef NN_VECTOR_OPS_H
#define NN_VECTOR_OPS_H

#include <stdint.h>

#include "nn/number.h"
#include "nn/ops.h"

void vector_layer_norm(
    const float *in, size_t rows, size_t d, const float *gain, const float *bias, float *out);
void vector_silu(float *x, size_t count);
void vector_tanh(float *x, size_t count);
void vector_glu(const float *in, size_t rows, size_t d, float *out);
void vector_add_scaled(float *y, const float *x, float factor, size_t count);
void vector_energies(const float *x, const float *key, const float *query, const float *weight,
    size_t rows, size_t d, float *out);
void vector_softmax(float *x, size_t rows, size_t n);
void vector_log_softmax(float *x, size_t rows, size_t n);
void vector_depthwise(const float *in, size_t rows, size_t d, size_t kernel, const float *weight,
    const float *bias, float *out);
void vector_conv_first(const float *in, size_t rows, size_t bins, size_t channels,
    const float *weight, const float *bias, float *out);
void vector_conv_depthwise(const float *in, size_t rows, size_t bins, size_t channels,
    const float *weight, const float *bias, float *out);
void vector_attention(nn_scratch *scratch, const float *query, size_t query_stride, size_t rows,
    const float *key, const float *value, size_t key_stride, size_t keys, size_t size,
    const float *bias, float *out, size_t out_stride);

/* out [count] = in [count] as bfloat16 (number_to_bf16). */
void vector_to_bf16(const float *in, size_t count, uint16_t *out);

/* The sums of a product of bytes, int32 in the storage of x [rows, n], to floats in place:
 *     x = ranges[row].scale * scale[column] * (sum - ranges[row].zero * weight_sum[column]) */
void vector_dequantise(float *x, size_t rows, size_t n, const number_range *ranges,
    const float *scale, const int32_t *weight_sum);

/* x [rows, n] = activation(x + bias [n]) */
void vector_finish(float *x, size_t rows, size_t n, const float *bias, nn_activation activation);

#endif
