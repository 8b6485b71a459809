#include "plain_encoder.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The weights of a name made by printf, as floats, whatever their shape is said to be. */
static float *get(const nn_weights *weights, const char *format, ...) STENO_PRINTF(2, 3);

static float *get(const nn_weights *weights, const char *format, ...)
{
    char name[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < nn_weights_count(weights); i++) {
        const nn_tensor *tensor = nn_weights_at(weights, i);
        if (strcmp(tensor->name, name) == 0) {
            float *values = calloc(nn_tensor_elements(tensor), sizeof *values);
            nn_tensor_to_float(tensor, values);
            return values;
        }
    }
    fprintf(stderr, "no tensor %s\n", name);
    abort();
}

static double *zeros(size_t count)
{
    double *values = calloc(count + 1, sizeof *values);
    if (!values)
        abort();
    return values;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* in [rows, in_size] -> new [rows, out_size]; layer: the name up to .weight and .bias. */
static double *linear(const nn_weights *weights, const char *layer, const double *in, size_t rows,
    size_t in_size, size_t out_size)
{
    float *w = get(weights, "%s.weight", layer), *bias = get(weights, "%s.bias", layer);
    double *out = zeros(rows * out_size);
    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < out_size; o++) {
            double sum = bias[o];
            for (size_t i = 0; i < in_size; i++)
                sum += in[r * in_size + i] * w[o * in_size + i];
            out[r * out_size + o] = sum;
        }
    free(w);
    free(bias);
    return out;
}

static double *layer_norm(
    const nn_weights *weights, const char *layer, const double *in, size_t rows, size_t d)
{
    float *gain = get(weights, "%s.weight", layer), *bias = get(weights, "%s.bias", layer);
    double *out = zeros(rows * d);
    for (size_t r = 0; r < rows; r++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < d; i++)
            mean += in[r * d + i] / (double)d;
        for (size_t i = 0; i < d; i++)
            variance += pow(in[r * d + i] - mean, 2) / (double)d;
        for (size_t i = 0; i < d; i++)
            out[r * d + i] = (in[r * d + i] - mean) / sqrt(variance + 1e-5) * gain[i] + bias[i];
    }
    free(gain);
    free(bias);
    return out;
}

/* An image [time, bins, channels]. */
typedef struct image {
    size_t time, bins, channels;
    double *values;
} image;

/* 3 x 3, stride 2 both ways, one zero on each side along frequency, nothing along time;
 * w [out channels, 1, 3, 3].  Depthwise unless the image has one channel only. */
static image convolve(image in, const float *w, const float *bias, size_t channels)
{
    image out = {(in.time - 3) / 2 + 1, (in.bins + 2 - 3) / 2 + 1, channels, NULL};
    out.values = zeros(out.time * out.bins * channels);
    for (size_t t = 0; t < out.time; t++)
        for (size_t f = 0; f < out.bins; f++)
            for (size_t c = 0; c < channels; c++) {
                double sum = bias[c];
                for (long i = 0; i < 3; i++)
                    for (long j = 0; j < 3; j++) {
                        long bin = 2 * (long)f + j - 1;
                        if (bin < 0 || bin >= (long)in.bins)
                            continue;
                        size_t at = (2 * t + (size_t)i) * in.bins + (size_t)bin;
                        size_t from = in.channels == 1 ? 0 : c;
                        sum += in.values[at * in.channels + from] * w[c * 9 + (size_t)(3 * i + j)];
                    }
                out.values[(t * out.bins + f) * channels + c] = sum;
            }
    return out;
}

static double *subsample(
    const encoder_config *config, const nn_weights *weights, const float *frames, size_t count)
{
    size_t channels = config->subsampling_channels, padding = 2 * (config->subsampling - 1);
    image x = {padding + count, config->mel_bins, 1, NULL};
    x.values = zeros(x.time * x.bins);
    for (size_t i = 0; i < count * x.bins; i++)
        x.values[padding * x.bins + i] = frames[i];
    for (size_t stage = 0; (size_t)2 << stage <= config->subsampling; stage++) {
        char name[64];
        snprintf(name, sizeof name, "encoder.subsampling.%zu%s", stage, stage ? ".depthwise" : "");
        float *w = get(weights, "%s.weight", name), *bias = get(weights, "%s.bias", name);
        image y = convolve(x, w, bias, channels);
        free(w);
        free(bias);
        free(x.values);
        x = y;
        if (stage > 0) {
            snprintf(name, sizeof name, "encoder.subsampling.%zu.pointwise", stage);
            x.values = linear(weights, name, y.values, y.time * y.bins, channels, channels);
            free(y.values);
        }
        for (size_t i = 0; i < x.time * x.bins * channels; i++)
            x.values[i] *= sigmoid(x.values[i]);
    }
    double *out = linear(weights, "encoder.subsampling.linear", x.values, x.time, x.bins * channels,
        config->dimension);
    free(x.values);
    return out;
}

static void add(double *x, double *y, double factor, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] += factor * y[i];
    free(y);
}

static void feed_forward(const encoder_config *config, const nn_weights *weights, const char *block,
    const char *which, double *x, size_t rows)
{
    char name[128];
    size_t d = config->dimension, inner_size = config->feed_forward;
    snprintf(name, sizeof name, "%s.%s.norm", block, which);
    double *normed = layer_norm(weights, name, x, rows, d);
    snprintf(name, sizeof name, "%s.%s.in", block, which);
    double *inner = linear(weights, name, normed, rows, d, inner_size);
    for (size_t i = 0; i < rows * inner_size; i++)
        inner[i] *= sigmoid(inner[i]);
    snprintf(name, sizeof name, "%s.%s.out", block, which);
    add(x, linear(weights, name, inner, rows, inner_size, d), 0.5, rows * d);
    free(normed);
    free(inner);
}

static bool visible(const size_t *chunk_of, size_t left_context, size_t query, size_t key)
{
    size_t start = query;
    while (start > 0 && chunk_of[start - 1] == chunk_of[query])
        start--;
    return chunk_of[key] == chunk_of[query] || (key < start && key + left_context >= start);
}

static void attention(const encoder_config *config, const nn_weights *weights, const char *block,
    double *x, size_t rows, const size_t *chunk_of)
{
    char name[128];
    size_t d = config->dimension, size = d / config->heads;
    size_t distances = config->left_context + 2 * config->max_chunk - 1;
    snprintf(name, sizeof name, "%s.attention.norm", block);
    double *normed = layer_norm(weights, name, x, rows, d);
    snprintf(name, sizeof name, "%s.attention.qkv", block);
    double *qkv = linear(weights, name, normed, rows, d, 3 * d);
    float *bias = get(weights, "%s.attention.relative_bias", block);
    double *mixed = zeros(rows * d), *weight = zeros(rows);
    bool *seen = calloc(rows, sizeof *seen);
    for (size_t q = 0; q < rows; q++) {
        for (size_t k = 0; k < rows; k++)
            seen[k] = visible(chunk_of, config->left_context, q, k);
        for (size_t head = 0; head < config->heads; head++) {
            double total = 0;
            for (size_t k = 0; k < rows; k++) {
                if (!seen[k])
                    continue;
                double score = 0;
                for (size_t i = 0; i < size; i++)
                    score +=
                        qkv[q * 3 * d + head * size + i] * qkv[k * 3 * d + d + head * size + i];
                size_t distance = q + config->max_chunk - 1 - k;
                weight[k] = exp(score / sqrt((double)size) + bias[head * distances + distance]);
                total += weight[k];
            }
            for (size_t k = 0; k < rows; k++)
                for (size_t i = 0; seen[k] && i < size; i++)
                    mixed[q * d + head * size + i] +=
                        weight[k] / total * qkv[k * 3 * d + 2 * d + head * size + i];
        }
    }
    snprintf(name, sizeof name, "%s.attention.out", block);
    add(x, linear(weights, name, mixed, rows, d, d), 1, rows * d);
    free(normed);
    free(qkv);
    free(bias);
    free(mixed);
    free(weight);
    free(seen);
}

static void convolution(const encoder_config *config, const nn_weights *weights, const char *block,
    double *x, size_t rows)
{
    char name[128];
    size_t d = config->dimension, kernel = config->kernel;
    snprintf(name, sizeof name, "%s.convolution.norm", block);
    double *normed = layer_norm(weights, name, x, rows, d);
    snprintf(name, sizeof name, "%s.convolution.in", block);
    double *wide = linear(weights, name, normed, rows, d, 2 * d);
    float *taps = get(weights, "%s.convolution.depthwise.weight", block);
    float *bias = get(weights, "%s.convolution.depthwise.bias", block);
    double *out = zeros(rows * d);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < d; i++) {
            out[r * d + i] = bias[i];
            for (size_t tap = 0; tap < kernel; tap++) {
                if (r + tap + 1 < kernel)
                    continue; /* before the stream */
                const double *gated = wide + (r + tap + 1 - kernel) * 2 * d;
                out[r * d + i] += taps[i * kernel + tap] * gated[i] * sigmoid(gated[d + i]);
            }
        }
    snprintf(name, sizeof name, "%s.convolution.depthwise_norm", block);
    double *after = layer_norm(weights, name, out, rows, d);
    for (size_t i = 0; i < rows * d; i++)
        after[i] *= sigmoid(after[i]);
    snprintf(name, sizeof name, "%s.convolution.out", block);
    add(x, linear(weights, name, after, rows, d, d), 1, rows * d);
    free(normed);
    free(wide);
    free(taps);
    free(bias);
    free(out);
    free(after);
}

size_t plain_encoder_count(const encoder_config *config, size_t count)
{
    return count == 0 ? 0 : (count - 1) / config->subsampling + 1;
}

double *plain_encoder_run(const encoder_config *config, const nn_weights *weights,
    size_t block_count, const float *frames, size_t count, const size_t *chunk_of)
{
    size_t rows = plain_encoder_count(config, count);
    double *x = subsample(config, weights, frames, count);
    for (size_t number = 0; number < block_count; number++) {
        char block[64], name[96];
        snprintf(block, sizeof block, "encoder.blocks.%zu", number);
        feed_forward(config, weights, block, "feed_forward_1", x, rows);
        attention(config, weights, block, x, rows, chunk_of);
        convolution(config, weights, block, x, rows);
        feed_forward(config, weights, block, "feed_forward_2", x, rows);
        snprintf(name, sizeof name, "%s.norm", block);
        double *normed = layer_norm(weights, name, x, rows, config->dimension);
        free(x);
        x = normed;
    }
    return x;
}
