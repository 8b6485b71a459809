/* LayerNorm, residuals, the feed-forward branch and the whole block. */
#include "kernels.h"

void norm_forward(int64_t rows, int64_t d, const float *x, const float *weight, const float *bias,
    float *mean, float *inverse, float *out)
{
    for (int64_t row = 0; row < rows; row++, x += d) {
        float sum = 0, squares = 0;
        for (int64_t i = 0; i < d; i++)
            sum += x[i];
        sum /= (float)d;
        for (int64_t i = 0; i < d; i++)
            squares += (x[i] - sum) * (x[i] - sum);
        mean[row] = sum;
        inverse[row] = 1.0f / sqrtf(squares / (float)d + 1e-5f);
        norm_again(1, d, x, weight, bias, mean + row, inverse + row, out + row * d);
    }
}

void norm_again(int64_t rows, int64_t d, const float *x, const float *weight, const float *bias,
    const float *mean, const float *inverse, float *restrict out)
{
    for (int64_t row = 0; row < rows; row++, x += d, out += d)
        for (int64_t i = 0; i < d; i++)
            out[i] = (x[i] - mean[row]) * inverse[row] * weight[i] + bias[i];
}

void norm_backward(int64_t rows, int64_t d, const float *x, const float *weight, const float *mean,
    const float *inverse, const float *dout, const float *residual, float *restrict dweight,
    float *restrict dbias, float *dx)
{
    memset(dweight, 0, (size_t)d * sizeof(float));
    memset(dbias, 0, (size_t)d * sizeof(float));
    for (int64_t row = 0; row < rows; row++, x += d, dout += d, dx += d) {
        float m = mean[row], s = inverse[row], sum = 0, along = 0;
#pragma omp simd reduction(+ : sum, along)
        for (int64_t i = 0; i < d; i++) {
            float unit = (x[i] - m) * s, g = dout[i] * weight[i];
            dweight[i] += dout[i] * unit;
            dbias[i] += dout[i];
            sum += g;
            along += g * unit;
        }
        sum /= (float)d;
        along /= (float)d;
        if (residual) {
            const float *beside = residual + row * d;
#pragma omp simd
            for (int64_t i = 0; i < d; i++)
                dx[i] = beside[i] + s * (dout[i] * weight[i] - sum - (x[i] - m) * s * along);
        } else {
#pragma omp simd
            for (int64_t i = 0; i < d; i++)
                dx[i] = s * (dout[i] * weight[i] - sum - (x[i] - m) * s * along);
        }
    }
}

void residual_forward(int64_t rows, int64_t d, const float *x, const float *y, const float *bias,
    float scale, struct dropout dropout, float *out)
{
    for (int64_t row = 0; row < rows; row++, x += d, y += d, out += d) {
        uint32_t place = (uint32_t)(row * d);
#pragma omp simd
        for (int64_t i = 0; i < d; i++)
            out[i] = x[i] + scale * dropout_factor(dropout, place + (uint32_t)i) * (y[i] + bias[i]);
    }
}

void residual_backward(int64_t rows, int64_t d, const float *dout, float scale,
    struct dropout dropout, float *dy, float *restrict dbias)
{
    memset(dbias, 0, (size_t)d * sizeof(float));
    for (int64_t row = 0; row < rows; row++, dout += d, dy += d) {
        uint32_t place = (uint32_t)(row * d);
#pragma omp simd
        for (int64_t i = 0; i < d; i++) {
            float g = scale * dropout_factor(dropout, place + (uint32_t)i) * dout[i];
            dy[i] = g;
            dbias[i] += g;
        }
    }
}

/* ---- feed forward: x + 1/2 dropout(out(dropout(silu(in(norm(x)))))) ---- */

int64_t feed_forward_kept(const struct shape *shape)
{
    return shape->rows * (2 + shape->feed_forward);
}

int64_t feed_forward_scratch(const struct shape *shape)
{
    return shape->rows * (2 * shape->dimension + 2 * shape->feed_forward);
}

static void silu_forward(int64_t rows, int64_t f, const float *hidden, const float *bias,
    struct dropout dropout, float *out)
{
    for (int64_t row = 0; row < rows; row++, hidden += f, out += f) {
        uint32_t place = (uint32_t)(row * f);
#pragma omp simd
        for (int64_t i = 0; i < f; i++) {
            float h = hidden[i] + bias[i];
            out[i] = dropout_factor(dropout, place + (uint32_t)i) * h * sigmoid(h);
        }
    }
}

/* dhidden, in place of the gradient of silu_forward's output; that output again; the sums dbias. */
static void silu_backward(int64_t rows, int64_t f, const float *hidden, const float *bias,
    struct dropout dropout, float *gradient, float *restrict out, float *restrict dbias)
{
    memset(dbias, 0, (size_t)f * sizeof(float));
    for (int64_t row = 0; row < rows; row++, hidden += f, out += f, gradient += f) {
        uint32_t place = (uint32_t)(row * f);
#pragma omp simd
        for (int64_t i = 0; i < f; i++) {
            float h = hidden[i] + bias[i], s = sigmoid(h);
            float factor = dropout_factor(dropout, place + (uint32_t)i);
            float g = gradient[i] * factor * s * (1.0f + h * (1.0f - s));
            out[i] = factor * h * s;
            gradient[i] = g;
            dbias[i] += g;
        }
    }
}

void feed_forward_forward(const struct shape *shape, int first_site, float *const *p,
    const float *x, float *kept, float *scratch, float *out)
{
    int64_t n = shape->rows, d = shape->dimension, f = shape->feed_forward;
    float *mean = kept, *inverse = mean + n, *hidden = inverse + n;
    float *normal = scratch, *branch = normal + n * d, *active = branch + n * d;
    norm_forward(n, d, x, p[FF_NORM_WEIGHT], p[FF_NORM_BIAS], mean, inverse, normal);
    product(n, f, d, normal, 0, p[FF_IN_WEIGHT], 1, 0, hidden);
    silu_forward(
        n, f, hidden, p[FF_IN_BIAS], dropout_of(shape->dropout, shape->seed, first_site), active);
    product(n, d, f, active, 0, p[FF_OUT_WEIGHT], 1, 0, branch);
    residual_forward(n, d, x, branch, p[FF_OUT_BIAS], 0.5f,
        dropout_of(shape->dropout, shape->seed, first_site + 1), out);
}

void feed_forward_backward(const struct shape *shape, int first_site, float *const *p,
    const float *x, const float *kept, const float *dout, float *scratch, float *const *dp,
    float *dx)
{
    int64_t n = shape->rows, d = shape->dimension, f = shape->feed_forward;
    const float *mean = kept, *inverse = mean + n, *hidden = inverse + n;
    float *normal = scratch, *branch = normal + n * d, *active = branch + n * d;
    float *gradient = active + n * f;
    residual_backward(n, d, dout, 0.5f, dropout_of(shape->dropout, shape->seed, first_site + 1),
        branch, dp[FF_OUT_BIAS]);
    product(n, f, d, branch, 0, p[FF_OUT_WEIGHT], 0, 0, gradient);
    silu_backward(n, f, hidden, p[FF_IN_BIAS], dropout_of(shape->dropout, shape->seed, first_site),
        gradient, active, dp[FF_IN_BIAS]);
    product(d, f, n, branch, 1, active, 0, 0, dp[FF_OUT_WEIGHT]);
    norm_again(n, d, x, p[FF_NORM_WEIGHT], p[FF_NORM_BIAS], mean, inverse, normal);
    product(f, d, n, gradient, 1, normal, 0, 0, dp[FF_IN_WEIGHT]);
    product(n, d, f, gradient, 0, p[FF_IN_WEIGHT], 0, 0, branch);
    norm_backward(n, d, x, p[FF_NORM_WEIGHT], mean, inverse, branch, dout, dp[FF_NORM_WEIGHT],
        dp[FF_NORM_BIAS], dx);
}

/* The factors of places first .. first + count - 1 at a site: for tests, which give them to the
 * plain network. */
void dropout_factors(const struct shape *shape, int site, int64_t first, int64_t count, float *out)
{
    struct dropout dropout = dropout_of(shape->dropout, shape->seed, site);
    for (int64_t i = 0; i < count; i++)
        out[i] = dropout_factor(dropout, (uint32_t)(first + i));
}
