/*
 * How fast the recogniser is on one thread: by stage, as a file and as a live stream, in each
 * precision; how much memory it takes; and how many live streams a core keeps up with.
 *
 *     build/tests/bench/bench_recognizer [--json] [RECORDING]...
 *
 * Each precision is measured in a child process, so that its peak memory is its own.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "measure.h"
#include "program.h"
#include "report.h"

enum { SKIPPED = 77, MAX_PRECISIONS = 3, RATE_HZ = 16000, PIECE = 4096 };

static const char usage[] =
    "Usage: bench_recognizer [OPTION]... [RECORDING]...\n"
    "\n"
    "Recordings are 16 kHz mono; without any, those of tests/data/speech.\n"
    "\n"
    "  --model FILE        the model; default: as steno finds it\n"
    "  --precision LIST    of f32, bf16, int8, separated by commas; default f32,bf16\n"
    "  --search WHICH      joint or ctc; default joint\n"
    "  --chunk MS          160, 320, 640 or 1280; default 640\n"
    "  --seconds N         of audio, looped over the recordings; default 60\n"
    "  --streams N         the most live streams side by side, doubled from 1 on until they\n"
    "                      don't keep up; default 64, 0: none\n"
    "  --stream-seconds N  of audio for each of these; default 10\n"
    "  --json              print JSON instead of tables\n";

typedef struct arguments {
    measure_plan plan;
    steno_precision precisions[MAX_PRECISIONS];
    size_t precision_count;
    uint32_t seconds;
    bool json;
    const char *const *recordings;
    size_t recording_count;
} arguments;

static void parse_precisions(char *list, arguments *out)
{
    out->precision_count = 0;
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        if (out->precision_count == MAX_PRECISIONS ||
            steno_precision_parse(name, &out->precisions[out->precision_count]) < 0)
            program_die("no list of precisions", name);
        out->precision_count++;
    }
}

static steno_search parse_search(const char *name)
{
    if (strcmp(name, "joint") != 0 && strcmp(name, "ctc") != 0)
        program_die("no search", name);
    return strcmp(name, "joint") == 0 ? STENO_SEARCH_JOINT : STENO_SEARCH_CTC;
}

static const struct option options[] = {
    {"model", required_argument, NULL, 'm'},
    {"precision", required_argument, NULL, 'p'},
    {"search", required_argument, NULL, 'e'},
    {"chunk", required_argument, NULL, 'c'},
    {"seconds", required_argument, NULL, 's'},
    {"streams", required_argument, NULL, 'n'},
    {"stream-seconds", required_argument, NULL, 't'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void parse(int argc, char **argv, arguments *out)
{
    *out = (arguments){
        .plan = {.search = STENO_SEARCH_JOINT,
            .chunk_ms = 640,
            .max_streams = 64,
            .stream_seconds = 10,
            .rate_hz = RATE_HZ},
        .precisions = {STENO_PRECISION_F32, STENO_PRECISION_BF16},
        .precision_count = 2,
        .seconds = 60,
        .recordings = program_recordings,
        .recording_count = PROGRAM_RECORDINGS,
    };
    int letter;
    while ((letter = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (letter) {
        case 'm':
            out->plan.model = optarg;
            break;
        case 'p':
            parse_precisions(optarg, out);
            break;
        case 'e':
            out->plan.search = parse_search(optarg);
            break;
        case 'c':
            out->plan.chunk_ms = program_number(optarg, 160, 1280);
            break;
        case 's':
            out->seconds = program_number(optarg, 2, 36000);
            break;
        case 'n':
            out->plan.max_streams = program_number(optarg, 0, 1024);
            break;
        case 't':
            out->plan.stream_seconds = program_number(optarg, 2, 3600);
            break;
        case 'j':
            out->json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind < argc) {
        out->recordings = (const char *const *)argv + optind;
        out->recording_count = (size_t)(argc - optind);
    }
}

/* Reads a recording to audio[used..size); returns how many samples there are now. */
static size_t read_recording(const char *path, float *audio, size_t used, size_t size)
{
    steno_audio_file *file;
    steno_error error;
    if (steno_audio_open(path, NULL, &file, &error) < 0)
        program_die(error.message, "");
    const steno_audio_info *info = steno_audio_get_info(file);
    if (info->rate_hz != RATE_HZ || info->channels != 1)
        program_die("not 16 kHz mono", path);
    steno_status status = STENO_OK;
    while (status == STENO_OK && used < size) {
        size_t count = size - used < PIECE ? size - used : PIECE, got = 0;
        status = steno_audio_read(file, audio + used, count, &got, &error);
        used += got;
    }
    if (status < 0)
        program_die(error.message, "");
    steno_audio_close(file);
    return used;
}

/* One recording after the other, over and over, until the seconds are full. */
static void read_audio(arguments *a)
{
    size_t size = (size_t)a->seconds * RATE_HZ, used = 0;
    float *audio = memory_allocate(size, sizeof *audio);
    if (!audio)
        program_die("out of memory", "");
    for (size_t i = 0; used < size; i++) {
        size_t before = used;
        used = read_recording(a->recordings[i % a->recording_count], audio, used, size);
        if (used == before)
            program_die("no samples", a->recordings[i % a->recording_count]);
    }
    a->plan.audio = audio;
    a->plan.samples = size;
}

/* The child writes its report to a pipe; one that dies leaves none. */
static void measure_apart(const measure_plan *plan, measure_report *report)
{
    int ends[2];
    if (pipe(ends) != 0)
        program_die("no pipe", "");
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        program_die("no child process", "");
    if (child == 0) {
        close(ends[0]);
        measure(plan, report);
        bool told = write(ends[1], report, sizeof *report) == sizeof *report;
        _exit(told ? 0 : 1);
    }
    close(ends[1]);
    size_t got = 0;
    ssize_t count;
    while (got < sizeof *report &&
           (count = read(ends[0], (char *)report + got, sizeof *report - got)) > 0)
        got += (size_t)count;
    close(ends[0]);
    waitpid(child, NULL, 0);
    if (got < sizeof *report) {
        *report = (measure_report){.status = STENO_ERROR_INTERNAL};
        snprintf(report->message, sizeof report->message, "the measuring process died");
    }
}

int main(int argc, char **argv)
{
    arguments a;
    parse(argc, argv, &a);
    if (!a.plan.model)
        a.plan.model = steno_model_default_path();
    if (!a.plan.model || access(a.plan.model, R_OK) != 0) {
        fprintf(stderr, "bench_recognizer: no model: give --model, or set STENO_MODEL\n");
        return SKIPPED;
    }
    read_audio(&a);

    bool failed = false;
    measure_report reports[MAX_PRECISIONS];
    for (size_t i = 0; i < a.precision_count; i++) {
        a.plan.precision = a.precisions[i];
        measure_apart(&a.plan, &reports[i]);
        failed = failed || (reports[i].status < 0 && reports[i].status != STENO_ERROR_UNSUPPORTED);
    }
    if (a.json)
        report_json(stdout, &a.plan, a.precisions, reports, a.precision_count);
    else
        report_tables(stdout, &a.plan, a.precisions, reports, a.precision_count);
    memory_free((float *)a.plan.audio);
    return failed ? 1 : 0;
}
