/* Bad files: one clear error each, that names the file and the reason, and no harm done. */
#include <check.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/input.h"
#include "base/memory.h"
#include "recordings.h"
#include "support/suite.h"

enum { FRAMES = 3000, RATE = 16000 };

static float signal[2 * FRAMES];

/* Read by the leak checker of the address sanitizer, if there is one: libsndfile 1.2 forgets a
 * block of libvorbis for each Ogg Vorbis file whose header it refuses.  Visible, since it is the
 * sanitizer's library that looks for it. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:vorbis_info_init";
}

static void setup(void)
{
    recording_signal(signal, 2 * FRAMES, RATE);
}

static void check_refused(
    const char *name, const void *bytes, size_t size, steno_status status, const char *reason)
{
    size_t alive = memory_alive();
    steno_audio_file *file = NULL;
    steno_error error = {0};
    ck_assert_msg(steno_audio_open_memory(name, bytes, size, NULL, &file, &error) == status,
        "%s: %d %s", name, error.status, error.message);
    ck_assert_int_eq(error.status, status);
    ck_assert_msg(strstr(error.message, name) && strstr(error.message, reason), "%s: %s", name,
        error.message);
    ck_assert_ptr_null(file);
    ck_assert_uint_eq(memory_alive(), alive);
}

static void check_path_refused(const char *path, steno_status status, const char *reason)
{
    for (int is_raw = 0; is_raw < 2; is_raw++) {
        steno_raw_format raw = {STENO_ENCODING_S16, RATE, 1};
        steno_audio_file *file = NULL;
        steno_error error = {0};
        ck_assert_int_eq(steno_audio_open(path, is_raw ? &raw : NULL, &file, &error), status);
        ck_assert_msg(
            strstr(error.message, path) && strstr(error.message, reason), "%s", error.message);
        ck_assert_ptr_null(file);
    }
}

START_TEST(paths_that_are_no_files)
{
    check_path_refused("/nonexistent/a.wav", STENO_ERROR_NOT_FOUND, "no such file");
    check_path_refused("/etc/passwd/a.wav", STENO_ERROR_NOT_FOUND, "no such file");
    check_path_refused("/tmp", STENO_ERROR_IO, "directory");
    check_path_refused("/dev/null", STENO_ERROR_IO, "device");
    check_path_refused("", STENO_ERROR_NOT_FOUND, "no such file");
}
END_TEST

START_TEST(unreadable_and_empty_files)
{
    char path[] = "/tmp/steno-test-XXXXXX";
    int descriptor = mkstemp(path);
    check_path_refused(path, STENO_ERROR_FORMAT, "empty");
    ck_assert_int_eq(fchmod(descriptor, 0), 0);
    close(descriptor);
    /* Root may read anything; this test runs in a process of its own. */
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    check_path_refused(path, STENO_ERROR_PERMISSION, "permission denied");
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    unlink(path);
}
END_TEST

START_TEST(bytes_that_are_no_audio)
{
    static const char text[] = "file\tid\tspeaker\nThese forests were of trees different in some";
    check_refused("nothing", NULL, 0, STENO_ERROR_FORMAT, "empty");
    check_refused("one", "R", 1, STENO_ERROR_FORMAT, "");
    check_refused("notes.wav", text, sizeof text, STENO_ERROR_FORMAT, "not audio");
    check_refused("riff", "RIFF", 4, STENO_ERROR_FORMAT, "");
    check_refused("ogg", "OggS", 4, STENO_ERROR_FORMAT, "");
    check_refused("film.m4a",
        "\0\0\0\x20"
        "ftypM4A \0\0\0\0M4A mp42isom",
        28, STENO_ERROR_UNSUPPORTED, "MP4");
    check_refused(
        "film.webm", "\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f", 12, STENO_ERROR_UNSUPPORTED, "WebM");

    struct reader reader = {.recording = {NULL, 0}};
    steno_source source = reader_source(&reader, 0);
    steno_audio_file *file = NULL;
    ck_assert_int_eq(
        steno_audio_open_source("pipe", &source, NULL, &file, NULL), STENO_ERROR_FORMAT);
}
END_TEST

START_TEST(a_long_name_leaves_room_for_the_reason)
{
    char path[4000];
    memset(path, 'x', sizeof path);
    strcpy(path + sizeof path - 7, "/a.wav");
    steno_audio_file *file = NULL;
    steno_error error;
    ck_assert_int_lt(steno_audio_open_memory(path, "text", 4, NULL, &file, &error), 0);
    ck_assert_ptr_nonnull(strstr(error.message, "/a.wav: "));
    ck_assert_ptr_nonnull(strstr(error.message, "not audio"));
}
END_TEST

/* A WAV header with one field replaced. */
static void check_wav_field(
    size_t offset, size_t size, uint32_t value, steno_status status, const char *reason)
{
    struct recording wav = recording_wav(signal, 100, 1, RATE, 200);
    for (size_t i = 0; i < size; i++)
        wav.bytes[offset + i] = (unsigned char)(value >> 8 * i);
    check_refused("hostile.wav", wav.bytes, wav.size, status, reason);
    free(wav.bytes);
}

START_TEST(hostile_wav_headers)
{
    check_wav_field(22, 2, 0, STENO_ERROR_FORMAT, "");
    check_wav_field(22, 2, 9, STENO_ERROR_UNSUPPORTED, "9 channels");
    check_wav_field(24, 4, 7999, STENO_ERROR_UNSUPPORTED, "7999 Hz");
    check_wav_field(24, 4, 192001, STENO_ERROR_UNSUPPORTED, "192001 Hz");
    check_wav_field(24, 4, 0x7fffffff, STENO_ERROR_UNSUPPORTED, "2147483647 Hz");

    /* What libsndfile makes of these is its own affair; a clear refusal or harmless samples. */
    static const struct {
        size_t offset, size;
        uint32_t value;
    } odd[] = {{22, 2, 65535}, {24, 4, 0}, {24, 4, UINT32_MAX}, {32, 2, 0}, {34, 2, 0}, {34, 2, 3},
        {34, 2, 65535}, {16, 4, 0}, {16, 4, UINT32_MAX}, {20, 2, 0x161}, {4, 4, 0}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct recording wav = recording_wav(signal, 100, 1, RATE, 200);
        for (size_t k = 0; k < odd[i].size; k++)
            wav.bytes[odd[i].offset + k] = (unsigned char)(odd[i].value >> 8 * k);
        steno_audio_file *file = NULL;
        steno_error error = {0};
        steno_status status =
            steno_audio_open_memory("odd.wav", wav.bytes, wav.size, NULL, &file, &error);
        if (status < 0) {
            ck_assert_ptr_nonnull(strstr(error.message, "odd.wav: "));
        } else {
            float *samples;
            ck_assert_uint_le(recording_read(file, 64, &samples, &status, &error), 200);
            free(samples);
        }
        steno_audio_close(file);
        free(wav.bytes);
    }
}
END_TEST

/* Opens and reads; expects `frames` frames (SIZE_MAX: any) and then `end`. */
static void check_ending(
    const char *name, struct recording recording, size_t frames, steno_status end)
{
    steno_audio_file *file = NULL;
    steno_error error = {0};
    steno_status status;
    float *samples;
    ck_assert_msg(steno_audio_open_memory(
                      name, recording.bytes, recording.size, NULL, &file, &error) == STENO_OK,
        "%s", error.message);
    size_t count = recording_read(file, 500, &samples, &status, &error);
    if (frames != SIZE_MAX)
        ck_assert_msg(count == frames, "%s: %zu frames", name, count);
    ck_assert_msg(status == end, "%s: %d %s", name, status, error.message);
    if (end < 0)
        ck_assert_msg(
            strstr(error.message, name) && strstr(error.message, "truncated"), "%s", error.message);
    free(samples);
    steno_audio_close(file);
}

START_TEST(truncated_files_say_so_after_their_samples)
{
    struct recording wav = recording_wav(signal, FRAMES, 1, RATE, 2 * FRAMES + 2000);
    check_ending("cut.wav", wav, FRAMES, STENO_ERROR_FORMAT);
    wav.size -= 1001; /* inside a sample */
    check_ending("cut.wav", wav, FRAMES - 501, STENO_ERROR_FORMAT);
    free(wav.bytes);

    static const int formats[] = {SF_FORMAT_AIFF | SF_FORMAT_PCM_16,
        SF_FORMAT_AU | SF_FORMAT_PCM_16, SF_FORMAT_WAV | SF_ENDIAN_BIG | SF_FORMAT_PCM_16};
    for (size_t i = 0; i < 3; i++) {
        struct recording cut = recording_encode(signal, FRAMES, 1, RATE, formats[i], 0.5);
        check_ending("whole", cut, FRAMES, STENO_END);
        cut.size -= 2000;
        check_ending("cut", cut, FRAMES - 1000, STENO_ERROR_FORMAT);
        free(cut.bytes);
    }
}
END_TEST

START_TEST(truncated_flac_and_mp3)
{
    struct recording flac = recording_load("speech/2277-149874-0007.flac");
    flac.size /= 2;
    steno_audio_file *file;
    steno_error error;
    steno_status end;
    float *samples;
    ck_assert_int_eq(
        steno_audio_open_memory("cut.flac", flac.bytes, flac.size, NULL, &file, &error), STENO_OK);
    size_t count = recording_read(file, 500, &samples, &end, &error);
    ck_assert_uint_gt(count, 20000);
    ck_assert_uint_lt(count, 60000);
    ck_assert_int_eq(end, STENO_ERROR_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "cut.flac: "));
    free(samples);
    steno_audio_close(file);
    free(flac.bytes);

    struct recording mp3 = recording_encode(
        signal, 2 * FRAMES, 1, RATE, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 0.3);
    check_ending("whole.mp3", mp3, 2 * FRAMES, STENO_END);
    mp3.size /= 2;
    check_ending("cut.mp3", mp3, SIZE_MAX, STENO_ERROR_FORMAT);
    free(mp3.bytes);
}
END_TEST

/* Sizes as written by programs that could not go back to the header. */
START_TEST(unknown_sizes_are_not_truncated)
{
    static const uint32_t sizes[] = {UINT32_MAX, 0x7ffff000, 0x80000000 - 44, 0x7fffffff};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct recording wav = recording_wav(signal, FRAMES, 1, RATE, sizes[i]);
        check_ending("stream.wav", wav, FRAMES, STENO_END);
        free(wav.bytes);
    }
}
END_TEST

START_TEST(raw_that_ends_inside_a_sample)
{
    steno_raw_format raw = {STENO_ENCODING_S16, RATE, 2};
    unsigned char bytes[4 * 10 + 3] = {0};
    steno_audio_file *file;
    steno_error error;
    steno_status end;
    float *samples;
    ck_assert_int_eq(
        steno_audio_open_memory("odd.raw", bytes, sizeof bytes, &raw, &file, &error), STENO_OK);
    ck_assert_uint_eq(recording_read(file, 7, &samples, &end, &error), 10);
    ck_assert_int_eq(end, STENO_ERROR_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "odd.raw: truncated"));
    free(samples);
    steno_audio_close(file);
}
END_TEST

START_TEST(a_source_that_fails_is_an_io_error)
{
    struct recording wav = recording_wav(signal, FRAMES, 1, RATE, 2 * FRAMES);
    static const size_t places[] = {1, 40, 1000, 5000};
    for (int can_seek = 0; can_seek < 2; can_seek++) {
        for (int is_raw = 0; is_raw < 2; is_raw++) {
            for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
                struct reader reader = {.recording = wav, .step = 100, .fail_at = places[i]};
                steno_source source = reader_source(&reader, can_seek);
                steno_raw_format raw = {STENO_ENCODING_S16, RATE, 1};
                steno_audio_file *file = NULL;
                steno_error error = {0};
                steno_status status =
                    steno_audio_open_source("broken", &source, is_raw ? &raw : NULL, &file, &error);
                if (status == STENO_OK) {
                    float *samples;
                    size_t count = recording_read(file, 50, &samples, &status, &error);
                    ck_assert_uint_le(2 * count, places[i]);
                    free(samples);
                }
                ck_assert_int_eq(status, STENO_ERROR_IO);
                ck_assert_ptr_nonnull(strstr(error.message, "broken: can't read: Input/output"));
                steno_audio_close(file);
            }
        }
    }
    free(wav.bytes);
}
END_TEST

START_TEST(loading_has_a_limit)
{
    struct recording wav = recording_wav(signal, FRAMES, 1, RATE, 2 * FRAMES);
    for (int can_seek = 0; can_seek < 2; can_seek++) {
        for (int over = 0; over < 2; over++) {
            struct reader reader = {.recording = wav, .step = 1000};
            steno_source source = reader_source(&reader, can_seek);
            struct input in;
            steno_error error;
            size_t alive = memory_alive();
            ck_assert_int_eq(input_open_source(&in, "pipe", &source, &error), STENO_OK);
            steno_status status = input_load(&in, wav.size - (size_t)over, &error);
            ck_assert_int_eq(status, over ? STENO_ERROR_LIMIT : STENO_OK);
            if (!over) {
                ck_assert_uint_eq(in.size, wav.size);
                ck_assert_mem_eq(in.bytes, wav.bytes, wav.size);
            }
            input_close(&in);
            ck_assert_uint_eq(memory_alive(), alive);
        }
    }
    free(wav.bytes);
}
END_TEST

START_TEST(bad_arguments)
{
    steno_audio_file *file = NULL;
    steno_raw_format raw = {STENO_ENCODING_S16, RATE, 1};
    steno_source source = {0};
    ck_assert_int_eq(steno_audio_open(NULL, NULL, &file, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_audio_open("a", NULL, NULL, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(
        steno_audio_open_memory(NULL, "a", 1, NULL, &file, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(
        steno_audio_open_memory("a", NULL, 1, NULL, &file, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(
        steno_audio_open_source("a", &source, NULL, &file, NULL), STENO_ERROR_ARGUMENT);
    raw.encoding = (steno_encoding)9;
    ck_assert_int_eq(
        steno_audio_open_memory("a", "bb", 2, &raw, &file, NULL), STENO_ERROR_ARGUMENT);
    raw = (steno_raw_format){STENO_ENCODING_S16, 7000, 1};
    ck_assert_int_eq(
        steno_audio_open_memory("a", "bb", 2, &raw, &file, NULL), STENO_ERROR_UNSUPPORTED);
    raw = (steno_raw_format){STENO_ENCODING_S16, RATE, 9};
    ck_assert_int_eq(
        steno_audio_open_memory("a", "bb", 2, &raw, &file, NULL), STENO_ERROR_UNSUPPORTED);
    ck_assert_ptr_null(file);
    raw.channels = 1;
    ck_assert_int_eq(steno_audio_open_memory("a", "bb", 2, &raw, &file, NULL), STENO_OK);
    float sample;
    size_t got = 5;
    ck_assert_int_eq(steno_audio_read(file, NULL, 1, &got, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_audio_read(file, &sample, 0, &got, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_uint_eq(got, 5);
    steno_audio_close(file);
    steno_audio_close(NULL);
}
END_TEST

START_TEST(each_allocation_may_fail)
{
    struct recording wav = recording_wav(signal, FRAMES, 1, RATE, 2 * FRAMES);
    struct recording opus = recording_load("speech/6313-66129-0030.opus");
    steno_raw_format raw = {STENO_ENCODING_S16, RATE, 1};
    for (int kind = 0; kind < 4; kind++) {
        struct recording recording = kind < 3 ? wav : opus;
        int failures = 0;
        for (uint64_t i = 1;; i++) {
            struct reader reader = {.recording = recording};
            steno_source source = reader_source(&reader, kind == 1);
            steno_audio_file *file = NULL;
            steno_error error = {0};
            size_t alive = memory_alive();
            memory_fail_at(memory_attempts() + i);
            steno_status status =
                steno_audio_open_source("name", &source, kind == 2 ? &raw : NULL, &file, &error);
            memory_fail_at(0);
            if (status == STENO_OK) {
                steno_audio_close(file);
                ck_assert_uint_eq(memory_alive(), alive);
                break;
            }
            failures++;
            ck_assert_int_eq(status, STENO_ERROR_MEMORY);
            ck_assert_ptr_null(file);
            ck_assert_uint_eq(memory_alive(), alive);
        }
        ck_assert_int_ge(failures, kind == 1 ? 1 : 2);
    }
    free(wav.bytes);
    free(opus.bytes);
}
END_TEST

/* Random damage to every format: any answer but a crash, a hang or samples out of range. */
START_TEST(random_damage_does_no_harm)
{
    static const int formats[] = {SF_FORMAT_WAV | SF_FORMAT_PCM_16,
        SF_FORMAT_AIFF | SF_FORMAT_PCM_16, SF_FORMAT_AU | SF_FORMAT_FLOAT,
        SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_OGG | SF_FORMAT_OPUS,
        SF_FORMAT_OGG | SF_FORMAT_VORBIS, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III};
    struct recording whole = recording_encode(signal, FRAMES, 1, RATE, formats[_i], 0.3);
    uint32_t state = 12345 + (uint32_t)_i;
    size_t alive = memory_alive();
    for (int round = 0; round < 60; round++) {
        unsigned char *bytes = malloc(whole.size);
        memcpy(bytes, whole.bytes, whole.size);
        size_t size = whole.size;
        for (int k = 0; k <= round % 8; k++) {
            state = state * 1664525u + 1013904223u;
            /* Half of the damage in the first 100 bytes, where headers are. */
            size_t place = (state >> 8) % (k % 2 ? whole.size : 100);
            bytes[place] = (unsigned char)(state >> 24 ^ state);
        }
        if (round % 5 == 4)
            size = whole.size * (size_t)(round + 1) / 61;
        steno_audio_file *file = NULL;
        steno_error error = {0};
        if (steno_audio_open_memory("damaged", bytes, size, NULL, &file, &error) == STENO_OK) {
            float samples[8 * 256];
            size_t got, total = 0;
            uint32_t channels = steno_audio_get_info(file)->channels;
            steno_status status = STENO_OK;
            while (total < 1 << 20 &&
                   (status = steno_audio_read(file, samples, 256, &got, &error)) == STENO_OK) {
                size_t good = 0;
                while (good < got * channels && samples[good] >= -1.0f && samples[good] < 1.0f)
                    good++;
                ck_assert_uint_eq(good, got * channels);
                total += got;
            }
            ck_assert(status == STENO_OK || status == STENO_END || status == STENO_ERROR_FORMAT);
        } else {
            ck_assert_ptr_nonnull(strstr(error.message, "damaged: "));
        }
        steno_audio_close(file);
        free(bytes);
    }
    ck_assert_uint_eq(memory_alive(), alive);
    free(whole.bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("damaged");
    TCase *tests = tcase_create("damaged");
    tcase_set_timeout(tests, 100); /* valgrind */
    tcase_add_unchecked_fixture(tests, setup, NULL);
    tcase_add_test(tests, paths_that_are_no_files);
    tcase_add_test(tests, unreadable_and_empty_files);
    tcase_add_test(tests, bytes_that_are_no_audio);
    tcase_add_test(tests, a_long_name_leaves_room_for_the_reason);
    tcase_add_test(tests, hostile_wav_headers);
    tcase_add_test(tests, truncated_files_say_so_after_their_samples);
    tcase_add_test(tests, truncated_flac_and_mp3);
    tcase_add_test(tests, unknown_sizes_are_not_truncated);
    tcase_add_test(tests, raw_that_ends_inside_a_sample);
    tcase_add_test(tests, a_source_that_fails_is_an_io_error);
    tcase_add_test(tests, loading_has_a_limit);
    tcase_add_test(tests, bad_arguments);
    tcase_add_test(tests, each_allocation_may_fail);
    tcase_add_loop_test(tests, random_damage_does_no_harm, 0, 7);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
