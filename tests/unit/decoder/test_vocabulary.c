#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decoder/vocabulary.h"
#include "support/suite.h"

START_TEST(known_list)
{
    vocabulary *v = NULL;
    ck_assert_int_eq(
        vocabulary_create("[\"\\u2581the\", \"s\", \"\xe2\x96\x81\", \"\\u00e9\"]", 5, &v, NULL),
        STENO_OK);
    ck_assert_str_eq(vocabulary_text(v, 0), "");
    ck_assert_str_eq(vocabulary_text(v, 1), " the");
    ck_assert_str_eq(vocabulary_text(v, 2), "s");
    ck_assert_str_eq(vocabulary_text(v, 3), " ");
    ck_assert_str_eq(vocabulary_text(v, 4), "\xc3\xa9");
    ck_assert_str_eq(vocabulary_text(v, 5), "");
    vocabulary_destroy(v);
    vocabulary_destroy(NULL);
}
END_TEST

static const struct {
    const char *json, *reason;
} hostile[] = {
    {NULL, "missing"},
    {"", "expected"},
    {"[\"a\", \"b\"", "expected"},
    {"[\"a\", \"b\"] x", "end of file"},
    {"{\"a\": 1}", "not a JSON list"},
    {"[\"a\"]", "1 tokens, expected 2"},
    {"[\"a\", \"b\", \"c\"]", "3 tokens, expected 2"},
    {"[\"a\", 7]", "token 2 is not a string"},
    {"[null, \"a\"]", "token 1 is not a string"},
    {"[\"a\", \"\"]", "token 2 is empty"},
    {"[\"a\", \"a\"]", "appears twice"},
    {"[\"\\u2581\", \"\xe2\x96\x81\"]", "appears twice"},
    {"[\"a b\", \"c\"]", "space or control"},
    {"[\"a\", \"b\\n\"]", "space or control"},
    {"[\"a\", \"\\u007f\"]", "space or control"},
    {"[\"a\", \"\\u0085\"]", "space or control"},
    {"[\"a\", \"\\u0000\"]", "0000"},
    {"[\"a\", \"\xff\"]", "unable to decode"},
    {"[\"a\", \"\xc0\x80\"]", "unable to decode"},
    {"[\"a\", \"\\ud800\"]", "Unicode"},
};

START_TEST(hostile_list)
{
    vocabulary *v = NULL;
    steno_error error = {0};
    size_t alive = memory_alive();
    ck_assert_int_eq(vocabulary_create(hostile[_i].json, 3, &v, &error), STENO_ERROR_FORMAT);
    ck_assert_ptr_null(v);
    ck_assert_int_eq(error.status, STENO_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, "token list: ") == error.message &&
                      strstr(error.message, hostile[_i].reason),
        "%s", error.message);
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

START_TEST(hostile_sizes)
{
    vocabulary *v = NULL;
    ck_assert_int_eq(vocabulary_create("[]", 1, &v, NULL), STENO_ERROR_FORMAT);
    ck_assert_int_eq(vocabulary_create("[]", 0, &v, NULL), STENO_ERROR_FORMAT);
    ck_assert_int_eq(vocabulary_create("[]", SIZE_MAX, &v, NULL), STENO_ERROR_FORMAT);
    char deep[5000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    ck_assert_int_eq(vocabulary_create(deep, 3, &v, NULL), STENO_ERROR_FORMAT);
    char longest[600];
    snprintf(longest, sizeof longest, "[\"a\", \"%0300d\"]", 0);
    ck_assert_int_eq(vocabulary_create(longest, 3, &v, NULL), STENO_ERROR_FORMAT);
    ck_assert_ptr_null(v);
}
END_TEST

START_TEST(failing_allocations)
{
    size_t alive = memory_alive();
    steno_status status = STENO_ERROR_MEMORY;
    int failures = -1;
    while (status == STENO_ERROR_MEMORY) {
        vocabulary *v = NULL;
        failures++;
        memory_fail_at(memory_attempts() + 1 + (uint64_t)failures);
        status = vocabulary_create("[\"a\", \"b\"]", 3, &v, NULL);
        memory_fail_at(0);
        vocabulary_destroy(v);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_int_eq(status, STENO_OK);
    ck_assert_int_eq(failures, 4);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("vocabulary");
    tcase_add_test(tcase, known_list);
    tcase_add_loop_test(tcase, hostile_list, 0, sizeof hostile / sizeof hostile[0]);
    tcase_add_test(tcase, hostile_sizes);
    tcase_add_test(tcase, failing_allocations);
    Suite *suite = suite_create("vocabulary");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
