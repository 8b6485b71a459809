/*
 * Three runs over the same audio: one stream fed as fast as it takes it (a file), one stream fed a
 * chunk at a time, each once the one before is recognised (live audio, without waiting for the
 * speaker), and growing numbers of live streams in step.
 *
 * The encoder's operations are counted from the model's configuration and divided by the time its
 * workers measured in it.  The peak they are compared with is what the same library reaches in a
 * single product of 128 rows and a 1024 x 1024 matrix, run right here: the processor's data sheet
 * says nothing about the core one is given.
 */
#include "measure.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "nn/ops.h"
#include "recognizer/model.h"

enum {
    PEAK_ROWS = 128,
    PEAK_SIZE = 1024,
    POLL_NS = 200000,
    MAX_STEPS = 1 << 14,
    MAX_STREAMS = 1024,
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Processor time of this process. */
static double cpu_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void fail(measure_report *report, const steno_error *error)
{
    report->status = error->status;
    snprintf(report->message, sizeof report->message, "%s", error->message);
}

/* The highest resident memory of this process so far. */
static size_t peak_kb(void)
{
    char line[256];
    size_t found = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %zu", &found) == 1)
            break;
    if (status)
        fclose(status);
    return found;
}

/* Distribution of steps. */

typedef struct steps {
    double seconds[MAX_STEPS];
    size_t count;
} steps;

static void steps_add(steps *self, double seconds)
{
    if (self->count < MAX_STEPS)
        self->seconds[self->count++] = seconds;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value that `share` of the steps stay below. */
static double steps_quantile(steps *self, double share)
{
    if (self->count == 0)
        return 0;
    qsort(self->seconds, self->count, sizeof *self->seconds, compare_doubles);
    return self->seconds[(size_t)(share * (double)(self->count - 1) + 0.5)];
}

/* One stream. */

typedef struct bench {
    const measure_plan *plan;
    measure_report *report;
    steno_engine *engine;
    steno_model *model;
    steps *steps;
} bench;

static steno_stream *open_stream(const bench *b, steno_error *error)
{
    steno_stream_options options;
    steno_stream *stream = NULL;
    steno_stream_options_init(&options);
    options.rate_hz = b->plan->rate_hz;
    options.chunk_ms = b->plan->chunk_ms;
    options.search = b->plan->search;
    steno_stream_create(b->engine, b->model, &options, &stream, error);
    return stream;
}

/* Takes the results that are there; returns what `next` said last. */
static steno_status take_results(steno_stream *stream, size_t *words, steno_error *error)
{
    const steno_result *result;
    steno_status status;
    while ((status = steno_stream_next(stream, &result, error)) == STENO_OK)
        *words += result->alternatives[0].word_count;
    return status;
}

static steno_status finish_stream(steno_stream *stream, size_t *words, steno_error *error)
{
    steno_stream_finish(stream);
    steno_status status;
    while ((status = take_results(stream, words, error)) == STENO_AGAIN)
        steno_stream_wait(stream, -1);
    return status;
}

/* Feeds samples that the backlog has room for at once. */
static void feed_chunk(steno_stream *stream, const float *samples, size_t count)
{
    size_t taken = 0;
    steno_status status = steno_stream_feed(stream, samples, count, &taken);
    assert(status == STENO_OK && taken == count);
    (void)status;
}

/* Takes results until more than before_ms is recognised.  Polls: the worker says nothing when a
 * chunk gives no result. */
static steno_status wait_recognised(
    steno_stream *stream, uint64_t before_ms, size_t *words, steno_error *error)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    for (;;) {
        bool done = steno_stream_done_ms(stream) > before_ms;
        steno_status status = take_results(stream, words, error);
        if (done || status != STENO_AGAIN)
            return status;
        nanosleep(&pause, NULL);
    }
}

static steno_status feed_file(
    const bench *b, steno_stream *stream, measure_run *run, steno_error *error)
{
    const measure_plan *plan = b->plan;
    steno_status status = STENO_AGAIN;
    for (size_t done = 0; done < plan->samples && status == STENO_AGAIN;) {
        size_t taken = 0;
        if (steno_stream_feed(stream, plan->audio + done, plan->samples - done, &taken) ==
            STENO_FULL)
            steno_stream_wait(stream, -1);
        done += taken;
        status = take_results(stream, &run->words, error);
    }
    return status == STENO_AGAIN ? finish_stream(stream, &run->words, error) : status;
}

static steno_status feed_live(
    const bench *b, steno_stream *stream, measure_run *run, steno_error *error)
{
    const measure_plan *plan = b->plan;
    size_t chunk = (size_t)plan->chunk_ms * plan->rate_hz / 1000;
    steno_status status = STENO_AGAIN;
    b->steps->count = 0;
    /* Whole chunks only: the rest of the audio completes none. */
    for (size_t done = 0; done + chunk <= plan->samples && status == STENO_AGAIN; done += chunk) {
        uint64_t before_ms = steno_stream_done_ms(stream);
        double begin = now_s();
        feed_chunk(stream, plan->audio + done, chunk);
        status = wait_recognised(stream, before_ms, &run->words, error);
        steps_add(b->steps, now_s() - begin);
    }
    run->step_p50_s = steps_quantile(b->steps, 0.5);
    run->step_p95_s = steps_quantile(b->steps, 0.95);
    return status == STENO_AGAIN ? finish_stream(stream, &run->words, error) : status;
}

static bool run_one(const bench *b, bool live, measure_run *run)
{
    steno_error error;
    steno_engine_times before, after;
    steno_stream *stream = open_stream(b, &error);
    if (!stream) {
        fail(b->report, &error);
        return false;
    }
    b->report->stream_bytes = steno_stream_bytes(stream);
    steno_engine_get_times(b->engine, &before);
    double begin = now_s(), cpu_begin = cpu_now_s();
    steno_status status =
        live ? feed_live(b, stream, run, &error) : feed_file(b, stream, run, &error);
    run->wall_s = now_s() - begin;
    run->cpu_s = cpu_now_s() - cpu_begin;
    steno_engine_get_times(b->engine, &after);
    run->audio_s = (double)steno_stream_fed_ms(stream) / 1000;
    run->feature_s = 1e-9 * (double)(after.feature_ns - before.feature_ns);
    run->encoder_s = 1e-9 * (double)(after.encoder_ns - before.encoder_ns);
    run->decoder_s = 1e-9 * (double)(after.decoder_ns - before.decoder_ns);
    run->transcript_s = 1e-9 * (double)(after.transcript_ns - before.transcript_ns);
    run->encodings_per_batch = 1000 * run->audio_s / b->model->config.encoding_ms /
                               (double)(after.batches - before.batches);
    steno_stream_destroy(stream);
    if (status != STENO_END)
        fail(b->report, &error);
    return status == STENO_END;
}

/* Many streams. */

/* Feeds all streams their chunk number `step`, each from another place of the audio, and waits
 * until all are recognised. */
static bool step_streams(const bench *b, steno_stream **streams, size_t count, size_t step,
    size_t chunk, measure_load *load)
{
    size_t places = b->plan->samples / chunk, words = 0;
    uint64_t before_ms[MAX_STREAMS];
    steno_error error;
    double begin = now_s();
    for (size_t i = 0; i < count; i++) {
        before_ms[i] = steno_stream_done_ms(streams[i]);
        feed_chunk(streams[i], b->plan->audio + (step + 7 * i) % places * chunk, chunk);
    }
    for (size_t i = 0; i < count; i++) {
        if (wait_recognised(streams[i], before_ms[i], &words, &error) != STENO_AGAIN) {
            fail(b->report, &error);
            return false;
        }
    }
    double taken = now_s() - begin;
    load->load += taken;
    steps_add(b->steps, taken);
    return true;
}

static bool run_streams(const bench *b, uint32_t count, measure_load *load)
{
    size_t chunk = (size_t)b->plan->chunk_ms * b->plan->rate_hz / 1000;
    size_t total = 1000u * b->plan->stream_seconds / b->plan->chunk_ms;
    steno_stream *streams[MAX_STREAMS] = {NULL};
    steno_error error;
    bool good = true;
    *load = (measure_load){.streams = count};
    b->steps->count = 0;
    for (uint32_t i = 0; i < count && good; i++) {
        streams[i] = open_stream(b, &error);
        if (!streams[i]) {
            fail(b->report, &error);
            good = false;
        }
    }
    double cpu_begin = cpu_now_s(), audio_s = (double)total * b->plan->chunk_ms / 1000;
    for (size_t step = 0; step < total && good; step++)
        good = step_streams(b, streams, count, step, chunk, load);
    load->load /= audio_s;
    load->cpu = (cpu_now_s() - cpu_begin) / audio_s;
    load->step_p95_s = steps_quantile(b->steps, 0.95);
    for (uint32_t i = 0; i < count; i++)
        steno_stream_destroy(streams[i]);
    return good;
}

/* Doubles the number of streams until they don't keep up, or as many as asked for. */
static bool run_loads(const bench *b)
{
    measure_report *report = b->report;
    for (uint32_t count = 1; count <= b->plan->max_streams && count <= MAX_STREAMS; count *= 2) {
        if (report->load_count == MEASURE_MAX_LOADS)
            break;
        measure_load *load = &report->loads[report->load_count];
        if (!run_streams(b, count, load))
            return false;
        report->load_count++;
        if (load->load > 1)
            break;
    }
    return true;
}

/* Operations. */

/* Floating-point operations per encoding, with `keys` encodings attended to on average. */
static double encoder_operations(const encoder_config *c, double keys)
{
    double d = (double)c->dimension, f = (double)c->feed_forward;
    double channels = (double)c->subsampling_channels;
    double rows = (double)c->subsampling / 2, bins = (double)c->mel_bins / 2;
    double products = rows * bins * 9 * channels;
    for (rows /= 2; rows >= 1; rows /= 2) {
        bins = (double)(((size_t)bins + 1) / 2);
        products += rows * bins * (9 * channels + channels * channels);
    }
    products += bins * channels * d;
    double block = 4 * d * f + 4 * d * d + 2 * keys * d + 3 * d * d + (double)c->kernel * d;
    return 2 * (products + (double)c->blocks * block);
}

static double encoder_giga(const bench *b, const measure_run *run)
{
    const encoder_config *c = &b->model->config.encoder;
    double chunk = (double)b->plan->chunk_ms / b->model->config.encoding_ms;
    double encodings = 1000 * run->audio_s / b->model->config.encoding_ms;
    return 1e-9 * encodings * encoder_operations(c, (double)c->left_context + chunk) /
           run->encoder_s;
}

/* The fastest of many large products, in giga-operations a second. */
static double measure_peak(const nn_ops *ops, nn_precision precision, steno_error *error)
{
    float *weight = memory_allocate(PEAK_SIZE * PEAK_SIZE, sizeof(float));
    float *in = memory_allocate(PEAK_ROWS * PEAK_SIZE, sizeof(float));
    float *out = memory_allocate(PEAK_ROWS * PEAK_SIZE, sizeof(float));
    nn_linear *linear = NULL;
    nn_scratch *scratch = NULL;
    double best = 0;
    if (!weight || !in || !out) {
        *error = (steno_error){.status = STENO_ERROR_MEMORY, .message = "out of memory"};
        goto end;
    }
    for (size_t i = 0; i < PEAK_SIZE * PEAK_SIZE; i++)
        weight[i] = (float)(i % 17) / 17 - 0.5f;
    for (size_t i = 0; i < PEAK_ROWS * PEAK_SIZE; i++)
        in[i] = (float)(i % 23) / 23 - 0.5f;
    nn_tensor tensor = {
        .name = "peak", .type = NN_F32, .rank = 2, .shape = {PEAK_SIZE, PEAK_SIZE}, .data = weight};
    if (ops->linear_create(&tensor, NULL, precision, PEAK_ROWS, &linear, error) < 0)
        goto end;
    if (nn_scratch_create(ops->linear_scratch(linear, PEAK_ROWS) + 4096, &scratch, error) < 0)
        goto end;
    double end = now_s() + 0.5;
    do {
        double begin = now_s();
        ops->linear_forward(linear, scratch, in, PEAK_ROWS, NN_IDENTITY, out);
        double giga = 2e-9 * PEAK_ROWS * PEAK_SIZE * PEAK_SIZE / (now_s() - begin);
        best = giga > best ? giga : best;
    } while (now_s() < end);
end:
    nn_scratch_destroy(scratch);
    ops->linear_destroy(linear);
    memory_free(weight);
    memory_free(in);
    memory_free(out);
    return best;
}

static void measure_model(bench *b)
{
    measure_report *report = b->report;
    steno_model_info info;
    steno_model_get_info(b->model, &info);
    report->parameters = (size_t)info.parameters;
    report->peak_model_kb = peak_kb();
    snprintf(report->operators, sizeof report->operators, "%s", info.operators);

    if (!run_one(b, true, &report->live) || !run_one(b, false, &report->file))
        return;
    report->peak_stream_kb = peak_kb();
    report->encoder_giga = encoder_giga(b, &report->file);
    report->encoder_giga_live = encoder_giga(b, &report->live);
    steno_error error = {.status = STENO_OK};
    report->peak_giga = measure_peak(b->model->ops, b->model->precision, &error);
    if (error.status < 0)
        fail(report, &error);
    else
        run_loads(b);
}

void measure(const measure_plan *plan, measure_report *report)
{
    *report = (measure_report){.status = STENO_OK};
    bench b = {.plan = plan, .report = report};
    steno_engine_options one = {.threads = 1};
    steno_model_options options = {.precision = plan->precision};
    steno_error error = {.status = STENO_ERROR_MEMORY, .message = "out of memory"};
    b.steps = memory_allocate(1, sizeof *b.steps);
    double begin = now_s();
    if (!b.steps || steno_model_open(plan->model, &options, &b.model, &error) < 0)
        goto end;
    report->open_s = now_s() - begin;
    if (steno_engine_create(&one, &b.engine, &error) < 0)
        goto end;
    error.status = STENO_OK;
    measure_model(&b);
    steno_engine_destroy(b.engine);
end:
    if (error.status < 0)
        fail(report, &error);
    steno_model_unref(b.model);
    memory_free(b.steps);
}
