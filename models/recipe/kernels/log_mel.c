/* Log-mel features, as features.py defines them.
 *
 * 16 frames are computed side by side, one in each lane of a vector, so that the transform is the
 * one of a textbook: radix 2, in place, its input in bit-reversed order.  Two real samples make one
 * complex one; a last step takes their spectra apart. */
#include "kernels.h"

enum {
    LANES = 16,
    WINDOW = 400,
    HOP = 160,
    FFT = 512,
    HALF = FFT / 2,
    HALF_BITS = 8,
    BINS = 80,
    FREQUENCIES = HALF + 1,
};
#define FLOOR 1e-10f

/* What all frames share: e^(-2 pi i k / FFT), and where the triangles begin and end. */
struct tables {
    float cosine[FREQUENCIES], sine[FREQUENCIES];
    int first[BINS], end[BINS];
    int reversed[HALF];
};

/* mel [FREQUENCIES, BINS] */
static void fill_tables(struct tables *tables, const float *mel)
{
    for (int k = 0; k < FREQUENCIES; k++) {
        double angle = -2.0 * 3.14159265358979323846 * k / FFT;
        tables->cosine[k] = (float)cos(angle);
        tables->sine[k] = (float)sin(angle);
    }
    for (int bin = 0; bin < BINS; bin++) {
        tables->first[bin] = FREQUENCIES;
        tables->end[bin] = 0;
        for (int k = 0; k < FREQUENCIES; k++)
            if (mel[k * BINS + bin] != 0) {
                if (tables->first[bin] > k)
                    tables->first[bin] = k;
                tables->end[bin] = k + 1;
            }
    }
    for (int i = 0; i < HALF; i++) {
        tables->reversed[i] = 0;
        for (int bit = 0; bit < HALF_BITS; bit++)
            tables->reversed[i] |= (i >> bit & 1) << (HALF_BITS - 1 - bit);
    }
}

/* samples: from the first frame on, `there` of them; zeros follow. */
static void take_frames(const struct tables *tables, const float *samples, int64_t there,
    const float *window, v16 *re, v16 *im)
{
    for (int place = 0; place < FFT; place++) {
        v16 *to = (place % 2 ? im : re) + tables->reversed[place / 2];
        float row[LANES] = {0};
        if (place < WINDOW && (LANES - 1) * HOP + place < there) {
            for (int lane = 0; lane < LANES; lane++)
                row[lane] = window[place] * samples[lane * HOP + place];
        } else if (place < WINDOW) {
            for (int lane = 0; lane * HOP + place < there && lane < LANES; lane++)
                row[lane] = window[place] * samples[lane * HOP + place];
        }
        *to = load(row);
    }
}

static void transform(const struct tables *tables, v16 *re, v16 *im)
{
    for (int size = 1; size < HALF; size *= 2)
        for (int k = 0; k < size; k++) {
            float c = tables->cosine[k * (HALF / size)], s = tables->sine[k * (HALF / size)];
            for (int i = k; i < HALF; i += 2 * size) {
                v16 r = re[i + size] * c - im[i + size] * s;
                v16 j = re[i + size] * s + im[i + size] * c;
                re[i + size] = re[i] - r;
                im[i + size] = im[i] - j;
                re[i] += r;
                im[i] += j;
            }
        }
}

/* power [FREQUENCIES] of the real samples. */
static void take_power(const struct tables *tables, const v16 *re, const v16 *im, v16 *power)
{
    for (int k = 0; k < FREQUENCIES; k++) {
        int one = k % HALF, other = (HALF - k) % HALF;
        v16 even_re = re[one] + re[other], even_im = im[one] - im[other];
        v16 odd_re = im[one] + im[other], odd_im = re[other] - re[one];
        float c = tables->cosine[k], s = tables->sine[k];
        v16 r = even_re + odd_re * c - odd_im * s, j = even_im + odd_re * s + odd_im * c;
        power[k] = (r * r + j * j) * 0.25f;
    }
}

/* samples [batch, length], finite -> out [batch, ceil(length / HOP), BINS]; window [WINDOW]; mel
 * [FREQUENCIES, BINS]. */
void log_mel(int64_t batch, int64_t length, const float *samples, const float *window,
    const float *mel, float *out)
{
    struct tables tables;
    v16 re[HALF], im[HALF], power[FREQUENCIES];
    int64_t frames = (length + HOP - 1) / HOP;
    fill_tables(&tables, mel);
    for (int64_t b = 0; b < batch; b++, samples += length)
        for (int64_t frame = 0; frame < frames; frame += LANES, out += LANES * BINS) {
            int64_t count = frames - frame < LANES ? frames - frame : LANES;
            take_frames(&tables, samples + frame * HOP, length - frame * HOP, window, re, im);
            transform(&tables, re, im);
            take_power(&tables, re, im, power);
            for (int bin = 0; bin < BINS; bin++) {
                v16 sum = splat(0);
                float row[LANES];
                for (int k = tables.first[bin]; k < tables.end[bin]; k++)
                    sum += power[k] * mel[k * BINS + bin];
                store(row, sum);
#pragma omp simd
                for (int lane = 0; lane < LANES; lane++)
                    row[lane] = logarithm(row[lane] > FLOOR ? row[lane] : FLOOR);
                for (int64_t lane = 0; lane < count; lane++)
                    out[lane * BINS + bin] = row[lane];
            }
            if (count < LANES)
                out -= (LANES - count) * BINS;
        }
}
