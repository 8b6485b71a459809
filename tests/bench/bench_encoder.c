/*
 * Where the encoder's time goes: a network of full size with random weights, for several numbers
 * of streams in a batch, and the share of each operator.
 *
 *     taskset -c 1 bench_encoder [f32|bf16|int8] [reference]
 *
 * Operators are timed by a table that wraps the real one; what is left over is copying and the
 * timing itself.  "x real time" is on one core.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "encoder/encoder.h"
#include "support/tiny_model.h"

enum { MAX_STREAMS = 64, MAX_ROWS = 512, ENCODINGS_PER_MINUTE = 750 };

typedef enum part {
    LINEAR,
    ATTENTION,
    LAYER_NORM,
    DEPTHWISE,
    GLU,
    SILU,
    ADD,
    CONV_FIRST,
    CONV_DEPTHWISE,
    PARTS
} part;

static const char *const part_names[PARTS] = {
    "linear", "attention", "norm", "depthwise", "glu", "silu", "add", "conv 1", "conv 2.."};

/* The wrapped table and its sums; one thread. */
static const nn_ops *inner;
static double seconds[PARTS];

/* Time the processor spent on us: other programs on the core do not count. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void linear_forward(const nn_linear *linear, nn_scratch *scratch, const float *in,
    size_t rows, nn_activation activation, float *out)
{
    double start = now();
    inner->linear_forward(linear, scratch, in, rows, activation, out);
    seconds[LINEAR] += now() - start;
}

static void layer_norm(
    const float *in, size_t rows, size_t d, const float *gain, const float *bias, float *out)
{
    double start = now();
    inner->layer_norm(in, rows, d, gain, bias, out);
    seconds[LAYER_NORM] += now() - start;
}

static void silu(float *x, size_t count)
{
    double start = now();
    inner->silu(x, count);
    seconds[SILU] += now() - start;
}

static void glu(const float *in, size_t rows, size_t d, float *out)
{
    double start = now();
    inner->glu(in, rows, d, out);
    seconds[GLU] += now() - start;
}

static void add_scaled(float *y, const float *x, float factor, size_t count)
{
    double start = now();
    inner->add_scaled(y, x, factor, count);
    seconds[ADD] += now() - start;
}

static void depthwise(const float *in, size_t rows, size_t d, size_t kernel, const float *weight,
    const float *bias, float *out)
{
    double start = now();
    inner->depthwise(in, rows, d, kernel, weight, bias, out);
    seconds[DEPTHWISE] += now() - start;
}

static void conv_first(const float *in, size_t rows, size_t bins, size_t channels,
    const float *weight, const float *bias, float *out)
{
    double start = now();
    inner->conv_first(in, rows, bins, channels, weight, bias, out);
    seconds[CONV_FIRST] += now() - start;
}

static void conv_depthwise(const float *in, size_t rows, size_t bins, size_t channels,
    const float *weight, const float *bias, float *out)
{
    double start = now();
    inner->conv_depthwise(in, rows, bins, channels, weight, bias, out);
    seconds[CONV_DEPTHWISE] += now() - start;
}

static void attention(nn_scratch *scratch, const float *query, size_t query_stride, size_t rows,
    const float *key, const float *value, size_t key_stride, size_t keys, size_t size,
    const float *bias, float *out, size_t out_stride)
{
    double start = now();
    inner->attention(scratch, query, query_stride, rows, key, value, key_stride, keys, size, bias,
        out, out_stride);
    seconds[ATTENTION] += now() - start;
}

static nn_ops timed(const nn_ops *ops)
{
    nn_ops table = *ops;
    inner = ops;
    table.linear_forward = linear_forward;
    table.layer_norm = layer_norm;
    table.silu = silu;
    table.glu = glu;
    table.add_scaled = add_scaled;
    table.depthwise = depthwise;
    table.conv_first = conv_first;
    table.conv_depthwise = conv_depthwise;
    table.attention = attention;
    return table;
}

/* Multiplications and additions of all linear layers per encoding, times two. */
static double linear_flops(const encoder_config *c)
{
    double d = (double)c->dimension, channels = (double)c->subsampling_channels;
    double block = 4 * d * (double)c->feed_forward + (3 + 1 + 2 + 1) * d * d;
    double sum = (double)c->blocks * block, frames = (double)c->subsampling;
    double bins = (double)c->mel_bins / 2;
    for (size_t factor = c->subsampling / 2; factor > 1; factor /= 2) {
        frames /= 2;
        bins /= 2;
        sum += frames / 2 * bins * channels * channels;
    }
    return 2 * (sum + bins * channels * d);
}

static void die(const steno_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    exit(EXIT_FAILURE);
}

/* `streams` streams of chunks of `chunk`, `chunks` of them in a call, for about a second. */
static void measure(const encoder *e, const encoder_config *config, nn_scratch *scratch,
    size_t streams, size_t chunk, size_t chunks)
{
    size_t rows = streams * chunk * chunks;
    size_t frames = config->subsampling * chunk * chunks;
    float *in = calloc(frames * config->mel_bins, sizeof *in);
    float *out = calloc(chunk * chunks * config->dimension, sizeof *out);
    encoder_item items[MAX_STREAMS];
    steno_error error;
    if (!in || !out)
        exit(EXIT_FAILURE);
    tiny_model_noise(1, 2.0f, frames * config->mel_bins, in);
    for (size_t i = 0; i < streams; i++) {
        items[i] = (encoder_item){NULL, in, frames, out};
        if (encoder_state_create(e, chunk, &items[i].state, &error) < 0)
            die(&error);
    }
    /* Until the keys' caches are full. */
    for (size_t row = 0; row <= config->left_context; row += chunk * chunks)
        encoder_forward(e, scratch, items, streams);
    memset(seconds, 0, sizeof seconds);
    size_t calls = 0;
    double start = now(), wall = 0;
    while (wall < 1.0) {
        encoder_forward(e, scratch, items, streams);
        calls++;
        wall = now() - start;
    }
    double encodings = (double)(calls * rows);
    printf("%3zu x %2zu x %2zu: %7.2f ms a call, %6.0f x real time, linear %4.0f GFLOP/s;", streams,
        chunks, chunk, 1e3 * wall / (double)calls, encodings * 60 / ENCODINGS_PER_MINUTE / wall,
        1e-9 * encodings * linear_flops(config) / seconds[LINEAR]);
    double rest = wall;
    for (size_t i = 0; i < PARTS; i++) {
        printf(" %s %.1f%%,", part_names[i], 100 * seconds[i] / wall);
        rest -= seconds[i];
    }
    printf(" rest %.1f%%\n", 100 * rest / wall);
    for (size_t i = 0; i < streams; i++)
        encoder_state_destroy(items[i].state);
    free(in);
    free(out);
}

int main(int argc, char **argv)
{
    nn_precision precision = NN_PRECISION_F32;
    const nn_ops *ops = nn_ops_onednn();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "bf16") == 0)
            precision = NN_PRECISION_BF16;
        else if (strcmp(argv[i], "int8") == 0)
            precision = NN_PRECISION_INT8;
        else if (strcmp(argv[i], "reference") == 0)
            ops = NULL;
    }
    if (!ops)
        ops = nn_ops_reference();
    tiny_model_config model = tiny_model_default();
    model.subsampling_channels = 32;
    model.dimension = 256;
    model.blocks = 12;
    model.heads = 4;
    model.feed_forward = 1024;
    model.kernel = 9;
    model.left_context = 64;
    model.max_chunk = 16;
    encoder_config config = {
        .mel_bins = model.mel_bins,
        .subsampling = model.subsampling,
        .subsampling_channels = model.subsampling_channels,
        .dimension = model.dimension,
        .blocks = model.blocks,
        .heads = model.heads,
        .feed_forward = model.feed_forward,
        .kernel = model.kernel,
        .left_context = model.left_context,
        .max_chunk = model.max_chunk,
    };
    size_t size;
    void *bytes = tiny_model_write(&model, &size);
    nn_ops table = timed(ops);
    nn_weights *weights;
    encoder *e;
    nn_scratch *scratch;
    steno_error error;
    if (nn_weights_open(bytes, size, &weights, &error) < 0 ||
        encoder_create(&config, weights, &table, precision, MAX_ROWS, &e, &error) < 0 ||
        nn_scratch_create(encoder_scratch(e), &scratch, &error) < 0)
        die(&error);
    printf("operators %s; streams x chunks in a call x encodings in a chunk\n", ops->name);
    static const size_t cases[][3] = {{1, 2, 1}, {1, 8, 1}, {4, 8, 1}, {8, 8, 1}, {16, 8, 1},
        {64, 8, 1}, {64, 2, 1}, {8, 16, 1}, {1, 16, 8}, {1, 16, 32}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        measure(e, &config, scratch, cases[i][0], cases[i][1], cases[i][2]);
    nn_scratch_destroy(scratch);
    encoder_destroy(e);
    nn_weights_close(weights);
    free(bytes);
    return EXIT_SUCCESS;
}
