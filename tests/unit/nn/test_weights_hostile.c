/* Files that are cut short, inconsistent or made to do harm: one clear error, nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/weights.h"
#include "nn_fixture.h"

#define SCALE "\"w.scale\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define BYTES "\"w\":{\"dtype\":\"I8\",\"shape\":[2,3],\"data_offsets\":[8,14]}"

static const char good[] = "{\"__metadata__\":{\"format\":\"1\"}," SCALE "," BYTES "}";
enum { GOOD_DATA = 14 };

/* Opens and closes; on failure nothing may be left, and the message is one terminated line. */
static steno_status try_open(const unsigned char *bytes, size_t size, steno_error *error)
{
    size_t alive = memory_alive();
    nn_weights *weights = NULL;
    memset(error, 0x7f, sizeof *error);
    steno_status status = nn_weights_open(bytes, size, &weights, error);
    if (status < 0) {
        ck_assert_ptr_null(weights);
        ck_assert_int_eq(error->status, status);
        ck_assert_ptr_nonnull(memchr(error->message, 0, sizeof error->message));
        ck_assert_ptr_null(strchr(error->message, '\n'));
    }
    nn_weights_close(weights);
    ck_assert_uint_eq(memory_alive(), alive);
    return status;
}

static void check_refused(const char *header, size_t data_bytes, const char *words)
{
    unsigned char data[64] = {0};
    ck_assert_uint_le(data_bytes, sizeof data);
    image file = image_create(header, data, data_bytes);
    steno_error error;
    ck_assert_msg(
        try_open(file.bytes, file.size, &error) == STENO_ERROR_FORMAT, "accepted: %s", header);
    ck_assert_msg(
        strstr(error.message, words) != NULL, "\"%s\" does not say \"%s\"", error.message, words);
    free(file.bytes);
}

START_TEST(cut_short_anywhere)
{
    unsigned char data[GOOD_DATA] = {0};
    image file = image_create(good, data, sizeof data);
    steno_error error;
    ck_assert_int_eq(try_open(file.bytes, file.size, &error), STENO_OK);
    for (size_t size = 0; size < file.size; size++) {
        /* In a block of just that size, so that reading on would be noticed; once with the header
         * length as written, once with one that fits what is left. */
        unsigned char *cut = malloc(size ? size : 1);
        memcpy(cut, file.bytes, size);
        ck_assert_int_eq(try_open(cut, size, &error), STENO_ERROR_FORMAT);
        if (size >= 8) {
            image shorter = {cut, size};
            image_set_header_bytes(&shorter, size - 8);
            if (size < file.size - GOOD_DATA)
                ck_assert_int_eq(try_open(cut, size, &error), STENO_ERROR_FORMAT);
        }
        free(cut);
    }
    free(file.bytes);
}
END_TEST

START_TEST(header_lengths_beyond_the_file)
{
    unsigned char data[GOOD_DATA] = {0};
    image file = image_create(good, data, sizeof data);
    static const uint64_t lengths[] = {
        1u << 20, UINT32_MAX, INT64_MAX, UINT64_MAX - 8, UINT64_MAX - 7, UINT64_MAX};
    steno_error error;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        image_set_header_bytes(&file, lengths[i]);
        ck_assert_int_eq(try_open(file.bytes, file.size, &error), STENO_ERROR_FORMAT);
        ck_assert_ptr_nonnull(strstr(error.message, "header"));
    }
    image_set_header_bytes(&file, 0);
    ck_assert_int_eq(try_open(file.bytes, file.size, &error), STENO_ERROR_FORMAT);
    free(file.bytes);
}
END_TEST

START_TEST(a_header_of_a_hundred_megabytes_is_not_parsed)
{
    size_t size = 8 + 100000001;
    image file = {calloc(size, 1), size};
    ck_assert_ptr_nonnull(file.bytes);
    image_set_header_bytes(&file, size - 8);
    steno_error error;
    ck_assert_int_eq(try_open(file.bytes, file.size, &error), STENO_ERROR_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "more than"));
    free(file.bytes);
}
END_TEST

START_TEST(every_byte_of_the_header_changed)
{
    static const unsigned char values[] = {0, 1, '"', '{', '}', '[', ']', ',', ':', '-', '9', 'e',
        '.', '\\', ' ', 0x7f, 0x80, 0xc3, 0xff};
    unsigned char data[GOOD_DATA] = {0};
    image file = image_create(good, data, sizeof data);
    size_t refused = 0;
    for (size_t i = 0; i < file.size - GOOD_DATA; i++)
        for (size_t j = 0; j < sizeof values; j++) {
            unsigned char before = file.bytes[i];
            file.bytes[i] = values[j];
            steno_error error;
            steno_status status = try_open(file.bytes, file.size, &error);
            ck_assert(status == STENO_OK || status == STENO_ERROR_FORMAT);
            refused += status != STENO_OK;
            file.bytes[i] = before;
        }
    ck_assert_uint_gt(refused, file.size * sizeof values / 2);
    free(file.bytes);
}
END_TEST

START_TEST(headers_that_are_not_what_they_should_be)
{
    check_refused("", 0, "header");
    check_refused("[]", 0, "no JSON object");
    check_refused("7", 0, "header");
    check_refused("{} {}", 0, "header");
    check_refused("{\"w\":3}", 0, "tensor w: no dtype");
    check_refused(
        "{\"w\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,4]}}", 4, "tensor w: no dtype");
    check_refused("{\"w\":{\"dtype\":\"F8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4,
        "tensor w: unknown dtype F8");
    check_refused("{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "tensor w: no shape");
    check_refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "tensor w: bad data_offsets");
    check_refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
        "tensor w: 5 dimensions");
    check_refused("{\"a\\nb\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
        "control characters");
    check_refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                  "\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
        8, "duplicate");
    check_refused("{\"__metadata__\":[]}", 0, "__metadata__");
    check_refused("{\"__metadata__\":{\"config\":{}}}", 0, "__metadata__: config is no string");
    check_refused("{\"__metadata__\":{\"a\":\"1\",\"b\":2}}", 0, "b is no string");
}
END_TEST

/* One F32 tensor with that shape and those offsets over 8 bytes of data. */
static void check_tensor(const char *shape, const char *offsets, const char *words)
{
    char header[256];
    snprintf(header, sizeof header, "{\"w\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":%s}}",
        shape, offsets);
    check_refused(header, 8, words);
}

START_TEST(shapes_and_ranges_that_do_not_fit)
{
    check_tensor("[2]", "[0]", "tensor w: bad data_offsets");
    check_tensor("[2]", "[0,8,8]", "tensor w: bad data_offsets");
    check_tensor("[2]", "[-8,0]", "tensor w: bad data_offsets");
    check_tensor("[2]", "[0.0,8.0]", "tensor w: bad data_offsets");
    check_tensor("[2]", "[0,\"8\"]", "tensor w: bad data_offsets");
    check_tensor("[2]", "[8,0]", "not inside");
    check_tensor("[2]", "[0,9]", "not inside");
    check_tensor("[2]", "[9223372036854775799,9223372036854775807]", "not inside");
    check_tensor("[2]", "[0,99999999999999999999]", "header");
    check_tensor("[3]", "[0,8]", "does not need the 8 bytes");
    check_tensor("[1]", "[0,8]", "does not need the 8 bytes");
    check_tensor("[]", "[0,8]", "does not need the 8 bytes");
    check_tensor("[-2]", "[0,8]", "tensor w: dimension 0 is no size");
    check_tensor("[1,2.0]", "[0,8]", "tensor w: dimension 1 is no size");
    check_tensor("{}", "[0,8]", "tensor w: no shape");
    /* 2^62 elements of 4 bytes, and 2^32 by 2^32 of them, are 0 bytes modulo 2^64. */
    check_tensor("[4611686018427387904]", "[0,0]", "does not need the 0 bytes");
    check_tensor("[4294967296,4294967296]", "[0,0]", "does not need the 0 bytes");
    check_tensor("[4611686018427387906]", "[0,8]", "does not need the 8 bytes");
}
END_TEST

START_TEST(ranges_that_overlap_or_leave_gaps)
{
#define TWO(first, second)                                                                         \
    "{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":" first                              \
    "},\"b\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":" second "}}"
    check_refused(TWO("[0,8]", "[4,12]"), 16, "tensor b: its data overlaps");
    check_refused(TWO("[0,8]", "[0,8]"), 8, "overlaps");
    check_refused(TWO("[0,8]", "[9,17]"), 17, "tensor b: its data begins after a gap");
    check_refused(TWO("[1,9]", "[9,17]"), 17, "tensor a: its data begins after a gap");
    check_refused(TWO("[0,8]", "[8,16]"), 17, "1 bytes of data belong to no tensor");
    check_refused("{}", 1, "1 bytes of data belong to no tensor");
}
END_TEST

START_TEST(bytes_without_proper_scales)
{
    check_refused("{\"w\":{\"dtype\":\"I8\",\"shape\":[2,3],\"data_offsets\":[0,6]}}", 6,
        "tensor w: I8 needs a tensor w.scale");
    check_refused("{\"w\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1,
        "tensor w: I8 without rows");
    check_refused("{\"w.scale\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]},"
                  "\"w\":{\"dtype\":\"I8\",\"shape\":[2,3],\"data_offsets\":[12,18]}}",
        18, "tensor w: I8 needs");
    check_refused("{\"w.scale\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]}," BYTES
                  "}",
        14, "tensor w: I8 needs");
    check_refused("{\"w.scale\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}," BYTES
                  "}",
        14, "tensor w: I8 needs");
}
END_TEST

START_TEST(deep_nesting)
{
    enum { DEPTH = 100000 };
    char *header = malloc(DEPTH + 6);
    memcpy(header, "{\"w\":", 5);
    memset(header + 5, '[', DEPTH);
    header[DEPTH + 5] = 0;
    check_refused(header, 0, "depth");
    free(header);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {cut_short_anywhere, header_lengths_beyond_the_file,
        a_header_of_a_hundred_megabytes_is_not_parsed, every_byte_of_the_header_changed,
        headers_that_are_not_what_they_should_be, shapes_and_ranges_that_do_not_fit,
        ranges_that_overlap_or_leave_gaps, bytes_without_proper_scales, deep_nesting};
    return fixture_run("nn weights hostile", tests, sizeof tests / sizeof *tests);
}
