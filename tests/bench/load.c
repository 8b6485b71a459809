/*
 * The child process sends to a pipe: the error, the load, and the times of each kind that the load
 * points to.
 */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "live_client.h"
#include "live_library.h"
#include "served.h"

typedef struct outcome {
    steno_error error;
    load load;
} outcome;

/* ---- Watching ---- */

typedef struct watch {
    served side; /* the daemon, or this process */
    load *load;
    double begun_s, cpu_begun_s, own_begun_s;
} watch;

static double own_cpu_s(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void on_begun(void *context)
{
    watch *self = context;
    self->begun_s = live_now_s();
    self->cpu_begun_s = served_cpu_s(&self->side);
    self->own_begun_s = own_cpu_s();
}

static void on_ending(void *context)
{
    watch *self = context;
    load *one = self->load;
    one->wall_s = live_now_s() - self->begun_s;
    one->audio_s = one->wall_s * one->streams;
    one->cpu_s = served_cpu_s(&self->side) - self->cpu_begun_s;
    one->client_cpu_s = own_cpu_s() - self->own_begun_s;
    one->resident_kb = served_resident_kb(&self->side);
}

/* ---- In the child process ---- */

static steno_status run_on_daemon(
    const load_setting *setting, const live_plan *plan, watch *watching, steno_error *error)
{
    char streams[16], connections[16];
    snprintf(streams, sizeof streams, "%u", (unsigned)setting->most_streams);
    snprintf(connections, sizeof connections, "%u", (unsigned)setting->most_streams + 64);
    const char *const options[] = {"--max-streams", streams, "--max-connections", connections,
        "--chunk", setting->chunk, "--threads", setting->threads, "--precision", setting->precision,
        "--model", setting->model};
    steno_status status = served_start(
        setting->stenod, options, sizeof options / sizeof *options, &watching->side, error);
    if (status < 0)
        return status;
    status = live_client_run(plan, watching->side.target, &watching->load->live, error);
    served_stop(&watching->side);
    return status;
}

static steno_status run_on_library(
    const load_setting *setting, const live_plan *plan, watch *watching, steno_error *error)
{
    live_library library = {.model = setting->model,
        .threads = (uint32_t)atoi(setting->threads),
        .chunk_ms = (uint32_t)atoi(setting->chunk)};
    watching->side.process = getpid();
    steno_status status = steno_precision_parse(setting->precision, &library.precision);
    if (status < 0)
        return error_set(error, status, "no precision: %s", setting->precision);
    status = live_library_run(plan, &library, &watching->load->live, error);
    watching->load->client_cpu_s = 0; /* is in cpu_s */
    return status;
}

static bool holds(const load_setting *setting, const live_report *live)
{
    double limit_s = atof(setting->chunk) / 1000;
    return live->failed == 0 && live_quantile(&live->interim, 0.95) < limit_s &&
           live_quantile(&live->final, 0.95) < limit_s && live_quantile(&live->end, 0.95) < limit_s;
}

static void measure(const load_setting *setting, load_side side, uint32_t streams, outcome *out)
{
    load *one = &out->load;
    watch watching = {.load = one};
    live_plan plan = setting->plan;
    one->streams = plan.streams = streams;
    plan.begun = on_begun;
    plan.ending = on_ending;
    plan.context = &watching;
    steno_status status = side == LOAD_DAEMON
                              ? run_on_daemon(setting, &plan, &watching, &out->error)
                              : run_on_library(setting, &plan, &watching, &out->error);
    out->error.status = status < 0 ? status : STENO_OK;
    one->holds = status >= 0 && holds(setting, &one->live);
}

/* ---- Between the processes ---- */

static bool send_all(int fd, const void *bytes, size_t size)
{
    size_t sent = 0;
    while (sent < size) {
        ssize_t count = write(fd, (const char *)bytes + sent, size - sent);
        if (count < 0)
            return false;
        sent += (size_t)count;
    }
    return true;
}

static bool receive_all(int fd, void *bytes, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t count = read(fd, (char *)bytes + got, size - got);
        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        got += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool send_outcome(int fd, const outcome *told)
{
    bool sent = send_all(fd, told, sizeof *told);
    for (int kind = 0; kind < LIVE_KINDS && sent; kind++) {
        const live_times *times = &told->load.live.kinds[kind];
        sent = send_all(fd, times->seconds, times->count * sizeof *times->seconds);
    }
    return sent;
}

/* The times come after what points to them. */
static bool receive_outcome(int fd, outcome *out)
{
    bool came = receive_all(fd, out, sizeof *out);
    for (int kind = 0; kind < LIVE_KINDS; kind++) {
        live_times *times = &out->load.live.kinds[kind];
        size_t count = came ? times->count : 0;
        *times = (live_times){.count = count, .room = count};
        if (count == 0)
            continue;
        times->seconds = memory_allocate(count, sizeof *times->seconds);
        came = times->seconds != NULL &&
               receive_all(fd, times->seconds, count * sizeof *times->seconds);
    }
    return came;
}

steno_status load_measure(const load_setting *setting, load_side side, uint32_t streams,
    load *out_load, steno_error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set(error, STENO_ERROR_IO, "pipe: %s", strerror(errno));
    fflush(NULL);
    outcome told = {0};
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        measure(setting, side, streams, &told);
        _exit(send_outcome(ends[1], &told) ? 0 : 1);
    }
    close(ends[1]);
    bool came = child > 0 && receive_outcome(ends[0], &told);
    close(ends[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    if (!came || told.error.status < 0) {
        live_report_finish(&told.load.live);
        if (!came)
            return error_set(error, STENO_ERROR_IO, "the process that measured ended early");
        *error = told.error;
        return error->status;
    }
    *out_load = told.load;
    return STENO_OK;
}
