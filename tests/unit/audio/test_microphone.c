/*
 * A microphone in a process of its own: this program once more, which a variable tells what to do
 * instead of opening a device, most of it what a process never should.
 */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audio/microphone_process.h"
#include "base/memory.h"
#include "steno/microphone.h"
#include "support/suite.h"

#define BEHAVIOUR "TEST_BEHAVIOUR"

enum { RATE_HZ = 16000, CHANNELS = 2, FRAMES = 5, KILLED_MAX = 8 };

/* ---- The other process ---- */

static message sent;

/* Some bytes of it at a time. */
static void put(message_kind kind, size_t body_bytes, size_t piece)
{
    const char *at = (const char *)&sent;
    sent.head = (message_head){kind, (uint32_t)body_bytes};
    for (size_t left = sizeof(message_head) + body_bytes; left > 0;) {
        ssize_t count = send(STDIN_FILENO, at, left < piece ? left : piece, MSG_NOSIGNAL);
        if (count < 0)
            exit(EXIT_FAILURE);
        at += count;
        left -= (size_t)count;
    }
}

static void put_opened(const char *device)
{
    sent.opened = (message_opened){
        .system = "test", .rate_hz = RATE_HZ, .channels = CHANNELS, .latency_ms = 7};
    snprintf(sent.opened.device, sizeof sent.opened.device, "%s", device);
    put(MESSAGE_OPENED, sizeof(message_opened), 11);
}

static void put_audio(float first, uint64_t lost, size_t piece)
{
    message_audio *audio = &sent.audio;
    audio->frames = FRAMES;
    audio->lost_frames = lost;
    audio->counts = (steno_capture_counts){100, lost, 3};
    for (size_t i = 0; i < FRAMES * CHANNELS; i++)
        audio->samples[i] = first + (float)i;
    put(MESSAGE_AUDIO, message_audio_bytes(FRAMES * CHANNELS), piece);
}

/* What a good one does. */
static void speak(void)
{
    char byte;
    const char *setting = getenv(MICROPHONE_VARIABLE);
    put_opened(setting != NULL ? setting : "");
    put_audio(0, 9, 1);
    put_audio(100, 0, 1000);
    (void)!recv(STDIN_FILENO, &byte, 1, 0); /* until it is to stop */
    put_audio(200, 0, 1000);
    put(MESSAGE_ENDED, 0, 1);
}

static void put_failure(bool found_none)
{
    sent.failed = (message_failed){
        .error = {.status = STENO_ERROR_NOT_FOUND, .message = "gone"}, .found_none = found_none};
    put(MESSAGE_FAILED, sizeof(message_failed), 100);
}

/* Each of these has something else wrong. */
static void err(char how)
{
    if (how != 'a')
        put_opened("bad");
    if (how == 'a') { /* audio of what is not open */
        put_audio(0, 0, 1000);
    } else if (how == 'b') { /* other frames than samples */
        sent.audio.frames = 7;
        put(MESSAGE_AUDIO, message_audio_bytes(FRAMES * CHANNELS), 1000);
    } else if (how == 'c') { /* longer than any message */
        put(MESSAGE_AUDIO, 0, 1);
        sent.head.body_bytes = UINT32_MAX;
    } else if (how == 'd') { /* no such kind */
        put((message_kind)77, 4, 1000);
    } else if (how == 'e') { /* no failure */
        sent.failed.error.status = STENO_OK;
        put(MESSAGE_FAILED, sizeof(message_failed), 1000);
    } else if (how == 'f') { /* an end that nobody has asked for */
        put(MESSAGE_ENDED, 0, 1);
    }
    pause();
}

/* Held by a tracer, it stays a process when it is killed, as one that hangs in a driver does.  The
 * tracer's number is the device's name; 0: this machine allows no tracing. */
static void hold(void)
{
    int ready[2];
    pid_t tracer = 0;
    char answer = 'n', number[16];
    pid_t self = getpid();
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    if (pipe(ready) == 0 && (tracer = fork()) == 0) {
        alarm(120);
        answer = ptrace(PTRACE_SEIZE, self, NULL, NULL) == 0 ? 'y' : 'n';
        (void)!write(ready[1], &answer, 1);
        while (answer == 'y')
            pause();
        _exit(0);
    }
    (void)!read(ready[0], &answer, 1);
    snprintf(number, sizeof number, "%d", answer == 'y' ? (int)tracer : 0);
    put_opened(number);
    put((message_kind)77, 4, 1000);
    pause();
}

static int behave(const char *behaviour)
{
    if (strcmp(behaviour, "speak") == 0)
        speak();
    else if (strcmp(behaviour, "hang") == 0)
        pause();
    else if (strcmp(behaviour, "none") == 0)
        put_failure(true);
    else if (strcmp(behaviour, "other") == 0)
        put_failure(false);
    else if (strncmp(behaviour, "err ", 4) == 0)
        err(behaviour[4]);
    else if (strcmp(behaviour, "hold") == 0)
        hold();
    return EXIT_SUCCESS; /* "end" */
}

/* ---- This side ---- */

static steno_error error;

static steno_microphone *create(const char *behaviour, const char *device)
{
    const steno_capture_options options = {.device = device, .rate_hz = 48000, .channels = 1};
    steno_microphone *self = NULL;
    if (behaviour != NULL)
        setenv(BEHAVIOUR, behaviour, 1);
    ck_assert_int_eq(steno_microphone_create(&options, &self, &error), STENO_OK);
    return self;
}

static void await(const steno_microphone *self)
{
    struct pollfd fd = {.fd = steno_microphone_fd(self), .events = POLLIN};
    ck_assert_int_ge(fd.fd, 0);
    poll(&fd, 1, 1000);
}

static steno_status open_whole(steno_microphone *self)
{
    steno_status status;
    while ((status = steno_microphone_open(self, &error)) == STENO_AGAIN)
        await(self);
    return status;
}

static steno_status read_some(
    steno_microphone *self, float *samples, size_t capacity, size_t *out_frames, uint64_t *out_lost)
{
    steno_status status;
    while ((status = steno_microphone_read(
                self, samples, capacity, out_frames, out_lost, &error)) == STENO_AGAIN)
        await(self);
    return status;
}

/* Whether this process has children, alive or to be waited for. */
static bool has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

START_TEST(what_it_hears)
{
    steno_microphone *self = create("speak", "a device");
    float samples[64];
    size_t frames;
    uint64_t lost;
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(steno_microphone_fd(self), -1);
        ck_assert_int_eq(
            steno_microphone_read(self, samples, 3, &frames, &lost, &error), STENO_ERROR_STATE);
        ck_assert_int_eq(open_whole(self), STENO_OK);
        ck_assert_int_eq(steno_microphone_open(self, &error), STENO_OK);
        const steno_capture_info *info = steno_microphone_get_info(self);
        ck_assert_str_eq(info->device, "48000 1 0 a device"); /* what it was asked for */
        ck_assert_str_eq(info->system, "test");
        ck_assert_uint_eq(info->rate_hz, RATE_HZ);
        ck_assert_uint_eq(info->channels, CHANNELS);
        ck_assert_uint_eq(info->latency_ms, 7);

        ck_assert_int_eq(read_some(self, samples, 3, &frames, &lost), STENO_OK);
        ck_assert_uint_eq(frames, 3);
        ck_assert_uint_eq(lost, 9);
        ck_assert_float_eq(samples[5], 5);
        ck_assert_int_eq(read_some(self, samples, 3, &frames, &lost), STENO_OK);
        ck_assert_uint_eq(frames, 2);
        ck_assert_uint_eq(lost, 0);
        ck_assert_float_eq(samples[0], 6);
        ck_assert_int_eq(read_some(self, samples, 32, &frames, &lost), STENO_OK);
        ck_assert_uint_eq(frames, FRAMES);
        ck_assert_float_eq(samples[0], 100);
        steno_capture_counts counts;
        steno_microphone_get_counts(self, &counts);
        ck_assert_uint_eq(counts.frames, 100);
        ck_assert_uint_eq(counts.device_overruns, 3);

        if (round == 0) {
            steno_microphone_stop(self);
            ck_assert_int_eq(read_some(self, samples, 32, &frames, &lost), STENO_OK);
            ck_assert_float_eq(samples[0], 200);
            for (int i = 0; i < 2; i++)
                ck_assert_int_eq(read_some(self, samples, 32, &frames, &lost), STENO_END);
        }
        steno_microphone_close(self);
        ck_assert_str_eq(steno_microphone_get_info(self)->system, "test");
    }
    steno_microphone_destroy(self);
    ck_assert(!has_children());
}
END_TEST

START_TEST(it_ends)
{
    steno_microphone *self = create("end", NULL);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(open_whole(self), STENO_ERROR_IO);
        ck_assert_str_eq(error.message, "the microphone: the process that hears it has ended");
        ck_assert_int_eq(steno_microphone_fd(self), -1);
    }
    setenv(BEHAVIOUR, "speak", 1);
    ck_assert_int_eq(open_whole(self), STENO_OK);
    steno_microphone_destroy(self);
    ck_assert(!has_children());
}
END_TEST

START_TEST(it_fails)
{
    steno_microphone *self = create("none", "a device");
    ck_assert_int_eq(open_whole(self), STENO_ERROR_NOT_FOUND);
    ck_assert_str_eq(error.message, "gone");
    ck_assert(steno_microphone_found_none(self));
    ck_assert_ptr_null(steno_microphone_get_info(self));
    setenv(BEHAVIOUR, "other", 1);
    ck_assert_int_eq(open_whole(self), STENO_ERROR_NOT_FOUND);
    ck_assert(!steno_microphone_found_none(self));
    steno_microphone_destroy(self);
}
END_TEST

START_TEST(it_errs)
{
    for (char how = 'a'; how <= 'f'; how++) {
        char behaviour[] = {'e', 'r', 'r', ' ', how, '\0'};
        steno_microphone *self = create(behaviour, NULL);
        float samples[64];
        size_t frames = 99;
        uint64_t lost = 99;
        steno_status status = open_whole(self);
        if (how != 'a') {
            ck_assert_int_eq(status, STENO_OK);
            status = read_some(self, samples, 32, &frames, &lost);
        }
        ck_assert_msg(status == STENO_ERROR_INTERNAL, "%c: %d", how, (int)status);
        ck_assert_msg(strstr(error.message, "errs") != NULL, "%s", error.message);
        ck_assert_uint_eq(frames, 99);
        steno_microphone_destroy(self);
    }
    ck_assert(!has_children());
}
END_TEST

START_TEST(it_hangs)
{
    steno_microphone *self = create("hang", "a device");
    ck_assert_int_eq(open_whole(self), STENO_ERROR_IO);
    ck_assert_str_eq(error.message, "a device: the sound system does not answer");
    /* The next one is ended in the middle of it. */
    ck_assert_int_eq(steno_microphone_open(self, &error), STENO_AGAIN);
    steno_microphone_destroy(self);
    ck_assert(!has_children());
}
END_TEST

/* Processes that can't be waited for yet are not, and are later. */
START_TEST(it_does_not_end)
{
    steno_microphone *self = create("hold", NULL);
    pid_t tracers[KILLED_MAX];
    for (size_t i = 0; i < KILLED_MAX; i++) {
        float sample[CHANNELS];
        size_t frames;
        uint64_t lost;
        ck_assert_int_eq(open_whole(self), STENO_OK);
        tracers[i] = (pid_t)strtol(steno_microphone_get_info(self)->device, NULL, 10);
        ck_assert_int_eq(read_some(self, sample, 1, &frames, &lost), STENO_ERROR_INTERNAL);
        if (tracers[i] == 0) { /* not here */
            steno_microphone_destroy(self);
            return;
        }
    }
    ck_assert_int_eq(open_whole(self), STENO_ERROR_IO);
    ck_assert_msg(strstr(error.message, "hang in the kernel") != NULL, "%s", error.message);
    for (size_t i = 1; i < KILLED_MAX; i++)
        kill(tracers[i], SIGKILL);
    setenv(BEHAVIOUR, "speak", 1);
    while (open_whole(self) != STENO_OK)
        usleep(1000);
    steno_microphone_destroy(self); /* gives up with the one that is held */
    ck_assert(has_children());
    kill(tracers[0], SIGKILL);
    /* Of the others one may only just be ending, too. */
    while (waitpid(-1, NULL, 0) > 0)
        ;
}
END_TEST

/* What would start itself again and again. */
START_TEST(a_main_without_the_lines)
{
    steno_microphone *self = create("speak", NULL);
    setenv(MICROPHONE_VARIABLE, "0 0 0", 1);
    ck_assert_int_eq(steno_microphone_open(self, &error), STENO_ERROR_STATE);
    ck_assert_msg(strstr(error.message, "steno_microphone_serve") != NULL, "%s", error.message);
    steno_microphone_destroy(self);
}
END_TEST

/* With the capture of this build, in a process of its own: there is no such device. */
START_TEST(a_real_process)
{
    steno_microphone *self = create(NULL, "a device that nobody has");
    steno_status status = open_whole(self);
    ck_assert_int_lt(status, 0);
    ck_assert_str_ne(error.message, "");
    ck_assert_msg(strstr(error.message, "process") == NULL, "%s", error.message);
    ck_assert(!steno_microphone_found_none(self) || status == STENO_ERROR_NOT_FOUND);
    steno_microphone_destroy(self);
    ck_assert(!has_children());
}
END_TEST

START_TEST(each_allocation_may_fail)
{
    const steno_capture_options options = {.device = "a device"};
    setenv(BEHAVIOUR, "speak", 1);
    size_t alive = memory_alive();
    bool failed = true;
    for (uint64_t attempt = 1; failed; attempt++) {
        steno_microphone *self = NULL;
        memory_fail_at(memory_attempts() + attempt);
        steno_status status = steno_microphone_create(&options, &self, &error);
        if (status == STENO_OK)
            status = open_whole(self);
        failed = status != STENO_OK;
        ck_assert(!failed || status == STENO_ERROR_MEMORY);
        memory_fail_at(0);
        if (self != NULL)
            ck_assert_int_eq(open_whole(self), STENO_OK);
        steno_microphone_destroy(self);
        ck_assert_uint_eq(memory_alive(), alive);
    }
}
END_TEST

START_TEST(a_build_without)
{
    steno_microphone *self = NULL;
    ck_assert_int_eq(steno_microphone_create(NULL, &self, &error), STENO_ERROR_UNSUPPORTED);
    ck_assert_ptr_null(self);
}
END_TEST

int main(void)
{
    int status;
    const char *behaviour = getenv(BEHAVIOUR);
    if (getenv(MICROPHONE_VARIABLE) != NULL && behaviour != NULL)
        return behave(behaviour);
    if (steno_microphone_serve(&status))
        return status;
    Suite *suite = suite_create("microphone");
    TCase *tests = tcase_create("processes");
    tcase_set_timeout(tests, 100);
    if (!steno_capture_is_supported()) {
        tcase_add_test(tests, a_build_without);
    } else {
        tcase_add_test(tests, what_it_hears);
        tcase_add_test(tests, it_ends);
        tcase_add_test(tests, it_fails);
        tcase_add_test(tests, it_errs);
        tcase_add_test(tests, it_hangs);
        tcase_add_test(tests, it_does_not_end);
        tcase_add_test(tests, a_main_without_the_lines);
        tcase_add_test(tests, a_real_process);
        tcase_add_test(tests, each_allocation_may_fail);
    }
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
