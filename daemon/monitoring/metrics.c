#include "monitoring/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "steno/steno.h"

enum { STATUSES = 17, REFUSALS = SERVER_NOT_ADMITTED + 1, FINAL_BUCKETS = 12 };

/* Upper bounds in milliseconds; what is longer comes after the last. */
static const uint32_t final_bounds_ms[FINAL_BUCKETS] = {
    10, 25, 50, 100, 200, 300, 500, 750, 1000, 2000, 5000, 10000};

typedef _Atomic uint64_t counter;

struct metrics {
    /* Constant. */
    const call_method *const *methods;
    size_t method_count;
    int64_t started_s;

    counter *calls; /* [method_count + 1, STATUSES]; the last are of methods that there are not */
    counter refusals[REFUSALS];
    counter finals[FINAL_BUCKETS + 1], final_ms;
    counter reloads[2]; /* failed, succeeded */
    counter reloaded_s; /* when the last that succeeded did; 0: none yet */
};

/* ---- Counting ---- */

static void add(counter *one, uint64_t value)
{
    atomic_fetch_add_explicit(one, value, memory_order_relaxed);
}

static uint64_t get(const counter *one)
{
    return atomic_load_explicit(one, memory_order_relaxed);
}

steno_status metrics_create(const call_method *const *methods, size_t method_count,
    metrics **out_metrics, steno_error *error)
{
    metrics *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->methods = methods;
    self->method_count = method_count;
    self->started_s = (int64_t)time(NULL);
    self->calls = memory_allocate((method_count + 1) * STATUSES, sizeof(*self->calls));
    if (self->calls == NULL) {
        memory_free(self);
        return error_memory(error);
    }
    *out_metrics = self;
    return STENO_OK;
}

void metrics_destroy(metrics *self)
{
    if (self == NULL)
        return;
    memory_free(self->calls);
    memory_free(self);
}

void metrics_count_call(metrics *self, const server_report *report)
{
    size_t method = 0;
    while (method < self->method_count && self->methods[method] != report->method)
        method++;
    size_t status = (size_t)report->status < STATUSES ? (size_t)report->status : CALL_UNKNOWN;
    add(&self->calls[method * STATUSES + status], 1);
    bool is_stream = report->method != NULL && report->method->recognises;
    if (is_stream && report->refusal != SERVER_TAKEN)
        add(&self->refusals[report->refusal], 1);
}

void metrics_count_final(metrics *self, uint64_t latency_ms)
{
    size_t bucket = 0;
    while (bucket < FINAL_BUCKETS && latency_ms > final_bounds_ms[bucket])
        bucket++;
    add(&self->finals[bucket], 1);
    add(&self->final_ms, latency_ms);
}

void metrics_count_reload(metrics *self, bool succeeded)
{
    add(&self->reloads[succeeded], 1);
    if (succeeded)
        atomic_store_explicit(&self->reloaded_s, (uint64_t)time(NULL), memory_order_relaxed);
}

/* ---- Writing ---- */

static void describe(FILE *file, const char *name, const char *type, const char *help)
{
    fprintf(file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_number(
    FILE *file, const char *name, const char *type, const char *help, double value)
{
    describe(file, name, type, help);
    fprintf(file, "%s %.15g\n", name, value);
}

/* A label's text, with what is escaped in the format. */
static void write_label(FILE *file, const char *name, const char *text)
{
    fprintf(file, "%s=\"", name);
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            fputs("\\n", file);
        else if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else
            fputc(*text, file);
    }
    fputc('"', file);
}

/* One bucket of a histogram; counts are of this one and all before. */
static void write_bucket(FILE *file, const char *name, double bound, uint64_t count)
{
    fprintf(file, "%s_bucket{le=\"%.15g\"} %" PRIu64 "\n", name, bound, count);
}

static void write_end(FILE *file, const char *name, uint64_t count, double sum)
{
    fprintf(file, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.15g\n%s_count %" PRIu64 "\n", name,
        count, name, sum, name, count);
}

static void write_calls(const metrics *self, FILE *file)
{
    static const char name[] = "steno_calls_total";
    describe(file, name, "counter", "Calls that have ended, by method and status.");
    for (size_t method = 0; method <= self->method_count; method++)
        for (size_t status = 0; status < STATUSES; status++) {
            uint64_t count = get(&self->calls[method * STATUSES + status]);
            if (count > 0)
                fprintf(file, "%s{method=\"%s\",status=\"%s\"} %" PRIu64 "\n", name,
                    method < self->method_count ? self->methods[method]->path : "",
                    call_status_name((call_status)status), count);
        }
}

static void write_refusals(const metrics *self, FILE *file)
{
    static const struct {
        server_refusal refusal;
        const char *name;
    } reasons[] = {{SERVER_SHUTTING_DOWN, "shutting_down"}, {SERVER_TOO_MANY_CALLS, "calls"},
        {SERVER_TOO_MANY_STREAMS, "streams"}, {SERVER_CLIENT_TOO_MANY, "client"},
        {SERVER_NOT_ADMITTED, "credentials"}};
    describe(file, "steno_streams_refused_total", "counter",
        "Recognising calls that were refused, by the limit that was reached or the other reason.");
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        fprintf(file, "steno_streams_refused_total{reason=\"%s\"} %" PRIu64 "\n", reasons[i].name,
            get(&self->refusals[reasons[i].refusal]));
}

static void write_streams(const metrics *self, const metrics_state *state, FILE *file)
{
    write_number(
        file, "steno_streams_open", "gauge", "Recognising calls under way.", state->streams_open);
    write_number(file, "steno_streams_limit", "gauge", "Recognising calls that are taken at once.",
        state->streams_limit);
    write_number(file, "steno_streams_total", "counter", "Recognising calls that were taken.",
        (double)state->streams_total);
    write_refusals(self, file);
    write_calls(self, file);
    write_number(file, "steno_operations_pending", "gauge",
        "Whole recordings that wait to be recognised or are being.", state->operations);
}

static void write_finals(const metrics *self, FILE *file)
{
    static const char name[] = "steno_final_latency_seconds";
    uint64_t count = 0;
    describe(file, name, "histogram", "From the end of a stream's audio to its last result.");
    for (size_t i = 0; i < FINAL_BUCKETS; i++) {
        count += get(&self->finals[i]);
        write_bucket(file, name, final_bounds_ms[i] / 1e3, count);
    }
    count += get(&self->finals[FINAL_BUCKETS]);
    write_end(file, name, count, (double)get(&self->final_ms) / 1e3);
}

static void write_chunks(const steno_engine_load *load, FILE *file)
{
    static const char name[] = "steno_chunk_latency_seconds";
    uint64_t count = 0;
    describe(file, name, "histogram",
        "From a stream's having a chunk of audio to that being recognised.");
    for (size_t i = 0; i < STENO_ENGINE_LATENCY_BUCKETS; i++) {
        count += load->turn_latencies[i];
        if (i + 1 < STENO_ENGINE_LATENCY_BUCKETS)
            write_bucket(file, name, (double)(1u << i) / 1e3, count);
    }
    write_end(file, name, count, (double)load->turn_latency_ns / 1e9);
}

static void write_batches(const metrics_state *state, FILE *file)
{
    static const char name[] = "steno_batch_streams";
    uint64_t count = 0, streams = 0;
    for (size_t i = 0; i < STENO_ENGINE_LATENCY_BUCKETS; i++)
        streams += state->load.turn_latencies[i];
    describe(file, name, "histogram", "Streams that are recognised together.");
    for (size_t i = 0; i < STENO_ENGINE_BATCH_BUCKETS; i++) {
        count += state->load.batch_sizes[i];
        if (i + 1 < STENO_ENGINE_BATCH_BUCKETS)
            write_bucket(file, name, (double)(1u << i), count);
    }
    write_end(file, name, count, (double)streams);
}

static void write_engine(const metrics_state *state, FILE *file)
{
    const steno_engine_times *times = &state->times;
    const struct {
        const char *name;
        uint64_t ns;
    } stages[] = {{"feature", times->feature_ns}, {"encoder", times->encoder_ns},
        {"decoder", times->decoder_ns}, {"transcript", times->transcript_ns}};
    uint64_t all_ns = 0;
    write_number(file, "steno_audio_seconds_total", "counter", "Audio that was recognised.",
        (double)times->audio_ms / 1e3);
    describe(file, "steno_compute_seconds_total", "counter",
        "Time that the recognising threads have worked, by stage.");
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        fprintf(file, "steno_compute_seconds_total{stage=\"%s\"} %.15g\n", stages[i].name,
            (double)stages[i].ns / 1e9);
        all_ns += stages[i].ns;
    }
    write_number(file, "steno_real_time_factor", "gauge",
        "Time of one thread that a second of audio has taken, since the start.",
        times->audio_ms > 0 ? (double)all_ns / 1e6 / (double)times->audio_ms : 0);
    write_number(file, "steno_threads", "gauge", "Threads that recognise.", state->threads);
    write_number(file, "steno_queue_streams", "gauge",
        "Streams that have a chunk of audio and wait for a thread.", (double)state->load.queued);
    write_chunks(&state->load, file);
    write_batches(state, file);
}

static void write_model(const metrics_state *state, FILE *file)
{
    const steno_model_info *model = &state->model;
    describe(file, "steno_model_info", "gauge",
        "The model that new streams get; id is of the file's contents.");
    fputs("steno_model_info{", file);
    write_label(file, "name", model->name);
    fputc(',', file);
    write_label(file, "id", state->model_id);
    fputc(',', file);
    write_label(file, "language", model->language);
    fputc(',', file);
    write_label(file, "precision", steno_precision_name(model->precision));
    fputc(',', file);
    write_label(file, "operators", model->operators);
    fputs("} 1\n", file);
    write_number(file, "steno_model_parameters", "gauge", "Of the model's network.",
        (double)model->parameters);
}

/* One number of each capture. */
static void write_of_captures(const metrics_state *state, FILE *file, const char *name,
    const char *type, const char *help, double (*get_number)(const captions_counts *counts))
{
    describe(file, name, type, help);
    for (size_t i = 0; i < captions_count(state->captures); i++) {
        captions_counts counts;
        captions_source *source = captions_at(state->captures, i);
        captions_get_counts(source, &counts);
        fprintf(file, "%s{", name);
        write_label(file, "capture", captions_name(source));
        fprintf(file, "} %.15g\n", get_number(&counts));
    }
}

static double is_listening(const captions_counts *counts)
{
    return counts->state == CAPTIONS_LISTENING;
}

static double is_waiting(const captions_counts *counts)
{
    return counts->state == CAPTIONS_WAITING;
}

static double heard_seconds(const captions_counts *counts)
{
    return (double)counts->heard_ms / 1e3;
}

static double lost_seconds(const captions_counts *counts)
{
    return (double)counts->lost_ms / 1e3;
}

static double overruns(const captions_counts *counts)
{
    return counts->device_overruns;
}

static double finals(const captions_counts *counts)
{
    return (double)counts->finals;
}

static double readers(const captions_counts *counts)
{
    return counts->readers;
}

static void write_captures(const metrics_state *state, FILE *file)
{
    if (captions_count(state->captures) == 0)
        return;
    write_of_captures(state, file, "steno_capture_listening", "gauge",
        "1: the capture hears its device; 0: that is gone, or its file is over.", is_listening);
    write_of_captures(state, file, "steno_capture_waiting", "gauge",
        "1: the capture's device is not to be had, or nobody writes to its pipe.", is_waiting);
    write_of_captures(state, file, "steno_capture_audio_seconds_total", "counter",
        "Audio that the capture has heard.", heard_seconds);
    write_of_captures(state, file, "steno_capture_lost_seconds_total", "counter",
        "Audio that the capture has missed.", lost_seconds);
    write_of_captures(state, file, "steno_capture_overruns_total", "counter",
        "Times that the capture's device has lost audio.", overruns);
    write_of_captures(state, file, "steno_capture_finals_total", "counter",
        "Utterances that the capture has published.", finals);
    write_of_captures(
        state, file, "steno_capture_readers", "gauge", "Who reads the capture now.", readers);
}

/* Bytes in memory, by the system's count; 0 where it has none. */
static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long all, resident = 0;
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void write_process(const metrics *self, const metrics_state *state, FILE *file)
{
    struct rusage usage;
    write_number(
        file, "steno_memory_resident_bytes", "gauge", "Memory of the process.", resident_bytes());
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        write_number(file, "steno_cpu_seconds_total", "counter", "Processor time of the process.",
            (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    write_number(file, "steno_start_time_seconds", "gauge",
        "When the daemon was started, since 1970.", (double)self->started_s);
    write_number(file, "steno_ready", "gauge", "1: new streams are taken; 0: it is ending.",
        state->is_ready);
    describe(file, "steno_build_info", "gauge", "The version of the daemon.");
    fprintf(file, "steno_build_info{version=\"%s\"} 1\n", steno_version());
    describe(file, "steno_reloads_total", "counter", "Reloads of settings and files, by result.");
    fprintf(file,
        "steno_reloads_total{result=\"failed\"} %" PRIu64
        "\nsteno_reloads_total{result=\"ok\"} %" PRIu64 "\n",
        get(&self->reloads[0]), get(&self->reloads[1]));
    write_number(file, "steno_last_reload_time_seconds", "gauge",
        "When a reload succeeded last, since 1970; 0: never.", (double)get(&self->reloaded_s));
    if (state->certificate_expires_s != 0)
        write_number(file, "steno_certificate_expiry_time_seconds", "gauge",
            "When the certificate for TLS expires, since 1970.",
            (double)state->certificate_expires_s);
}

void metrics_write(const metrics *self, const metrics_state *state, FILE *file)
{
    write_streams(self, state, file);
    write_finals(self, file);
    write_engine(state, file);
    write_model(state, file);
    write_captures(state, file);
    write_process(self, state, file);
}
