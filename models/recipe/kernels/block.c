/* One encoder block: feed forward, attention, convolution, feed forward, LayerNorm. */
#include "kernels.h"

/* Where the parts' parameters begin among those of a block. */
enum {
    FF1 = 0,
    ATTENTION = FF1 + FF_PARAMETERS,
    CONVOLUTION = ATTENTION + ATTENTION_PARAMETERS,
    FF2 = CONVOLUTION + CONVOLUTION_PARAMETERS,
    LAST = FF2 + FF_PARAMETERS,
};

/* kept: what each part keeps, the four outputs of the parts [n, d], the last norm's rows. */
struct kept {
    float *ff1, *attention, *convolution, *ff2, *after[4], *mean, *inverse;
};

static struct kept kept_of(const struct shape *shape, float *memory)
{
    int64_t size = shape->rows * shape->dimension;
    struct kept kept = {.ff1 = memory};
    kept.attention = kept.ff1 + feed_forward_kept(shape);
    kept.convolution = kept.attention + attention_kept(shape);
    kept.ff2 = kept.convolution + convolution_kept(shape);
    kept.after[0] = kept.ff2 + feed_forward_kept(shape);
    for (int part = 1; part < 4; part++)
        kept.after[part] = kept.after[part - 1] + size;
    kept.mean = kept.after[3] + size;
    kept.inverse = kept.mean + shape->rows;
    return kept;
}

int64_t block_kept(const struct shape *shape)
{
    return 2 * feed_forward_kept(shape) + attention_kept(shape) + convolution_kept(shape) +
           shape->rows * (4 * shape->dimension + 2);
}

int64_t block_scratch(const struct shape *shape)
{
    int64_t sizes[] = {
        feed_forward_scratch(shape), attention_scratch(shape), convolution_scratch(shape)};
    int64_t most = 0;
    for (int part = 0; part < 3; part++)
        most = sizes[part] > most ? sizes[part] : most;
    return most + shape->rows * shape->dimension;
}

/* x, out [n, d]; p: the block's parameters in the order of named_parameters(). */
void block_forward(const struct shape *shape, float *const *p, const float *x, float *memory,
    float *scratch, float *out)
{
    struct kept kept = kept_of(shape, memory);
    feed_forward_forward(shape, SITE_FF1_IN, p + FF1, x, kept.ff1, scratch, kept.after[0]);
    attention_forward(shape, p + ATTENTION, kept.after[0], kept.attention, scratch, kept.after[1]);
    convolution_forward(
        shape, p + CONVOLUTION, kept.after[1], kept.convolution, scratch, kept.after[2]);
    feed_forward_forward(
        shape, SITE_FF2_IN, p + FF2, kept.after[2], kept.ff2, scratch, kept.after[3]);
    norm_forward(shape->rows, shape->dimension, kept.after[3], p[LAST + NORM_WEIGHT],
        p[LAST + NORM_BIAS], kept.mean, kept.inverse, out);
}

/* dx [n, d] and the gradients dp are written. */
void block_backward(const struct shape *shape, float *const *p, const float *x, float *memory,
    const float *dout, float *scratch, float *const *dp, float *dx)
{
    struct kept kept = kept_of(shape, memory);
    float *other = scratch;
    scratch += shape->rows * shape->dimension;
    norm_backward(shape->rows, shape->dimension, kept.after[3], p[LAST + NORM_WEIGHT], kept.mean,
        kept.inverse, dout, NULL, dp[LAST + NORM_WEIGHT], dp[LAST + NORM_BIAS], dx);
    feed_forward_backward(
        shape, SITE_FF2_IN, p + FF2, kept.after[2], kept.ff2, dx, scratch, dp + FF2, other);
    convolution_backward(shape, p + CONVOLUTION, kept.after[1], kept.convolution, other, scratch,
        dp + CONVOLUTION, dx);
    attention_backward(
        shape, p + ATTENTION, kept.after[0], kept.attention, dx, scratch, dp + ATTENTION, other);
    feed_forward_backward(shape, SITE_FF1_IN, p + FF1, x, kept.ff1, other, scratch, dp + FF1, dx);
}
