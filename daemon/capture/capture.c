/*
 * A capture's thread:
 *
 *     open the sound ---> hear, feed the stream, publish results ---> the sound ends or fails
 *          ^  \                                                            |
 *          |   --- can't: state WAITING, a while ---                       v
 *          +---------------------------------------+---- last words, then WAITING or ENDED
 *
 * Time is the audio's, from the first sound to the last of all streams: a gap of up to GAP_FILL_MS
 * is filled with silence, so that words keep their distance; while a device is gone, time stands
 * still, as in "steno listen".  A stream ends where the sound does, and where a reload has brought
 * another model.
 *
 * What a microphone has given waits in its process while the engine has no room; what there is no
 * room for in the end, that counts, and it is told as a gap.
 */
#include "capture/capture.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "speech/heard.h"
#include "steno/audio.h"
#include "steno/stream.h"
#include "system/alarms.h"

enum {
    LOOK_MS = 1000,     /* between looks at what changes without a sound */
    FINISH_MS = 100,    /* between looks for an end at once */
    STOP_READ_MS = 500, /* what has come is still read for so long after a stop */
    RETRY_MS = 1000,    /* between tries, at first */
    RETRY_MAX_MS = 5000,
    GAP_FILL_MS = 2000,
    MUTED_MS = 5000,
    SILENCE_FRAMES = 1024,
};

/* One step of 16-bit samples, and a little: what a muted microphone may give. */
#define SILENCE 4e-5f

static const float silence[SILENCE_FRAMES * STENO_CHANNELS_MAX];

/* ---- Waiting ---- */

static bool is_stopping(const capture *self)
{
    return atomic_load(&self->all->stopping);
}

/* On a thread of the engine's. */
static void wake(void *context)
{
    const capture *self = context;
    eventfd_write(self->ready_fd, 1);
}

/* Sleeps until there is something to read from fd (-1: none), the stream has something, a stop is
 * asked for, or the time, which is short, is over.  Once a stop is known it is not waited for; one
 * that comes just before sleeping is known after the time. */
static void rest(const capture *self, int fd, int timeout_ms)
{
    struct pollfd fds[] = {
        {.fd = fd, .events = POLLIN},
        {.fd = self->ready_fd, .events = POLLIN},
        {.fd = is_stopping(self) ? -1 : self->all->stop_fd, .events = POLLIN},
    };
    if (poll(fds, 3, timeout_ms) > 0 && fds[1].revents != 0) {
        eventfd_t calls;
        eventfd_read(self->ready_fd, &calls);
    }
}

/* Sleeps until a stop is asked for, or for so long (-1: for ever).  What stop_fd has stays there,
 * so that a stop between looking and sleeping is not slept through. */
static void wait_for_stop(const capture *self, int timeout_ms)
{
    struct pollfd fd = {.fd = self->all->stop_fd, .events = POLLIN};
    uint64_t until = alarms_now_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0), now = 0;
    while (!is_stopping(self) && (timeout_ms < 0 || (now = alarms_now_ms()) < until))
        poll(&fd, 1, timeout_ms < 0 ? -1 : (int)(until - now));
}

/* ---- What readers and the log are told ---- */

static uint64_t heard_ms(const capture *self)
{
    return self->origin_ms + (self->stream != NULL ? steno_stream_fed_ms(self->stream) : 0);
}

static void publish_state(capture *self, captions_state state, const char *reason)
{
    char about[256];
    capture_options_describe(self->setting, about, sizeof(about));
    const captions_status status = {
        .state = state,
        .device = self->listening ? self->info.device : about,
        .reason = reason,
        .heard_ms = heard_ms(self),
        .lost_ms = self->lost_ms,
        .gaps = self->gaps,
        .device_overruns = self->overruns_before + self->overruns,
    };
    if (captions_publish_status(self->source, &status) < 0)
        log_say(self->all->log, LOG_LEVEL_ERROR, "capture %s: out of memory", self->setting->name);
}

static void say_listening(capture *self)
{
    self->is_muted = false;
    self->reason[0] = '\0';
    publish_state(self, CAPTIONS_LISTENING, "");
    if (self->was_told)
        return;
    self->was_told = true;
    log_say(self->all->log, LOG_LEVEL_INFO, "capture %s: listening to %s, %u Hz, %u %s",
        self->setting->name, self->info.device, (unsigned)self->info.rate_hz,
        (unsigned)self->info.channels, self->info.channels == 1 ? "channel" : "channels");
}

/* It has failed for now, or for good.  The same again is not said again. */
static void say_failure(capture *self, captions_state state, const char *reason)
{
    if (strcmp(self->reason, reason) == 0)
        return;
    snprintf(self->reason, sizeof(self->reason), "%s", reason);
    self->was_told = false;
    publish_state(self, state, reason);
    log_say(self->all->log, LOG_LEVEL_WARNING, "capture %s: %s%s", self->setting->name, reason,
        state == CAPTIONS_WAITING ? "; trying again" : "");
}

static void note_gap(capture *self, uint64_t lost_frames)
{
    uint64_t lost_ms = lost_frames * 1000 / self->info.rate_hz;
    self->lost_ms += lost_ms;
    self->gaps++;
    publish_state(self, CAPTIONS_LISTENING, "");
    log_say(self->all->log, LOG_LEVEL_WARNING,
        "capture %s: %.1f s of audio were lost: this machine does not keep up", self->setting->name,
        (double)lost_ms / 1000);
}

static void note_overruns(capture *self, uint32_t overruns)
{
    bool is_first = self->overruns == 0;
    self->overruns = overruns;
    publish_state(self, CAPTIONS_LISTENING, "");
    if (is_first)
        log_say(self->all->log, LOG_LEVEL_WARNING,
            "capture %s: the device has lost audio: this machine is busy", self->setting->name);
}

/* A microphone that gives nothing but silence may be muted. */
static void note_silence(capture *self, const sound_block *block)
{
    static const char muted[] = "only silence comes from it: is it muted, or another one meant?";
    float largest = 0;
    for (size_t i = 0; i < block->frames * self->info.channels; i++)
        largest = fmaxf(largest, fabsf(block->samples[i]));
    self->silent_frames = largest <= SILENCE ? self->silent_frames + block->frames : 0;
    bool is_muted = self->silent_frames * 1000 / self->info.rate_hz >= MUTED_MS;
    if (self->setting->device == NULL || is_muted == self->is_muted)
        return;
    self->is_muted = is_muted;
    publish_state(self, CAPTIONS_LISTENING, is_muted ? muted : "");
    log_say(self->all->log, is_muted ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "capture %s: %s",
        self->setting->name, is_muted ? muted : "no longer silent");
}

/* ---- The stream ---- */

static steno_stream_options stream_options(capture *self, uint32_t rate_hz, uint32_t channels)
{
    steno_stream_options options;
    steno_stream_options_init(&options);
    options.rate_hz = rate_hz;
    options.channels = channels;
    options.channel = self->setting->channel;
    options.chunk_ms = self->setting->chunk_ms;
    options.endpoint_ms = self->setting->endpoint_ms;
    options.interim = true;
    options.phrases = self->phrases;
    options.phrase_count = self->setting->phrases.count;
    options.ready = wake;
    options.ready_context = self;
    return options;
}

static steno_status begin_stream(capture *self, steno_error *error)
{
    steno_stream_options options = stream_options(self, self->info.rate_hz, self->info.channels);
    return speech_begin_stream(self->all->speech, &options, &self->stream, &self->model, error);
}

static void log_final(const capture *self, const steno_result *result)
{
    steno_result timed = *result;
    timed.start_ms += self->origin_ms;
    timed.end_ms += self->origin_ms;
    const wire_result heard = {.result = &timed};
    heard_final(self->all->log, "capture", self->setting->name, &heard);
}

/* Publishes what there is: STENO_AGAIN, STENO_END, or an error. */
static steno_status take_results(capture *self, steno_error *error)
{
    for (;;) {
        const steno_result *result;
        steno_status status = steno_stream_next(self->stream, &result, error);
        if (status != STENO_OK)
            return status;
        steno_status published =
            result->is_final ? captions_publish_final(self->source, result, self->origin_ms)
                             : captions_publish_interim(self->source, result, self->origin_ms);
        if (result->is_final)
            log_final(self, result);
        if (published < 0)
            log_say(
                self->all->log, LOG_LEVEL_ERROR, "capture %s: out of memory", self->setting->name);
    }
}

/* Feeds all, waiting for room.  STENO_END: to end at once. */
static steno_status feed(
    capture *self, const float *samples, size_t frames, uint32_t channels, steno_error *error)
{
    for (;;) {
        size_t taken = 0;
        steno_status status = steno_stream_feed(self->stream, samples, frames, &taken);
        samples += taken * channels;
        frames -= taken;
        steno_status results = take_results(self, error);
        if (results < 0 || status != STENO_FULL)
            return results < 0 ? results : status;
        if (atomic_load(&self->all->at_once))
            return STENO_END;
        rest(self, -1, FINISH_MS);
    }
}

static steno_status feed_silence(capture *self, uint64_t lost_frames, steno_error *error)
{
    uint64_t most = (uint64_t)self->info.rate_hz * GAP_FILL_MS / 1000;
    uint64_t left = lost_frames < most ? lost_frames : most;
    steno_status status = STENO_OK;
    while (left > 0 && status == STENO_OK) {
        size_t frames = left < SILENCE_FRAMES ? (size_t)left : SILENCE_FRAMES;
        status = feed(self, silence, frames, self->info.channels, error);
        left -= frames;
    }
    return status;
}

/* Recognises what was heard to its end. */
static void end_stream(capture *self)
{
    if (self->stream == NULL)
        return;
    steno_error error;
    steno_stream_finish(self->stream);
    steno_status status;
    while (
        (status = take_results(self, &error)) == STENO_AGAIN && !atomic_load(&self->all->at_once))
        rest(self, -1, FINISH_MS);
    if (status < 0)
        log_say(
            self->all->log, LOG_LEVEL_ERROR, "capture %s: %s", self->setting->name, error.message);
    captions_take_back(self->source);
    self->origin_ms = heard_ms(self);
    steno_stream_destroy(self->stream);
    self->stream = NULL;
}

/* ---- Hearing ---- */

static steno_status take_block(capture *self, const sound_block *block, steno_error *error)
{
    if (!self->listening) {
        sound_get_info(self->sound, &self->info);
        self->listening = true;
        self->silent_frames = 0;
        self->retry_ms = RETRY_MS;
        say_listening(self);
    }
    if (block->lost_frames > 0)
        note_gap(self, block->lost_frames);
    if (block->device_overruns != self->overruns)
        note_overruns(self, block->device_overruns);
    note_silence(self, block);
    steno_status status = self->stream == NULL ? begin_stream(self, error) : STENO_OK;
    if (status == STENO_OK)
        status = feed_silence(self, block->lost_frames, error);
    if (status == STENO_OK)
        status = feed(self, block->samples, block->frames, self->info.channels, error);
    return status;
}

/* Now and then: what does not come with the sound. */
static void look(capture *self)
{
    uint64_t now = alarms_now_ms();
    if (now - self->looked_ms < LOOK_MS)
        return;
    self->looked_ms = now;
    captions_set_heard(self->source, heard_ms(self));
    if (self->stream != NULL && speech_has_other_model(self->all->speech, self->model))
        end_stream(self);
}

/* Whether a stop is asked for, and what had come until then has been read. */
static bool is_over(capture *self, steno_status heard)
{
    if (!is_stopping(self))
        return false;
    if (self->stop_ms == 0)
        self->stop_ms = alarms_now_ms();
    return heard == STENO_AGAIN || atomic_load(&self->all->at_once) ||
           alarms_now_ms() - self->stop_ms >= STOP_READ_MS;
}

/* Until the sound ends or a stop is asked for: STENO_END; an error: it, or its stream, fails. */
static steno_status hear(capture *self, steno_error *error)
{
    for (;;) {
        sound_block block;
        steno_status status = sound_next(self->sound, &block, error);
        if (status == STENO_OK && (status = take_block(self, &block, error)) != STENO_OK)
            return status;
        if ((status != STENO_OK && status != STENO_AGAIN) || is_over(self, status))
            return status < 0 ? status : STENO_END;
        if (self->stream != NULL && take_results(self, error) < 0)
            return error->status;
        look(self);
        if (status == STENO_AGAIN)
            rest(self, sound_fd(self->sound), sound_wait_ms(self->sound));
    }
}

/* more: another may follow, and the same one goes on if it can. */
static void close_sound(capture *self, bool more, steno_status ended)
{
    self->listening = false;
    self->overruns_before += self->overruns;
    self->overruns = 0;
    if (more && self->sound != NULL && sound_end(self->sound, ended))
        return;
    sound_close(self->sound);
    self->sound = NULL;
}

/* A sound has ended, or could not be had, with this status: whether another may follow. */
static bool goes_on(capture *self, steno_status status, const steno_error *error)
{
    const capture_setting *setting = self->setting;
    if (is_stopping(self))
        return false;
    if (status < 0 && setting->file != NULL && self->listening && !setting->loop) {
        say_failure(self, CAPTIONS_ENDED, error->message);
        return false;
    } else if (status < 0) {
        say_failure(self, CAPTIONS_WAITING, error->message);
    } else if (setting->fifo != NULL) {
        say_failure(self, CAPTIONS_WAITING, "nobody writes to it any more");
    } else if (!setting->loop) {
        publish_state(self, CAPTIONS_ENDED, "");
        log_say(self->all->log, LOG_LEVEL_INFO, "capture %s: the file is over", setting->name);
        return false;
    }
    return true;
}

/* One sound, from opening it to its last word. */
static bool run_sound(capture *self)
{
    steno_error error;
    steno_status status = STENO_OK;
    if (self->sound == NULL)
        status = sound_open(self->setting, &self->sound, &error);
    if (status == STENO_OK)
        status = hear(self, &error);
    if (status < 0 && self->setting->file == NULL)
        /* Before the last words, which take their time. */
        say_failure(self, CAPTIONS_WAITING, error.message);
    bool had_sound = self->stream != NULL;
    end_stream(self);
    bool more = goes_on(self, status, &error);
    close_sound(self, more, status);
    if (more && (status < 0 || !had_sound)) {
        wait_for_stop(self, (int)self->retry_ms);
        self->retry_ms =
            self->retry_ms * 3 / 2 < RETRY_MAX_MS ? self->retry_ms * 3 / 2 : RETRY_MAX_MS;
    }
    return more;
}

void capture_run(capture *self)
{
    self->retry_ms = RETRY_MS;
    while (!is_stopping(self) && run_sound(self))
        ;
    /* A pipe that waits for its next writer, a microphone that was to be opened again. */
    close_sound(self, false, STENO_END);
    wait_for_stop(self, -1);
    captions_end(self->source);
}

/* ---- Beginning and end ---- */

/* Whether a stream can be made of these settings: a mistake is not to be found by listening. */
static steno_status try_stream(capture *self, steno_error *error)
{
    const capture_setting *setting = self->setting;
    uint32_t channels = setting->channels > 0 ? setting->channels : STENO_CHANNELS_MAX;
    steno_stream_options options =
        stream_options(self, setting->rate_hz > 0 ? setting->rate_hz : 16000, channels);
    steno_stream *stream;
    const steno_model *model;
    steno_error reason;
    steno_status status =
        speech_begin_stream(self->all->speech, &options, &stream, &model, &reason);
    if (status < 0)
        return error_set(
            error, status, "%s: [capture %s]: %s", setting->where, setting->name, reason.message);
    steno_stream_destroy(stream);
    return STENO_OK;
}

steno_status capture_init(capture *self, capture_shared *all, const capture_setting *setting,
    captions_source *source, steno_error *error)
{
    *self = (capture){.all = all, .setting = setting, .source = source};
    self->ready_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->ready_fd < 0)
        return error_set(error, STENO_ERROR_IO, "can't create an eventfd: %s", strerror(errno));
    self->phrases = capture_options_make_phrases(setting);
    return self->phrases == NULL ? error_memory(error) : try_stream(self, error);
}

void capture_finish(capture *self)
{
    memory_free(self->phrases);
    if (self->ready_fd >= 0)
        close(self->ready_fd);
}
