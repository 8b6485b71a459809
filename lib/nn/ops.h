/*
 * The operators the network is made of.  Activations are f32, row-major, slowest dimension first;
 * a linear layer keeps its weights in whatever form and precision its implementation computes in.
 *
 * Two implementations of one table: nn_ops_reference (obvious C, the definition of each operator)
 * and nn_ops_onednn (matrix products by oneDNN, the rest in C written for vector units).  Both are
 * pure functions of their arguments, safe from any thread; `scratch` belongs to the calling one.
 */
#ifndef NN_OPS_H
#define NN_OPS_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/scratch.h"
#include "nn/tensor.h"
#include "steno/status.h"

typedef enum nn_precision { NN_PRECISION_F32, NN_PRECISION_BF16, NN_PRECISION_INT8 } nn_precision;

typedef enum nn_activation { NN_IDENTITY, NN_SILU } nn_activation;

/* A prepared linear layer y = x W^T + b; immutable after creation. */
typedef struct nn_linear nn_linear;

typedef struct nn_ops {
    const char *name;

    /* Whether this machine computes linear layers in that precision natively; nn_ops_onednn
     * refuses to create layers in others (STENO_ERROR_UNSUPPORTED), nn_ops_reference emulates them.
     * Native need not be fast: with AVX512_BF16 but no AMX, bf16 ran at half the speed of f32
     * where we measured it (tests/bench), and int8 at three times. */
    bool (*supports)(nn_precision precision);

    /* weight [out_size, in_size] (rank 2, any type), bias [out_size] f32 or NULL.  All that can
     * fail happens here: forward never allocates.  forward is called with at most max_rows. */
    steno_status (*linear_create)(const nn_tensor *weight, const float *bias,
        nn_precision precision, size_t max_rows, nn_linear **out_linear, steno_error *error);
    void (*linear_destroy)(nn_linear *linear); /* NULL is fine */
    /* Scratch bytes that linear_forward takes with `rows` rows (never more with fewer). */
    size_t (*linear_scratch)(const nn_linear *linear, size_t rows);
    /* out [rows, out_size] = activation(in [rows, in_size] W^T + b); out must not overlap in. */
    void (*linear_forward)(const nn_linear *linear, nn_scratch *scratch, const float *in,
        size_t rows, nn_activation activation, float *out);

    /* out [rows, d] = (x - mean) / sqrt(variance + 1e-5) * gain + bias; out may be in. */
    void (*layer_norm)(
        const float *in, size_t rows, size_t d, const float *gain, const float *bias, float *out);

    void (*silu)(float *x, size_t count); /* x * sigmoid(x) in place */
    void (*tanh)(float *x, size_t count); /* in place */

    /* out [rows, d] = in[:, :d] * sigmoid(in[:, d:]), in [rows, 2 d]. */
    void (*glu)(const float *in, size_t rows, size_t d, float *out);

    /* y += factor * x */
    void (*add_scaled)(float *y, const float *x, float factor, size_t count);

    /* Energies of additive attention: out [rows] = sum over i of
     * weight[i] * tanh(x[row, i] + key[row, i] + query[i]); x, key [rows, d]; query, weight [d]. */
    void (*energies)(const float *x, const float *key, const float *query, const float *weight,
        size_t rows, size_t d, float *out);

    /* In place over each row [rows, n]. */
    void (*softmax)(float *x, size_t rows, size_t n);
    void (*log_softmax)(float *x, size_t rows, size_t n);

    /* Causal depthwise convolution over time.  in [kernel - 1 + rows, d]: the first kernel - 1
     * rows are the context; weight [kernel, d] (tap kernel - 1 meets the newest row), bias [d];
     * out [rows, d]. */
    void (*depthwise)(const float *in, size_t rows, size_t d, size_t kernel, const float *weight,
        const float *bias, float *out);

    /* First convolution of the subsampling: 3 x 3, stride 2 in time and frequency, 1 -> channels.
     * in [2 rows + 1, bins]; symmetric padding of one bin of zeros along frequency; weight
     * [3, 3, channels] (time, frequency, channel), bias [channels]; followed by SiLU;
     * out [rows, bins / 2, channels]; bins is even. */
    void (*conv_first)(const float *in, size_t rows, size_t bins, size_t channels,
        const float *weight, const float *bias, float *out);

    /* Depthwise 3 x 3, stride 2 both ways: in [2 rows + 1, bins, channels], weight and bias as
     * above, no activation; out [rows, bins / 2, channels] (bins odd or even: (bins + 1) / 2
     * outputs, padding one zero on each side). */
    void (*conv_depthwise)(const float *in, size_t rows, size_t bins, size_t channels,
        const float *weight, const float *bias, float *out);

    /* Attention of `rows` queries over `keys` keys with one head's relative bias:
     *     score[q, k] = (query[q] . key[k]) / sqrt(size) + bias[q - k]
     *     out[q] = sum_k softmax_k(score[q, :]) value[k]
     * query [rows, size] with row stride query_stride floats; key, value [keys, size] with row
     * stride key_stride; bias points at the entry for q = k = 0, so that bias[q - k] is right for
     * all pairs (negative indices included); out rows have stride out_stride.
     * Takes scratch of nn_scratch_round(rows * keys * 4). */
    void (*attention)(nn_scratch *scratch, const float *query, size_t query_stride, size_t rows,
        const float *key, const float *value, size_t key_stride, size_t keys, size_t size,
        const float *bias, float *out, size_t out_stride);
} nn_ops;

const nn_ops *nn_ops_reference(void);

/* NULL in a build without oneDNN (-Donednn=disabled, or the library not found). */
const nn_ops *nn_ops_onednn(void);

#endif
