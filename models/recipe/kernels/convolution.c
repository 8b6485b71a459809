/* The convolution branch: x + dropout(out(silu(norm(depthwise(glu(in(norm(x)))))))). */
#include "kernels.h"

int64_t convolution_kept(const struct shape *shape)
{
    return shape->rows * (4 + 3 * shape->dimension);
}

int64_t convolution_scratch(const struct shape *shape)
{
    return shape->rows * 5 * shape->dimension + KERNEL_MAX * 2 * shape->dimension;
}

/* gated [n, 2 d] -> out [n, d]: the first half times the sigmoid of the second. */
static void glu_forward(int64_t n, int64_t d, const float *gated, const float *bias, float *out)
{
    for (int64_t row = 0; row < n; row++, gated += 2 * d, out += d)
#pragma omp simd
        for (int64_t i = 0; i < d; i++)
            out[i] = (gated[i] + bias[i]) * sigmoid(gated[d + i] + bias[d + i]);
}

static void glu_backward(int64_t n, int64_t d, const float *gated, const float *bias,
    const float *dout, float *restrict dgated, float *restrict dbias)
{
    memset(dbias, 0, (size_t)(2 * d) * sizeof(float));
    for (int64_t row = 0; row < n; row++, gated += 2 * d, dgated += 2 * d, dout += d)
#pragma omp simd
        for (int64_t i = 0; i < d; i++) {
            float s = sigmoid(gated[d + i] + bias[d + i]);
            float first = dout[i] * s;
            float second = first * (gated[i] + bias[i]) * (1.0f - s);
            dgated[i] = first;
            dgated[d + i] = second;
            dbias[i] += first;
            dbias[d + i] += second;
        }
}

static void transpose(int64_t rows, int64_t columns, const float *in, float *out)
{
    for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++)
            out[column * rows + row] = in[row * columns + column];
}

/* One recording: in, out [n, d]; weight [kernel, d]; the last tap meets the newest row. */
static void depthwise_forward(int64_t n, int64_t d, int64_t kernel, const float *in,
    const float *weight, const float *bias, float *out)
{
    for (int64_t row = 0; row < n; row++)
        for (int64_t i = 0; i < d; i += 16) {
            v16 sum = load(bias + i);
            for (int64_t tap = row < kernel - 1 ? kernel - 1 - row : 0; tap < kernel; tap++)
                sum += load(in + (row + tap - kernel + 1) * d + i) * load(weight + tap * d + i);
            store(out + row * d + i, sum);
        }
}

/* din is written; dweight [kernel, d] and dbias [d] are added to. */
static void depthwise_backward(int64_t n, int64_t d, int64_t kernel, const float *in,
    const float *weight, const float *dout, float *din, float *dweight, float *dbias)
{
    for (int64_t i = 0; i < d; i += 16) {
        v16 bias = load(dbias + i);
        for (int64_t row = 0; row < n; row++) {
            v16 sum = splat(0);
            int64_t reach = n - row < kernel ? n - row : kernel;
            for (int64_t later = 0; later < reach; later++)
                sum += load(dout + (row + later) * d + i) *
                       load(weight + (kernel - 1 - later) * d + i);
            store(din + row * d + i, sum);
            bias += load(dout + row * d + i);
        }
        store(dbias + i, bias);
        for (int64_t tap = 0; tap < kernel; tap++) {
            v16 sum = load(dweight + tap * d + i);
            for (int64_t row = kernel - 1 - tap; row < n; row++)
                sum += load(in + (row + tap - kernel + 1) * d + i) * load(dout + row * d + i);
            store(dweight + tap * d + i, sum);
        }
    }
}

static void silu_in_place(int64_t count, float *x)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        x[i] *= sigmoid(x[i]);
}

void convolution_forward(const struct shape *shape, float *const *p, const float *x, float *kept,
    float *scratch, float *out)
{
    int64_t n = shape->rows, d = shape->dimension;
    float *mean = kept, *inverse = mean + n, *inner_mean = inverse + n;
    float *inner_inverse = inner_mean + n, *gated = inner_inverse + n, *deep = gated + 2 * n * d;
    float *normal = scratch, *branch = normal + n * d, *weight = branch + n * d;
    norm_forward(
        n, d, x, p[CONVOLUTION_NORM_WEIGHT], p[CONVOLUTION_NORM_BIAS], mean, inverse, normal);
    product(n, 2 * d, d, normal, 0, p[CONVOLUTION_IN_WEIGHT], 1, 0, gated);
    glu_forward(n, d, gated, p[CONVOLUTION_IN_BIAS], branch);
    transpose(d, shape->kernel, p[CONVOLUTION_DEPTHWISE_WEIGHT], weight);
    for (int64_t b = 0; b < shape->batch; b++) {
        int64_t first = shape->offsets[b];
        depthwise_forward(shape->offsets[b + 1] - first, d, shape->kernel, branch + first * d,
            weight, p[CONVOLUTION_DEPTHWISE_BIAS], deep + first * d);
    }
    norm_forward(n, d, deep, p[CONVOLUTION_DEPTHWISE_NORM_WEIGHT],
        p[CONVOLUTION_DEPTHWISE_NORM_BIAS], inner_mean, inner_inverse, normal);
    silu_in_place(n * d, normal);
    product(n, d, d, normal, 0, p[CONVOLUTION_OUT_WEIGHT], 1, 0, branch);
    residual_forward(n, d, x, branch, p[CONVOLUTION_OUT_BIAS], 1.0f,
        dropout_of(shape->dropout, shape->seed, SITE_CONVOLUTION), out);
}

void convolution_backward(const struct shape *shape, float *const *p, const float *x,
    const float *kept, const float *dout, float *scratch, float *const *dp, float *dx)
{
    int64_t n = shape->rows, d = shape->dimension, kernel = shape->kernel;
    const float *mean = kept, *inverse = mean + n, *inner_mean = inverse + n;
    const float *inner_inverse = inner_mean + n, *gated = inner_inverse + n;
    const float *deep = gated + 2 * n * d;
    float *normal = scratch, *branch = normal + n * d, *other = branch + n * d;
    float *dgated = other + n * d, *weight = dgated + 2 * n * d, *dweight = weight + kernel * d;
    residual_backward(n, d, dout, 1.0f, dropout_of(shape->dropout, shape->seed, SITE_CONVOLUTION),
        branch, dp[CONVOLUTION_OUT_BIAS]);
    product(n, d, d, branch, 0, p[CONVOLUTION_OUT_WEIGHT], 0, 0, other);
    norm_again(n, d, deep, p[CONVOLUTION_DEPTHWISE_NORM_WEIGHT], p[CONVOLUTION_DEPTHWISE_NORM_BIAS],
        inner_mean, inner_inverse, normal);
#pragma omp simd
    for (int64_t i = 0; i < n * d; i++) {
        float h = normal[i], s = sigmoid(h);
        normal[i] = h * s;
        other[i] *= s * (1.0f + h * (1.0f - s));
    }
    product(d, d, n, branch, 1, normal, 0, 0, dp[CONVOLUTION_OUT_WEIGHT]);
    norm_backward(n, d, deep, p[CONVOLUTION_DEPTHWISE_NORM_WEIGHT], inner_mean, inner_inverse,
        other, NULL, dp[CONVOLUTION_DEPTHWISE_NORM_WEIGHT], dp[CONVOLUTION_DEPTHWISE_NORM_BIAS],
        other);
    glu_forward(n, d, gated, p[CONVOLUTION_IN_BIAS], branch);
    transpose(d, kernel, p[CONVOLUTION_DEPTHWISE_WEIGHT], weight);
    memset(dweight, 0, (size_t)(kernel * d) * sizeof(float));
    memset(dp[CONVOLUTION_DEPTHWISE_BIAS], 0, (size_t)d * sizeof(float));
    for (int64_t b = 0; b < shape->batch; b++) {
        int64_t first = shape->offsets[b];
        depthwise_backward(shape->offsets[b + 1] - first, d, kernel, branch + first * d, weight,
            other + first * d, normal + first * d, dweight, dp[CONVOLUTION_DEPTHWISE_BIAS]);
    }
    transpose(kernel, d, dweight, dp[CONVOLUTION_DEPTHWISE_WEIGHT]);
    glu_backward(n, d, gated, p[CONVOLUTION_IN_BIAS], normal, dgated, dp[CONVOLUTION_IN_BIAS]);
    norm_again(
        n, d, x, p[CONVOLUTION_NORM_WEIGHT], p[CONVOLUTION_NORM_BIAS], mean, inverse, normal);
    product(2 * d, d, n, dgated, 1, normal, 0, 0, dp[CONVOLUTION_IN_WEIGHT]);
    product(n, d, 2 * d, dgated, 0, p[CONVOLUTION_IN_WEIGHT], 0, 0, branch);
    norm_backward(n, d, x, p[CONVOLUTION_NORM_WEIGHT], mean, inverse, branch, dout,
        dp[CONVOLUTION_NORM_WEIGHT], dp[CONVOLUTION_NORM_BIAS], dx);
}
