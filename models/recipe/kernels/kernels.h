/* Training on a CPU: what network.py computes, with as few passes over memory as there can be.
 *
 * PyTorch writes and reads a whole activation for each element-wise operation, and next to fast
 * matrix products that takes more time than they do.  Here each part of the network is one function
 * forward and one backward: the products go to the BLAS that PyTorch uses itself or to
 * product_fixed.c, and what lies between two of them is one loop.  What is cheap to compute again
 * (normalised inputs, SiLU, attention weights, dropout masks) is computed again backward and not
 * kept.
 *
 * Recordings are packed: the rows of recording b are offsets[b] .. offsets[b + 1] - 1 of one
 * matrix, and no row is spent on padding.  All matrices are f32, slowest dimension first; those of
 * weights are [out, in].  fused.py compiles these files, allocates everything and is the only
 * caller; each function may be called by any thread, but not by two with the same memory. */
#ifndef KERNELS_H
#define KERNELS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* What the functions of an encoder block share; fused.py has the same structure. */
struct shape {
    int64_t batch;          /* recordings */
    int64_t rows;           /* of all recordings together */
    int64_t longest;        /* rows of the longest recording */
    int64_t dimension;      /* d, a multiple of 16 */
    int64_t feed_forward;   /* f, a multiple of 16 */
    int64_t heads;          /* divides d */
    int64_t kernel;         /* taps of the depthwise convolution, at most KERNEL_MAX */
    int64_t left_context;   /* L */
    int64_t max_chunk;      /* M */
    int64_t chunk;          /* encodings that see one another, at most M; 0: see attention.c */
    const int64_t *offsets; /* [batch + 1] */
    float dropout;          /* share of values dropped, below 1 */
    uint32_t seed;          /* of the block's dropout masks */
};

enum { KERNEL_MAX = 31, TAPS = 3 };

/* ---- vectors ---- */

typedef float v16 __attribute__((vector_size(64), aligned(4), may_alias));

static inline v16 splat(float x)
{
    return x - (v16){0};
}

static inline v16 load(const float *p)
{
    return *(const v16 *)p;
}

static inline void store(float *p, v16 x)
{
    *(v16 *)p = x;
}

/* e^x to about 2 units in the last place; written so that loops around it become vector code. */
static inline float exponential(float x)
{
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    float whole = rintf(x * 1.44269504f);
    float r = x - whole * 0.693147181f;
    float p = 1.98412698e-4f;
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    union {
        int32_t bits;
        float value;
    } power = {((int32_t)whole + 127) << 23};
    return p * power.value;
}

/* log x to about 2 units in the last place, for normal positive x: x = m 2^e, m in [0.7, 1.4),
 * log m = 2 atanh((m - 1) / (m + 1)). */
static inline float logarithm(float x)
{
    union {
        float value;
        int32_t bits;
    } m = {x};
    int32_t e = (m.bits - 0x3f3504f3) >> 23;
    m.bits -= e * (1 << 23);
    float s = (m.value - 1.0f) / (m.value + 1.0f), square = s * s;
    float p = 1.0f / 9.0f;
    p = p * square + 1.0f / 7.0f;
    p = p * square + 1.0f / 5.0f;
    p = p * square + 1.0f / 3.0f;
    return 2.0f * (s + s * square * p) + (float)e * 0.693147181f;
}

static inline float sigmoid(float x)
{
    return 1.0f / (1.0f + exponential(-x));
}

/* ---- dropout: a value's fate is a hash of the seed and of its place ---- */

enum site {
    SITE_FF1_IN,
    SITE_FF1_OUT,
    SITE_SCORE,
    SITE_ATTENTION,
    SITE_CONVOLUTION,
    SITE_FF2_IN,
    SITE_FF2_OUT
};

/* A bijection of 32-bit numbers that looks random (two rounds of multiply and xor-shift). */
static inline uint32_t scramble(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ x >> 16;
}

struct dropout {
    uint32_t seed, threshold;
    float scale;
};

static inline struct dropout dropout_of(float share, uint32_t seed, int site)
{
    return (struct dropout){scramble(seed + 0x9e3779b9u * (uint32_t)(site + 1)),
        (uint32_t)(share * 4294967296.0), 1.0f / (1.0f - share)};
}

/* The factor of the value at `place`: 0 or 1 / (1 - share). */
static inline float dropout_factor(struct dropout dropout, uint32_t place)
{
    return scramble(place + dropout.seed) >= dropout.threshold ? dropout.scale : 0.0f;
}

/* ---- product.c ---- */

/* out [n, m] = a b (+ out if `add`), with a [n, k] and b [k, m] lying as said, transposed or not;
 * rows are as long as the matrix that lies there is wide. */
void product(int64_t n, int64_t m, int64_t k, const float *a, int a_transposed, const float *b,
    int b_transposed, int add, float *out);

/* The same with a and b rounded to fixed point.  Returns 0, and does nothing, where the processor
 * has no instructions for it (product_fixed.c). */
int product_fixed(int64_t n, int64_t m, int64_t k, const float *a, int a_transposed, const float *b,
    int b_transposed, int add, float *out);

/* ---- dense.c ---- */

/* out = LayerNorm(x) row by row; mean and inverse deviation of each row are kept for backward. */
void norm_forward(int64_t rows, int64_t d, const float *x, const float *weight, const float *bias,
    float *mean, float *inverse, float *out);

/* The same from the kept mean and inverse deviation. */
void norm_again(int64_t rows, int64_t d, const float *x, const float *weight, const float *bias,
    const float *mean, const float *inverse, float *out);

/* dx = residual + what comes through the norm from dout; residual may be NULL or dx itself.
 * dweight, dbias [d] are written. */
void norm_backward(int64_t rows, int64_t d, const float *x, const float *weight, const float *mean,
    const float *inverse, const float *dout, const float *residual, float *dweight, float *dbias,
    float *dx);

/* out = x + scale * dropout(y + bias), element by element. */
void residual_forward(int64_t rows, int64_t d, const float *x, const float *y, const float *bias,
    float scale, struct dropout dropout, float *out);

/* dy = scale * dropout(dout), and its column sums dbias [d]. */
void residual_backward(int64_t rows, int64_t d, const float *dout, float scale,
    struct dropout dropout, float *dy, float *dbias);

/* Indices into parameters and gradients of a block, in the order of Block.named_parameters(). */
enum {
    NORM_WEIGHT,
    NORM_BIAS,
    FF_NORM_WEIGHT = 0,
    FF_NORM_BIAS,
    FF_IN_WEIGHT,
    FF_IN_BIAS,
    FF_OUT_WEIGHT,
    FF_OUT_BIAS,
    FF_PARAMETERS,
    ATTENTION_RELATIVE_BIAS = 0,
    ATTENTION_NORM_WEIGHT,
    ATTENTION_NORM_BIAS,
    ATTENTION_QKV_WEIGHT,
    ATTENTION_QKV_BIAS,
    ATTENTION_OUT_WEIGHT,
    ATTENTION_OUT_BIAS,
    ATTENTION_PARAMETERS,
    CONVOLUTION_NORM_WEIGHT = 0,
    CONVOLUTION_NORM_BIAS,
    CONVOLUTION_IN_WEIGHT,
    CONVOLUTION_IN_BIAS,
    CONVOLUTION_DEPTHWISE_WEIGHT,
    CONVOLUTION_DEPTHWISE_BIAS,
    CONVOLUTION_DEPTHWISE_NORM_WEIGHT,
    CONVOLUTION_DEPTHWISE_NORM_BIAS,
    CONVOLUTION_OUT_WEIGHT,
    CONVOLUTION_OUT_BIAS,
    CONVOLUTION_PARAMETERS,
};

/* One sub-layer: out = x + branch(x).  p: its parameters; kept: what forward keeps for backward,
 * of the size that ..._kept says, in floats, as of the scratch memory. */
int64_t feed_forward_kept(const struct shape *shape);
int64_t feed_forward_scratch(const struct shape *shape);
void feed_forward_forward(const struct shape *shape, int first_site, float *const *p,
    const float *x, float *kept, float *scratch, float *out);
void feed_forward_backward(const struct shape *shape, int first_site, float *const *p,
    const float *x, const float *kept, const float *dout, float *scratch, float *const *dp,
    float *dx);

int64_t attention_kept(const struct shape *shape);
int64_t attention_scratch(const struct shape *shape);
void attention_forward(const struct shape *shape, float *const *p, const float *x, float *kept,
    float *scratch, float *out);
void attention_backward(const struct shape *shape, float *const *p, const float *x,
    const float *kept, const float *dout, float *scratch, float *const *dp, float *dx);

int64_t convolution_kept(const struct shape *shape);
int64_t convolution_scratch(const struct shape *shape);
void convolution_forward(const struct shape *shape, float *const *p, const float *x, float *kept,
    float *scratch, float *out);
void convolution_backward(const struct shape *shape, float *const *p, const float *x,
    const float *kept, const float *dout, float *scratch, float *const *dp, float *dx);

#endif
