/* Recordings that grow: what was written can be read, also of one that was never closed. */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "steno/audio.h"
#include "steno/recording.h"
#include "support/suite.h"

enum { RATE = 48000, CHANNELS = 3, FRAMES = 2 * RATE };

static char path[64];

static void setup(void)
{
    snprintf(path, sizeof path, "/tmp/steno-recording-%d", (int)getpid());
}

static void teardown(void)
{
    unlink(path);
}

static const char *named(const char *ending)
{
    snprintf(path, sizeof path, "/tmp/steno-recording-%d%s", (int)getpid(), ending);
    return path;
}

static float sample(size_t frame, size_t channel)
{
    return (float)((int)((frame * 31 + channel * 1001) % 65536) - 32768) / 32768;
}

static steno_recording *write_frames(const char *name, size_t frames)
{
    steno_recording *self = NULL;
    steno_error error;
    ck_assert_int_eq(steno_recording_create(name, RATE, CHANNELS, &self, &error), STENO_OK);
    float *samples = malloc(frames * CHANNELS * sizeof *samples);
    for (size_t i = 0; i < frames; i++)
        for (size_t c = 0; c < CHANNELS; c++)
            samples[i * CHANNELS + c] = sample(i, c);
    for (size_t at = 0, size = 1; at < frames; at += size, size = (size * 7 + 1) % 2500 + 1) {
        if (size > frames - at)
            size = frames - at;
        ck_assert_int_eq(
            steno_recording_write(self, samples + at * CHANNELS, size, &error), STENO_OK);
    }
    free(samples);
    return self;
}

/* Reads the file, whose samples must be those written; how many frames there are.  A file that was
 * not closed may end with an error. */
static size_t read_back(const char *name, bool closed)
{
    steno_audio_file *file;
    steno_error error;
    ck_assert_int_eq(steno_audio_open(name, NULL, &file, &error), STENO_OK);
    const steno_audio_info *info = steno_audio_get_info(file);
    ck_assert_uint_eq(info->rate_hz, RATE);
    ck_assert_uint_eq(info->channels, CHANNELS);
    float samples[1000 * CHANNELS];
    size_t total = 0, frames;
    steno_status status;
    while ((status = steno_audio_read(file, samples, 1000, &frames, &error)) == STENO_OK)
        for (size_t i = 0; i < frames; i++, total++)
            for (size_t c = 0; c < CHANNELS; c++)
                ck_assert_float_eq(samples[i * CHANNELS + c], sample(total, c));
    if (closed)
        ck_assert_int_eq(status, STENO_END);
    steno_audio_close(file);
    return total;
}

static const char *const endings[] = {".flac", ".wav", ".FLAC"};

START_TEST(what_was_written_is_read)
{
    const char *name = named(endings[_i]);
    steno_error error;
    ck_assert_int_eq(steno_recording_close(write_frames(name, FRAMES), &error), STENO_OK);
    ck_assert_uint_eq(read_back(name, true), FRAMES);
}
END_TEST

/* A process that writes and is killed. */
START_TEST(what_a_killed_program_wrote_is_there)
{
    const char *name = named(endings[_i]);
    pid_t child = fork();
    if (child == 0) {
        write_frames(name, FRAMES);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    size_t frames = read_back(name, false);
    /* FLAC lacks its last block, of 4096 frames; WAV what came since the header was brought up to
     * date, at the end of a piece that ended a second. */
    ck_assert_uint_ge(frames, FRAMES - (_i == 0 ? 4096 : RATE));
    ck_assert_uint_le(frames, FRAMES);
}
END_TEST

START_TEST(samples_beyond_the_range_are_clipped)
{
    const char *name = named(".wav");
    steno_recording *self;
    steno_error error;
    const float in[] = {2, -2, NAN, INFINITY, -INFINITY, 0.25f};
    ck_assert_int_eq(steno_recording_create(name, 8000, 1, &self, &error), STENO_OK);
    ck_assert_int_eq(steno_recording_write(self, in, 6, &error), STENO_OK);
    ck_assert_int_eq(steno_recording_close(self, &error), STENO_OK);
    steno_audio_file *file;
    float out[6];
    size_t frames;
    ck_assert_int_eq(steno_audio_open(name, NULL, &file, &error), STENO_OK);
    ck_assert_int_eq(steno_audio_read(file, out, 6, &frames, &error), STENO_OK);
    ck_assert_uint_eq(frames, 6);
    const float expected[] = {32767.0f / 32768, -1, 0, 32767.0f / 32768, -1, 0.25f};
    for (size_t i = 0; i < 6; i++)
        ck_assert_float_eq(out[i], expected[i]);
    steno_audio_close(file);
}
END_TEST

START_TEST(what_can_not_be_is_refused)
{
    steno_recording *self = NULL;
    steno_error error;
    ck_assert_int_eq(
        steno_recording_create("/tmp/talk.mp3", RATE, 1, &self, &error), STENO_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "/tmp/talk.mp3: "));
    ck_assert_int_eq(steno_recording_check_path("talk", &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_recording_check_path(".wav", &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_recording_check_path("a.WaV", &error), STENO_OK);
    ck_assert_int_eq(
        steno_recording_create(named(".wav"), 7999, 1, &self, &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(
        steno_recording_create(named(".wav"), RATE, 9, &self, &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_recording_create("/nowhere/at/all.flac", RATE, 1, &self, &error),
        STENO_ERROR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "/nowhere/at/all.flac: "));
    ck_assert_ptr_null(self);
    ck_assert_int_eq(steno_recording_close(NULL, NULL), STENO_OK);
}
END_TEST

START_TEST(a_full_disk_is_told)
{
    steno_recording *self = NULL;
    steno_error error;
    /* /dev/full by a name with an ending that is known. */
    const char *name = named(".wav");
    if (symlink("/dev/full", name) != 0)
        return;
    steno_status status = steno_recording_create(name, RATE, 1, &self, &error);
    if (status == STENO_OK) {
        static const float samples[RATE];
        for (int i = 0; i < 3 && status == STENO_OK; i++)
            status = steno_recording_write(self, samples, RATE, &error);
        steno_status closed = steno_recording_close(self, &error);
        status = status == STENO_OK ? closed : status;
    }
    ck_assert_int_eq(status, STENO_ERROR_IO);
    ck_assert_ptr_nonnull(strstr(error.message, name));
}
END_TEST

START_TEST(allocation_may_fail)
{
    size_t alive = memory_alive();
    const char *name = named(".wav");
    for (uint64_t attempt = 1; attempt <= 2; attempt++) {
        steno_recording *self = NULL;
        steno_error error;
        memory_fail_at(memory_attempts() + attempt);
        ck_assert_int_eq(steno_recording_create(name, RATE, 1, &self, &error), STENO_ERROR_MEMORY);
        ck_assert_ptr_null(self);
        ck_assert_uint_eq(memory_alive(), alive);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recording");
    TCase *tests = tcase_create("recording");
    tcase_set_timeout(tests, 60); /* valgrind */
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, what_was_written_is_read, 0, 3);
    tcase_add_loop_test(tests, what_a_killed_program_wrote_is_there, 0, 2);
    tcase_add_test(tests, samples_beyond_the_range_are_clipped);
    tcase_add_test(tests, what_can_not_be_is_refused);
    tcase_add_test(tests, a_full_disk_is_told);
    tcase_add_test(tests, allocation_may_fail);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
