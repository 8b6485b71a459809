/* Convolutions, vectorised over channels; see vector_ops.h. */
#include "nn/vector_ops.h"

#include "nn/vector.h"

/* A block of up to LANES channels: out = bias + sum over taps of weight * in. */
VECTOR_INLINE void depthwise_block(const float *in, size_t d, size_t kernel, const float *weight,
    const float *bias, size_t count, float *out)
{
    lanes sum, w, x;
    lanes_load_some(&sum, bias, count);
    for (size_t tap = 0; tap < kernel; tap++) {
        lanes_load_some(&w, weight + tap * d, count);
        lanes_load_some(&x, in + tap * d, count);
        sum += w * x;
    }
    lanes_store_some(out, &sum, count);
}

VECTOR_CLONES
void vector_depthwise(const float *in, size_t rows, size_t d, size_t kernel, const float *weight,
    const float *bias, float *out)
{
    for (size_t row = 0; row < rows; row++, in += d, out += d) {
        size_t i = 0;
        for (; i + LANES <= d; i += LANES)
            depthwise_block(in + i, d, kernel, weight + i, bias + i, LANES, out + i);
        if (i < d)
            depthwise_block(in + i, d, kernel, weight + i, bias + i, d - i, out + i);
    }
}

/* One output row of up to LANES channels, whose weights stay in registers along the row. */
VECTOR_INLINE void conv_first_block(const float *in, size_t bins, size_t channels,
    const float *weight, const float *bias, size_t count, float *out)
{
    lanes w[9], b;
    lanes_load_some(&b, bias, count);
    for (size_t tap = 0; tap < 9; tap++)
        lanes_load_some(&w[tap], weight + tap * channels, count);
    for (size_t bin = 0; bin < bins / 2; bin++) {
        lanes sum = b;
        for (size_t i = 0; i < 3; i++) {
            const float *x = in + i * bins + 2 * bin;
            if (bin > 0) /* left of bin 0 are zeros */
                sum += w[i * 3] * x[-1];
            sum += w[i * 3 + 1] * x[0];
            sum += w[i * 3 + 2] * x[1];
        }
        lanes_store_some(out + bin * channels, &sum, count);
    }
}

VECTOR_CLONES
void vector_conv_first(const float *in, size_t rows, size_t bins, size_t channels,
    const float *weight, const float *bias, float *out)
{
    size_t out_row = bins / 2 * channels;
    for (size_t row = 0; row < rows; row++, in += 2 * bins, out += out_row) {
        size_t c = 0;
        for (; c + LANES <= channels; c += LANES)
            conv_first_block(in, bins, channels, weight + c, bias + c, LANES, out + c);
        if (c < channels)
            conv_first_block(in, bins, channels, weight + c, bias + c, channels - c, out + c);
        vector_silu(out, out_row);
    }
}

/* One output row of up to LANES channels.  Bins outside the input are skipped. */
VECTOR_INLINE void conv_depthwise_block(const float *in, size_t bins, size_t channels,
    const float *weight, const float *bias, size_t count, float *out)
{
    lanes w[9], b;
    lanes_load_some(&b, bias, count);
    for (size_t tap = 0; tap < 9; tap++)
        lanes_load_some(&w[tap], weight + tap * channels, count);
    for (size_t bin = 0; bin < (bins + 1) / 2; bin++) {
        lanes sum = b, x;
        for (size_t i = 0; i < 3; i++) {
            const float *middle = in + (i * bins + 2 * bin) * channels;
            if (bin > 0) {
                lanes_load_some(&x, middle - channels, count);
                sum += w[i * 3] * x;
            }
            lanes_load_some(&x, middle, count);
            sum += w[i * 3 + 1] * x;
            if (2 * bin + 1 < bins) {
                lanes_load_some(&x, middle + channels, count);
                sum += w[i * 3 + 2] * x;
            }
        }
        lanes_store_some(out + bin * channels, &sum, count);
    }
}

VECTOR_CLONES
void vector_conv_depthwise(const float *in, size_t rows, size_t bins, size_t channels,
    const float *weight, const float *bias, float *out)
{
    size_t in_row = bins * channels, out_row = (bins + 1) / 2 * channels;
    for (size_t row = 0; row < rows; row++, in += 2 * in_row, out += out_row) {
        size_t c = 0;
        for (; c + LANES <= channels; c += LANES)
            conv_depthwise_block(in + c, bins, channels, weight + c, bias + c, LANES, out + c);
        if (c < channels)
            conv_depthwise_block(
                in + c, bins, channels, weight + c, bias + c, channels - c, out + c);
    }
}
