/*
 * The process of a microphone.  It may be killed at any moment, and does not close its device,
 * which may take for ever: the end of the process does it.
 *
 * One loop reads the capture and sends; while there is nothing to read, or no room to send, it
 * looks whether it is to stop.  The device is stopped as soon as that is asked for, so that nothing
 * is recognised that was said later, however much still waits to be handed over.
 */
#include "audio/microphone_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "steno/microphone.h"

enum {
    SOCKET = STDIN_FILENO,
    READ_AGAIN_MS = 10, /* nobody is woken when the device has given something */
    BLOCKS_PER_SECOND = 10,
};

typedef struct serving {
    steno_capture *capture; /* NULL: not open */
    bool stopped;
    message *out;
} serving;

/* Sleeps until there is room to send, or for some time, or until it is to stop, which is done. */
static void rest(serving *self, short events, int timeout_ms)
{
    struct pollfd fd = {.fd = SOCKET, .events = events};
    if (!self->stopped)
        fd.events |= POLLIN;
    if (poll(&fd, 1, timeout_ms) <= 0 || (fd.revents & POLLIN) == 0 || self->stopped)
        return;
    self->stopped = true;
    if (self->capture != NULL)
        steno_capture_stop(self->capture);
}

/* Sends what is in self->out.  False: nobody reads any more. */
static bool put(serving *self, message_kind kind, size_t body_bytes)
{
    self->out->head = (message_head){.kind = kind, .body_bytes = (uint32_t)body_bytes};
    const char *at = (const char *)self->out;
    size_t left = sizeof(message_head) + body_bytes;
    while (left > 0) {
        ssize_t count = send(SOCKET, at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN)
            rest(self, POLLOUT, -1);
        else if (count < 0 && errno != EINTR)
            return false;
        at += count > 0 ? count : 0;
        left -= count > 0 ? (size_t)count : 0;
    }
    return true;
}

static int tell_failure(serving *self, const steno_error *error)
{
    steno_device_list *list;
    size_t count = 1;
    if (error->status == STENO_ERROR_NOT_FOUND &&
        steno_device_list_create(false, &list, NULL) == STENO_OK) {
        steno_device_list_get(list, &count);
        steno_device_list_destroy(list);
    }
    self->out->failed = (message_failed){.error = *error, .found_none = count == 0};
    put(self, MESSAGE_FAILED, sizeof(message_failed));
    return EXIT_FAILURE;
}

static bool tell_opened(serving *self)
{
    const steno_capture_info *info = steno_capture_get_info(self->capture);
    message_opened *opened = &self->out->opened;
    *opened = (message_opened){
        .rate_hz = info->rate_hz, .channels = info->channels, .latency_ms = info->latency_ms};
    snprintf(opened->device, sizeof opened->device, "%s", info->device);
    snprintf(opened->system, sizeof opened->system, "%s", info->system);
    return put(self, MESSAGE_OPENED, sizeof(message_opened));
}

/* Frames that are read at once. */
static size_t block_frames(const steno_capture_info *info)
{
    size_t room = MICROPHONE_FLOATS_MAX / info->channels;
    size_t wanted = info->rate_hz / BLOCKS_PER_SECOND;
    return wanted < room ? wanted : room;
}

static int hand_over(serving *self)
{
    const steno_capture_info *info = steno_capture_get_info(self->capture);
    message_audio *audio = &self->out->audio;
    for (;;) {
        size_t frames;
        uint64_t lost;
        steno_error error;
        steno_status status = steno_capture_read(
            self->capture, audio->samples, block_frames(info), &frames, &lost, &error);
        if (status < 0)
            return tell_failure(self, &error);
        if (status == STENO_END)
            return put(self, MESSAGE_ENDED, 0) ? EXIT_SUCCESS : EXIT_FAILURE;
        if (status == STENO_OK) {
            audio->frames = (uint32_t)frames;
            audio->lost_frames = lost;
            steno_capture_get_counts(self->capture, &audio->counts);
            if (!put(self, MESSAGE_AUDIO, message_audio_bytes(frames * info->channels)))
                return EXIT_FAILURE;
        }
        rest(self, 0, status == STENO_OK ? 0 : READ_AGAIN_MS);
    }
}

static void parse(const char *setting, steno_capture_options *out_options)
{
    char *at;
    out_options->rate_hz = (uint32_t)strtoul(setting, &at, 10);
    out_options->channels = (uint32_t)strtoul(at, &at, 10);
    out_options->buffer_ms = (uint32_t)strtoul(at, &at, 10);
    out_options->device = *at == ' ' ? at + 1 : NULL;
}

/* Signals to all of the program's processes are for the program to act on; but it does not outlive
 * it, whatever it hangs in. */
static void depend_on_parent(void)
{
    static const int ignored[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "microphone"); /* which would be "exe" */
    /* Not to keep anything of the program's open, whatever had no other mark. */
    syscall(SYS_close_range, STDERR_FILENO + 1U, ~0U, 0U);
}

/* The parent may have ended before its end was waited for. */
static bool is_alone(void)
{
    struct pollfd fd = {.fd = SOCKET, .events = POLLIN};
    return poll(&fd, 1, 0) != 0;
}

static int open_and_hand_over(serving *self, const char *setting)
{
    steno_capture_options options = {0};
    steno_error error;
    parse(setting, &options);
    if (steno_capture_open(&options, &self->capture, &error) < 0)
        return tell_failure(self, &error);
    return tell_opened(self) ? hand_over(self) : EXIT_FAILURE;
}

static int serve(const char *setting)
{
    serving self = {.out = memory_allocate(1, sizeof(message))};
    int status = EXIT_FAILURE;
    depend_on_parent();
    if (self.out != NULL && !is_alone())
        status = open_and_hand_over(&self, setting);
    memory_free(self.out);
    return status;
}

bool steno_microphone_serve(int *out_status)
{
    const char *setting = getenv(MICROPHONE_VARIABLE);
    if (setting == NULL)
        return false;
    *out_status = serve(setting);
    return true;
}
