/*
 * One loop reads what the microphone has given, feeds the recogniser as far as it takes it, and
 * hands results on; when there is nothing to do it sleeps until audio comes, the recogniser calls,
 * or a stop is asked for.  Nothing waits for the sound system, which a process of its own is for.
 *
 * Time is the audio's: a gap of up to GAP_FILL_MS is filled with silence, so that words after it
 * keep their distance from those before; a longer one is cut short, and while the microphone is
 * gone time stands still.  What --save-audio writes is exactly what was recognised.
 */
#include "live.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bell.h"
#include "devices.h"
#include "exit_status.h"
#include "failure.h"
#include "live_output.h"
#include "meter.h"
#include "progress.h"
#include "saved_audio.h"
#include "steno/microphone.h"

enum {
    DRAW_MS = 100, /* between drawings of the level */
    BLOCKS_PER_SECOND = 10,
    GAP_FILL_MS = 2000,
    RETRY_MS = 1000, /* between looks for a microphone that is gone */
    SILENCE_WARNING_MS = 5000,
    ENDPOINT_SHOWN_MS = 1000,
    BEHIND_MS = 4000, /* more than the largest chunk and the search need */
};

typedef struct live {
    session *session;
    screen *screen;
    const option_values *options;
    live_output output;
    saved_audio saved;
    steno_microphone *microphone;
    bell ready; /* rings when the recogniser has something */
    int exit_status;

    /* the take */
    const steno_capture_info *info; /* NULL: there is none */
    hearing *hearing;
    float *samples; /* [block_frames, channels] */
    size_t block_frames;
    size_t held, fed; /* frames in it, and how many of them were fed */
    float *silence;   /* [block_frames, channels], zeros */
    uint64_t missing; /* frames of silence to feed before those */
    uint64_t gaps, lost_ms, overruns;
    meter meter;
    bool warned_of_silence;
    uint64_t endpoint_ms; /* when one was shown */
    layout_mark mark;

    uint64_t origin_ms; /* of the take: audio of those before it */
    uint64_t drawn_ms;  /* when the screen was last brought up to date */
} live;

static bool stopped(const live *self)
{
    return interrupt_stopped(&self->session->interrupt);
}

/* Sleeps until there is audio (where that is waited for), the recogniser has something, a stop is
 * asked for (unless that is known), or the time is over. */
static void rest(const live *self, bool for_audio, int timeout_ms)
{
    int audio_fd = for_audio ? steno_microphone_fd(self->microphone) : -1;
    int stop_fd = stopped(self) ? -1 : self->session->interrupt.stop_fd;
    bell_wait(&self->ready, audio_fd, stop_fd, timeout_ms);
}

/* What the user should know, if there is something. */
static void set_note(live *self)
{
    char note[96] = "";
    uint64_t behind_ms = 0;
    if (self->hearing != NULL)
        behind_ms = hearing_fed_ms(self->hearing) - hearing_done_ms(self->hearing);
    if (self->mark == LAYOUT_LOST)
        return; /* says why */
    if (self->meter.silent_ms >= SILENCE_WARNING_MS)
        snprintf(note, sizeof note, "silence only: muted?");
    else if (behind_ms > BEHIND_MS)
        snprintf(note, sizeof note, "%.0f s behind", (double)behind_ms / 1000);
    else if (self->gaps > 0)
        snprintf(note, sizeof note, "%.1f s lost", (double)self->lost_ms / 1000);
    else if (self->overruns > 0)
        snprintf(note, sizeof note, "%" PRIu64 " overrun%s", self->overruns,
            self->overruns == 1 ? "" : "s");
    screen_set_note(self->screen, note);
}

static uint64_t heard_ms(const live *self)
{
    return self->origin_ms + (self->hearing != NULL ? hearing_fed_ms(self->hearing) : 0);
}

static void set_mark(live *self, layout_mark mark)
{
    self->mark = mark;
    screen_set_mark(self->screen, mark);
}

/* Brings the screen up to date now and then. */
static steno_status refresh(live *self)
{
    uint64_t now = progress_clock_ms();
    if (now - self->drawn_ms < DRAW_MS)
        return STENO_OK;
    self->drawn_ms = now;
    if (self->mark == LAYOUT_ENDPOINT && heard_ms(self) - self->endpoint_ms >= ENDPOINT_SHOWN_MS)
        set_mark(self, LAYOUT_LISTENING);
    screen_set_level(self->screen, &self->meter, heard_ms(self));
    set_note(self);
    return screen_draw(self->screen);
}

STENO_PRINTF(2, 3) static void say(live *self, const char *format, ...)
{
    char message[640];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    screen_say(self->screen, message);
}

static void fail(live *self, int exit_status, const char *message)
{
    screen_say(self->screen, message);
    self->exit_status = exit_status_worse(self->exit_status, exit_status);
}

/* The recogniser can't go on. */
static void fail_hearing(live *self, const steno_error *error)
{
    bool is_remote = recogniser_is_remote(self->session->recogniser);
    fail(self, is_remote ? EXIT_STATUS_SERVER : EXIT_STATUS_AUDIO, error->message);
}

static void close_take(live *self)
{
    if (self->hearing != NULL)
        self->origin_ms += hearing_fed_ms(self->hearing);
    hearing_destroy(self->hearing);
    steno_microphone_close(self->microphone);
    free(self->samples);
    free(self->silence);
    self->hearing = NULL;
    self->info = NULL;
    self->samples = self->silence = NULL;
    self->held = self->fed = 0;
    self->missing = 0;
    self->overruns = 0;
}

static steno_status allocate_blocks(live *self, steno_error *error)
{
    self->block_frames = self->info->rate_hz / BLOCKS_PER_SECOND;
    self->samples = calloc(self->block_frames * self->info->channels, sizeof(float));
    self->silence = calloc(self->block_frames * self->info->channels, sizeof(float));
    return self->samples != NULL && self->silence != NULL ? STENO_OK : failure_memory(error);
}

/* Opens the microphone, which takes some calls (STENO_AGAIN), and a stream for it. */
static steno_status open_take(live *self, steno_error *error)
{
    steno_status status = steno_microphone_open(self->microphone, error);
    if (status == STENO_AGAIN)
        return status;
    if (status == STENO_OK) {
        self->info = steno_microphone_get_info(self->microphone);
        status = allocate_blocks(self, error);
    }
    if (status == STENO_OK) {
        hearing_setting setting = self->session->setting.hearing;
        setting.stream.interim = self->screen->kind == SCREEN_LIVE || self->options->interim;
        setting.stream.activity = true;
        setting.stream.ready = bell_ring;
        setting.stream.ready_context = &self->ready;
        const steno_audio_info format = {
            .rate_hz = self->info->rate_hz, .channels = self->info->channels};
        status = hearing_open(self->session->recogniser, &setting, &format, &self->hearing, error);
    }
    if (status < 0) {
        close_take(self);
        return status;
    }
    meter_init(&self->meter, self->info->rate_hz, self->info->channels);
    self->warned_of_silence = false;
    saved_audio_begin(&self->saved, self->info->rate_hz, self->info->channels);
    screen_set_device(self->screen, self->info->device);
    set_mark(self, LAYOUT_LISTENING);
    return STENO_OK;
}

/* Audio was lost before what was read: at the first gap, and at the end, it is said; meanwhile it
 * stands on the status line. */
static void note_gap(live *self, uint64_t lost)
{
    uint64_t lost_ms = lost * 1000 / self->info->rate_hz;
    uint64_t most = (uint64_t)self->info->rate_hz * GAP_FILL_MS / 1000;
    self->missing = lost < most ? lost : most;
    self->lost_ms += lost_ms;
    if (self->gaps++ > 0)
        return;
    const char *reason =
        recogniser_is_remote(self->session->recogniser)
            ? "the server does not keep up, or the network"
            : "this machine does not keep up (a smaller --beam or --search ctc is faster)";
    say(self, "%.1f s of audio were lost: %s, or steno was stopped for a while",
        (double)lost_ms / 1000, reason);
}

static void note_overruns(live *self)
{
    steno_capture_counts counts;
    steno_microphone_get_counts(self->microphone, &counts);
    if (counts.device_overruns > 0 && self->overruns == 0)
        say(self, "%s: the device has lost audio: this machine is busy", self->info->device);
    self->overruns = counts.device_overruns;
}

static void note_silence(live *self)
{
    if (self->warned_of_silence || self->meter.heard || self->meter.silent_ms < SILENCE_WARNING_MS)
        return;
    self->warned_of_silence = true;
    say(self,
        "%s: only silence comes from it: is the microphone muted, or another one meant "
        "(steno devices)?",
        self->info->device);
}

/* The next block, unless one is held: STENO_OK, STENO_AGAIN, STENO_END, or what ended the
 * device. */
static steno_status read_block(live *self, steno_error *error)
{
    if (self->missing > 0 || self->held > 0)
        return STENO_OK;
    uint64_t lost = 0;
    steno_status status = steno_microphone_read(
        self->microphone, self->samples, self->block_frames, &self->held, &lost, error);
    if (status != STENO_OK)
        return status;
    self->fed = 0;
    if (lost > 0)
        note_gap(self, lost);
    meter_feed(&self->meter, self->samples, self->held);
    saved_audio_round(&self->saved, self->samples, self->held * self->info->channels);
    note_overruns(self);
    note_silence(self);
    return STENO_OK;
}

/* Feeds frames and saves what was taken of them. */
static steno_status feed(live *self, const float *samples, size_t frames, size_t *out_taken)
{
    steno_error error;
    steno_status status = hearing_feed(self->hearing, samples, frames, out_taken, &error);
    if (status < 0)
        fail_hearing(self, &error);
    if (status >= 0)
        saved_audio_add(&self->saved, samples, *out_taken);
    return status;
}

/* Feeds what is held: STENO_OK, STENO_FULL, or an error. */
static steno_status feed_block(live *self)
{
    steno_status status = STENO_OK;
    size_t taken;
    while (status == STENO_OK && self->missing > 0) {
        size_t frames =
            self->missing < self->block_frames ? (size_t)self->missing : self->block_frames;
        status = feed(self, self->silence, frames, &taken);
        self->missing -= status >= 0 ? taken : 0;
    }
    if (status == STENO_OK && self->held > 0) {
        status = feed(
            self, self->samples + self->fed * self->info->channels, self->held - self->fed, &taken);
        self->fed += status >= 0 ? taken : 0;
        if (self->fed == self->held)
            self->held = self->fed = 0;
    }
    return status;
}

static void take_event(live *self, const steno_result *result)
{
    if (self->mark == LAYOUT_FINISHING || self->mark == LAYOUT_LOST)
        return; /* of audio that has long been heard */
    bool begins = result->event == STENO_EVENT_SPEECH_BEGIN;
    self->endpoint_ms = heard_ms(self);
    set_mark(self, begins ? LAYOUT_SPEECH : LAYOUT_ENDPOINT);
}

/* Hands on what there is: STENO_AGAIN, STENO_END, or an error, which is said. */
static steno_status take_results(live *self)
{
    for (;;) {
        const steno_result *result;
        steno_error error;
        unsigned channel;
        steno_status status = hearing_next(self->hearing, &result, &channel, &error);
        if (status < 0)
            fail_hearing(self, &error);
        if (status != STENO_OK)
            return status;
        if (result->event != STENO_EVENT_NONE)
            take_event(self, result);
        else if ((status = live_output_add(&self->output, result, self->origin_ms)) < 0)
            return status;
    }
}

/* Reads, feeds and hands on until the device ends: STENO_END after a stop, else its error.  What
 * can't be gone on with is in *out_failed. */
static steno_status listen_on(live *self, bool *out_failed, steno_error *error)
{
    *out_failed = true;
    for (;;) {
        if (stopped(self) && self->mark != LAYOUT_FINISHING) {
            set_mark(self, LAYOUT_FINISHING);
            steno_microphone_stop(self->microphone);
        }
        steno_status read = read_block(self, error);
        steno_status fed = read == STENO_OK ? feed_block(self) : STENO_OK;
        if (fed < 0)
            return fed;
        steno_status results = take_results(self);
        if (results < 0 || (results = refresh(self)) < 0)
            return results;
        if (read == STENO_AGAIN || fed == STENO_FULL) {
            rest(self, read == STENO_AGAIN, DRAW_MS);
        } else if (read != STENO_OK) {
            *out_failed = false;
            return read;
        }
    }
}

/* Waits for the last words of the take. */
static steno_status finish_stream(live *self)
{
    hearing_finish(self->hearing);
    for (;;) {
        steno_status status = take_results(self);
        if (status == STENO_AGAIN)
            status = refresh(self);
        if (status != STENO_OK)
            return status < 0 ? status : STENO_OK;
        rest(self, false, DRAW_MS);
    }
}

/* Runs the open take to its end: whether another one may follow. */
static bool run_take(live *self)
{
    bool failed;
    steno_error error;
    steno_status ended = listen_on(self, &failed, &error);
    if (!failed && ended < 0) {
        set_mark(self, LAYOUT_LOST);
        screen_set_note(self->screen, "waiting for it");
        say(self, "%s; waiting for it to come back", error.message);
    }
    if (!failed)
        failed = finish_stream(self) < 0;
    if (failed && self->output.error.status == STENO_ERROR_IO && self->output.file == NULL)
        session_output_failed(self->session);
    close_take(self);
    return !failed && ended < 0;
}

/* Opens the first take: STENO_OK, STENO_END (stopped before), or an error. */
static steno_status begin(live *self, steno_error *error)
{
    while (!stopped(self)) {
        steno_status status = open_take(self, error);
        if (status != STENO_AGAIN)
            return status;
        screen_draw(self->screen);
        rest(self, true, DRAW_MS);
    }
    return STENO_END;
}

/* Looks for the microphone until it is there again; false: stopped before. */
static bool wait_for_device(live *self)
{
    char reason[sizeof(steno_error){0}.message] = "";
    uint64_t looked_ms = progress_clock_ms();
    while (!stopped(self)) {
        rest(self, true, DRAW_MS);
        if (refresh(self) < 0)
            return false;
        if (progress_clock_ms() - looked_ms < RETRY_MS)
            continue;
        steno_error error;
        steno_status status = open_take(self, &error);
        if (status == STENO_OK) {
            say(self, "%s: listening again", self->info->device);
            return true;
        }
        if (status == STENO_AGAIN)
            continue;
        if (strcmp(reason, error.message) != 0)
            screen_set_note(self->screen, error.message);
        memcpy(reason, error.message, sizeof reason);
        looked_ms = progress_clock_ms();
    }
    return false;
}

static void say_line(void *context, const char *message)
{
    screen_say(context, message);
}

/* The first take can't begin. */
static void refuse(live *self, const steno_error *error)
{
    fail(self, EXIT_STATUS_INPUT, error->message);
    if (steno_microphone_found_none(self->microphone))
        devices_advise(say_line, self->screen);
}

static void listen_to_all(live *self)
{
    screen_draw(self->screen);
    steno_error error;
    steno_status begun = begin(self, &error);
    if (begun < 0) {
        refuse(self, &error);
        return;
    }
    int opened =
        live_output_open(&self->output, self->session, self->screen, self->options, "microphone");
    self->exit_status = exit_status_worse(self->exit_status, opened);
    if (opened == EXIT_STATUS_FINE) {
        while (begun == STENO_OK && run_take(self) && wait_for_device(self))
            ;
        if (self->gaps > 1)
            say(self, "%.1f s of audio were lost in %" PRIu64 " gaps", (double)self->lost_ms / 1000,
                self->gaps);
    }
    close_take(self);
    int closed = live_output_close(&self->output, self->origin_ms);
    self->exit_status = exit_status_worse(self->exit_status, closed);
}

int live_run(session *state, screen *terminal, const option_values *options)
{
    live self = {.session = state, .screen = terminal, .options = options};
    const steno_capture_options wanted = {
        .device = options->device, .rate_hz = options->rate_hz, .channels = options->channels};
    steno_error error;
    if (bell_init(&self.ready) < 0) {
        fail(&self, EXIT_STATUS_AUDIO, "can't wait for the recogniser: no descriptors left");
    } else if (steno_microphone_create(&wanted, &self.microphone, &error) < 0) {
        fail(&self, EXIT_STATUS_INPUT, error.message);
    } else {
        saved_audio_init(&self.saved, terminal, options->save_audio);
        listen_to_all(&self);
        if (saved_audio_finish(&self.saved) < 0)
            self.exit_status = exit_status_worse(self.exit_status, EXIT_STATUS_OUTPUT);
    }
    steno_microphone_destroy(self.microphone);
    bell_finish(&self.ready);
    return self.exit_status;
}
