/* Bad audio in pieces: one clear error at the same place however it is cut, nothing breaks, and
 * memory stays bounded.  Meant to run under the address and undefined-behaviour sanitizers too. */
#include <check.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pieces.h"
#include "support/suite.h"

enum { RATE = 16000 };

static const struct {
    const char *name;
    steno_audio_kind kind;
} files[] = {
    {"formats/speech.wav", STENO_AUDIO_WAV},
    {"formats/speech.flac", STENO_AUDIO_FLAC},
    {"formats/speech.opus", STENO_AUDIO_OGG_OPUS},
    {"formats/speech.mp3", STENO_AUDIO_MP3},
};

enum { FILES = sizeof files / sizeof *files };

static const struct cutting whole = {.piece = SIZE_MAX, .capacity = 4096};

/* Decodes it in two ways, which must end alike. */
static struct decoded decode_twice(
    const char *name, steno_audio_kind kind, struct recording recording, uint32_t seed)
{
    steno_raw_format raw = {STENO_ENCODING_S16, RATE, 1};
    struct decoded first = pieces_decode(kind, &raw, recording, whole);
    struct decoded second = pieces_decode(
        kind, &raw, recording, (struct cutting){.piece = 0, .capacity = 777, .seed = seed});
    pieces_check_same(name, &first, &second);
    free(second.samples);
    return first;
}

static void check_refused(
    steno_audio_kind kind, const void *bytes, size_t size, steno_status status, const char *reason)
{
    unsigned char *copy = malloc(size + 1); /* of exact size, so that reading beyond is noticed */
    memcpy(copy, bytes, size);
    struct decoded d = decode_twice(reason, kind, (struct recording){copy, size}, 1);
    ck_assert_msg(d.end == status && strstr(d.error.message, reason), "%s: %d %s", reason, d.end,
        d.error.message);
    free(d.samples);
    free(copy);
}

START_TEST(bytes_that_are_no_audio)
{
    static const char text[] = "file\tid\tspeaker\nThese forests were of trees different in some";
    check_refused(STENO_AUDIO_AUTO, text, sizeof text, STENO_ERROR_FORMAT, "not audio");
    check_refused(STENO_AUDIO_AUTO, "R", 1, STENO_ERROR_FORMAT, "not audio");
    check_refused(STENO_AUDIO_AUTO, "ID3", 3, STENO_ERROR_FORMAT, "");
    check_refused(STENO_AUDIO_AUTO, "ID3\4\0\0\0\0\0\7", 10, STENO_ERROR_FORMAT, "no audio");
    if (steno_audio_kind_is_supported(STENO_AUDIO_FLAC))
        check_refused(STENO_AUDIO_AUTO, "fLaC", 4, STENO_ERROR_FORMAT, "truncated");
    if (steno_audio_kind_is_supported(STENO_AUDIO_OGG_OPUS))
        check_refused(STENO_AUDIO_AUTO, "OggS", 4, STENO_ERROR_FORMAT, "truncated");
    check_refused(STENO_AUDIO_AUTO, "RIFF\0\0\0\0WAVE", 12, STENO_ERROR_FORMAT, "truncated");
    check_refused(STENO_AUDIO_WAV, text, sizeof text, STENO_ERROR_FORMAT, "WAV");
    check_refused(STENO_AUDIO_AUTO,
        "\0\0\0\x20"
        "ftypM4A \0\0\0\0M4A mp42isom",
        28, STENO_ERROR_UNSUPPORTED, "MP4");
    check_refused(STENO_AUDIO_AUTO, "\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f", 12,
        STENO_ERROR_UNSUPPORTED, "WebM");
    for (size_t i = 1; i < FILES; i++)
        if (steno_audio_kind_is_supported(files[i].kind))
            check_refused(files[i].kind, text, sizeof text, STENO_ERROR_FORMAT, "");
    if (!steno_audio_kind_is_supported(STENO_AUDIO_OGG_OPUS))
        return;
    struct recording vorbis = recording_load("formats/speech.ogg");
    check_refused(
        STENO_AUDIO_AUTO, vorbis.bytes, vorbis.size, STENO_ERROR_UNSUPPORTED, "other than Opus");
    free(vorbis.bytes);
}
END_TEST

/* A WAV header of which bytes [place, place + size) are `bytes`. */
static void check_wav(
    size_t place, const char *bytes, size_t size, steno_status status, const char *reason)
{
    float samples[100] = {0};
    struct recording wav = recording_wav(samples, 100, 1, RATE, 200);
    memcpy(wav.bytes + place, bytes, size);
    check_refused(STENO_AUDIO_AUTO, wav.bytes, wav.size, status, reason);
    free(wav.bytes);
}

START_TEST(hostile_wav_headers)
{
    check_wav(20, "\x11\0", 2, STENO_ERROR_UNSUPPORTED, "code 17");
    check_wav(20, "\xfe\xff", 2, STENO_ERROR_FORMAT, "cut short");
    check_wav(22, "\0\0", 2, STENO_ERROR_UNSUPPORTED, "0 channels");
    check_wav(22, "\xff\xff", 2, STENO_ERROR_UNSUPPORTED, "65535 channels");
    check_wav(24, "\0\0\0\0", 4, STENO_ERROR_UNSUPPORTED, "0 Hz");
    check_wav(24, "\xff\xff\xff\xff", 4, STENO_ERROR_UNSUPPORTED, "4294967295 Hz");
    check_wav(32, "\0\0", 2, STENO_ERROR_FORMAT, "0 bytes in a frame");
    check_wav(34, "\0\0", 2, STENO_ERROR_UNSUPPORTED, "0 bits");
    check_wav(34, "\7\0", 2, STENO_ERROR_UNSUPPORTED, "7 bits");
    check_wav(12, "data", 4, STENO_ERROR_FORMAT, "before their format");
    check_wav(16, "\x0f\0\0\0", 4, STENO_ERROR_FORMAT, "cut short");
    check_wav(16, "\xff\xff\xff\xff", 4, STENO_ERROR_FORMAT, "truncated");
    check_wav(36, "junk", 4, STENO_ERROR_FORMAT, "truncated");
    check_wav(40, "\xca\0\0\0", 4, STENO_ERROR_FORMAT, "truncated: it ends after 0.01 s");
}
END_TEST

START_TEST(hostile_flac_and_opus_headers)
{
    static const struct {
        const char *name;
        size_t place;
        const char *bytes;
        size_t size;
        steno_status status;
    } damages[] = {
        {"formats/speech.flac", 4, "\1", 1, STENO_ERROR_FORMAT},       /* another block first */
        {"formats/speech.flac", 7, "\0", 1, STENO_ERROR_FORMAT},       /* of no size */
        {"formats/speech.flac", 8, "\0\0\0\0", 4, STENO_ERROR_FORMAT}, /* frames of no samples */
        {"formats/speech.flac", 8, "\0\x10\0\x10", 4, STENO_ERROR_FORMAT}, /* of too few */
        {"formats/speech.flac", 18, "\0\0\0", 3, STENO_ERROR_UNSUPPORTED}, /* 0 Hz */
        {"formats/speech.flac", 20, "\x0e", 1, STENO_ERROR_FORMAT},        /* 8 channels */
        {"formats/speech.opus", 26, "\x14", 1, STENO_ERROR_FORMAT}, /* checksum, so all below */
        {"formats/speech.opus", 36, "\x10", 1, STENO_ERROR_FORMAT},
        {"formats/speech.opus", 4, "\1", 1, STENO_ERROR_FORMAT},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        bool flac = strstr(damages[i].name, "flac");
        if (!steno_audio_kind_is_supported(flac ? STENO_AUDIO_FLAC : STENO_AUDIO_OGG_OPUS))
            continue;
        struct recording recording = recording_load(damages[i].name);
        memcpy(recording.bytes + damages[i].place, damages[i].bytes, damages[i].size);
        struct decoded d = decode_twice(damages[i].name, STENO_AUDIO_AUTO, recording, 5);
        ck_assert_msg(d.end == damages[i].status, "%zu: %d %s", i, d.end, d.error.message);
        free(d.samples);
        free(recording.bytes);
    }
}
END_TEST

/* Cut anywhere, what is there is given and the same as of the whole. */
START_TEST(cut_short)
{
    uint32_t seed = 7;
    for (size_t i = 0; i < FILES; i++) {
        if (!steno_audio_kind_is_supported(files[i].kind))
            continue;
        struct recording recording = recording_load(files[i].name);
        struct decoded all = pieces_decode(STENO_AUDIO_AUTO, NULL, recording, whole);
        for (int k = 0; k < 12; k++) {
            struct recording cut = {.size = 1 + pieces_random(&seed) % (recording.size - 1)};
            cut.bytes = malloc(cut.size);
            memcpy(cut.bytes, recording.bytes, cut.size);
            struct decoded d = decode_twice(files[i].name, STENO_AUDIO_AUTO, cut, seed);
            ck_assert_msg(d.end < 0, "%s cut to %zu bytes", files[i].name, cut.size);
            ck_assert_uint_le(d.frames, all.frames);
            if (d.frames > 0)
                ck_assert_int_eq(memcmp(d.samples, all.samples, d.frames * sizeof(float)), 0);
            free(d.samples);
            free(cut.bytes);
        }
        free(all.samples);
        free(recording.bytes);
    }
}
END_TEST

/* Ogg with its checksums made right again, so that what is inside gets through. */
static void repair_checksums(struct recording recording)
{
    for (size_t at = 0; at + 27 < recording.size;) {
        unsigned char *page = recording.bytes + at;
        size_t size = 27u + page[26];
        if (memcmp(page, "OggS", 4) != 0 || at + size > recording.size)
            return;
        for (unsigned i = 0; i < page[26]; i++)
            size += page[27 + i];
        if (at + size > recording.size)
            return;
        uint32_t sum = 0;
        memset(page + 22, 0, 4);
        for (size_t i = 0; i < size; i++) {
            sum ^= (uint32_t)page[i] << 24;
            for (int bit = 0; bit < 8; bit++)
                sum = sum << 1 ^ (sum >> 31 ? 0x04c11db7u : 0);
        }
        for (int i = 0; i < 4; i++)
            page[22 + i] = (unsigned char)(sum >> 8 * i);
        at += size;
    }
}

/* Decodes an Ogg Opus file that has had something done to its pages; frees it. */
static void check_pages(struct recording damaged, const char *reason)
{
    repair_checksums(damaged);
    struct decoded d = decode_twice(reason, STENO_AUDIO_AUTO, damaged, 19);
    ck_assert_int_eq(d.end, STENO_ERROR_FORMAT);
    ck_assert_msg(strstr(d.error.message, reason), "%s", d.error.message);
    free(d.samples);
    free(damaged.bytes);
}

START_TEST(opus_pages_that_can_not_be)
{
    enum { SEGMENTS = 255, ENDLESS = 27 + SEGMENTS + SEGMENTS * 255, PAGES = 4 };
    if (!steno_audio_kind_is_supported(STENO_AUDIO_OGG_OPUS))
        return;
    struct recording opus = recording_load("speech/1993-147964-0003.opus");
    size_t third = recording_page(opus, 3), fourth = recording_page(opus, 4);

    /* One is missing. */
    struct recording hole = {malloc(opus.size), opus.size - (fourth - third)};
    memcpy(hole.bytes, opus.bytes, third);
    memcpy(hole.bytes + third, opus.bytes + fourth, opus.size - fourth);
    check_pages(hole, "damaged");

    /* A packet goes on and on, far beyond what any can have. */
    size_t second = recording_page(opus, 2);
    struct recording endless = {malloc(second + PAGES * ENDLESS), second + PAGES * ENDLESS};
    memcpy(endless.bytes, opus.bytes, second);
    for (unsigned n = 0; n < PAGES; n++) {
        unsigned char *page = endless.bytes + second + n * (size_t)ENDLESS;
        memset(page, 0xff, ENDLESS); /* of its segments none is the last; no time stamp */
        memcpy(page, opus.bytes + second, 18);
        memset(page + 6, 0xff, 8);
        page[5] = n > 0;
        memcpy(page + 18, (unsigned char[]){(unsigned char)(2 + n), 0, 0, 0}, 4);
    }
    check_pages(endless, "damaged");
    free(opus.bytes);
}
END_TEST

START_TEST(flipped_bytes)
{
    enum { ROUNDS = 60, SIZE_MOST = 12000 };
    uint32_t seed = 11;
    for (size_t i = 0; i < FILES; i++) {
        if (!steno_audio_kind_is_supported(files[i].kind))
            continue;
        struct recording recording = recording_load(files[i].name);
        size_t size = recording.size < SIZE_MOST ? recording.size : SIZE_MOST;
        for (int k = 0; k < ROUNDS; k++) {
            struct recording bad = {.bytes = malloc(size), .size = size};
            memcpy(bad.bytes, recording.bytes, size);
            /* Some in the headers, some anywhere. */
            size_t among = k % 2 ? 200 : size;
            for (int flips = 1 + k % 5; flips > 0; flips--)
                bad.bytes[pieces_random(&seed) % among] = (unsigned char)pieces_random(&seed);
            if (files[i].kind == STENO_AUDIO_OGG_OPUS)
                repair_checksums(bad);
            for (int told = 0; told < 2; told++) {
                steno_audio_kind kind = told ? files[i].kind : STENO_AUDIO_AUTO;
                struct decoded d = decode_twice(files[i].name, kind, bad, seed);
                free(d.samples);
            }
            free(bad.bytes);
        }
        free(recording.bytes);
    }
}
END_TEST

START_TEST(noise_with_and_without_the_start_of_a_file)
{
    enum { SIZE = 30000, ROUNDS = 8 };
    uint32_t seed = 13;
    for (size_t i = 0; i < FILES; i++) {
        if (!steno_audio_kind_is_supported(files[i].kind))
            continue;
        struct recording recording = recording_load(files[i].name);
        for (int k = 0; k < ROUNDS; k++) {
            struct recording bad = {.bytes = malloc(SIZE), .size = SIZE};
            for (size_t n = 0; n < SIZE; n++)
                bad.bytes[n] = (unsigned char)pieces_random(&seed);
            if (k % 2)
                memcpy(bad.bytes, recording.bytes, pieces_random(&seed) % 400);
            struct decoded d = decode_twice(files[i].name, files[i].kind, bad, seed);
            free(d.samples);
            free(bad.bytes);
        }
        free(recording.bytes);
    }
}
END_TEST

/* Endless bytes without sound: an error at some point, and no more memory than a stream may have.
 */
START_TEST(endless_bytes_without_sound)
{
    enum { PIECE = 4096, PIECES = 8192, BYTES_MOST = 4 << 20 };
    static unsigned char piece[PIECE];
    static const struct {
        steno_audio_kind kind;
        const char *start;
        size_t size;
        int fill; /* -1: noise */
    } floods[] = {
        {STENO_AUDIO_MP3, "", 0, 0},
        {STENO_AUDIO_MP3, "\xff\xfb\x90\x64", 4, -1},
        {STENO_AUDIO_MP3, "", 0, 0xff},
        {STENO_AUDIO_FLAC,
            "fLaC\0\0\0\x22\x10\0\x10\0\0\0\0\0\0\0\x03\xe8\0\xf0\0\0\0\0"
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xf8",
            44, -1},
        {STENO_AUDIO_OGG_OPUS, "OggS", 4, 0xff},
        {STENO_AUDIO_WAV, "RIFF\0\0\0\0WAVEfmt ", 16, 0xff},
    };
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        if (!steno_audio_kind_is_supported(floods[i].kind))
            continue;
        uint32_t seed = 17;
        for (size_t n = 0; n < PIECE; n++)
            piece[n] =
                (unsigned char)(floods[i].fill < 0 ? (int)pieces_random(&seed) : floods[i].fill);
        steno_audio_stream *stream;
        ck_assert_int_eq(steno_audio_stream_create(floods[i].kind, NULL, &stream, NULL), STENO_OK);
        size_t before = mallinfo2().uordblks, taken, count;
        static float samples[STENO_CHANNELS_MAX * 1000];
        steno_error error;
        steno_audio_stream_write(stream, floods[i].start, floods[i].size, &taken);
        steno_status status = STENO_OK;
        for (int n = 0; n < PIECES && status >= 0; n++) {
            ck_assert_int_eq(steno_audio_stream_write(stream, piece, PIECE, &taken), STENO_OK);
            while ((status = steno_audio_stream_read(stream, samples, 1000, &count, &error)) ==
                   STENO_OK)
                ;
            ck_assert_uint_lt(mallinfo2().uordblks, before + BYTES_MOST);
        }
        if (floods[i].kind != STENO_AUDIO_WAV) /* which may have a chunk of 4 GiB */
            ck_assert_msg(status == STENO_ERROR_FORMAT, "flood %zu: %d", i, status);
        /* After an error bytes are taken and dropped. */
        ck_assert_int_eq(steno_audio_stream_write(stream, piece, PIECE, &taken), STENO_OK);
        steno_audio_stream_destroy(stream);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("audio_stream_damaged");
    TCase *cases = tcase_create("all");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, bytes_that_are_no_audio);
    tcase_add_test(cases, hostile_wav_headers);
    tcase_add_test(cases, hostile_flac_and_opus_headers);
    tcase_add_test(cases, cut_short);
    tcase_add_test(cases, opus_pages_that_can_not_be);
    tcase_add_test(cases, flipped_bytes);
    tcase_add_test(cases, noise_with_and_without_the_start_of_a_file);
    tcase_add_test(cases, endless_bytes_without_sound);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
