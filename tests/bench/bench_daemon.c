/*
 * How long live clients of stenod wait for their words, how many of them it holds, and what each
 * costs: a stenod of this program's own is called over a socket by live streams, each on a
 * connection of its own, and each load is measured on a daemon of its own.
 *
 *     build/tests/bench/bench_daemon [OPTION]...
 */
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "live.h"
#include "served.h"
#include "steno/steno.h"

enum { LOADS_MOST = 32, BISECTIONS = 2, STREAMS_MOST = 4096, PIECE = 4096 };

static const char usage[] =
    "Usage: bench_daemon [OPTION]...\n"
    "\n"
    "Live streams on a stenod, which it starts.\n"
    "\n"
    "  --streams LIST      loads, separated by commas; default 1,10,50\n"
    "  --most N            then the most it holds, up to N; default 512, 0: not looked for\n"
    "  --seconds N         of audio for each stream; default 20\n"
    "  --piece MS          of audio in each message; default 80\n"
    "  --chunk MS          160, 320, 640 or 1280: of stenod; default 640\n"
    "  --threads N         of stenod; default 1\n"
    "  --precision NAME    of stenod; default auto\n"
    "  --model FILE        of stenod; default: as it finds it\n"
    "  --stenod FILE       the program; default: the one built with this\n"
    "  --json              print JSON instead of a table\n";

static const char *const recordings[] = {
    SPEECH_FOLDER "/demo.flac",
    SPEECH_FOLDER "/2277-149874-0007.flac",
    SPEECH_FOLDER "/5694-64025-0001.flac",
    SPEECH_FOLDER "/777-126732-0053.flac",
};

typedef struct load {
    uint32_t streams;
    live_report live;
    double wall_s, audio_s;
    double daemon_cpu_s, own_cpu_s;
    size_t resident_kb; /* of the daemon, with all streams under way */
    bool holds;
} load;

typedef struct bench {
    uint32_t streams[LOADS_MOST];
    size_t stream_count;
    uint32_t most, seconds, piece_ms;
    const char *chunk, *threads, *precision, *model, *stenod;
    bool json;
    int16_t *audio;
    size_t samples;
    load loads[LOADS_MOST];
    size_t load_count;
} bench;

static void die(const char *message, const char *about)
{
    fprintf(stderr, "bench_daemon: %s%s%s\n", message, *about ? ": " : "", about);
    exit(2);
}

/* ---- Arguments ---- */

static uint32_t parse_number(const char *text, uint32_t least, uint32_t most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value < least || value > most)
        die("not a number this option takes", text);
    return (uint32_t)value;
}

static void parse_streams(char *list, bench *out)
{
    out->stream_count = 0;
    for (char *one = strtok(list, ","); one != NULL; one = strtok(NULL, ",")) {
        if (out->stream_count == LOADS_MOST / 2)
            die("too many loads", one);
        out->streams[out->stream_count++] = parse_number(one, 1, STREAMS_MOST);
    }
}

static void parse(int argc, char **argv, bench *out)
{
    static const struct option options[] = {
        {"streams", required_argument, NULL, 'n'},
        {"most", required_argument, NULL, 'x'},
        {"seconds", required_argument, NULL, 's'},
        {"piece", required_argument, NULL, 'i'},
        {"chunk", required_argument, NULL, 'c'},
        {"threads", required_argument, NULL, 't'},
        {"precision", required_argument, NULL, 'p'},
        {"model", required_argument, NULL, 'm'},
        {"stenod", required_argument, NULL, 'd'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *out = (bench){.streams = {1, 10, 50},
        .stream_count = 3,
        .most = 512,
        .seconds = 20,
        .piece_ms = 80,
        .chunk = "640",
        .threads = "1",
        .precision = "auto",
        .stenod = STENOD};
    int letter;
    while ((letter = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (letter) {
        case 'n':
            parse_streams(optarg, out);
            break;
        case 'x':
            out->most = parse_number(optarg, 0, STREAMS_MOST);
            break;
        case 's':
            out->seconds = parse_number(optarg, 2, 3600);
            break;
        case 'i':
            out->piece_ms = parse_number(optarg, 10, 1000);
            break;
        case 'c':
            out->chunk = optarg;
            break;
        case 't':
            out->threads = optarg;
            break;
        case 'p':
            out->precision = optarg;
            break;
        case 'm':
            out->model = optarg;
            break;
        case 'd':
            out->stenod = optarg;
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
    if (optind < argc)
        die("not an option", argv[optind]);
}

/* All recordings, one after the other. */
static void read_audio(bench *self)
{
    const size_t room = 120 * LIVE_RATE_HZ;
    float piece[PIECE];
    self->audio = memory_allocate(room, sizeof *self->audio);
    if (self->audio == NULL)
        die("out of memory", "");
    for (size_t i = 0; i < sizeof recordings / sizeof *recordings; i++) {
        steno_audio_file *file;
        steno_error error;
        if (steno_audio_open(recordings[i], NULL, &file, &error) < 0)
            die(error.message, "");
        size_t count = 0;
        while (steno_audio_read(file, piece, PIECE, &count, &error) == STENO_OK &&
               self->samples + count <= room)
            for (size_t k = 0; k < count; k++)
                self->audio[self->samples++] = (int16_t)lrintf(piece[k] * 32767);
        steno_audio_close(file);
    }
}

/* ---- One load ---- */

typedef struct watch {
    const served *daemon;
    load *load;
    double begun_s, daemon_begun_s, own_begun_s;
} watch;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double own_cpu_s(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void on_begun(void *context)
{
    watch *self = context;
    self->begun_s = now_s();
    self->daemon_begun_s = served_cpu_s(self->daemon);
    self->own_begun_s = own_cpu_s();
}

static void on_ending(void *context)
{
    watch *self = context;
    self->load->wall_s = now_s() - self->begun_s;
    self->load->daemon_cpu_s = served_cpu_s(self->daemon) - self->daemon_begun_s;
    self->load->own_cpu_s = own_cpu_s() - self->own_begun_s;
    self->load->resident_kb = served_resident_kb(self->daemon);
}

static void start_daemon(const bench *self, served *out_daemon)
{
    char streams[16], connections[16];
    snprintf(streams, sizeof streams, "%d", STREAMS_MOST);
    snprintf(connections, sizeof connections, "%d", STREAMS_MOST + 64);
    const char *options[] = {"--max-streams", streams, "--max-connections", connections, "--chunk",
        self->chunk, "--threads", self->threads, "--precision", self->precision, "--model",
        self->model};
    size_t count = sizeof options / sizeof *options - (self->model == NULL ? 2 : 0);
    steno_error error;
    if (served_start(self->stenod, options, count, out_daemon, &error) < 0)
        die(error.message, "");
}

/* The p95 of a live stream's waits is below one chunk: what comes is done before more comes. */
static bool holds(const bench *self, const load *one)
{
    double limit_s = atof(self->chunk) / 1000;
    return one->live.failed == 0 && live_quantile(&one->live.interim, 0.95) < limit_s &&
           live_quantile(&one->live.final, 0.95) < limit_s &&
           live_quantile(&one->live.end, 0.95) < limit_s;
}

static const load *measure(bench *self, uint32_t streams)
{
    if (self->load_count == LOADS_MOST)
        die("too many loads", "");
    load *one = &self->loads[self->load_count++];
    served daemon;
    watch watching = {.daemon = &daemon, .load = one};
    const live_plan plan = {
        .target = daemon.target,
        .streams = streams,
        .seconds = self->seconds,
        .piece_ms = self->piece_ms,
        .audio = self->audio,
        .samples = self->samples,
        .begun = on_begun,
        .ending = on_ending,
        .context = &watching,
    };
    steno_error error;
    start_daemon(self, &daemon);
    steno_status status = live_run(&plan, &one->live, &error);
    served_stop(&daemon);
    if (status < 0)
        die(error.message, "");
    one->streams = streams;
    one->audio_s = one->wall_s * streams;
    one->holds = holds(self, one);
    return one;
}

/* ---- Output ---- */

static void print_head(const bench *self)
{
    printf(
        "Chunks of %s ms, messages of %u ms, %u s a stream, %s thread(s), %s.  Milliseconds\n"
        "from a chunk's last sample to an interim result and to a final one, and from the half\n"
        "close to the end; processor time of the daemon in per cent of a core and of the audio,\n"
        "that of this client, and the most that the client was late.\n\n",
        self->chunk, self->piece_ms, self->seconds, self->threads, self->precision);
    printf("                interim               final                 end      daemon    MiB  "
           "client\n");
    printf("streams    p50   p95   p99    p50   p95   p99    p50   p95   p99  core audio        "
           "core  late\n");
}

static void print_times(const live_times *times)
{
    printf(" %5.0f %5.0f %5.0f ", 1e3 * live_quantile(times, 0.5), 1e3 * live_quantile(times, 0.95),
        1e3 * live_quantile(times, 0.99));
}

static void print_load(const load *one)
{
    printf("%7u ", one->streams);
    print_times(&one->live.interim);
    print_times(&one->live.final);
    print_times(&one->live.end);
    printf(" %4.0f %5.2f %6.1f  %4.0f %5.0f%s\n", 100 * one->daemon_cpu_s / one->wall_s,
        100 * one->daemon_cpu_s / one->audio_s, (double)one->resident_kb / 1024,
        100 * one->own_cpu_s / one->wall_s, 1e3 * one->live.latest_s,
        one->holds ? "" : "  does not keep up");
    if (one->live.failed > 0)
        printf("        %u streams failed: %s\n", one->live.failed, one->live.reason);
    fflush(stdout);
}

static void json_times(const char *name, const live_times *times)
{
    printf("\"%s\":{\"count\":%zu,\"p50_s\":%.6f,\"p95_s\":%.6f,\"p99_s\":%.6f},", name,
        times->count, live_quantile(times, 0.5), live_quantile(times, 0.95),
        live_quantile(times, 0.99));
}

static void print_json(const bench *self, double slope_kb)
{
    printf("{\"chunk_ms\":%s,\"piece_ms\":%u,\"seconds\":%u,\"threads\":%s,\"precision\":\"%s\","
           "\"stream_kb\":%.1f,\"loads\":[",
        self->chunk, self->piece_ms, self->seconds, self->threads, self->precision, slope_kb);
    for (size_t i = 0; i < self->load_count; i++) {
        const load *one = &self->loads[i];
        printf("%s{\"streams\":%u,", i > 0 ? "," : "", one->streams);
        json_times("interim", &one->live.interim);
        json_times("final", &one->live.final);
        json_times("end", &one->live.end);
        printf("\"wall_s\":%.3f,\"audio_s\":%.3f,\"daemon_cpu_s\":%.3f,\"client_cpu_s\":%.3f,"
               "\"resident_kb\":%zu,\"latest_s\":%.6f,\"failed\":%u,\"holds\":%s}",
            one->wall_s, one->audio_s, one->daemon_cpu_s, one->own_cpu_s, one->resident_kb,
            one->live.latest_s, one->live.failed, one->holds ? "true" : "false");
    }
    printf("]}\n");
}

/* Memory that a further stream takes: the slope of the line through all loads that hold. */
static double stream_kb(const bench *self)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < self->load_count; i++) {
        const load *one = &self->loads[i];
        if (!one->holds)
            continue;
        n++;
        x += one->streams;
        y += (double)one->resident_kb;
        xx += (double)one->streams * one->streams;
        xy += (double)one->streams * (double)one->resident_kb;
    }
    double spread = n * xx - x * x;
    return spread > 0 ? (n * xy - x * y) / spread : 0;
}

/* ---- The whole ---- */

static const load *run(bench *self, uint32_t streams)
{
    const load *one = measure(self, streams);
    if (!self->json)
        print_load(one);
    return one;
}

/* Doubles until it no longer keeps up, then halves what is between. */
static uint32_t find_most(bench *self, uint32_t holding)
{
    uint32_t failing = 0;
    while (failing == 0 && holding < self->most) {
        uint32_t next = 2 * holding < self->most ? 2 * holding : self->most;
        if (run(self, next)->holds)
            holding = next;
        else
            failing = next;
    }
    for (int i = 0; i < BISECTIONS && failing > holding + 1; i++) {
        uint32_t between = (holding + failing) / 2;
        if (run(self, between)->holds)
            holding = between;
        else
            failing = between;
    }
    return holding;
}

int main(int argc, char **argv)
{
    bench self;
    parse(argc, argv, &self);
    read_audio(&self);
    if (!self.json)
        print_head(&self);
    uint32_t holding = 0;
    for (size_t i = 0; i < self.stream_count; i++)
        if (run(&self, self.streams[i])->holds && self.streams[i] > holding)
            holding = self.streams[i];
    if (self.most > 0 && holding > 0)
        holding = find_most(&self, holding);
    if (self.json)
        print_json(&self, stream_kb(&self));
    else
        printf("\nThe most of these that it keeps up with: %u.\n", holding);
    /* One load alone has no slope. */
    if (!self.json && stream_kb(&self) > 0)
        printf("Memory of a further stream: %.0f KiB.\n", stream_kb(&self));
    for (size_t i = 0; i < self.load_count; i++)
        live_report_finish(&self.loads[i].live);
    memory_free(self.audio);
    return 0;
}
