/*
 * stenod: settings, then the parts, which serve until a signal ends them.
 *
 * Threads: the server's is the main thread.  Signals are blocked everywhere and awaited by a thread
 * of their own: the first SIGTERM or SIGINT drains, the second ends at once, SIGHUP reloads.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "parts.h"
#include "reload.h"
#include "settings/config.h"
#include "settings/options.h"
#include "steno/steno.h"
#include "system/log.h"
#include "system/systemd.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- Signals ---- */

typedef struct signal_waiter {
    parts *parts;
    reload *reload;
    log_sink *log;
    sigset_t signals;
    _Atomic bool is_done; /* the server has ended by itself */
} signal_waiter;

static void end(signal_waiter *self, int number, bool again)
{
    const char *why = number == SIGINT ? "interrupted" : "told to end";
    uint32_t notice = parts_notice_seconds(self->parts), drain = parts_drain_seconds(self->parts);
    if (again)
        log_say(self->log, LOG_LEVEL_INFO, "ending at once");
    else if (notice > 0)
        log_say(self->log, LOG_LEVEL_INFO,
            "%s, taking streams for another %u s, then ending when they have, after %u s at most",
            why, notice, drain);
    else
        log_say(self->log, LOG_LEVEL_INFO, "%s, ending when the streams have, after %u s at most",
            why, drain);
    parts_shutdown(self->parts, again);
}

static void *wait_for_signals(void *argument)
{
    signal_waiter *self = argument;
    bool is_ending = false;
    for (;;) {
        int number = 0;
        if (sigwait(&self->signals, &number) != 0 || atomic_load(&self->is_done))
            return NULL;
        if (number == SIGHUP) {
            /* What ends needs no new settings. */
            if (!is_ending)
                reload_request(self->reload);
            continue;
        }
        end(self, number, is_ending);
        is_ending = true;
    }
}

static steno_status serve(signal_waiter *waiter, steno_error *error)
{
    pthread_t thread;
    int code = pthread_create(&thread, NULL, wait_for_signals, waiter);
    if (code != 0)
        return error_set(error, STENO_ERROR_IO, "can't start a thread: %s", strerror(code));
    steno_status status = parts_run(waiter->parts, error);
    atomic_store(&waiter->is_done, true);
    pthread_kill(thread, SIGTERM);
    pthread_join(thread, NULL);
    return status;
}

static int run(
    const daemon_options *options, log_sink *log, unsigned sockets, int argc, char **argv)
{
    /* Before the first thread, so that all inherit it. */
    signal_waiter waiter = {.log = log};
    sigemptyset(&waiter.signals);
    sigaddset(&waiter.signals, SIGTERM);
    sigaddset(&waiter.signals, SIGINT);
    sigaddset(&waiter.signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &waiter.signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    steno_error error;
    steno_status status = parts_create(options, log, sockets, &waiter.parts, &error);
    if (status == STENO_OK) {
        const reload_setting setting = {waiter.parts, log, options, argc, argv};
        status = reload_create(&setting, &waiter.reload, &error);
    }
    if (status == STENO_OK)
        status = serve(&waiter, &error);
    reload_destroy(waiter.reload);
    parts_destroy(waiter.parts);
    if (status < 0)
        log_say(log, LOG_LEVEL_ERROR, "%s", error.message);
    return status < 0 ? EXIT_FAILED : EXIT_SUCCESS;
}

/* ---- Settings ---- */

/* Where a standard descriptor is closed, a client's socket or a file would become what the log is
 * written to. */
static void hold_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* What was printed is written, or it is said why not. */
static int finish_printing(log_sink *log)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_SUCCESS;
    log_say(log, LOG_LEVEL_ERROR, "standard output: %s", strerror(errno));
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    hold_standard_descriptors();
    int result = EXIT_SUCCESS;
    if (steno_microphone_serve(&result))
        return result;
    daemon_options options;
    log_sink log;
    steno_error error;
    unsigned sockets = 0;
    log_init(&log);
    steno_status status = options_init(&options);
    if (status < 0)
        error_memory(&error);
    else
        status = systemd_take_sockets(&sockets, &error);
    if (status == STENO_OK) {
        options.has_sockets = sockets > 0;
        status = config_read_all(&options, argc, argv, environ, &error);
    }
    if (status < 0) {
        log_say(&log, LOG_LEVEL_ERROR, "%s", error.message);
        result = EXIT_USAGE;
    } else if (options.help) {
        options_print_help(stdout);
        result = finish_printing(&log);
    } else if (options.version) {
        printf("stenod %s\n", steno_version());
        result = finish_printing(&log);
    } else if (options.check_config) {
        printf("The settings are right.\n");
        result = finish_printing(&log);
    } else {
        log_set(&log, (log_level)options.log_level, (log_format)options.log_format);
        log_set_transcripts(&log, options.log_transcripts);
        result = run(&options, &log, sockets, argc, argv);
    }
    options_finish(&options);
    return result;
}
