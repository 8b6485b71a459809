#include "report.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* The processor's name as Linux gives it. */
static void processor_name(char *out, size_t size)
{
    char line[256];
    snprintf(out, size, "unknown processor");
    FILE *info = fopen("/proc/cpuinfo", "r");
    while (info && fgets(line, sizeof line, info)) {
        char *colon = strstr(line, ": ");
        if (strncmp(line, "model name", 10) == 0 && colon) {
            snprintf(out, size, "%s", colon + 2);
            out[strcspn(out, "\n")] = '\0';
            break;
        }
    }
    if (info)
        fclose(info);
}

/* Streams that one core keeps up with: as many as were fed, by the share of the time they took, at
 * the largest number that kept up (the first one if none did); by the clock, or by processor time
 * alone, which other programs on the machine don't lengthen. */
static double streams_per_core(const measure_report *report, bool processor_time)
{
    double found = 0;
    for (size_t i = 0; i < report->load_count; i++) {
        const measure_load *load = &report->loads[i];
        if (i == 0 || load->load <= 1)
            found = load->streams / (processor_time ? load->cpu : load->load);
    }
    return found;
}

static void print_run(FILE *out, const char *name, const char *precision, const measure_run *run)
{
    double percent = 100 / run->audio_s;
    fprintf(out, "%-5s %-5s %8.2f %8.2f %8.2f %8.2f %8.2f %8.2f %10.1f %7.1f", precision, name,
        percent * run->wall_s, percent * run->cpu_s, percent * run->feature_s,
        percent * run->encoder_s, percent * run->decoder_s, percent * run->transcript_s,
        run->audio_s / run->wall_s, run->encodings_per_batch);
    if (run->step_p50_s > 0)
        fprintf(out, " %7.1f %7.1f\n", 1e3 * run->step_p50_s, 1e3 * run->step_p95_s);
    else
        fprintf(out, " %7s %7s\n", "-", "-");
}

static void print_memory(FILE *out, const char *precision, const measure_report *report)
{
    fprintf(out, "%-5s %9.2f %12.1f %12.1f %12.1f %9.1f %9.0f%% %9.0f%%\n", precision,
        report->open_s, (double)report->peak_model_kb / 1024, (double)report->peak_stream_kb / 1024,
        (double)report->stream_bytes / 1048576, report->peak_giga,
        100 * report->encoder_giga / report->peak_giga,
        100 * report->encoder_giga_live / report->peak_giga);
}

static void print_loads(FILE *out, const char *precision, const measure_report *report)
{
    for (size_t i = 0; i < report->load_count; i++)
        fprintf(out, "%-5s %8u %8.1f %8.1f %13.1f\n", precision, (unsigned)report->loads[i].streams,
            100 * report->loads[i].load, 100 * report->loads[i].cpu,
            1e3 * report->loads[i].step_p95_s);
    if (report->load_count > 0)
        fprintf(out, "%-5s live streams per core: %.0f; by processor time: %.0f\n", precision,
            streams_per_core(report, false), streams_per_core(report, true));
}

void report_tables(FILE *out, const measure_plan *plan, const steno_precision *precisions,
    const measure_report *reports, size_t count)
{
    char processor[256];
    processor_name(processor, sizeof processor);
    fprintf(out, "%s; one thread; steno %s\n", processor, steno_version());
    fprintf(out, "%.0f s of audio, chunks of %u ms, %s search\n\n",
        (double)plan->samples / plan->rate_hz, (unsigned)plan->chunk_ms,
        plan->search == STENO_SEARCH_JOINT ? "joint" : "CTC");
    fprintf(out,
        "One stream: per cent of real time, in all, on the processor and by stage; times faster\n"
        "than real time; encodings per batch; milliseconds from a chunk's end to its "
        "recognition\n");
    fprintf(out, "%-5s %-5s %8s %8s %8s %8s %8s %8s %10s %7s %7s %7s\n", "type", "fed", "all",
        "cpu", "feature", "encoder", "decoder", "text", "x real", "batch", "p50", "p95");
    for (size_t i = 0; i < count; i++) {
        const char *name = steno_precision_name(precisions[i]);
        if (reports[i].status < 0) {
            fprintf(out, "%-5s %s\n", name, reports[i].message);
            continue;
        }
        print_run(out, "file", name, &reports[i].file);
        print_run(out, "live", name, &reports[i].live);
    }
    fprintf(out, "\nMemory in MiB (peaks of the process; what one stream holds), and the encoder's "
                 "speed\nas a share of the largest matrix product's (GFLOP/s)\n");
    fprintf(out, "%-5s %9s %12s %12s %12s %9s %10s %10s\n", "type", "open s", "with model",
        "with stream", "stream", "GFLOP/s", "file", "live");
    for (size_t i = 0; i < count; i++)
        if (reports[i].status >= 0)
            print_memory(out, steno_precision_name(precisions[i]), &reports[i]);
    if (plan->max_streams == 0)
        return;
    fprintf(out,
        "\nLive streams side by side on one core: per cent of real time, and milliseconds\n"
        "until all have their chunk recognised\n");
    fprintf(out, "%-5s %8s %8s %8s %13s\n", "type", "streams", "load", "cpu", "p95");
    for (size_t i = 0; i < count; i++)
        if (reports[i].status >= 0)
            print_loads(out, steno_precision_name(precisions[i]), &reports[i]);
}

static json_t *run_object(const measure_run *run)
{
    return json_pack("{sf sf sf sf sf sf sf sf sf sf sI}", "audio_s", run->audio_s, "wall_s",
        run->wall_s, "cpu_s", run->cpu_s, "feature_s", run->feature_s, "encoder_s", run->encoder_s,
        "decoder_s", run->decoder_s, "transcript_s", run->transcript_s, "encodings_per_batch",
        run->encodings_per_batch, "step_p50_s", run->step_p50_s, "step_p95_s", run->step_p95_s,
        "words", (json_int_t)run->words);
}

static json_t *report_object(steno_precision precision, const measure_report *report)
{
    const char *name = steno_precision_name(precision);
    if (report->status < 0)
        return json_pack("{ss ss}", "precision", name, "error", report->message);
    json_t *loads = json_array();
    for (size_t i = 0; i < report->load_count; i++)
        json_array_append_new(
            loads, json_pack("{sI sf sf sf}", "streams", (json_int_t)report->loads[i].streams,
                       "load", report->loads[i].load, "cpu", report->loads[i].cpu, "step_p95_s",
                       report->loads[i].step_p95_s));
    return json_pack("{ss ss sf sI sI sI sI sf sf sf so so so sf sf}", "precision", name,
        "operators", report->operators, "open_s", report->open_s, "parameters",
        (json_int_t)report->parameters, "stream_bytes", (json_int_t)report->stream_bytes,
        "peak_model_kb", (json_int_t)report->peak_model_kb, "peak_stream_kb",
        (json_int_t)report->peak_stream_kb, "encoder_giga", report->encoder_giga,
        "encoder_giga_live", report->encoder_giga_live, "peak_giga", report->peak_giga, "file",
        run_object(&report->file), "live", run_object(&report->live), "loads", loads,
        "streams_per_core", streams_per_core(report, false), "streams_per_core_by_cpu",
        streams_per_core(report, true));
}

void report_json(FILE *out, const measure_plan *plan, const steno_precision *precisions,
    const measure_report *reports, size_t count)
{
    char processor[256];
    processor_name(processor, sizeof processor);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, report_object(precisions[i], &reports[i]));
    json_t *object = json_pack("{ss ss sI ss so}", "processor", processor, "version",
        steno_version(), "chunk_ms", (json_int_t)plan->chunk_ms, "search",
        plan->search == STENO_SEARCH_JOINT ? "joint" : "ctc", "reports", list);
    json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(object);
}
