#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "fixture.h"
#include "support/suite.h"

static steno_status open_bytes(
    const void *bytes, size_t size, steno_model **out_model, steno_error *error)
{
    const steno_model_options options = {.operators = STENO_OPERATORS_REFERENCE};
    const char *path = fixture_file("model.safetensors", bytes, size);
    return steno_model_open(path, &options, out_model, error);
}

/* A copy of a model file with the first `from` of its header replaced by `to`. */
static void *edit(
    const void *bytes, size_t size, const char *from, const char *to, size_t *out_size)
{
    uint64_t header;
    memcpy(&header, bytes, sizeof header);
    const char *text = (const char *)bytes + 8;
    const char *at = memmem(text, header, from, strlen(from));
    ck_assert_msg(at != NULL, "the header has no %s", from);
    uint64_t new_header = header - strlen(from) + strlen(to);
    *out_size = size - header + new_header;
    char *copy = malloc(*out_size), *end = copy;
    ck_assert_ptr_nonnull(copy);
    end = mempcpy(end, &new_header, 8);
    end = mempcpy(end, text, (size_t)(at - text));
    end = mempcpy(end, to, strlen(to));
    at += strlen(from);
    mempcpy(end, at, size - (size_t)(at - (const char *)bytes));
    return copy;
}

static void expect_refused(const void *bytes, size_t size, steno_status status, const char *reason)
{
    size_t alive = memory_alive();
    steno_model *model = NULL;
    steno_error error = {0};
    ck_assert_int_eq(open_bytes(bytes, size, &model, &error), status);
    ck_assert_ptr_null(model);
    ck_assert_int_eq(error.status, status);
    ck_assert_msg(strstr(error.message, "model.safetensors") != NULL, "no file: %s", error.message);
    ck_assert_msg(
        strstr(error.message, reason) != NULL, "\"%s\" should say \"%s\"", error.message, reason);
    ck_assert_msg(!strchr(error.message, '\n'), "more than a line: %s", error.message);
    ck_assert_uint_eq(memory_alive(), alive);
}

START_TEST(test_info)
{
    size_t alive = memory_alive();
    steno_model *model = fixture_model();
    steno_model_info info;
    steno_model_get_info(model, &info);
    ck_assert_str_eq(info.name, "Tiny");
    ck_assert_str_eq(info.language, "en");
    ck_assert_str_eq(info.licence, "CC0-1.0");
    ck_assert_str_eq(info.training_data, "");
    ck_assert_str_eq(info.word_error_rate, "");
    ck_assert_uint_eq(info.tokens, 11);
    ck_assert_uint_eq(info.rate_hz, 16000);
    ck_assert_uint_eq(info.encoding_ms, 80);
    ck_assert_uint_eq(info.max_chunk_ms, 1280);
    ck_assert_int_eq(info.precision, STENO_PRECISION_F32);
    ck_assert_str_eq(info.operators, "reference");
    ck_assert_uint_gt(info.parameters, 20000);
    ck_assert_uint_gt(info.file_bytes, 4 * info.parameters);
    steno_model_unref(model);
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

START_TEST(test_language_model)
{
    steno_model *without = fixture_model(), *with = fixture_model_lm();
    steno_model_info info, info_with;
    steno_model_get_info(without, &info);
    steno_model_get_info(with, &info_with);
    ck_assert_uint_eq(info.lm_ngrams, 0);
    tiny_ngram *lm = tiny_ngram_random(12, 3, 7);
    ck_assert_uint_eq(info_with.lm_ngrams, lm->count[0] + lm->count[1] + lm->count[2]);
    tiny_ngram_destroy(lm);
    ck_assert_uint_eq(info_with.parameters, info.parameters);
    steno_model_unref(without);
    steno_model_unref(with);
}
END_TEST

START_TEST(test_references)
{
    size_t alive = memory_alive();
    steno_model *model = fixture_model();
    ck_assert_ptr_eq(steno_model_ref(model), model);
    steno_model_unref(model);
    steno_model_info info;
    steno_model_get_info(model, &info); /* still there */
    ck_assert_str_eq(info.name, "Tiny");
    steno_model_unref(model);
    ck_assert_uint_eq(memory_alive(), alive);
    steno_model_unref(NULL);
    ck_assert_ptr_null(steno_model_ref(NULL));
}
END_TEST

START_TEST(test_files_that_are_none)
{
    steno_model *model = NULL;
    steno_error error;
    ck_assert_int_eq(
        steno_model_open(fixture_path("absent"), NULL, &model, &error), STENO_ERROR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "absent"));
    ck_assert_int_eq(steno_model_open("/tmp", NULL, &model, &error), STENO_ERROR_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "directory"));
    ck_assert_int_eq(steno_model_open("/dev/null", NULL, &model, &error), STENO_ERROR_IO);
    const char *fifo = fixture_path("fifo");
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert_int_eq(steno_model_open(fifo, NULL, &model, &error), STENO_ERROR_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "not a regular file"));
    if (geteuid() != 0) {
        const char *locked = fixture_file("locked", "x", 1);
        ck_assert_int_eq(chmod(locked, 0), 0);
        ck_assert_int_eq(steno_model_open(locked, NULL, &model, &error), STENO_ERROR_PERMISSION);
    }
    ck_assert_int_eq(steno_model_open(NULL, NULL, &model, &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_model_open("x", NULL, NULL, &error), STENO_ERROR_ARGUMENT);
    ck_assert_ptr_null(model);
}
END_TEST

START_TEST(test_damaged_files)
{
    size_t size;
    unsigned char *bytes = fixture_bytes(NULL, &size);
    expect_refused(bytes, 0, STENO_ERROR_FORMAT, "empty");
    for (size_t cut = 1; cut < size; cut += cut < 64 ? 1 : size / 40)
        expect_refused(bytes, cut, STENO_ERROR_FORMAT, ": ");
    expect_refused(bytes, size - 1, STENO_ERROR_FORMAT, ": ");
    expect_refused("RIFF....WAVEfmt ", 16, STENO_ERROR_FORMAT, ": ");
    memset(bytes, 0xff, 8); /* a header beyond all memory */
    expect_refused(bytes, size, STENO_ERROR_FORMAT, ": ");
    free(bytes);
}
END_TEST

START_TEST(test_bytes_of_the_header_changed_one_by_one)
{
    /* Whatever the byte, the answer is a model or an error, and nothing is lost. */
    size_t size, alive = memory_alive();
    unsigned char *bytes = fixture_bytes(NULL, &size);
    uint64_t header;
    memcpy(&header, bytes, sizeof header);
    size_t refused = 0;
    for (size_t i = 0; i < 8 + header; i += 7) {
        unsigned char kept = bytes[i];
        bytes[i] = (unsigned char)(kept ^ (1u << i % 8));
        steno_model *model = NULL;
        if (open_bytes(bytes, size, &model, NULL) == STENO_OK)
            steno_model_unref(model);
        else
            refused++;
        ck_assert_uint_eq(memory_alive(), alive);
        bytes[i] = kept;
    }
    ck_assert_uint_gt(refused, header / 20);
    free(bytes);
}
END_TEST

static const struct {
    const char *from, *to, *reason;
} edits[] = {
    {"steno-1", "other-1", "not a model of Steno"},
    {"steno-1", "steno-2", "steno-2"},
    {"\"format\"", "\"formal\"", "not a model of Steno"},
    {"\"config\"", "\"confix\"", "no \"config\""},
    {"\"search\"", "\"searcx\"", "no \"search\""},
    {"\"tokens\":\"[", "\"tokenz\":\"[", "no \"tokens\""},
    {"\"config\":\"{", "\"config\":\"", "\"config\" is not JSON"},
    {"\"search\":\"{", "\"search\":\"[1] {", "\"search\" is not JSON"},
    {"{\\\"sample_rate_hz\\\"", "{\\\"sample_rate_xx\\\"", "\"sample_rate_hz\" is missing"},
    {"\\\"sample_rate_hz\\\":16000", "\\\"sample_rate_hz\\\":\\\"16000\\\"",
        "\"sample_rate_hz\" is not a number"},
    {"\\\"sample_rate_hz\\\":16000", "\\\"sample_rate_hz\\\":7999", "8000 to 48000"},
    {"\\\"sample_rate_hz\\\":16000", "\\\"sample_rate_hz\\\":16001", "hop_samples"},
    {"\\\"fft_size\\\":512", "\\\"fft_size\\\":256", ": "},
    {"\\\"fft_size\\\":512", "\\\"fft_size\\\":1e99", "fft_size"},
    {"\\\"mel_high_hz\\\":7600", "\\\"mel_high_hz\\\":9000", ": "},
    {"\\\"mel_bins\\\":80", "\\\"mel_bins\\\":40", "feature.mean"},
    {"\\\"subsampling\\\":8", "\\\"subsampling\\\":7", ": "},
    {"\\\"subsampling_channels\\\":8", "\\\"subsampling_channels\\\":0", "subsampling_channels"},
    {"\\\"dimension\\\":32", "\\\"dimension\\\":2047", ": "},
    {"\\\"dimension\\\":32", "\\\"dimension\\\":4294967328", "dimension"},
    {"\\\"dimension\\\":32", "\\\"dimension\\\":-32", "dimension"},
    {"\\\"blocks\\\":2", "\\\"blocks\\\":3", ": "},
    {"\\\"blocks\\\":2", "\\\"blocks\\\":2.5", "whole number"},
    {"\\\"heads\\\":4", "\\\"heads\\\":5", ": "},
    {"\\\"heads\\\":4", "\\\"heads\\\":4,\\\"heads\\\":4", "\"config\" is not JSON"},
    {"\\\"feed_forward\\\":48", "\\\"feed_forward\\\":true", "\"feed_forward\" is not a number"},
    {"\\\"feed_forward\\\":48", "\\\"feed_forward\\\":null", "\"feed_forward\" is not a number"},
    {"\\\"max_chunk\\\":16", "\\\"max_chunk\\\":65", "1 to 64"},
    {"\\\"tokens\\\":12", "\\\"tokens\\\":13", ": "},
    {"\\\"tokens\\\":12", "\\\"tokens\\\":1", "2 to 8192"},
    {"\\\"location_width\\\":7", "\\\"location_width\\\":8", ": "},
    {"\\\"look_ahead\\\":2", "\\\"look_ahead\\\":16", ": "},
    {"\\\"beam\\\":4", "\\\"beam\\\":129", "1 to 128"},
    {"\\\"token_threshold\\\":0.01", "\\\"token_threshold\\\":1", "token_threshold"},
    {"\\\"ctc_weight\\\":0.4,\\\"attention_weight\\\":0.6",
        "\\\"ctc_weight\\\":0,\\\"attention_weight\\\":0", "both"},
    {"\\\"segment_blanks\\\":4", "\\\"segment_blanks\\\":60", "segment_blanks"},
    {"\\\"segment_max\\\":60", "\\\"segment_max\\\":100000", "segment_max"},
    {"\"feature.mean\"", "\"feature.means\"", "feature.mean"},
    {"\"ctc.bias\"", "\"ctc.bais\"", "ctc.bias"},
};

START_TEST(test_wrong_contents)
{
    size_t size, edited_size;
    void *bytes = fixture_bytes(NULL, &size);
    void *edited = edit(bytes, size, edits[_i].from, edits[_i].to, &edited_size);
    expect_refused(edited, edited_size, STENO_ERROR_FORMAT, edits[_i].reason);
    free(edited);
    free(bytes);
}
END_TEST

static const struct {
    const char *from, *to, *reason;
} lm_edits[] = {
    {"\"lm\":\"{", "\"lm\":\"", "\"lm\" is not JSON"},
    {"\"lm\":\"{", "\"lm\":\"[1] {", "\"lm\" is not JSON"},
    {"\\\"order\\\":3", "\\\"order\\\":0", "lm: \"order\" is 0, should be"},
    {"\\\"order\\\":3", "\\\"order\\\":9", "lm: \"order\" is 9, should be"},
    {"\\\"order\\\":3", "\\\"order\\\":2.5", "whole number"},
    {"\\\"order\\\":3", "\\\"ordre\\\":3", "\"order\" is missing"},
    {"\\\"order\\\":3", "\\\"order\\\":4", "tensor lm.3.backoff is not in the file"},
    {"\\\"probability_scale\\\":", "\\\"probability_scale\\\":-", "\"probability_scale\" is -"},
    {"\\\"probability_scale\\\":", "\\\"probability_scale\\\":1e99,\\\"x\\\":",
        "\"probability_scale\" is 1e+99"},
    {"\\\"backoff_scale\\\":", "\\\"backoff_scale\\\":1e999,\\\"x\\\":", "\"lm\" is not JSON"},
    {"\\\"backoff_scale\\\":", "\\\"backoff_scale\\\":0,\\\"x\\\":", "\"backoff_scale\" is 0"},
    {"\\\"backoff_scale\\\":", "\\\"backoff_scale\\\":null,\\\"x\\\":", "not a number"},
    {"\\\"lm_weight\\\":0.5", "\\\"lm_weight\\\":-0.5", "\"lm_weight\" is -0.5"},
    {"\\\"lm_weight\\\":0.5", "\\\"lm_weight\\\":true", "\"lm_weight\" is not a number"},
    {"\"lm.2.child\"", "\"lm.2.chill\"", "tensor lm.2.child is not in the file"},
    {"\"lm.1.token\":{\"dtype\":\"U16\"", "\"lm.1.token\":{\"dtype\":\"F16\"", "should be U16"},
};

START_TEST(test_wrong_language_model)
{
    size_t size, edited_size;
    void *bytes = fixture_bytes_lm(NULL, &size);
    void *edited = edit(bytes, size, lm_edits[_i].from, lm_edits[_i].to, &edited_size);
    expect_refused(edited, edited_size, STENO_ERROR_FORMAT, lm_edits[_i].reason);
    free(edited);
    free(bytes);
}
END_TEST

START_TEST(test_a_token_too_long)
{
    tiny_model_config config = tiny_model_default();
    const char *metadata[] = {"search", FIXTURE_SEARCH, NULL};
    config.metadata = metadata;
    config.tokens = 3;
    config.token_list = "[\"a\",\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"]";
    size_t size;
    void *bytes = tiny_model_write(&config, &size);
    expect_refused(bytes, size, STENO_ERROR_FORMAT, "token 2 is 51 bytes");
    free(bytes);
}
END_TEST

START_TEST(test_operators_and_precision)
{
    size_t size;
    void *bytes = fixture_bytes(NULL, &size);
    char path[256];
    snprintf(path, sizeof path, "%s", fixture_file("tiny.safetensors", bytes, size));
    free(bytes);

    steno_model *model = NULL;
    steno_error error;
    steno_model_info info;
    for (int precision = STENO_PRECISION_BF16; precision <= STENO_PRECISION_INT8; precision++) {
        const steno_model_options options = {
            .precision = (steno_precision)precision, .operators = STENO_OPERATORS_REFERENCE};
        ck_assert_int_eq(steno_model_open(path, &options, &model, &error), STENO_ERROR_UNSUPPORTED);
        ck_assert_ptr_nonnull(
            strstr(error.message, steno_precision_name((steno_precision)precision)));
    }
    ck_assert_int_eq(steno_model_open(path, &(steno_model_options){.precision = 9}, &model, &error),
        STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_model_open(path, &(steno_model_options){.operators = 9}, &model, &error),
        STENO_ERROR_ARGUMENT);
    ck_assert_ptr_null(model);

    ck_assert_msg(steno_model_open(path, NULL, &model, &error) == STENO_OK, "%s", error.message);
    steno_model_get_info(model, &info);
    steno_precision automatic = info.precision;
    ck_assert_int_ne(automatic, STENO_PRECISION_AUTO);
    steno_model_unref(model);
    /* What would be faster still, this processor lacks. */
    for (int faster = automatic + 1; faster <= STENO_PRECISION_INT8; faster++)
        ck_assert_int_eq(
            steno_model_open(
                path, &(steno_model_options){.precision = (steno_precision)faster}, &model, &error),
            STENO_ERROR_UNSUPPORTED);
}
END_TEST

START_TEST(test_precision_names)
{
    static const char *const names[] = {"auto", "f32", "bf16", "int8"};
    for (int i = 0; i < 4; i++) {
        steno_precision precision;
        ck_assert_int_eq(steno_precision_parse(names[i], &precision), STENO_OK);
        ck_assert_int_eq(precision, i);
        ck_assert_str_eq(steno_precision_name(precision), names[i]);
    }
    steno_precision precision;
    ck_assert_int_eq(steno_precision_parse("f64", &precision), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_precision_parse(NULL, &precision), STENO_ERROR_ARGUMENT);
    ck_assert_str_eq(steno_precision_name((steno_precision)77), "unknown");
}
END_TEST

START_TEST(test_default_path)
{
    setenv("STENO_MODEL", "/some/model", 1);
    ck_assert_str_eq(steno_model_default_path(), "/some/model");
    setenv("STENO_MODEL", "", 1);
    const char *path = steno_model_default_path();
    ck_assert(path == NULL || access(path, R_OK) == 0);
}
END_TEST

START_TEST(test_each_allocation_failing)
{
    size_t size, alive = memory_alive();
    void *bytes = fixture_bytes_lm(NULL, &size);
    char path[256];
    snprintf(path, sizeof path, "%s", fixture_file("tiny.safetensors", bytes, size));
    free(bytes);
    const steno_model_options options = {.operators = STENO_OPERATORS_REFERENCE};
    for (uint64_t i = 1;; i++) {
        steno_model *model = NULL;
        steno_error error = {0};
        memory_fail_at(memory_attempts() + i);
        steno_status status = steno_model_open(path, &options, &model, &error);
        memory_fail_at(0);
        if (status == STENO_OK) {
            ck_assert_uint_gt(i, 50);
            steno_model_unref(model);
            break;
        }
        ck_assert_msg(status == STENO_ERROR_MEMORY, "%s", error.message);
        ck_assert_int_eq(error.status, STENO_ERROR_MEMORY);
        ck_assert_ptr_null(model);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

START_TEST(test_version)
{
    unsigned major, minor, patch;
    ck_assert_int_eq(sscanf(steno_version(), "%u.%u.%u", &major, &minor, &patch), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("model");
    tcase_set_timeout(tests, 400);
    tcase_add_test(tests, test_info);
    tcase_add_test(tests, test_references);
    tcase_add_test(tests, test_files_that_are_none);
    tcase_add_test(tests, test_damaged_files);
    tcase_add_test(tests, test_bytes_of_the_header_changed_one_by_one);
    tcase_add_loop_test(tests, test_wrong_contents, 0, sizeof edits / sizeof *edits);
    tcase_add_test(tests, test_language_model);
    tcase_add_loop_test(tests, test_wrong_language_model, 0, sizeof lm_edits / sizeof *lm_edits);
    tcase_add_test(tests, test_a_token_too_long);
    tcase_add_test(tests, test_operators_and_precision);
    tcase_add_test(tests, test_precision_names);
    tcase_add_test(tests, test_default_path);
    tcase_add_test(tests, test_each_allocation_failing);
    tcase_add_test(tests, test_version);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
