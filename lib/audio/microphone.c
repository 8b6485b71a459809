/*
 * The program's side of a microphone in another process (see microphone_process.h):
 *
 *     CLOSED --open--> OPENING --OPENED--> OPEN --stop--> STOPPED --ENDED, too late--> OVER
 *        ^                |                 |                |                          |
 *        +--- failed, closed, silent, gone -+----------------+--------- closed ---------+
 *
 * A process is never asked to end, as it may be in no state to listen: it is killed.  Nor is it
 * waited for: one that the system can't end yet, since it hangs in a driver, is remembered, and
 * looked after whenever the microphone is used, until it has ended.
 *
 * A fork without exec was rejected: the program has threads, and PortAudio's libraries locks.  So
 * was a helper program of its own, which would have to be found, and to be of the same version.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "audio/microphone_process.h"
#include "base/error.h"
#include "base/memory.h"
#include "steno/microphone.h"

enum {
    OPENING_MAX_MS = 10000, /* without a word from the process */
    OPEN_MAX_MS = 5000,     /* more than it takes to find a device silent itself */
    STOPPED_MAX_MS = 2000,
    LOOK_MAX_MS = 1000, /* that a look counts */
    KILLED_MAX = 8,
    END_TRIES = 50, /* to see processes end */
    END_TRY_MS = 10,
};

typedef enum state { CLOSED, OPENING, OPEN, STOPPED, OVER } state;

struct steno_microphone {
    char *setting; /* MICROPHONE_VARIABLE=... */
    char *device;  /* NULL: the default */
    state state;

    /* from OPENING to STOPPED */
    pid_t pid;
    int fd;
    uint64_t looked_ms, silent_ms; /* since something came, but no more than a look each */

    /* processes that have not ended yet */
    pid_t killed[KILLED_MAX];
    size_t killed_count;

    bool was_opened, found_none;
    message_opened opened;
    steno_capture_info info;
    steno_capture_counts counts;

    size_t got;           /* bytes of the message that is coming */
    size_t frames, given; /* of audio, once that is there, and how many of them were read */
    message message;
};

_Static_assert(offsetof(message, audio) == sizeof(message_head), "the body follows the head");

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- Processes ---- */

/* Forgets those that have ended. */
static void reap(steno_microphone *self)
{
    size_t left = 0;
    for (size_t i = 0; i < self->killed_count; i++)
        if (waitpid(self->killed[i], NULL, WNOHANG) == 0)
            self->killed[left++] = self->killed[i];
    self->killed_count = left;
}

static void end_process(steno_microphone *self)
{
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
    /* Not one that has ended already, whose number may be another's where children are not waited
     * for. */
    if (self->pid > 0 && waitpid(self->pid, NULL, WNOHANG) == 0) {
        kill(self->pid, SIGKILL);
        self->killed[self->killed_count++] = self->pid;
    }
    self->pid = 0;
}

/* With the process's end of the socket. */
static int spawn(steno_microphone *self, char **environment, int theirs)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    char *argv[] = {program_invocation_short_name, (char *)"microphone", self->device, NULL};
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, theirs, STDIN_FILENO);
    /* ALSA writes there of every device that its configuration names and the machine lacks. */
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int code = posix_spawn(&self->pid, "/proc/self/exe", &files, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (code != 0)
        self->pid = 0;
    return code;
}

/* The environment with the setting before it, to be freed; NULL: memory is out. */
static char **make_environment(const steno_microphone *self)
{
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    char **made = memory_allocate(count + 2, sizeof(*made));
    if (made == NULL)
        return NULL;
    made[0] = self->setting;
    memcpy(made + 1, environ, count * sizeof(*made));
    return made;
}

static steno_status start_process(steno_microphone *self, steno_error *error)
{
    int ends[2];
    char **environment = make_environment(self);
    if (environment == NULL)
        return error_memory(error);
    int code = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno;
    if (code == 0) {
        code = spawn(self, environment, ends[1]);
        close(ends[1]);
        self->fd = ends[0];
    }
    memory_free(environment);
    if (code == 0)
        return STENO_OK;
    end_process(self);
    return error_set(
        error, STENO_ERROR_IO, "can't start a process for the microphone: %s", strerror(code));
}

/* ---- Messages ---- */

/* A name for messages. */
static const char *name(const steno_microphone *self)
{
    if (self->was_opened)
        return self->info.device;
    return self->device != NULL ? self->device : "the microphone";
}

/* Until `size` bytes of the message are there: STENO_OK, STENO_AGAIN; STENO_END: nobody sends. */
static steno_status receive_until(steno_microphone *self, size_t size)
{
    while (self->got < size) {
        ssize_t count =
            recv(self->fd, (char *)&self->message + self->got, size - self->got, MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN)
            return STENO_AGAIN;
        if (count == 0 || (count < 0 && errno != EINTR))
            return STENO_END;
        self->got += count > 0 ? (size_t)count : 0;
    }
    return STENO_OK;
}

/* Whether a message may be one, by its head or, once that is there, its body. */
static bool is_valid(const steno_microphone *self, bool whole)
{
    const message *it = &self->message;
    size_t bytes = it->head.body_bytes;
    switch (it->head.kind) {
    case MESSAGE_OPENED:
        return bytes == sizeof(it->opened) && self->state == OPENING &&
               (!whole || (it->opened.channels > 0 && it->opened.rate_hz > 0));
    case MESSAGE_AUDIO:
        return self->state != OPENING && bytes >= message_audio_bytes(1) &&
               bytes <= sizeof(it->audio) &&
               (!whole ||
                   bytes == message_audio_bytes((size_t)it->audio.frames * self->opened.channels));
    case MESSAGE_FAILED:
        return bytes == sizeof(it->failed) && (!whole || it->failed.error.status < 0);
    case MESSAGE_ENDED:
        return bytes == 0 && self->state == STOPPED;
    default:
        return false;
    }
}

/* A whole message: STENO_OK, STENO_AGAIN, STENO_END as above, or INTERNAL. */
static steno_status receive(steno_microphone *self, steno_error *error)
{
    steno_status status = receive_until(self, sizeof(message_head));
    bool valid = status != STENO_OK || is_valid(self, false);
    if (status == STENO_OK && valid) {
        status = receive_until(self, sizeof(message_head) + self->message.head.body_bytes);
        valid = status != STENO_OK || is_valid(self, true);
    }
    if (!valid)
        return error_set(
            error, STENO_ERROR_INTERNAL, "%s: the process that hears it errs", name(self));
    if (status == STENO_OK)
        self->got = 0;
    return status;
}

/* Nothing came.  Time is counted by looks, so that one in which nobody looked, because the program
 * was stopped, say, is not taken for silence. */
static bool is_silent_for_long(steno_microphone *self)
{
    uint64_t now = now_ms(), passed = now - self->looked_ms;
    self->looked_ms = now;
    self->silent_ms += passed < LOOK_MAX_MS ? passed : LOOK_MAX_MS;
    return self->silent_ms >= (self->state == OPENING   ? OPENING_MAX_MS
                                  : self->state == OPEN ? OPEN_MAX_MS
                                                        : STOPPED_MAX_MS);
}

static void take_opened(steno_microphone *self)
{
    self->opened = self->message.opened;
    self->opened.device[sizeof(self->opened.device) - 1] = '\0';
    self->opened.system[sizeof(self->opened.system) - 1] = '\0';
    self->info = (steno_capture_info){
        .device = self->opened.device,
        .system = self->opened.system,
        .rate_hz = self->opened.rate_hz,
        .channels = self->opened.channels,
        .latency_ms = self->opened.latency_ms,
    };
    self->was_opened = true;
    self->state = OPEN;
}

static void take_audio(steno_microphone *self)
{
    self->frames = self->message.audio.frames;
    self->counts = self->message.audio.counts;
}

static steno_status take_failed(steno_microphone *self, steno_error *error)
{
    steno_error *why = &self->message.failed.error;
    why->message[sizeof(why->message) - 1] = '\0';
    self->found_none = self->message.failed.found_none != 0;
    return error_set(error, why->status, "%s", why->message);
}

/* The next message, taken: STENO_OK of OPENED and AUDIO, STENO_AGAIN, STENO_END after a stop; after
 * an error it is closed. */
static steno_status next_message(steno_microphone *self, steno_error *error)
{
    self->frames = self->given = 0;
    steno_status status = receive(self, error);
    if (status == STENO_OK) {
        self->looked_ms = now_ms();
        self->silent_ms = 0;
    }
    if (status == STENO_OK && self->message.head.kind == MESSAGE_OPENED)
        take_opened(self);
    else if (status == STENO_OK && self->message.head.kind == MESSAGE_AUDIO)
        take_audio(self);
    else if (status == STENO_OK && self->message.head.kind == MESSAGE_FAILED)
        status = take_failed(self, error);
    else if (status == STENO_OK)
        status = STENO_END;
    else if (status == STENO_END)
        status =
            error_set(error, STENO_ERROR_IO, "%s: the process that hears it has ended", name(self));
    else if (status == STENO_AGAIN && is_silent_for_long(self))
        status =
            error_set(error, STENO_ERROR_IO, "%s: the sound system does not answer", name(self));
    if (status == STENO_OK || status == STENO_AGAIN)
        return status;
    end_process(self);
    bool is_stopped = self->state == STOPPED;
    self->state = is_stopped ? OVER : CLOSED;
    return is_stopped ? STENO_END : status;
}

/* ---- The interface ---- */

/* Formats into memory of its own; NULL when it is out. */
static char *make_setting(const steno_capture_options *options)
{
    static const char format[] = MICROPHONE_VARIABLE "=%u %u %u%s%s";
    const char *device = options->device != NULL ? options->device : "";
    const char *space = options->device != NULL ? " " : "";
    unsigned rate_hz = options->rate_hz, channels = options->channels;
    unsigned buffer_ms = options->buffer_ms;
    int length = snprintf(NULL, 0, format, rate_hz, channels, buffer_ms, space, device);
    char *setting = memory_allocate((size_t)length + 1, 1);
    if (setting != NULL)
        snprintf(setting, (size_t)length + 1, format, rate_hz, channels, buffer_ms, space, device);
    return setting;
}

steno_status steno_microphone_create(
    const steno_capture_options *options, steno_microphone **out_microphone, steno_error *error)
{
    static const steno_capture_options defaults = {0};
    if (options == NULL)
        options = &defaults;
    if (!steno_capture_is_supported())
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "this build has no microphone: it was made without PortAudio");
    steno_microphone *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->fd = -1;
    self->setting = make_setting(options);
    self->device = options->device != NULL ? memory_duplicate(options->device) : NULL;
    if (self->setting == NULL || (options->device != NULL && self->device == NULL)) {
        steno_microphone_destroy(self);
        return error_memory(error);
    }
    *out_microphone = self;
    return STENO_OK;
}

void steno_microphone_destroy(steno_microphone *self)
{
    if (self == NULL)
        return;
    end_process(self);
    reap(self);
    for (int i = 0; i < END_TRIES && self->killed_count > 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = END_TRY_MS * 1000000}, NULL);
        reap(self);
    }
    memory_free(self->setting);
    memory_free(self->device);
    memory_free(self);
}

static steno_status begin(steno_microphone *self, steno_error *error)
{
    /* Or a program that lacks the lines would start itself again and again. */
    if (getenv(MICROPHONE_VARIABLE) != NULL)
        return error_set(
            error, STENO_ERROR_STATE, "main has to call steno_microphone_serve before all else");
    if (self->killed_count == KILLED_MAX)
        return error_set(error, STENO_ERROR_IO,
            "%s: %d processes that were to hear it hang in the kernel", name(self), KILLED_MAX);
    steno_status status = start_process(self, error);
    if (status < 0)
        return status;
    self->state = OPENING;
    self->was_opened = self->found_none = false;
    self->counts = (steno_capture_counts){0};
    self->got = self->frames = self->given = 0;
    self->looked_ms = now_ms();
    self->silent_ms = 0;
    return STENO_OK;
}

steno_status steno_microphone_open(steno_microphone *self, steno_error *error)
{
    reap(self);
    if (self->state == CLOSED) {
        steno_status status = begin(self, error);
        if (status < 0)
            return status;
    }
    return self->state == OPENING ? next_message(self, error) : STENO_OK;
}

bool steno_microphone_found_none(const steno_microphone *self)
{
    return self->found_none;
}

const steno_capture_info *steno_microphone_get_info(const steno_microphone *self)
{
    return self->was_opened ? &self->info : NULL;
}

int steno_microphone_fd(const steno_microphone *self)
{
    return self->fd;
}

steno_status steno_microphone_read(steno_microphone *self, float *samples, size_t capacity,
    size_t *out_frames, uint64_t *out_lost, steno_error *error)
{
    const message_audio *audio = &self->message.audio;
    reap(self);
    if (self->state == CLOSED || self->state == OPENING)
        return error_set(error, STENO_ERROR_STATE, "%s: is not open", name(self));
    if (self->given == self->frames) {
        steno_status status = self->state == OVER ? STENO_END : next_message(self, error);
        if (status != STENO_OK)
            return status;
    }
    size_t left = self->frames - self->given, channels = self->info.channels;
    size_t frames = left < capacity ? left : capacity;
    memcpy(samples, audio->samples + self->given * channels, frames * channels * sizeof(float));
    *out_frames = frames;
    *out_lost = self->given == 0 ? audio->lost_frames : 0;
    self->given += frames;
    return STENO_OK;
}

void steno_microphone_stop(steno_microphone *self)
{
    if (self->state != OPEN)
        return;
    shutdown(self->fd, SHUT_WR);
    self->state = STOPPED;
    self->looked_ms = now_ms();
    self->silent_ms = 0;
}

void steno_microphone_close(steno_microphone *self)
{
    end_process(self);
    self->state = CLOSED;
}

void steno_microphone_get_counts(const steno_microphone *self, steno_capture_counts *out_counts)
{
    *out_counts = self->counts;
}
