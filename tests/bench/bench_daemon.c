/*
 * How long live clients of stenod wait for their words, how many of them it holds, what each costs,
 * and how much of that is the daemon's: beside each load on a stenod of this program's own, called
 * over a socket, stands the same load on the library alone.
 *
 *     build/tests/bench/bench_daemon [OPTION]...
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "load.h"
#include "load_report.h"
#include "program.h"
#include "steno/steno.h"

enum { LOADS_MOST = 32, BISECTIONS = 2, STREAMS_MOST = 4096, PIECE = 4096 };

static const char usage[] =
    "Usage: bench_daemon [OPTION]...\n"
    "\n"
    "Live streams on a stenod, which it starts, and on the library alone.\n"
    "\n"
    "  --streams LIST      loads, separated by commas; default 1,10,50\n"
    "  --most N            then the most the daemon holds, up to N; default 512, 0: not looked\n"
    "                      for\n"
    "  --no-library        on the daemon only\n"
    "  --seconds N         of audio for each stream; default 20\n"
    "  --piece MS          of audio in each message; default 80\n"
    "  --chunk MS          160, 320, 640 or 1280; default 640\n"
    "  --threads N         that recognise; default 1\n"
    "  --precision NAME    auto, f32, bf16 or int8; default auto\n"
    "  --model FILE        the model; default: as stenod finds it\n"
    "  --stenod FILE       the program; default: the one built with this\n"
    "  --json              print JSON instead of a table\n";

typedef struct bench {
    uint32_t streams[LOADS_MOST];
    size_t stream_count;
    uint32_t most;
    bool json, no_library;
    load_setting setting;
    int16_t *audio;
    load_pair loads[LOADS_MOST];
    size_t load_count;
} bench;

/* ---- Arguments ---- */

static void parse_streams(char *list, bench *out)
{
    out->stream_count = 0;
    for (char *one = strtok(list, ","); one != NULL; one = strtok(NULL, ",")) {
        if (out->stream_count == LOADS_MOST / 2)
            program_die("too many loads", one);
        out->streams[out->stream_count++] = program_number(one, 1, STREAMS_MOST);
    }
}

static const struct option options[] = {
    {"streams", required_argument, NULL, 'n'},
    {"most", required_argument, NULL, 'x'},
    {"no-library", no_argument, NULL, 'l'},
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

static void parse(int argc, char **argv, bench *out)
{
    *out = (bench){.streams = {1, 10, 50},
        .stream_count = 3,
        .most = 512,
        .setting = {.chunk = "640",
            .threads = "1",
            .precision = "auto",
            .model = steno_model_default_path(),
            .stenod = STENOD,
            .most_streams = STREAMS_MOST,
            .plan = {.seconds = 20, .piece_ms = 80}}};
    int letter;
    while ((letter = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (letter) {
        case 'n':
            parse_streams(optarg, out);
            break;
        case 'x':
            out->most = program_number(optarg, 0, STREAMS_MOST);
            break;
        case 'l':
            out->no_library = true;
            break;
        case 's':
            out->setting.plan.seconds = program_number(optarg, 2, 3600);
            break;
        case 'i':
            out->setting.plan.piece_ms = program_number(optarg, 10, 1000);
            break;
        case 'c':
            program_number(optarg, 160, 1280);
            out->setting.chunk = optarg;
            break;
        case 't':
            program_number(optarg, 0, 1024);
            out->setting.threads = optarg;
            break;
        case 'p':
            out->setting.precision = optarg;
            break;
        case 'm':
            out->setting.model = optarg;
            break;
        case 'd':
            out->setting.stenod = optarg;
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
        program_die("not an option", argv[optind]);
    if (out->setting.model == NULL)
        program_die("no model: give --model, or set STENO_MODEL", "");
}

/* All recordings, one after the other. */
static void read_audio(bench *self)
{
    const size_t room = 120 * LIVE_RATE_HZ;
    float piece[PIECE];
    self->audio = memory_allocate(room, sizeof *self->audio);
    if (self->audio == NULL)
        program_die("out of memory", "");
    size_t samples = 0;
    for (size_t i = 0; i < PROGRAM_RECORDINGS; i++) {
        steno_audio_file *file;
        steno_error error;
        if (steno_audio_open(program_recordings[i], NULL, &file, &error) < 0)
            program_die(error.message, "");
        size_t count = 0;
        while (steno_audio_read(file, piece, PIECE, &count, &error) == STENO_OK &&
               samples + count <= room)
            for (size_t k = 0; k < count; k++)
                self->audio[samples++] = (int16_t)lrintf(piece[k] * 32767);
        steno_audio_close(file);
    }
    self->setting.plan.audio = self->audio;
    self->setting.plan.samples = samples;
}

/* ---- The whole ---- */

static bool run(bench *self, uint32_t streams)
{
    if (self->load_count == LOADS_MOST)
        program_die("too many loads", "");
    load_pair *pair = &self->loads[self->load_count++];
    for (int side = 0; side < LOAD_SIDES; side++) {
        steno_error error;
        if (side == LOAD_LIBRARY && self->no_library)
            continue;
        if (load_measure(&self->setting, (load_side)side, streams, &pair->sides[side], &error) < 0)
            program_die(error.message, "");
        pair->has[side] = true;
    }
    if (!self->json)
        load_report_pair(pair);
    return pair->sides[LOAD_DAEMON].holds;
}

/* Doubles until the daemon no longer keeps up, then halves what is between. */
static void find_most(bench *self)
{
    uint32_t holding = load_report_most(self->loads, self->load_count, LOAD_DAEMON), failing = 0;
    while (failing == 0 && holding > 0 && holding < self->most) {
        uint32_t next = 2 * holding < self->most ? 2 * holding : self->most;
        if (run(self, next))
            holding = next;
        else
            failing = next;
    }
    for (int i = 0; i < BISECTIONS && failing > holding + 1; i++) {
        uint32_t between = (holding + failing) / 2;
        if (run(self, between))
            holding = between;
        else
            failing = between;
    }
}

int main(int argc, char **argv)
{
    bench self;
    parse(argc, argv, &self);
    read_audio(&self);
    if (!self.json)
        load_report_head(&self.setting);
    for (size_t i = 0; i < self.stream_count; i++)
        run(&self, self.streams[i]);
    if (self.most > 0)
        find_most(&self);
    if (self.json)
        load_report_json(&self.setting, self.loads, self.load_count);
    else
        load_report_end(self.loads, self.load_count);
    for (size_t i = 0; i < self.load_count; i++)
        for (int side = 0; side < LOAD_SIDES; side++)
            live_report_finish(&self.loads[i].sides[side].live);
    memory_free(self.audio);
    return 0;
}
