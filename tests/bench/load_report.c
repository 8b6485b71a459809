#include "load_report.h"

#include <stdio.h>

static const char *const side_names[LOAD_SIDES] = {
    [LOAD_DAEMON] = "daemon", [LOAD_LIBRARY] = "library"};
static const char *const kind_names[LIVE_KINDS] = {"first", "interim", "final", "end"};
static const double shares[] = {0.5, 0.95, 0.99};

enum { SHARES = 3 };

/* ---- The table ---- */

void load_report_head(const load_setting *setting)
{
    printf(
        "Chunks of %s ms, %u ms of audio at a time, %u s a stream, %s thread(s), %s.\n"
        "Milliseconds from a stream's first sample to its first result; from a chunk's last\n"
        "sample to an interim result and to a final one; from the end of the audio to the end of\n"
        "the stream.  Processor time in per cent of a core and of the audio, resident memory; the\n"
        "daemon's client's processor time, and the most that who feeds was late.\n\n",
        setting->chunk, (unsigned)setting->plan.piece_ms, (unsigned)setting->plan.seconds,
        setting->threads, setting->precision);
    printf("%15s", "");
    for (int kind = 0; kind < LIVE_KINDS; kind++)
        printf(" %17s", kind_names[kind]);
    printf("   processor    MiB  client\nstreams        ");
    for (int kind = 0; kind < LIVE_KINDS; kind++)
        printf("    p50   p95   p99");
    printf("   core audio         core  late\n");
}

static void print_load(const load *one, load_side side)
{
    printf(" %-7s", side_names[side]);
    for (int kind = 0; kind < LIVE_KINDS; kind++) {
        printf(" ");
        for (int i = 0; i < SHARES; i++)
            printf(" %5.0f", 1e3 * live_quantile(&one->live.kinds[kind], shares[i]));
    }
    printf("  %5.1f %5.2f %6.1f %5.1f %5.0f%s\n", 100 * one->cpu_s / one->wall_s,
        100 * one->cpu_s / one->audio_s, (double)one->resident_kb / 1024,
        100 * one->client_cpu_s / one->wall_s, 1e3 * one->live.latest_s,
        one->holds ? "" : "  does not keep up");
    if (one->live.failed > 0)
        printf("%8s %u streams failed: %s\n", "", (unsigned)one->live.failed, one->live.reason);
}

static void print_ratio(double daemon, double library)
{
    if (library > 0)
        printf(" %5.2f", daemon / library);
    else
        printf(" %5s", "-");
}

static void print_ratios(const load *daemon, const load *library)
{
    printf("%7s %-7s", "", "ratio");
    for (int kind = 0; kind < LIVE_KINDS; kind++) {
        printf(" ");
        for (int i = 0; i < SHARES; i++)
            print_ratio(live_quantile(&daemon->live.kinds[kind], shares[i]),
                live_quantile(&library->live.kinds[kind], shares[i]));
    }
    printf(" ");
    print_ratio(daemon->cpu_s / daemon->wall_s, library->cpu_s / library->wall_s);
    print_ratio(daemon->cpu_s / daemon->audio_s, library->cpu_s / library->audio_s);
    printf(" ");
    print_ratio((double)daemon->resident_kb, (double)library->resident_kb);
    printf("\n");
}

void load_report_pair(const load_pair *pair)
{
    bool is_first = true;
    for (int side = 0; side < LOAD_SIDES; side++) {
        if (!pair->has[side])
            continue;
        if (is_first)
            printf("%7u", (unsigned)pair->sides[side].streams);
        else
            printf("%7s", "");
        is_first = false;
        print_load(&pair->sides[side], (load_side)side);
    }
    if (pair->has[LOAD_DAEMON] && pair->has[LOAD_LIBRARY])
        print_ratios(&pair->sides[LOAD_DAEMON], &pair->sides[LOAD_LIBRARY]);
    fflush(stdout);
}

/* ---- What follows from all loads ---- */

uint32_t load_report_most(const load_pair *pairs, size_t count, load_side side)
{
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        const load *one = &pairs[i].sides[side];
        if (pairs[i].has[side] && one->holds && one->streams > most)
            most = one->streams;
    }
    return most;
}

/* Memory that a further stream takes: the slope of the line through all loads that hold; 0 where
 * there are not two. */
static double stream_kb(const load_pair *pairs, size_t count, load_side side)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < count; i++) {
        const load *one = &pairs[i].sides[side];
        if (!pairs[i].has[side] || !one->holds)
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

void load_report_end(const load_pair *pairs, size_t count)
{
    printf("\n");
    for (int side = 0; side < LOAD_SIDES; side++) {
        if (!pairs[0].has[side])
            continue;
        printf("%s: keeps up with %u of these at most", side_names[side],
            (unsigned)load_report_most(pairs, count, (load_side)side));
        double kb = stream_kb(pairs, count, (load_side)side);
        if (kb > 0)
            printf("; a further stream takes %.0f KiB", kb);
        printf(".\n");
    }
}

/* ---- JSON ---- */

static void json_load(const load *one)
{
    printf("{");
    for (int kind = 0; kind < LIVE_KINDS; kind++) {
        const live_times *times = &one->live.kinds[kind];
        printf("\"%s\":{\"count\":%zu,\"p50_s\":%.6f,\"p95_s\":%.6f,\"p99_s\":%.6f},",
            kind_names[kind], times->count, live_quantile(times, 0.5), live_quantile(times, 0.95),
            live_quantile(times, 0.99));
    }
    printf("\"wall_s\":%.3f,\"audio_s\":%.3f,\"cpu_s\":%.3f,\"client_cpu_s\":%.3f,"
           "\"resident_kb\":%zu,\"latest_s\":%.6f,\"failed\":%u,\"holds\":%s}",
        one->wall_s, one->audio_s, one->cpu_s, one->client_cpu_s, one->resident_kb,
        one->live.latest_s, (unsigned)one->live.failed, one->holds ? "true" : "false");
}

void load_report_json(const load_setting *setting, const load_pair *pairs, size_t count)
{
    printf("{\"chunk_ms\":%s,\"piece_ms\":%u,\"seconds\":%u,\"threads\":%s,\"precision\":\"%s\",",
        setting->chunk, (unsigned)setting->plan.piece_ms, (unsigned)setting->plan.seconds,
        setting->threads, setting->precision);
    for (int side = 0; side < LOAD_SIDES; side++)
        if (pairs[0].has[side])
            printf("\"%s_most\":%u,\"%s_stream_kb\":%.1f,", side_names[side],
                (unsigned)load_report_most(pairs, count, (load_side)side), side_names[side],
                stream_kb(pairs, count, (load_side)side));
    printf("\"loads\":[");
    for (size_t i = 0; i < count; i++) {
        printf(
            "%s{\"streams\":%u", i > 0 ? "," : "", (unsigned)pairs[i].sides[LOAD_DAEMON].streams);
        for (int side = 0; side < LOAD_SIDES; side++)
            if (pairs[i].has[side]) {
                printf(",\"%s\":", side_names[side]);
                json_load(&pairs[i].sides[side]);
            }
        printf("}");
    }
    printf("]}\n");
}
