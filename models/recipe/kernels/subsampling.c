/* Subsampling: a convolution 3 x 3 with stride 2 over the frames, SiLU; then stages of depthwise
 * convolution 3 x 3 with stride 2, a linear layer over the channels, SiLU; then a linear layer.
 *
 * The first convolution makes thirty times as much as it is given, so its output is never in memory
 * as a whole: the rows that a depthwise row needs are computed into a ring of three, and again when
 * gradients come back.  Only the rows that lead to an encoding of the recording are computed. */
#include "kernels.h"

enum { STAGES_MAX = 5, RING = 3 };

/* fused.py has the same structure. */
struct subsampling {
    int64_t batch, rows;    /* recordings; encodings of all of them together */
    int64_t longest;        /* encodings of the longest */
    int64_t stages;         /* convolutions: 2 .. STAGES_MAX */
    int64_t bins, channels; /* channels: a multiple of 16 */
    int64_t dimension;
    int64_t frame_rows;     /* of one recording in `frames` */
    const int64_t *offsets; /* [batch + 1], encodings */
};

/* Parameters: those of the first convolution, [4 each] of the further stages, of the linear layer.
 */
static int stage_parameter(int64_t stage)
{
    return (int)(2 + 4 * (stage - 1));
}

static int linear_parameter(const struct subsampling *shape)
{
    return stage_parameter(shape->stages);
}

/* Bins of a stage's output. */
static int64_t bins_of(const struct subsampling *shape, int64_t stage)
{
    int64_t bins = shape->bins;
    for (int64_t s = 0; s <= stage; s++)
        bins = (bins + 1) / 2;
    return bins;
}

/* Rows of a stage's output that `encodings` need: each row is seen from three of the stage below.
 */
static int64_t rows_of(const struct subsampling *shape, int64_t stage, int64_t encodings)
{
    for (int64_t s = shape->stages - 1; s > stage; s--)
        encodings = 2 * encodings + 1;
    return encodings;
}

/* Rows of a stage before recording b, in the packed matrix of all. */
static int64_t rows_before(const struct subsampling *shape, int64_t stage, int64_t b)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < b; i++)
        sum += rows_of(shape, stage, shape->offsets[i + 1] - shape->offsets[i]);
    return sum;
}

/* Values of a stage's output, all recordings. */
static int64_t stage_size(const struct subsampling *shape, int64_t stage)
{
    return rows_before(shape, stage, shape->batch) * bins_of(shape, stage) * shape->channels;
}

/* kept: for each further stage, the depthwise convolution's output and the linear layer's. */
static float *kept_deep(const struct subsampling *shape, float *kept, int64_t stage)
{
    for (int64_t s = 1; s < stage; s++)
        kept += 2 * stage_size(shape, s);
    return kept;
}

static float *kept_wide(const struct subsampling *shape, float *kept, int64_t stage)
{
    return kept_deep(shape, kept, stage) + stage_size(shape, stage);
}

int64_t subsampling_kept(const struct subsampling *shape)
{
    int64_t sum = 0;
    for (int64_t stage = 1; stage < shape->stages; stage++)
        sum += 2 * stage_size(shape, stage);
    return sum;
}

/* ---- scratch memory ---- */

struct scratch {
    float *frames;             /* [padded rows of the longest, bins + 2] */
    float *ring, *before;      /* [3, bins of stage 0 + 2, channels]: rows, and before SiLU */
    float *weights, *dweights; /* [9, channels] */
    float *first, *dfirst;     /* [9, channels]: the first convolution's */
    float *active, *gradient;  /* the size of stage 1's output, each */
    float *other;
};

static int64_t frame_rows_needed(const struct subsampling *shape, int64_t encodings)
{
    return 2 * rows_of(shape, 0, encodings) + 1;
}

static int64_t ring_row(const struct subsampling *shape)
{
    return (bins_of(shape, 0) + 2) * shape->channels;
}

int64_t subsampling_scratch(const struct subsampling *shape)
{
    return frame_rows_needed(shape, shape->longest) * (shape->bins + 2) +
           2 * RING * ring_row(shape) + 4 * 9 * shape->channels + 3 * stage_size(shape, 1);
}

static struct scratch scratch_of(const struct subsampling *shape, float *memory)
{
    int64_t taps = 9 * shape->channels;
    struct scratch scratch = {.frames = memory};
    scratch.ring = memory + frame_rows_needed(shape, shape->longest) * (shape->bins + 2);
    scratch.before = scratch.ring + RING * ring_row(shape);
    scratch.weights = scratch.before + RING * ring_row(shape);
    scratch.dweights = scratch.weights + taps;
    scratch.first = scratch.dweights + taps;
    scratch.dfirst = scratch.first + taps;
    scratch.active = scratch.dfirst + taps;
    scratch.gradient = scratch.active + stage_size(shape, 1);
    scratch.other = scratch.gradient + stage_size(shape, 1);
    memset(scratch.ring, 0, (size_t)(RING * ring_row(shape)) * sizeof(float));
    return scratch;
}

/* ---- one row at a time; `row` pointers stand at the zero column before bin 0 ---- */

/* weight [channels, 9] -> [9, channels] */
static void taps_first(int64_t channels, const float *weight, float *out)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t tap = 0; tap < 9; tap++)
            out[tap * channels + c] = weight[c * 9 + tap];
}

static void channels_first(int64_t channels, const float *in, float *out)
{
    for (int64_t c = 0; c < channels; c++)
        for (int64_t tap = 0; tap < 9; tap++)
            out[c * 9 + tap] = in[tap * channels + c];
}

/* The frames of recording b with what comes before them and a zero at each end. */
static void lay_frames(const struct subsampling *shape, int64_t b, const float *frames, float *out)
{
    int64_t wide = shape->bins + 2, context = 2 * ((1 << shape->stages) - 1);
    int64_t rows = frame_rows_needed(shape, shape->offsets[b + 1] - shape->offsets[b]);
    memset(out, 0, (size_t)(rows * wide) * sizeof(float));
    for (int64_t row = context; row < rows; row++)
        memcpy(out + row * wide + 1, frames + (b * shape->frame_rows + row - context) * shape->bins,
            (size_t)shape->bins * sizeof(float));
}

/* Row `row` of the first convolution, before SiLU: out [bins, channels]. */
static void first_row(const struct subsampling *shape, const struct scratch *scratch,
    const float *bias, int64_t row, float *out)
{
    int64_t channels = shape->channels, wide = shape->bins + 2, bins = bins_of(shape, 0);
    const float *frames = scratch->frames + 2 * row * wide;
    for (int64_t c = 0; c < channels; c += 16) {
        v16 weight[9], start = load(bias + c);
        for (int tap = 0; tap < 9; tap++)
            weight[tap] = load(scratch->first + tap * channels + c);
        for (int64_t bin = 0; bin < bins; bin++) {
            v16 sum = start;
            for (int tap = 0; tap < 9; tap++)
                sum += weight[tap] * frames[tap / 3 * wide + 2 * bin + tap % 3];
            store(out + bin * channels + c, sum);
        }
    }
}

/* dfirst and dbias gain what gradient [bins, channels] of that row brings. */
static void first_row_backward(const struct subsampling *shape, const struct scratch *scratch,
    int64_t row, const float *gradient, float *dbias)
{
    int64_t channels = shape->channels, wide = shape->bins + 2, bins = bins_of(shape, 0);
    const float *frames = scratch->frames + 2 * row * wide;
    for (int64_t c = 0; c < channels; c += 16) {
        v16 sum[9], bias = load(dbias + c);
        for (int tap = 0; tap < 9; tap++)
            sum[tap] = load(scratch->dfirst + tap * channels + c);
        for (int64_t bin = 0; bin < bins; bin++) {
            v16 g = load(gradient + bin * channels + c);
            bias += g;
            for (int tap = 0; tap < 9; tap++)
                sum[tap] += g * frames[tap / 3 * wide + 2 * bin + tap % 3];
        }
        for (int tap = 0; tap < 9; tap++)
            store(scratch->dfirst + tap * channels + c, sum[tap]);
        store(dbias + c, bias);
    }
}

static void silu_row(int64_t count, const float *in, float *out)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        out[i] = in[i] * sigmoid(in[i]);
}

/* out = gradient times SiLU's derivative at in; out may be either. */
static void silu_row_backward(int64_t count, const float *in, const float *gradient, float *out)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        float s = sigmoid(in[i]);
        out[i] = gradient[i] * s * (1.0f + in[i] * (1.0f - s));
    }
}

/* in: three rows [bins + 2, channels]; out [out_bins, channels]. */
static void depthwise_row(int64_t channels, int64_t out_bins, const float *const in[3],
    const float *weights, const float *bias, float *out)
{
    for (int64_t c = 0; c < channels; c += 16) {
        v16 weight[9], start = load(bias + c);
        for (int tap = 0; tap < 9; tap++)
            weight[tap] = load(weights + tap * channels + c);
        for (int64_t bin = 0; bin < out_bins; bin++) {
            v16 sum = start;
            for (int tap = 0; tap < 9; tap++)
                sum += weight[tap] * load(in[tap / 3] + (2 * bin + tap % 3) * channels + c);
            store(out + bin * channels + c, sum);
        }
    }
}

/* One row of gradient [out_bins, channels], by which row `line` of the three is reached: adds to
 * din [bins + 2, channels] and to dweights' three taps of that line; in: the row that was seen. */
static void depthwise_row_backward(int64_t channels, int64_t out_bins, int line, const float *in,
    const float *weights, const float *gradient, float *din, float *dweights)
{
    weights += 3 * line * channels;
    dweights += 3 * line * channels;
    for (int64_t c = 0; c < channels; c += 16) {
        v16 weight[TAPS], sum[TAPS];
        for (int tap = 0; tap < TAPS; tap++) {
            weight[tap] = load(weights + tap * channels + c);
            sum[tap] = load(dweights + tap * channels + c);
        }
        for (int64_t bin = 0; bin < out_bins; bin++) {
            v16 g = load(gradient + bin * channels + c);
            for (int tap = 0; tap < TAPS; tap++) {
                int64_t place = (2 * bin + tap) * channels + c;
                sum[tap] += g * load(in + place);
                store(din + place, load(din + place) + g * weight[tap]);
            }
        }
        for (int tap = 0; tap < TAPS; tap++)
            store(dweights + tap * channels + c, sum[tap]);
    }
}

/* ---- one recording, one stage ---- */

/* Row `row` of the activations below `stage`, of recording b: before SiLU into `before` (for stage
 * 1 computed there; else a pointer into kept memory is returned), after it into `row_out`. */
static const float *row_below(const struct subsampling *shape, const struct scratch *scratch,
    float *const *p, int64_t stage, const float *below, int64_t row, float *before, float *out)
{
    int64_t size = bins_of(shape, stage - 1) * shape->channels;
    if (stage == 1)
        first_row(shape, scratch, p[1], row, before);
    const float *in = stage == 1 ? before : below + row * size;
    silu_row(size, in, out + shape->channels);
    return in;
}

/* The zero columns at both ends of the ring's rows, for rows of so many bins. */
static void clear_ring(const struct subsampling *shape, int64_t bins, float *ring)
{
    for (int line = 0; line < RING; line++) {
        float *row = ring + line * ring_row(shape);
        memset(row, 0, (size_t)shape->channels * sizeof(float));
        memset(row + (bins + 1) * shape->channels, 0, (size_t)shape->channels * sizeof(float));
    }
}

static void stage_forward(const struct subsampling *shape, const struct scratch *scratch,
    float *const *p, int64_t stage, int64_t b, const float *below, float *deep)
{
    int64_t out_bins = bins_of(shape, stage), out_size = out_bins * shape->channels;
    int64_t rows = rows_of(shape, stage, shape->offsets[b + 1] - shape->offsets[b]), ready = 0;
    const float *bias = p[stage_parameter(stage) + 1];
    for (int64_t row = 0; row < rows; row++) {
        const float *in[RING];
        for (; ready < 2 * row + 3; ready++)
            row_below(shape, scratch, p, stage, below, ready, scratch->before,
                scratch->ring + ready % RING * ring_row(shape));
        for (int line = 0; line < RING; line++)
            in[line] = scratch->ring + (2 * row + line) % RING * ring_row(shape);
        depthwise_row(shape->channels, out_bins, in, scratch->weights, bias, deep + row * out_size);
    }
}

/* gradient: of the stage's depthwise output.  dbelow: of what the stage below made before its SiLU;
 * for stage 1, the first convolution's gradients are summed instead. */
static void stage_backward(const struct subsampling *shape, const struct scratch *scratch,
    float *const *p, float *const *dp, int64_t stage, int64_t b, const float *below,
    const float *gradient, float *dbelow)
{
    int64_t channels = shape->channels, bins = bins_of(shape, stage - 1), size = bins * channels;
    int64_t out_bins = bins_of(shape, stage), out_size = out_bins * channels;
    int64_t rows = rows_of(shape, stage, shape->offsets[b + 1] - shape->offsets[b]);
    float *active = scratch->ring, *din = scratch->ring + ring_row(shape);
    for (int64_t row = 0; row < 2 * rows + 1; row++) {
        const float *in = row_below(shape, scratch, p, stage, below, row, scratch->before, active);
        memset(din, 0, (size_t)ring_row(shape) * sizeof(float));
        for (int line = (int)(row % 2); line < RING; line += 2) {
            int64_t above = (row - line) / 2;
            if (row >= line && above < rows)
                depthwise_row_backward(channels, out_bins, line, active, scratch->weights,
                    gradient + above * out_size, din, scratch->dweights);
        }
        float *out = stage == 1 ? scratch->before : dbelow + row * size;
        silu_row_backward(size, in, din + channels, out);
        if (stage == 1)
            first_row_backward(shape, scratch, row, out, dp[1]);
    }
}

/* rows [count, m] += bias */
static void add_bias(int64_t count, int64_t m, const float *bias, float *rows)
{
    for (int64_t row = 0; row < count; row++, rows += m)
#pragma omp simd
        for (int64_t i = 0; i < m; i++)
            rows[i] += bias[i];
}

static void column_sums(int64_t count, int64_t m, const float *rows, float *restrict out)
{
    memset(out, 0, (size_t)m * sizeof(float));
    for (int64_t row = 0; row < count; row++, rows += m)
#pragma omp simd
        for (int64_t i = 0; i < m; i++)
            out[i] += rows[i];
}

/* ---- all of it ---- */

/* frames [batch, frame_rows, bins]; out [rows, dimension]. */
void subsampling_forward(const struct subsampling *shape, float *const *p, const float *frames,
    float *kept, float *memory, float *out)
{
    struct scratch scratch = scratch_of(shape, memory);
    int64_t channels = shape->channels, last = shape->stages - 1;
    taps_first(channels, p[0], scratch.first);
    for (int64_t stage = 1; stage < shape->stages; stage++) {
        int64_t below = bins_of(shape, stage - 1) * channels,
                size = bins_of(shape, stage) * channels;
        float *deep = kept_deep(shape, kept, stage), *wide = kept_wide(shape, kept, stage);
        float *const *own = p + stage_parameter(stage);
        taps_first(channels, own[0], scratch.weights);
        clear_ring(shape, bins_of(shape, stage - 1), scratch.ring);
        for (int64_t b = 0; b < shape->batch; b++) {
            const float *from = NULL;
            if (stage == 1)
                lay_frames(shape, b, frames, scratch.frames);
            else
                from = kept_wide(shape, kept, stage - 1) + rows_before(shape, stage - 1, b) * below;
            stage_forward(
                shape, &scratch, p, stage, b, from, deep + rows_before(shape, stage, b) * size);
        }
        int64_t count = stage_size(shape, stage) / channels;
        product(count, channels, channels, deep, 0, own[2], 1, 0, wide);
        add_bias(count, channels, own[3], wide);
    }
    int64_t size = bins_of(shape, last) * channels;
    silu_row(shape->rows * size, kept_wide(shape, kept, last), scratch.active);
    product(shape->rows, shape->dimension, size, scratch.active, 0, p[linear_parameter(shape)], 1,
        0, out);
    add_bias(shape->rows, shape->dimension, p[linear_parameter(shape) + 1], out);
}

/* The gradients dp of the parameters, from that of out; none for the frames. */
void subsampling_backward(const struct subsampling *shape, float *const *p, const float *frames,
    float *kept, const float *dout, float *memory, float *const *dp)
{
    struct scratch scratch = scratch_of(shape, memory);
    int64_t channels = shape->channels, last = shape->stages - 1;
    int64_t size = bins_of(shape, last) * channels, linear = linear_parameter(shape);
    size_t taps = (size_t)(9 * channels) * sizeof(float);
    silu_row(shape->rows * size, kept_wide(shape, kept, last), scratch.active);
    product(shape->dimension, size, shape->rows, dout, 1, scratch.active, 0, 0, dp[linear]);
    column_sums(shape->rows, shape->dimension, dout, dp[linear + 1]);
    product(shape->rows, size, shape->dimension, dout, 0, p[linear], 0, 0, scratch.gradient);
    silu_row_backward(
        shape->rows * size, kept_wide(shape, kept, last), scratch.gradient, scratch.gradient);
    taps_first(channels, p[0], scratch.first);
    memset(scratch.dfirst, 0, taps);
    memset(dp[1], 0, (size_t)channels * sizeof(float));
    for (int64_t stage = last; stage >= 1; stage--) {
        int64_t count = stage_size(shape, stage) / channels;
        int64_t below = bins_of(shape, stage - 1) * channels;
        float *const *own = p + stage_parameter(stage), *const *down = dp + stage_parameter(stage);
        size = bins_of(shape, stage) * channels;
        product(channels, channels, count, scratch.gradient, 1, kept_deep(shape, kept, stage), 0, 0,
            down[2]);
        column_sums(count, channels, scratch.gradient, down[3]);
        product(count, channels, channels, scratch.gradient, 0, own[2], 0, 0, scratch.other);
        column_sums(count, channels, scratch.other, down[1]);
        taps_first(channels, own[0], scratch.weights);
        memset(scratch.dweights, 0, taps);
        clear_ring(shape, bins_of(shape, stage - 1), scratch.ring);
        for (int64_t b = 0; b < shape->batch; b++) {
            const float *from = NULL;
            float *to = NULL;
            if (stage == 1) {
                lay_frames(shape, b, frames, scratch.frames);
            } else {
                int64_t before = rows_before(shape, stage - 1, b) * below;
                from = kept_wide(shape, kept, stage - 1) + before;
                to = scratch.gradient + before;
            }
            stage_backward(shape, &scratch, p, dp, stage, b, from,
                scratch.other + rows_before(shape, stage, b) * size, to);
        }
        channels_first(channels, scratch.dweights, down[0]);
    }
    channels_first(channels, scratch.dfirst, dp[0]);
}
