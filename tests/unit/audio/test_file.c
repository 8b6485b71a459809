/* Good files: every way in gives the same samples, whatever the format, its name or the pieces. */
#include <check.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recordings.h"
#include "support/suite.h"

enum { FRAMES = 20011, RATE = 22050 };

static float signal[2 * FRAMES];   /* on the grid of 16 bits, so that lossless is exact */
static float expected[2 * FRAMES]; /* what WAV gives back of it */

static void setup(void)
{
    recording_signal(signal, 2 * FRAMES, 2 * RATE);
    for (int i = 0; i < 2 * FRAMES; i++)
        expected[i] = signal[i] = rintf(signal[i] * 32768.0f) / 32768.0f;
}

/* Checks the file against `expected`, closes it. */
static void check_samples(
    steno_audio_file *file, const char *format, uint32_t channels, size_t piece)
{
    const steno_audio_info *info = steno_audio_get_info(file);
    ck_assert_str_eq(info->format, format);
    ck_assert_uint_eq(info->rate_hz, RATE);
    ck_assert_uint_eq(info->channels, channels);
    ck_assert_uint_eq(info->frames, FRAMES);
    float *samples;
    steno_status end;
    steno_error error;
    ck_assert_uint_eq(recording_read(file, piece, &samples, &end, &error), FRAMES);
    ck_assert_int_eq(end, STENO_END);
    ck_assert_mem_eq(samples, expected, FRAMES * channels * sizeof(float));
    size_t got = 99;
    ck_assert_int_eq(steno_audio_read(file, samples, 1, &got, &error), STENO_END);
    ck_assert_uint_eq(got, 0);
    free(samples);
    steno_audio_close(file);
}

static const struct {
    int format;
    const char *name;
} lossless[] = {
    {SF_FORMAT_WAV | SF_FORMAT_PCM_16, "WAV"},
    {SF_FORMAT_WAV | SF_FORMAT_PCM_24, "WAV"},
    {SF_FORMAT_WAV | SF_FORMAT_FLOAT, "WAV"},
    {SF_FORMAT_WAVEX | SF_FORMAT_PCM_16, "WAV"},
    {SF_FORMAT_RF64 | SF_FORMAT_PCM_16, "WAV"},
    {SF_FORMAT_WAV | SF_ENDIAN_BIG | SF_FORMAT_PCM_16, "WAV"},
    {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, "FLAC"},
    {SF_FORMAT_AIFF | SF_FORMAT_PCM_16, "AIFF"},
    {SF_FORMAT_AU | SF_FORMAT_PCM_16, "AU"},
    {SF_FORMAT_CAF | SF_FORMAT_PCM_16, "CAF"},
};
enum { LOSSLESS = sizeof lossless / sizeof *lossless };

START_TEST(every_way_in_gives_the_same_samples)
{
    steno_error error;
    for (int channels = 1; channels <= 2; channels++) {
        struct recording recording =
            recording_encode(signal, FRAMES, channels, RATE, lossless[_i].format, 0.5);
        const char *name = lossless[_i].name;
        steno_audio_file *file = NULL;

        ck_assert_int_eq(
            steno_audio_open_memory("block", recording.bytes, recording.size, NULL, &file, &error),
            STENO_OK);
        check_samples(file, name, (uint32_t)channels, FRAMES + 1);
        ck_assert_int_eq(
            steno_audio_open_memory("block", recording.bytes, recording.size, NULL, &file, &error),
            STENO_OK);
        check_samples(file, name, (uint32_t)channels, 37);

        for (int can_seek = 0; can_seek < 2; can_seek++) {
            struct reader reader = {.recording = recording, .step = 101};
            steno_source source = reader_source(&reader, can_seek);
            ck_assert_int_eq(
                steno_audio_open_source("source", &source, NULL, &file, &error), STENO_OK);
            check_samples(file, name, (uint32_t)channels, 1000);
        }

        /* The extension lies. */
        char path[] = "/tmp/steno-test-XXXXXX.mp3";
        int descriptor = mkstemps(path, 4);
        ck_assert_int_eq(
            write(descriptor, recording.bytes, recording.size), (ssize_t)recording.size);
        close(descriptor);
        ck_assert_int_eq(steno_audio_open(path, NULL, &file, &error), STENO_OK);
        unlink(path);
        check_samples(file, name, (uint32_t)channels, 4096);
        free(recording.bytes);
    }
}
END_TEST

START_TEST(a_pipe_by_path_is_read_whole)
{
    struct recording recording =
        recording_encode(signal, FRAMES, 1, RATE, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 0.5);
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_uint_lt(recording.size, 1 << 16); /* what a pipe holds */
    ck_assert_int_eq(write(ends[1], recording.bytes, recording.size), (ssize_t)recording.size);
    close(ends[1]);
    char path[32];
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    steno_audio_file *file;
    ck_assert_int_eq(steno_audio_open(path, NULL, &file, NULL), STENO_OK);
    check_samples(file, "FLAC", 1, 1000);
    close(ends[0]);
    free(recording.bytes);
}
END_TEST

/* Reads all frames, checks their number and that they resemble the signal. */
static void check_lossy(
    struct recording recording, const char *format, int length_known, size_t most_extra)
{
    steno_audio_file *file;
    steno_error error = {0};
    steno_status end;
    float *samples;
    ck_assert_msg(steno_audio_open_memory(
                      format, recording.bytes, recording.size, NULL, &file, &error) == STENO_OK,
        "%s", error.message);
    const steno_audio_info *info = steno_audio_get_info(file);
    ck_assert_str_eq(info->format, format);
    size_t count = recording_read(file, 777, &samples, &end, &error);
    ck_assert_msg(end == STENO_END, "%s: %s", format, error.message);
    ck_assert_uint_ge(count, FRAMES);
    ck_assert_uint_le(count, FRAMES + most_extra);
    ck_assert_uint_eq(info->frames, length_known ? count : UINT64_MAX);
    double signal_power = 0, error_power = 0;
    if (most_extra == 0) {
        for (int i = 0; i < FRAMES; i++) {
            signal_power += signal[i] * signal[i];
            error_power += pow(signal[i] - samples[i], 2);
        }
        /* 13 dB: far above what a wrong alignment by one period gives, far below any codec. */
        ck_assert_double_lt(error_power, 0.05 * signal_power);
    }
    free(samples);
    steno_audio_close(file);
}

START_TEST(lossy_formats_are_whole_and_aligned)
{
    static const struct {
        int format, rate_hz;
        const char *name;
    } lossy[] = {
        {SF_FORMAT_OGG | SF_FORMAT_VORBIS, RATE, "Ogg Vorbis"},
        {SF_FORMAT_OGG | SF_FORMAT_OPUS, 16000, "Ogg Opus"},
        {SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, RATE, "MP3"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct recording recording =
            recording_encode(signal, FRAMES, 1, lossy[i].rate_hz, lossy[i].format, 0.3);
        check_lossy(recording, lossy[i].name, 1, 0);
        free(recording.bytes);
    }
}
END_TEST

/* Without the first frame, which holds the length, an MP3 of variable bit rate has none that could
 * be computed; libsndfile's guess would stop far from the end or beyond it. */
START_TEST(mp3_without_length_is_read_to_its_end)
{
    struct recording recording =
        recording_encode(signal, FRAMES, 1, RATE, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 0.3);
    size_t skip = 1; /* to the second frame, which begins with the same bytes */
    while (memcmp(recording.bytes + skip, recording.bytes, 2) != 0)
        skip++;
    ck_assert_uint_lt(skip, 1000);
    struct recording headless = {recording.bytes + skip, recording.size - skip};
    /* Encoder delay and padding are not cut off: up to five frames of 576. */
    check_lossy(headless, "MP3", 0, 5 * 576);
    /* Cut inside a frame, as recorded streams are: no error. */
    headless.size -= 20;
    steno_audio_file *file;
    steno_error error;
    steno_status end;
    float *samples;
    ck_assert_int_eq(
        steno_audio_open_memory("stream", headless.bytes, headless.size, NULL, &file, &error),
        STENO_OK);
    ck_assert_uint_ge(recording_read(file, 777, &samples, &end, &error), FRAMES - 2 * 576);
    ck_assert_int_eq(end, STENO_END);
    free(samples);
    steno_audio_close(file);
    free(recording.bytes);
}
END_TEST

/* Every recording of the manifest, by path, and its length to the sample. */
START_TEST(real_speech_opens)
{
    static const struct {
        const char *name, *format;
        size_t frames;
    } speech[] = {
        {"demo.flac", "FLAC", 252560},
        {"2277-149874-0007.flac", "FLAC", 70400},
        {"5694-64025-0001.flac", "FLAC", 69600},
        {"777-126732-0053.flac", "FLAC", 74560},
        {"common_voice_en_37184044.flac", "FLAC", 53568},
        {"1993-147964-0003.opus", "Ogg Opus", 74960},
        {"6313-66129-0030.opus", "Ogg Opus", 54960},
        {"common_voice_en_37177161.opus", "Ogg Opus", 76608},
        {"common_voice_en_37221354.opus", "Ogg Opus", 72000},
    };
    for (size_t i = 0; i < sizeof speech / sizeof *speech; i++) {
        char path[1024];
        snprintf(path, sizeof path, TEST_DATA "/speech/%s", speech[i].name);
        steno_audio_file *file = NULL;
        steno_error error;
        ck_assert_int_eq(steno_audio_open(path, NULL, &file, &error), STENO_OK);
        const steno_audio_info *info = steno_audio_get_info(file);
        ck_assert_str_eq(info->format, speech[i].format);
        ck_assert_uint_eq(info->rate_hz, 16000);
        ck_assert_uint_eq(info->channels, 1);
        ck_assert_uint_eq(info->frames, speech[i].frames);
        float *samples;
        steno_status end;
        size_t count = recording_read(file, 1600, &samples, &end, &error);
        ck_assert_int_eq(end, STENO_END);
        ck_assert_uint_eq(count, speech[i].frames);
        double power = 0;
        for (size_t k = 0; k < count; k++)
            power += samples[k] * samples[k];
        ck_assert_double_gt(sqrt(power / (double)count), 0.005);
        free(samples);
        steno_audio_close(file);
    }
}
END_TEST

START_TEST(raw_samples_of_every_encoding)
{
    unsigned char bytes[4000];
    float direct[4000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 97 + i / 256);
    static const char *const names[] = {"raw s16", "raw f32", "raw mu-law", "raw A-law"};
    for (int encoding = 0; encoding < 4; encoding++) {
        for (uint32_t channels = 1; channels <= 5; channels += 4) {
            steno_raw_format raw = {(steno_encoding)encoding, 8000, channels};
            size_t frames =
                sizeof bytes / (steno_encoding_size((steno_encoding)encoding) * channels);
            steno_encoding_to_float((steno_encoding)encoding, bytes, frames * channels, direct);
            for (int way = 0; way < 3; way++) {
                struct reader reader = {{bytes, sizeof bytes}, .step = way == 0 ? 3 : 0};
                steno_source source = reader_source(&reader, way == 1);
                steno_audio_file *file;
                steno_error error;
                steno_status end;
                float *samples;
                if (way < 2)
                    ck_assert_int_eq(
                        steno_audio_open_source("raw", &source, &raw, &file, &error), STENO_OK);
                else
                    ck_assert_int_eq(
                        steno_audio_open_memory("raw", bytes, sizeof bytes, &raw, &file, &error),
                        STENO_OK);
                const steno_audio_info *info = steno_audio_get_info(file);
                ck_assert_str_eq(info->format, names[encoding]);
                ck_assert_uint_eq(info->frames, way == 0 ? UINT64_MAX : frames);
                ck_assert_uint_eq(info->channels, channels);
                ck_assert_uint_eq(info->rate_hz, 8000);
                ck_assert_uint_eq(recording_read(file, 33, &samples, &end, &error), frames);
                ck_assert_int_eq(end, STENO_END);
                ck_assert_mem_eq(samples, direct, frames * channels * sizeof(float));
                free(samples);
                steno_audio_close(file);
            }
        }
    }
}
END_TEST

/* A live pipe whose writer waits: what has come is given at once, half samples are kept. */
START_TEST(raw_pipe_is_not_held_up)
{
    static const unsigned char bytes[] = {0, 0x10, 0, 0x20, 0, 0x30, 0};
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    char path[32];
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    steno_raw_format raw = {STENO_ENCODING_S16, 16000, 1};
    steno_audio_file *file;
    ck_assert_int_eq(steno_audio_open(path, &raw, &file, NULL), STENO_OK);
    close(ends[0]);
    float samples[100];
    size_t got;
    ck_assert_int_eq(write(ends[1], bytes, 7), 7);
    ck_assert_int_eq(steno_audio_read(file, samples, 100, &got, NULL), STENO_OK);
    ck_assert_uint_eq(got, 3);
    ck_assert_float_eq(samples[2], 0x3000 / 32768.0f);
    ck_assert_int_eq(write(ends[1], "\x40", 1), 1);
    ck_assert_int_eq(steno_audio_read(file, samples, 100, &got, NULL), STENO_OK);
    ck_assert_uint_eq(got, 1);
    ck_assert_float_eq(samples[0], 0x4000 / 32768.0f);
    close(ends[1]);
    ck_assert_int_eq(steno_audio_read(file, samples, 100, &got, NULL), STENO_END);
    steno_audio_close(file);
}
END_TEST

START_TEST(floats_in_files_are_cleaned)
{
    float samples[] = {0.5f, NAN, INFINITY, -INFINITY, 3.0f, -3.0f};
    struct recording recording =
        recording_encode(samples, 6, 1, 16000, SF_FORMAT_WAV | SF_FORMAT_FLOAT, 0.5);
    steno_audio_file *file;
    ck_assert_int_eq(
        steno_audio_open_memory("floats", recording.bytes, recording.size, NULL, &file, NULL),
        STENO_OK);
    float out[6];
    size_t got;
    ck_assert_int_eq(steno_audio_read(file, out, 6, &got, NULL), STENO_OK);
    ck_assert_uint_eq(got, 6);
    float cleaned[] = {0.5f, 0, 0, 0, nextafterf(1.0f, 0.0f), -1};
    for (int i = 0; i < 6; i++)
        ck_assert_float_eq(out[i], cleaned[i]);
    steno_audio_close(file);
    free(recording.bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file");
    TCase *tests = tcase_create("file");
    tcase_set_timeout(tests, 100); /* valgrind */
    tcase_add_unchecked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, every_way_in_gives_the_same_samples, 0, LOSSLESS);
    tcase_add_test(tests, a_pipe_by_path_is_read_whole);
    tcase_add_test(tests, lossy_formats_are_whole_and_aligned);
    tcase_add_test(tests, mp3_without_length_is_read_to_its_end);
    tcase_add_test(tests, real_speech_opens);
    tcase_add_test(tests, raw_samples_of_every_encoding);
    tcase_add_test(tests, raw_pipe_is_not_held_up);
    tcase_add_test(tests, floats_in_files_are_cleaned);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
