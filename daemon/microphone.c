/*
 * Through the pipe go messages, each a head and what the head says: one OPENED, then AUDIO after
 * AUDIO, and FAILED when that can't be or is over.  Both ends are the same program, so structs are
 * written as they lie in memory.
 *
 * The other process ends when nobody reads any more, and is killed when the thread that has
 * started it ends.  It is never asked to end: it may be in no state to listen.  Nor is it waited
 * for longer than a moment; if the system can't end it, the capture goes on without it.
 */
#include "daemon/microphone.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/alarms.h"
#include "steno/audio.h"

enum {
    BLOCKS_PER_SECOND = 10,
    READ_AGAIN_MS = 10, /* nobody is woken when the device has given something */
    SILENT_MAX_MS = 10000,
    PIPE_BYTES = 1 << 20, /* some seconds */
    END_TRIES = 50,       /* to see the process end */
    END_TRY_MS = 10,
    BLOCK_MAX_FLOATS = STENO_RATE_MAX_HZ / BLOCKS_PER_SECOND * STENO_CHANNELS_MAX,
};

#define ARGUMENT "microphone"

typedef enum message_kind { OPENED, AUDIO, FAILED } message_kind;

typedef struct message_head {
    uint32_t kind;
    uint32_t count; /* AUDIO: frames */
    /* OPENED */
    uint32_t rate_hz, channels;
    /* AUDIO */
    uint64_t lost_frames;
    uint32_t device_overruns;
    /* FAILED */
    int32_t status;
    char text[sizeof(((steno_error *)NULL)->message)]; /* FAILED: why; OPENED: the device */
} message_head;

struct microphone {
    pid_t pid;
    int fd;
    bool is_open;
    uint64_t heard_ms; /* when something has come last */
    message_head head;
    size_t got; /* bytes of the message that is coming, head and samples */
    char device[sizeof(((message_head *)NULL)->text)];
    uint32_t rate_hz, channels;
    float *samples;      /* [block_floats] */
    size_t block_floats; /* after OPENED */
};

/* ---- This side ---- */

static steno_status spawn(microphone *self, char **argv, int output, steno_error *error)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, presets;
    sigemptyset(&none);
    sigemptyset(&presets);
    sigaddset(&presets, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    /* ALSA writes there of every device that its configuration names and the machine lacks. */
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &presets);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int code = posix_spawn(&self->pid, "/proc/self/exe", &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (code == 0)
        return STENO_OK;
    self->pid = 0;
    return error_set(
        error, STENO_ERROR_IO, "can't start a process for the microphone: %s", strerror(code));
}

steno_status microphone_start(
    const steno_capture_options *wanted, microphone **out_microphone, steno_error *error)
{
    if (!steno_capture_is_supported())
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "this build has no microphone: it was made without PortAudio");
    int pipe_fds[2];
    microphone *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->fd = -1;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        memory_free(self);
        return error_set(error, STENO_ERROR_IO, "can't make a pipe: %s", strerror(errno));
    }
    self->fd = pipe_fds[0];
    fcntl(self->fd, F_SETFL, O_NONBLOCK);
    /* What the system does not allow, it is not. */
    fcntl(self->fd, F_SETPIPE_SZ, PIPE_BYTES);
    char rate[16], channels[16];
    snprintf(rate, sizeof(rate), "%u", (unsigned)wanted->rate_hz);
    snprintf(channels, sizeof(channels), "%u", (unsigned)wanted->channels);
    char *argv[] = {(char *)"stenod", (char *)ARGUMENT, rate, channels,
        wanted->device != NULL ? (char *)wanted->device : NULL, NULL};
    steno_status status = spawn(self, argv, pipe_fds[1], error);
    close(pipe_fds[1]);
    if (status < 0) {
        microphone_destroy(self);
        return status;
    }
    self->heard_ms = alarms_now_ms();
    *out_microphone = self;
    return STENO_OK;
}

void microphone_destroy(microphone *self)
{
    if (self == NULL)
        return;
    if (self->fd >= 0)
        close(self->fd);
    if (self->pid > 0) {
        kill(self->pid, SIGKILL);
        for (int i = 0; i < END_TRIES && waitpid(self->pid, NULL, WNOHANG) == 0; i++)
            nanosleep(&(struct timespec){.tv_nsec = END_TRY_MS * 1000000}, NULL);
    }
    memory_free(self->samples);
    memory_free(self);
}

int microphone_fd(const microphone *self)
{
    return self->fd;
}

bool microphone_get_info(const microphone *self, microphone_info *out_info)
{
    if (self->is_open)
        *out_info = (microphone_info){self->device, self->rate_hz, self->channels};
    return self->is_open;
}

/* Reads on until `size` bytes of the message have come: STENO_OK, STENO_AGAIN, or STENO_END.
 * `bytes` is where its byte `from` goes. */
static steno_status read_until(microphone *self, void *bytes, size_t from, size_t size)
{
    while (self->got < size) {
        ssize_t count = read(self->fd, (char *)bytes + (self->got - from), size - self->got);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
            return STENO_END;
        if (count < 0 && errno == EAGAIN)
            return STENO_AGAIN;
        self->got += count > 0 ? (size_t)count : 0;
    }
    return STENO_OK;
}

static steno_status take_opened(microphone *self, steno_error *error)
{
    const message_head *head = &self->head;
    size_t floats = (size_t)head->rate_hz / BLOCKS_PER_SECOND * head->channels;
    self->samples = memory_allocate(floats, sizeof(float));
    if (self->samples == NULL)
        return error_memory(error);
    self->block_floats = floats;
    memcpy(self->device, head->text, sizeof(self->device));
    self->rate_hz = head->rate_hz;
    self->channels = head->channels;
    self->is_open = true;
    return STENO_OK;
}

/* One message: STENO_OK with audio, or with none of an OPENED. */
static steno_status take_message(microphone *self, microphone_block *out, steno_error *error)
{
    message_head *head = &self->head;
    steno_status status = read_until(self, head, 0, sizeof(*head));
    size_t floats = (size_t)head->count * self->channels;
    if (status == STENO_OK && head->kind == AUDIO && floats > self->block_floats)
        return error_set(error, STENO_ERROR_INTERNAL, "the process that hears the microphone errs");
    if (status == STENO_OK && head->kind == AUDIO)
        status =
            read_until(self, self->samples, sizeof(*head), sizeof(*head) + floats * sizeof(float));
    if (status == STENO_END)
        return error_set(error, STENO_ERROR_IO, "the process that hears the microphone has ended");
    if (status != STENO_OK)
        return status;
    self->got = 0;
    self->heard_ms = alarms_now_ms();
    *out = (microphone_block){.samples = self->samples};
    if (head->kind == OPENED)
        return take_opened(self, error);
    if (head->kind == FAILED)
        return error_set(error, (steno_status)head->status, "%s", head->text);
    out->frames = head->count;
    out->lost_frames = head->lost_frames;
    out->device_overruns = head->device_overruns;
    return STENO_OK;
}

steno_status microphone_next(microphone *self, microphone_block *out_block, steno_error *error)
{
    microphone_block block;
    steno_status status;
    do
        status = take_message(self, &block, error);
    while (status == STENO_OK && block.frames == 0);
    if (status == STENO_AGAIN && alarms_now_ms() - self->heard_ms >= SILENT_MAX_MS)
        return error_set(error, STENO_ERROR_IO, "the sound system does not answer");
    if (status == STENO_OK)
        *out_block = block;
    return status;
}

/* ---- The other process ---- */

/* False: nobody reads any more. */
static bool put(const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t count = write(STDOUT_FILENO, at, size);
        if (count < 0 && errno != EINTR)
            return false;
        at += count > 0 ? count : 0;
        size -= count > 0 ? (size_t)count : 0;
    }
    return true;
}

static int tell_failure(const steno_error *error)
{
    message_head head = {.kind = FAILED, .status = error->status};
    snprintf(head.text, sizeof(head.text), "%s", error->message);
    put(&head, sizeof(head));
    return EXIT_FAILURE;
}

static bool tell_audio(steno_capture *capture, const float *samples, size_t frames, uint64_t lost)
{
    steno_capture_counts counts;
    steno_capture_get_counts(capture, &counts);
    const message_head head = {
        .kind = AUDIO,
        .count = (uint32_t)frames,
        .lost_frames = lost,
        .device_overruns = (uint32_t)counts.device_overruns,
    };
    return put(&head, sizeof(head)) &&
           put(samples, frames * steno_capture_get_info(capture)->channels * sizeof(float));
}

static int hand_over(steno_capture *capture)
{
    static float samples[BLOCK_MAX_FLOATS];
    const steno_capture_info *info = steno_capture_get_info(capture);
    message_head head = {.kind = OPENED, .rate_hz = info->rate_hz, .channels = info->channels};
    snprintf(head.text, sizeof(head.text), "%s", info->device);
    if (!put(&head, sizeof(head)))
        return EXIT_SUCCESS;
    for (;;) {
        size_t frames;
        uint64_t lost;
        steno_error error;
        steno_status status = steno_capture_read(
            capture, samples, info->rate_hz / BLOCKS_PER_SECOND, &frames, &lost, &error);
        if (status < 0)
            return tell_failure(&error);
        if (status != STENO_OK)
            nanosleep(&(struct timespec){.tv_nsec = READ_AGAIN_MS * 1000000}, NULL);
        else if (!tell_audio(capture, samples, frames, lost))
            return EXIT_SUCCESS;
    }
}

bool microphone_is_asked_for(int argc, char *const *argv)
{
    return argc >= 4 && strcmp(argv[1], ARGUMENT) == 0;
}

int microphone_main(char *const *argv)
{
    const steno_capture_options options = {
        .device = argv[4],
        .rate_hz = (uint32_t)strtoul(argv[2], NULL, 10),
        .channels = (uint32_t)strtoul(argv[3], NULL, 10),
    };
    steno_capture *capture;
    steno_error error;
    /* A signal to all of the daemon's processes is for the daemon to act on. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* Not to keep anything of the daemon's open, whatever had no other mark. */
    syscall(SYS_close_range, 3U, ~0U, 0U);
    if (steno_capture_open(&options, &capture, &error) < 0)
        return tell_failure(&error);
    /* Closing may take for ever; the end of the process does it. */
    return hand_over(capture);
}
