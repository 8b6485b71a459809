/* Headerless samples to floats, with G.711 against libsndfile's tables. */
#include <check.h>
#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

#include "steno/audio.h"
#include "support/suite.h"

START_TEST(names_and_sizes)
{
    static const struct {
        const char *name;
        steno_encoding encoding;
        size_t size;
    } known[] = {
        {"s16", STENO_ENCODING_S16, 2},
        {"f32", STENO_ENCODING_F32, 4},
        {"mulaw", STENO_ENCODING_MULAW, 1},
        {"alaw", STENO_ENCODING_ALAW, 1},
    };
    for (size_t i = 0; i < 4; i++) {
        steno_encoding encoding = (steno_encoding)99;
        ck_assert_int_eq(steno_encoding_parse(known[i].name, &encoding), STENO_OK);
        ck_assert_int_eq(encoding, known[i].encoding);
        ck_assert_uint_eq(steno_encoding_size(encoding), known[i].size);
    }
    static const char *const unknown[] = {"", "S16", "s16 ", "pcm", "mulawx"};
    for (size_t i = 0; i < 5; i++) {
        steno_encoding encoding = (steno_encoding)99;
        ck_assert_int_eq(steno_encoding_parse(unknown[i], &encoding), STENO_ERROR_ARGUMENT);
        ck_assert_int_eq((int)encoding, 99);
    }
    ck_assert_int_eq(steno_encoding_parse(NULL, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_uint_eq(steno_encoding_size((steno_encoding)99), 0);
}
END_TEST

START_TEST(s16_is_little_endian_and_unaligned)
{
    static const unsigned char bytes[] = {
        0xee, 0x00, 0x00, 0x01, 0x00, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x80};
    static const float expected[] = {0, 1 / 32768.0f, -1 / 32768.0f, 32767 / 32768.0f, -1};
    float out[5];
    steno_encoding_to_float(STENO_ENCODING_S16, bytes + 1, 5, out);
    for (int i = 0; i < 5; i++)
        ck_assert_float_eq(out[i], expected[i]);
}
END_TEST

START_TEST(f32_is_clipped_and_cleaned)
{
    /* 0.5, -0.25, 2, -3, 1, infinity, -infinity, not-a-number, the smallest denormal */
    static const unsigned char bytes[] = {0xee, 0, 0, 0, 0x3f, 0, 0, 0x80, 0xbe, 0, 0, 0, 0x40, 0,
        0, 0x40, 0xc0, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff, 0, 0, 0xc0, 0x7f, 1, 0,
        0, 0};
    float largest = nextafterf(1.0f, 0.0f);
    float expected[] = {0.5f, -0.25f, largest, -1, largest, 0, 0, 0, 0x1p-149f};
    float out[9];
    steno_encoding_to_float(STENO_ENCODING_F32, bytes + 1, 9, out);
    for (int i = 0; i < 9; i++)
        ck_assert_float_eq(out[i], expected[i]);
}
END_TEST

struct block {
    const unsigned char *bytes;
    sf_count_t size, position;
};

static sf_count_t block_size(void *context)
{
    return ((struct block *)context)->size;
}

static sf_count_t block_seek(sf_count_t offset, int whence, void *context)
{
    struct block *block = context;
    block->position = offset + (whence == SEEK_CUR      ? block->position
                                   : whence == SEEK_END ? block->size
                                                        : 0);
    return block->position;
}

static sf_count_t block_read(void *bytes, sf_count_t size, void *context)
{
    struct block *block = context;
    sf_count_t left = block->size - block->position;
    sf_count_t count = size < left ? size : left;
    memcpy(bytes, block->bytes + block->position, (size_t)count);
    block->position += count;
    return count;
}

static sf_count_t block_write(const void *bytes, sf_count_t size, void *context)
{
    return 0;
}

static sf_count_t block_tell(void *context)
{
    return ((struct block *)context)->position;
}

static void compare_with_libsndfile(steno_encoding encoding, int format)
{
    unsigned char codes[256];
    for (int i = 0; i < 256; i++)
        codes[i] = (unsigned char)i;
    struct block block = {.bytes = codes, .size = 256};
    SF_VIRTUAL_IO callbacks = {block_size, block_seek, block_read, block_write, block_tell};
    SF_INFO info = {.samplerate = 8000, .channels = 1, .format = SF_FORMAT_RAW | format};
    SNDFILE *sound = sf_open_virtual(&callbacks, SFM_READ, &info, &block);
    ck_assert_ptr_nonnull(sound);
    float expected[256], out[256];
    ck_assert_int_eq(sf_readf_float(sound, expected, 256), 256);
    sf_close(sound);
    steno_encoding_to_float(encoding, codes, 256, out);
    for (int i = 0; i < 256; i++)
        ck_assert_msg(out[i] == expected[i], "code %d: %g, not %g", i, out[i], expected[i]);
}

START_TEST(mulaw_equals_libsndfile)
{
    compare_with_libsndfile(STENO_ENCODING_MULAW, SF_FORMAT_ULAW);
    /* The ends and the middle as ITU-T G.711 table 2 has them (14 bits, times 4). */
    static const unsigned char codes[] = {0x80, 0x00, 0xff, 0x7f};
    float out[4];
    steno_encoding_to_float(STENO_ENCODING_MULAW, codes, 4, out);
    ck_assert_float_eq(out[0], 4 * 8031 / 32768.0f);
    ck_assert_float_eq(out[1], -4 * 8031 / 32768.0f);
    ck_assert_float_eq(out[2], 0.0f);
    ck_assert_float_eq(out[3], 0.0f);
}
END_TEST

START_TEST(alaw_equals_libsndfile)
{
    compare_with_libsndfile(STENO_ENCODING_ALAW, SF_FORMAT_ALAW);
    /* Table 1 (13 bits, times 8). */
    static const unsigned char codes[] = {0xaa, 0x2a, 0xd5, 0x55};
    float out[4];
    steno_encoding_to_float(STENO_ENCODING_ALAW, codes, 4, out);
    ck_assert_float_eq(out[0], 8 * 4032 / 32768.0f);
    ck_assert_float_eq(out[1], -8 * 4032 / 32768.0f);
    ck_assert_float_eq(out[2], 8 / 32768.0f);
    ck_assert_float_eq(out[3], -8 / 32768.0f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("encoding");
    TCase *tests = tcase_create("encoding");
    tcase_add_test(tests, names_and_sizes);
    tcase_add_test(tests, s16_is_little_endian_and_unaligned);
    tcase_add_test(tests, f32_is_clipped_and_cleaned);
    tcase_add_test(tests, mulaw_equals_libsndfile);
    tcase_add_test(tests, alaw_equals_libsndfile);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
