/*
 * One loop takes what the server says and shows it; when there is nothing it sleeps until the
 * client library calls or a stop is asked for.  A connection that is lost is begun anew after the
 * last id that was seen: the server then tells what came after, once.
 *
 * Times are the capture's.  A server that was started anew counts from 0 again; then they go on
 * from the last that were shown, so that they never run backwards.
 */
#include "watch.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bell.h"
#include "exit_status.h"
#include "foreground.h"
#include "help.h"
#include "live_output.h"
#include "progress.h"
#include "server.h"
#include "steno/client_captions.h"
#include "watch_list.h"

enum {
    DRAW_MS = 500, /* between drawings of the time */
    RETRY_MS = 1000,
    RECENT = 10,
};

typedef struct watching {
    session *session;
    screen *screen;
    const option_values *options;
    const char *name;
    steno_client *client;
    live_output output;
    bell ready; /* rings when the watch has something */
    int exit_status;

    steno_client_watch *watch;
    bool has_seen;  /* anything, ever: the name is right, and the server was there */
    bool is_back;   /* something of this watch */
    uint64_t id;    /* of the last caption; 0: none */
    uint64_t final; /* sequence of the last; 0: none since the server was started */
    uint64_t origin_ms, end_ms;
    steno_client_capture_state state;
    uint64_t heard_ms, heard_at_ms; /* by the server, when that was said */
    uint32_t gaps;
    char reason[sizeof(((steno_error *)NULL)->message)]; /* that was said last */
} watching;

static bool stopped(const watching *self)
{
    return interrupt_stopped(&self->session->interrupt);
}

static void rest(const watching *self, int timeout_ms)
{
    bell_wait(&self->ready, self->session->interrupt.stop_fd, -1, timeout_ms);
}

STENO_PRINTF(2, 3) static void say(watching *self, const char *format, ...)
{
    char message[640];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    screen_say(self->screen, message);
}

static void fail(watching *self, int exit_status, const char *message)
{
    screen_say(self->screen, message);
    self->exit_status = exit_status_worse(self->exit_status, exit_status);
}

static steno_status refresh(watching *self)
{
    uint64_t heard_ms = self->heard_ms;
    if (self->state == STENO_CAPTURE_LISTENING && self->is_back)
        heard_ms += progress_clock_ms() - self->heard_at_ms;
    screen_set_heard(self->screen, heard_ms);
    return screen_draw(self->screen);
}

/* ---- What the server says ---- */

static void say_state(watching *self, const steno_client_capture_status *status)
{
    static const layout_mark marks[] = {LAYOUT_OPENING, LAYOUT_LISTENING, LAYOUT_LOST, LAYOUT_OVER};
    bool was_bad = self->reason[0] != '\0';
    screen_set_mark(self->screen, marks[status->state]);
    screen_set_device(self->screen, status->device);
    screen_set_note(self->screen, status->reason);
    if (strcmp(self->reason, status->reason) != 0 && status->reason[0] != '\0')
        say(self, "%s: %s", self->name, status->reason);
    else if (was_bad && status->reason[0] == '\0' && status->state == STENO_CAPTURE_LISTENING)
        say(self, "%s: listening again", self->name);
    snprintf(self->reason, sizeof self->reason, "%s", status->reason);
}

static void take_status(watching *self, const steno_client_capture_status *status)
{
    if (status->gaps > self->gaps && self->has_seen)
        say(self, "%s: %.1f s of audio were lost there", self->name,
            (double)status->lost_ms / 1000);
    self->gaps = status->gaps;
    self->state = status->state;
    self->heard_ms = status->heard_ms;
    self->heard_at_ms = progress_clock_ms();
    say_state(self, status);
}

static void take_gap(watching *self, const steno_client_caption *caption)
{
    uint64_t first = caption->first_missed > 0 ? caption->first_missed : self->final + 1;
    uint64_t count = caption->last_missed + 1 - first;
    self->final = caption->last_missed;
    say(self, "%s: %" PRIu64 " result%s missed: the server no longer knows %s", self->name, count,
        count == 1 ? " was" : "s were", count == 1 ? "it" : "them");
}

static steno_status take_result(watching *self, const steno_client_caption *caption)
{
    const steno_result *result = &caption->result;
    if (result->is_final) {
        self->final = caption->sequence;
        self->end_ms = self->origin_ms + result->end_ms;
    } else if (result->alternatives[0].word_count == 0 && self->output.interim) {
        return STENO_OK; /* lines can't be taken back */
    }
    return live_output_add(&self->output, result, self->origin_ms);
}

static steno_status take(watching *self, const steno_client_caption *caption)
{
    steno_status status = STENO_OK;
    /* A server that knows where we were begins there; otherwise it was started anew. */
    if (!self->is_back && self->id != 0 && caption->id != self->id) {
        self->origin_ms = self->end_ms;
        self->final = 0;
    }
    switch (caption->kind) {
    case STENO_CAPTION_RESULT:
        status = take_result(self, caption);
        break;
    case STENO_CAPTION_STATUS:
        take_status(self, &caption->status);
        break;
    case STENO_CAPTION_GAP:
        take_gap(self, caption);
        break;
    }
    self->id = caption->id;
    self->has_seen = self->is_back = true;
    return status;
}

/* ---- Connections ---- */

static steno_status open_watch(watching *self, steno_error *error)
{
    const option_values *options = self->options;
    uint32_t recent = options->recent != OPTIONS_UNSET ? options->recent : RECENT;
    steno_client_watch_options wanted;
    steno_client_watch_options_init(&wanted);
    wanted.capture = self->name;
    wanted.interim = self->screen->kind == SCREEN_LIVE || options->interim;
    wanted.after_id = self->id;
    wanted.recent = recent;
    wanted.only_new = recent == 0;
    wanted.ready = bell_ring;
    wanted.ready_context = &self->ready;
    self->is_back = false;
    return steno_client_watch_open(self->client, &wanted, &self->watch, error);
}

/* Shows what comes until a stop is asked for: STENO_OK; an error of the output, which is said; or
 * with *out_lost what ended the watch. */
static steno_status follow(watching *self, bool *out_lost, steno_error *error)
{
    *out_lost = false;
    while (!stopped(self)) {
        const steno_client_caption *caption;
        steno_status status = steno_client_watch_next(self->watch, &caption, error);
        *out_lost = status < 0;
        if (status == STENO_OK)
            status = take(self, caption);
        if (status == STENO_AGAIN && (status = refresh(self)) == STENO_OK)
            rest(self, DRAW_MS);
        if (status < 0)
            return status;
    }
    return STENO_OK;
}

/* Whether the same may be asked again later. */
static bool may_pass(steno_status status)
{
    return status == STENO_ERROR_IO || status == STENO_ERROR_NOT_FOUND ||
           status == STENO_ERROR_LIMIT || status == STENO_ERROR_INTERNAL;
}

/* The connection was lost, or could not be had; what was being said is not settled any more. */
static void say_away(watching *self, const char *reason)
{
    screen_set_text(self->screen, "", 0);
    screen_set_mark(self->screen, LAYOUT_AWAY);
    screen_set_note(self->screen, reason);
    if (strcmp(self->reason, reason) != 0)
        say(self, "%s; trying again", reason);
    snprintf(self->reason, sizeof self->reason, "%s", reason);
}

static void wait_to_retry(watching *self)
{
    uint64_t until = progress_clock_ms() + RETRY_MS;
    while (!stopped(self) && progress_clock_ms() < until && refresh(self) == STENO_OK)
        rest(self, DRAW_MS);
}

/* One connection, to its end: whether another may follow. */
static bool run_watch(watching *self)
{
    steno_error error;
    bool lost = true;
    steno_status status = open_watch(self, &error);
    if (status == STENO_OK)
        status = follow(self, &lost, &error);
    steno_client_watch_destroy(self->watch);
    self->watch = NULL;
    if (status == STENO_OK)
        return false;
    if (!lost) {
        if (self->output.error.status == STENO_ERROR_IO && self->output.file == NULL)
            session_output_failed(self->session);
        return false;
    }
    if (!self->has_seen || !may_pass(status)) {
        bool no_such = status == STENO_ERROR_ARGUMENT;
        fail(self, no_such ? EXIT_STATUS_INPUT : EXIT_STATUS_SERVER, error.message);
        return false;
    }
    say_away(self, error.message);
    wait_to_retry(self);
    return !stopped(self);
}

static int work(session *state, screen *terminal, const option_values *options)
{
    watching self = {
        .session = state, .screen = terminal, .options = options, .name = options->operands[0]};
    steno_error error;
    screen_set_heard(terminal, 0);
    if (bell_init(&self.ready) < 0) {
        fail(&self, EXIT_STATUS_SERVER, "can't wait for the server: no descriptors left");
    } else if (server_create_client(options, &self.client, &error) < 0) {
        fail(&self, EXIT_STATUS_USAGE, error.message);
    } else {
        self.exit_status = live_output_open(&self.output, state, terminal, options, self.name);
        while (self.exit_status == EXIT_STATUS_FINE && run_watch(&self))
            ;
        int closed = live_output_close(&self.output, self.end_ms);
        self.exit_status = exit_status_worse(self.exit_status, closed);
    }
    steno_client_destroy(self.client);
    bell_finish(&self.ready);
    return self.exit_status;
}

/* ---- The command ---- */

int watch(const option_values *options)
{
    steno_error error;
    if (watch_check_options(options, &error) < 0)
        return help_usage_error("watch", error.message);
    if (options->operand_count == 0)
        return watch_list(options);
    session state = {0};
    console_init(&state.console);
    int status = EXIT_STATUS_SERVER;
    state.interrupt_ready = interrupt_init(&state.interrupt, &error) == STENO_OK;
    if (state.interrupt_ready)
        status = foreground_run(&state, options, work);
    else
        console_error(&state.console, NULL, error.message);
    int ended = session_close(&state, status);
    /* Ctrl-C is how one stops watching. */
    return ended == EXIT_STATUS_SIGNAL + SIGINT ? status : ended;
}
