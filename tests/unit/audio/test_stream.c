/* Audio in pieces: the samples are those of the file, however its bytes are cut. */
#include <check.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pieces.h"
#include "support/suite.h"

enum { FRAMES = 3000, RATE = 16000 };

static float signal[8 * FRAMES];

static void setup(void)
{
    recording_signal(signal, 8 * FRAMES, RATE);
}

static bool has(steno_audio_kind kind)
{
    return steno_audio_kind_is_supported(kind);
}

static const struct cutting whole = {.piece = SIZE_MAX, .capacity = 4096};

/* Decodes whole, in odd pieces and byte by byte, which must be the same, and returns it. */
static struct decoded decode_every_way(
    const char *name, steno_audio_kind kind, struct recording recording)
{
    static const struct cutting cuttings[] = {
        {.piece = 1, .capacity = 4096},
        {.piece = 7, .capacity = 1},
        {.piece = 1021, .capacity = 333},
        {.piece = 0, .capacity = 160, .seed = 1},
        {.piece = 65536, .capacity = 100000},
    };
    struct decoded first = pieces_decode(kind, NULL, recording, whole);
    for (size_t i = 0; i < sizeof cuttings / sizeof *cuttings; i++) {
        struct decoded other = pieces_decode(kind, NULL, recording, cuttings[i]);
        pieces_check_same(name, &first, &other);
        free(other.samples);
    }
    return first;
}

/* That it ends well and has the samples that the file has, within `tolerance`. */
static void check_equals_file(
    const char *name, const struct decoded *d, struct recording recording, double tolerance)
{
    steno_audio_file *file;
    steno_error error;
    ck_assert_int_eq(
        steno_audio_open_memory(name, recording.bytes, recording.size, NULL, &file, &error),
        STENO_OK);
    float *samples;
    steno_status end;
    size_t count = recording_read(file, 1000, &samples, &end, &error);
    const steno_audio_info *info = steno_audio_get_info(file);
    ck_assert_msg(d->end == STENO_END && end == STENO_END, "%s: %s", name, d->error.message);
    ck_assert_str_eq(d->info.format, info->format);
    ck_assert_uint_eq(d->info.rate_hz, info->rate_hz);
    ck_assert_uint_eq(d->info.channels, info->channels);
    ck_assert_msg(d->frames == count, "%s: %zu frames, file %zu", name, d->frames, count);
    for (size_t i = 0; i < count * info->channels; i++)
        if (!(fabs((double)d->samples[i] - (double)samples[i]) <= tolerance))
            ck_abort_msg(
                "%s: sample %zu: %g, file %g", name, i, (double)d->samples[i], (double)samples[i]);
    free(samples);
    steno_audio_close(file);
}

/* libsndfile decodes with the same libraries, so that lossy formats come out the same too; other
 * versions or builds of them may round differently, by a step of 16 bits at most. */
static const double LOSSY = 1.0 / 32768;

START_TEST(recordings_in_pieces_equal_their_files)
{
    static const struct {
        const char *name;
        steno_audio_kind kind;
        bool lossy;
    } files[] = {
        {"formats/speech.wav", STENO_AUDIO_WAV, false},
        {"formats/speech-mulaw.wav", STENO_AUDIO_WAV, false},
        {"formats/speech.flac", STENO_AUDIO_FLAC, false},
        {"formats/speech.opus", STENO_AUDIO_OGG_OPUS, true},
        {"formats/speech.mp3", STENO_AUDIO_MP3, true},
        {"speech/common_voice_en_37177161.opus", STENO_AUDIO_OGG_OPUS, true},
        {"speech/demo.flac", STENO_AUDIO_FLAC, false},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (!has(files[i].kind))
            continue;
        struct recording recording = recording_load(files[i].name);
        struct decoded told = pieces_decode(files[i].kind, NULL, recording, whole);
        struct decoded d = decode_every_way(files[i].name, STENO_AUDIO_AUTO, recording);
        pieces_check_same(files[i].name, &told, &d);
        check_equals_file(files[i].name, &d, recording, files[i].lossy ? LOSSY : 0);
        free(d.samples);
        free(told.samples);
        free(recording.bytes);
    }
}
END_TEST

START_TEST(encodings_of_wav_and_flac)
{
    static const struct {
        const char *name;
        int format;
        steno_audio_kind kind;
    } formats[] = {
        {"u8", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, STENO_AUDIO_WAV},
        {"s16", SF_FORMAT_WAV | SF_FORMAT_PCM_16, STENO_AUDIO_WAV},
        {"s24", SF_FORMAT_WAV | SF_FORMAT_PCM_24, STENO_AUDIO_WAV},
        {"s32", SF_FORMAT_WAV | SF_FORMAT_PCM_32, STENO_AUDIO_WAV},
        {"f32", SF_FORMAT_WAV | SF_FORMAT_FLOAT, STENO_AUDIO_WAV},
        {"f64", SF_FORMAT_WAV | SF_FORMAT_DOUBLE, STENO_AUDIO_WAV},
        {"mulaw", SF_FORMAT_WAV | SF_FORMAT_ULAW, STENO_AUDIO_WAV},
        {"alaw", SF_FORMAT_WAV | SF_FORMAT_ALAW, STENO_AUDIO_WAV},
        {"extensible s24", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, STENO_AUDIO_WAV},
        {"extensible f32", SF_FORMAT_WAVEX | SF_FORMAT_FLOAT, STENO_AUDIO_WAV},
        {"rf64 s16", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, STENO_AUDIO_WAV},
        {"flac 8", SF_FORMAT_FLAC | SF_FORMAT_PCM_S8, STENO_AUDIO_FLAC},
        {"flac 16", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, STENO_AUDIO_FLAC},
        {"flac 24", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, STENO_AUDIO_FLAC},
    };
    static const int channels[] = {1, 2, 8};
    for (size_t i = 0; i < 3 * sizeof formats / sizeof *formats; i++) {
        const char *name = formats[i / 3].name;
        if (!has(formats[i / 3].kind))
            continue;
        struct recording recording =
            recording_encode(signal, FRAMES, channels[i % 3], 48000, formats[i / 3].format, 0.5);
        struct decoded d = decode_every_way(name, STENO_AUDIO_AUTO, recording);
        check_equals_file(name, &d, recording, 0);
        ck_assert_uint_eq(d.info.frames, FRAMES);
        free(d.samples);
        free(recording.bytes);
    }
}
END_TEST

START_TEST(opus_of_other_rates_and_channels)
{
    if (!has(STENO_AUDIO_OGG_OPUS))
        return;
    /* The other rates come out at 16 kHz too: as long, and as loud. */
    enum { LONG = 12000 }; /* a quarter of a second at 48 kHz */
    static float sound[6 * LONG];
    static const int channel_counts[] = {1, 2, 6};
    static const int rates[] = {8000, 12000, 24000, 48000};
    for (size_t i = 0; i < 12; i++) {
        int rate = rates[i / 3], channels = channel_counts[i % 3];
        size_t values = LONG * (size_t)channels;
        recording_signal(sound, values, rate * channels);
        struct recording recording =
            recording_encode(sound, LONG, channels, rate, SF_FORMAT_OGG | SF_FORMAT_OPUS, 0.5);
        struct decoded d = decode_every_way("opus", STENO_AUDIO_AUTO, recording);
        ck_assert_int_eq(d.end, STENO_END);
        ck_assert_uint_eq(d.info.rate_hz, 16000);
        ck_assert_uint_eq(d.info.channels, channels);
        ck_assert_msg(
            d.frames == (size_t)LONG * 16000 / (size_t)rate, "%d Hz: %zu frames", rate, d.frames);
        double given = 0, heard = 0;
        for (size_t k = 0; k < values; k++)
            given += (double)sound[k] * (double)sound[k] / LONG;
        for (size_t k = 0; k < d.frames * (size_t)channels; k++)
            heard += (double)d.samples[k] * (double)d.samples[k] / (double)d.frames;
        /* Opus at a middling bit rate keeps a tone's power within some per cent; of six channels
         * one is for low frequencies alone. */
        ck_assert_msg(fabs(heard / given - 1) < (channels == 6 ? 0.25 : 0.1),
            "%d Hz: %g of the power", rate, heard / given);
        free(d.samples);
        free(recording.bytes);
    }
}
END_TEST

START_TEST(headerless_samples)
{
    struct recording recording = recording_wav(signal, FRAMES, 2, RATE, 4 * FRAMES);
    struct recording body = {recording.bytes + 44, recording.size - 44};
    steno_raw_format raw = {STENO_ENCODING_S16, RATE, 2};
    for (size_t piece = 1; piece < 20; piece += 6) {
        struct cutting cutting = {.piece = piece, .capacity = 100};
        struct decoded d = pieces_decode(STENO_AUDIO_RAW, &raw, body, cutting);
        ck_assert_int_eq(d.end, STENO_END);
        ck_assert_str_eq(d.info.format, "raw s16");
        check_equals_file("raw",
            &(struct decoded){.samples = d.samples,
                .frames = d.frames,
                .info = {.rate_hz = RATE, .channels = 2, .format = "WAV"},
                .end = d.end},
            recording, 0);

        struct decoded found = pieces_decode(STENO_AUDIO_RAW_OR_WAV, &raw, body, cutting);
        pieces_check_same("raw or WAV", &d, &found);
        struct decoded wav = pieces_decode(STENO_AUDIO_RAW_OR_WAV, &raw, recording, cutting);
        ck_assert_str_eq(wav.info.format, "WAV");
        pieces_check_same("WAV by its header", &d, &wav);
        free(d.samples);
        free(found.samples);
        free(wav.samples);
    }
    struct decoded none = pieces_decode(STENO_AUDIO_RAW, &raw, (struct recording){NULL, 0}, whole);
    ck_assert_int_eq(none.end, STENO_END);
    none = pieces_decode(STENO_AUDIO_RAW_OR_WAV, &raw, (struct recording){NULL, 0}, whole);
    ck_assert_int_eq(none.end, STENO_END);
    free(recording.bytes);
}
END_TEST

START_TEST(wav_whose_length_is_unknown)
{
    static const uint32_t sizes[] = {0, UINT32_MAX, 0x7ffff000, 0x80000000u - 44};
    struct recording known = recording_wav(signal, FRAMES, 1, RATE, 2 * FRAMES);
    struct decoded expected = pieces_decode(STENO_AUDIO_AUTO, NULL, known, whole);
    ck_assert_uint_eq(expected.info.frames, FRAMES);
    for (size_t i = 0; i < 4; i++) {
        struct recording recording = recording_wav(signal, FRAMES, 1, RATE, sizes[i]);
        struct decoded d = decode_every_way("WAV", STENO_AUDIO_AUTO, recording);
        ck_assert_uint_eq(d.info.frames, UINT64_MAX);
        pieces_check_same("WAV", &expected, &d);
        free(d.samples);
        free(recording.bytes);
    }
    free(expected.samples);
    free(known.bytes);
}
END_TEST

/* `bytes` bytes of `fill` between the head of the recording and its rest. */
static struct recording insert(
    struct recording recording, size_t place, const void *start, size_t start_size, size_t size)
{
    struct recording longer = {.size = recording.size + size};
    longer.bytes = calloc(longer.size, 1);
    memcpy(longer.bytes, recording.bytes, place);
    memcpy(longer.bytes + place, start, start_size);
    memcpy(longer.bytes + place + size, recording.bytes + place, recording.size - place);
    return longer;
}

/* Tags and pictures larger than all that a stream holds are passed over. */
START_TEST(what_is_larger_than_the_buffer)
{
    enum { SIZE = 3 * STENO_AUDIO_STREAM_BYTES };
    static const struct {
        const char *name;
        steno_audio_kind kind;
        size_t place;
        const char *start;
        size_t start_size, size;
    } tags[] = {
        /* 0x0c0000 bytes after the header of 10, in four times 7 bits. */
        {"formats/speech.mp3", STENO_AUDIO_MP3, 0, "ID3\4\0\0\0\x30\0\0", 10, SIZE + 10},
        {"formats/speech.flac", STENO_AUDIO_FLAC, 0, "ID3\4\0\0\0\x30\0\0", 10, SIZE + 10},
        /* A picture after the first metadata block. */
        {"formats/speech.flac", STENO_AUDIO_FLAC, 42, "\6\x0c\0\0", 4, SIZE + 4},
        {"formats/speech.wav", STENO_AUDIO_WAV, 36, "LIST\xff\xff\x0b\0", 8, SIZE + 8},
    };
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!has(tags[i].kind))
            continue;
        struct recording plain = recording_load(tags[i].name);
        struct recording tagged =
            insert(plain, tags[i].place, tags[i].start, tags[i].start_size, tags[i].size);
        struct decoded expected = pieces_decode(STENO_AUDIO_AUTO, NULL, plain, whole);
        struct decoded d = pieces_decode(
            STENO_AUDIO_AUTO, NULL, tagged, (struct cutting){.piece = 4099, .capacity = 4096});
        pieces_check_same(tags[i].name, &expected, &d);
        ck_assert_int_eq(d.end, STENO_END);
        free(expected.samples);
        free(d.samples);
        free(plain.bytes);
        free(tagged.bytes);
    }
}
END_TEST

START_TEST(the_buffer_is_bounded)
{
    steno_raw_format raw = {STENO_ENCODING_S16, RATE, 1};
    steno_audio_stream *stream;
    ck_assert_int_eq(steno_audio_stream_create(STENO_AUDIO_RAW, &raw, &stream, NULL), STENO_OK);
    steno_audio_info info;
    ck_assert_int_eq(steno_audio_stream_get_info(stream, &info), STENO_OK);
    unsigned char *bytes = calloc(STENO_AUDIO_STREAM_BYTES + 1, 1);
    float *samples = malloc(STENO_AUDIO_STREAM_BYTES * sizeof *samples);
    size_t taken, count, frames = 0;
    steno_error error;
    uint64_t attempts = memory_attempts();
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(
            steno_audio_stream_write(stream, bytes, STENO_AUDIO_STREAM_BYTES + 1, &taken),
            STENO_FULL);
        ck_assert_uint_eq(taken, STENO_AUDIO_STREAM_BYTES - (round > 0));
        ck_assert_int_eq(steno_audio_stream_write(stream, bytes, 1, &taken), STENO_FULL);
        ck_assert_uint_eq(taken, 0);
        while (steno_audio_stream_read(stream, samples, 1000, &count, &error) == STENO_OK)
            frames += count;
        ck_assert_int_eq(steno_audio_stream_write(stream, bytes, 1, &taken), STENO_OK);
    }
    ck_assert_uint_gt(frames, STENO_AUDIO_STREAM_BYTES);
    ck_assert_uint_eq(memory_attempts(), attempts);
    free(bytes);
    free(samples);
    steno_audio_stream_destroy(stream);
}
END_TEST

/* Each allocation of this library failing once; those inside the codecs' libraries are theirs. */
START_TEST(allocations_that_fail)
{
    static const char *const names[] = {
        "formats/speech.wav", "formats/speech.flac", "formats/speech.opus", "formats/speech.mp3"};
    static const steno_audio_kind kinds[] = {
        STENO_AUDIO_WAV, STENO_AUDIO_FLAC, STENO_AUDIO_OGG_OPUS, STENO_AUDIO_MP3};
    float samples[STENO_CHANNELS_MAX * 10];
    for (size_t i = 0; i < 4; i++) {
        if (!has(kinds[i]))
            continue;
        struct recording recording = recording_load(names[i]);
        size_t alive = memory_alive();
        for (uint64_t failing = 1;; failing++) {
            steno_audio_stream *stream = NULL;
            steno_error error = {0};
            size_t taken, count;
            memory_fail_at(memory_attempts() + failing);
            steno_status status =
                steno_audio_stream_create(STENO_AUDIO_AUTO, NULL, &stream, &error);
            if (status == STENO_OK) {
                steno_audio_stream_write(stream, recording.bytes, recording.size, &taken);
                status = steno_audio_stream_read(stream, samples, 10, &count, &error);
            }
            memory_fail_at(0);
            steno_audio_stream_destroy(stream);
            ck_assert_uint_eq(memory_alive(), alive);
            if (status == STENO_OK) {
                ck_assert_uint_ge(failing, 4);
                break;
            }
            ck_assert_int_eq(status, STENO_ERROR_MEMORY);
            ck_assert_int_eq(error.status, STENO_ERROR_MEMORY);
        }
        free(recording.bytes);
    }
}
END_TEST

/* Kinds that this build lacks are refused in words, also where the first bytes tell them. */
START_TEST(kinds_of_this_build)
{
    static const struct {
        steno_audio_kind kind;
        const char *name;
    } kinds[] = {
        {STENO_AUDIO_WAV, "formats/speech.wav"},
        {STENO_AUDIO_FLAC, "formats/speech.flac"},
        {STENO_AUDIO_OGG_OPUS, "formats/speech.opus"},
        {STENO_AUDIO_MP3, "formats/speech.mp3"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        steno_audio_stream *stream = NULL;
        steno_error error = {0};
        steno_status status = steno_audio_stream_create(kinds[i].kind, NULL, &stream, &error);
        ck_assert_int_eq(status, has(kinds[i].kind) ? STENO_OK : STENO_ERROR_UNSUPPORTED);
        ck_assert(has(kinds[i].kind) || strstr(error.message, "left out of this build"));
        steno_audio_stream_destroy(stream);
        struct recording recording = recording_load(kinds[i].name);
        struct decoded d = pieces_decode(STENO_AUDIO_AUTO, NULL, recording, whole);
        ck_assert_int_eq(d.end, has(kinds[i].kind) ? STENO_END : STENO_ERROR_UNSUPPORTED);
        free(d.samples);
        free(recording.bytes);
    }
}
END_TEST

START_TEST(arguments)
{
    steno_audio_stream *stream = NULL;
    steno_error error;
    steno_raw_format slow = {STENO_ENCODING_S16, 4000, 1}, many = {STENO_ENCODING_S16, RATE, 9};
    steno_raw_format odd = {(steno_encoding)9, RATE, 1};
    size_t count;
    float sample[STENO_CHANNELS_MAX];
    ck_assert_int_eq(
        steno_audio_stream_create(STENO_AUDIO_AUTO, NULL, NULL, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_audio_stream_create((steno_audio_kind)99, NULL, &stream, &error),
        STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(
        steno_audio_stream_create(STENO_AUDIO_RAW, NULL, &stream, &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(
        steno_audio_stream_create(STENO_AUDIO_RAW, &odd, &stream, &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_audio_stream_create(STENO_AUDIO_RAW_OR_WAV, &slow, &stream, &error),
        STENO_ERROR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "4000"));
    ck_assert_int_eq(steno_audio_stream_create(STENO_AUDIO_RAW, &many, &stream, &error),
        STENO_ERROR_UNSUPPORTED);
    ck_assert_ptr_null(stream);
    steno_audio_stream_destroy(NULL);
    ck_assert(!has((steno_audio_kind)99));
    ck_assert(has(STENO_AUDIO_AUTO) && has(STENO_AUDIO_RAW) && has(STENO_AUDIO_WAV));

    ck_assert_int_eq(steno_audio_stream_create(STENO_AUDIO_AUTO, NULL, &stream, NULL), STENO_OK);
    ck_assert_int_eq(steno_audio_stream_write(NULL, "", 0, &count), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_audio_stream_write(stream, NULL, 1, &count), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_audio_stream_write(stream, NULL, 0, &count), STENO_OK);
    ck_assert_int_eq(
        steno_audio_stream_read(stream, sample, 0, &count, &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_audio_stream_read(stream, sample, 1, &count, &error), STENO_AGAIN);
    ck_assert_int_eq(steno_audio_stream_get_info(stream, NULL), STENO_ERROR_ARGUMENT);
    steno_audio_info info;
    ck_assert_int_eq(steno_audio_stream_get_info(stream, &info), STENO_AGAIN);
    ck_assert_int_eq(steno_audio_stream_finish(NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_audio_stream_finish(stream), STENO_OK);
    ck_assert_int_eq(steno_audio_stream_finish(stream), STENO_ERROR_STATE);
    ck_assert_int_eq(steno_audio_stream_write(stream, "x", 1, &count), STENO_ERROR_STATE);
    ck_assert_int_eq(
        steno_audio_stream_read(stream, sample, 1, &count, &error), STENO_ERROR_FORMAT);
    ck_assert_str_eq(error.message, "empty");
    steno_audio_stream_destroy(stream);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audio_stream");
    TCase *cases = tcase_create("all");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, recordings_in_pieces_equal_their_files);
    tcase_add_test(cases, encodings_of_wav_and_flac);
    tcase_add_test(cases, opus_of_other_rates_and_channels);
    tcase_add_test(cases, headerless_samples);
    tcase_add_test(cases, wav_whose_length_is_unknown);
    tcase_add_test(cases, what_is_larger_than_the_buffer);
    tcase_add_test(cases, the_buffer_is_bounded);
    tcase_add_test(cases, allocations_that_fail);
    tcase_add_test(cases, kinds_of_this_build);
    tcase_add_test(cases, arguments);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
