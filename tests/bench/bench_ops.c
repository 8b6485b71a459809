/*
 * How fast the operators run, on one core, at the sizes of the network:
 *
 *     meson test -C build --benchmark ops -v
 *     build/tests/bench/bench_ops [SECONDS PER MEASUREMENT]
 *
 * For linear layers, giga-operations (a multiplication and an addition are two) per second, and
 * the share of the best that precision reached in this run on any shape; for the others,
 * microseconds a call.  Each figure is the best of many repetitions: other programs on the
 * machine only ever make a call slower.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "nn/ops.h"

enum { MAX_ROWS = 2560, MAX_SIZE = 1024, MAX_RESULTS = 256, PRECISIONS = 3, MIN_CALLS = 4 };

static const char *const precision_names[PRECISIONS] = {"f32", "bf16", "int8"};

typedef struct layer_shape {
    size_t in_size, out_size;
} layer_shape;

static const layer_shape shapes[] = {
    {256, 1024}, {1024, 256}, {256, 768}, {256, 512}, {512, 256}, {640, 256}, {64, 64}};
static const size_t row_counts[] = {1, 2, 4, 7, 8, 16, 31, 64, 100, 128, 320, 2560};

typedef struct speed {
    layer_shape shape;
    size_t rows;
    nn_precision precision;
    double giga;
} speed;

typedef struct workbench {
    double seconds; /* per measurement */
    float *in, *out, *more;
    nn_scratch *scratch;
    speed speeds[MAX_RESULTS];
    size_t count;
} workbench;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Values with the spread that activations have: uniform in [-1.7, 1.7). */
static void fill(float *x, size_t count)
{
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = ((float)(state >> 8) / 16777216.0f - 0.5f) * 3.4f;
    }
}

/* Seconds of the fastest call of `run`. */
static double fastest(const workbench *bench, void (*run)(const void *), const void *job)
{
    double best = 1e9, end = now() + bench->seconds;
    for (int calls = 0; calls < MIN_CALLS || now() < end; calls++) {
        double begin = now();
        run(job);
        double taken = now() - begin;
        best = taken < best ? taken : best;
    }
    return best;
}

typedef struct linear_job {
    const nn_ops *ops;
    const nn_linear *linear;
    const workbench *bench;
    size_t rows;
} linear_job;

static void run_linear(const void *argument)
{
    const linear_job *job = argument;
    job->ops->linear_forward(
        job->linear, job->bench->scratch, job->bench->in, job->rows, NN_IDENTITY, job->bench->out);
}

static void measure_linear(
    workbench *bench, const nn_ops *ops, layer_shape shape, nn_precision precision)
{
    nn_tensor weight = {.name = "weight",
        .type = NN_F32,
        .rank = 2,
        .data = bench->more,
        .shape = {shape.out_size, shape.in_size}};
    nn_linear *linear;
    steno_error error;
    double begin = now();
    if (ops->linear_create(&weight, NULL, precision, MAX_ROWS, &linear, &error) < 0) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    double created = now() - begin;
    for (size_t i = 0; i < sizeof row_counts / sizeof *row_counts; i++) {
        linear_job job = {ops, linear, bench, row_counts[i]};
        double seconds = fastest(bench, run_linear, &job);
        double operations = 2.0 * (double)(shape.in_size * shape.out_size * row_counts[i]);
        bench->speeds[bench->count++] =
            (speed){shape, row_counts[i], precision, 1e-9 * operations / seconds};
    }
    fprintf(stderr, "# %s %zu -> %zu: created in %.1f ms\n", precision_names[precision],
        shape.in_size, shape.out_size, 1e3 * created);
    ops->linear_destroy(linear);
}

static void print_linear(const workbench *bench)
{
    double best[PRECISIONS] = {0};
    for (size_t i = 0; i < bench->count; i++) {
        const speed *it = &bench->speeds[i];
        if (it->giga > best[it->precision])
            best[it->precision] = it->giga;
    }
    printf("%-5s %5s %5s %5s %9s %6s\n", "type", "in", "out", "rows", "GFLOP/s", "share");
    for (size_t i = 0; i < bench->count; i++) {
        const speed *it = &bench->speeds[i];
        printf("%-5s %5zu %5zu %5zu %9.1f %5.0f%%\n", precision_names[it->precision],
            it->shape.in_size, it->shape.out_size, it->rows, it->giga,
            100.0 * it->giga / best[it->precision]);
    }
}

/* One call of another operator; sizes are those of a chunk of 16 encodings of one stream. */
typedef struct op_job {
    const char *name;
    void (*run)(const void *);
    const nn_ops *ops;
    const workbench *bench;
} op_job;

enum {
    ROWS = 16,
    SIZE = 256,
    INNER = 1024,
    KERNEL = 9,
    HEAD = 64,
    KEYS = 80,
    BINS = 80,
    CHANNELS = 64
};

static void run_layer_norm(const void *argument)
{
    const op_job *job = argument;
    const workbench *b = job->bench;
    job->ops->layer_norm(b->in, ROWS, SIZE, b->more, b->more, b->out);
}

static void run_silu(const void *argument)
{
    const op_job *job = argument;
    job->ops->silu(job->bench->out, ROWS * INNER);
}

static void run_tanh(const void *argument)
{
    const op_job *job = argument;
    job->ops->tanh(job->bench->out, ROWS * INNER);
}

static void run_glu(const void *argument)
{
    const op_job *job = argument;
    job->ops->glu(job->bench->in, ROWS, SIZE, job->bench->out);
}

static void run_log_softmax(const void *argument)
{
    const op_job *job = argument;
    job->ops->log_softmax(job->bench->out, ROWS, 501);
}

static void run_depthwise(const void *argument)
{
    const op_job *job = argument;
    const workbench *b = job->bench;
    job->ops->depthwise(b->in, ROWS, SIZE, KERNEL, b->more, b->more, b->out);
}

static void run_conv_first(const void *argument)
{
    const op_job *job = argument;
    const workbench *b = job->bench;
    job->ops->conv_first(b->in, 4 * ROWS, BINS, CHANNELS, b->more, b->more, b->out);
}

static void run_conv_depthwise(const void *argument)
{
    const op_job *job = argument;
    const workbench *b = job->bench;
    job->ops->conv_depthwise(b->in, 2 * ROWS, BINS / 2, CHANNELS, b->more, b->more, b->out);
}

static void run_attention(const void *argument)
{
    const op_job *job = argument;
    const workbench *b = job->bench;
    job->ops->attention(b->scratch, b->in, HEAD, ROWS, b->more, b->more + KEYS * HEAD, HEAD, KEYS,
        HEAD, b->in + KEYS, b->out, HEAD);
}

static void measure_others(const workbench *bench, const nn_ops *ops)
{
    const op_job jobs[] = {
        {"layer_norm [16, 256]", run_layer_norm, ops, bench},
        {"silu [16, 1024]", run_silu, ops, bench},
        {"tanh [16, 1024]", run_tanh, ops, bench},
        {"glu [16, 2 x 256]", run_glu, ops, bench},
        {"log_softmax [16, 501]", run_log_softmax, ops, bench},
        {"depthwise [16, 256], kernel 9", run_depthwise, ops, bench},
        {"conv_first [64, 80, 64]", run_conv_first, ops, bench},
        {"conv_depthwise [32, 40, 64]", run_conv_depthwise, ops, bench},
        {"attention 16 x 80, size 64", run_attention, ops, bench},
    };
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        fill(bench->out, ROWS * INNER);
        printf("%-32s %8.2f us\n", jobs[i].name, 1e6 * fastest(bench, jobs[i].run, &jobs[i]));
    }
}

int main(int argc, char **argv)
{
    workbench bench = {.seconds = argc > 1 ? atof(argv[1]) : 0.02};
    const nn_ops *ops = nn_ops_onednn() ? nn_ops_onednn() : nn_ops_reference();
    size_t values = (size_t)MAX_ROWS * MAX_SIZE;
    steno_error error;
    bench.in = memory_allocate(values, sizeof(float));
    bench.out = memory_allocate(values, sizeof(float));
    bench.more = memory_allocate(values, sizeof(float));
    if (!bench.in || !bench.out || !bench.more ||
        nn_scratch_create(16 << 20, &bench.scratch, &error) < 0) {
        fprintf(stderr, "out of memory\n");
        return 1;
    }
    fill(bench.in, values);
    fill(bench.more, values);
    printf("operators: %s\n", ops->name);
    for (int precision = 0; precision < PRECISIONS; precision++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            if (ops->supports((nn_precision)precision))
                measure_linear(&bench, ops, shapes[i], (nn_precision)precision);
    print_linear(&bench);
    measure_others(&bench, ops);
    nn_scratch_destroy(bench.scratch);
    memory_free(bench.in);
    memory_free(bench.out);
    memory_free(bench.more);
    return 0;
}
