/* The phrases of the command line and of a file. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "phrases.h"
#include "support/suite.h"

static phrase_list list;
static steno_error error;

static steno_status read_phrases(const char *const *texts, size_t count, const char *path)
{
    option_values options = {.phrase_file = path};
    options.phrases = (option_texts){(const char **)(uintptr_t)texts, count};
    phrases_finish(&list);
    return phrases_read(&options, &list, &error);
}

static steno_status read_one(const char *text)
{
    return read_phrases(&text, 1, NULL);
}

static void finish(void)
{
    phrases_finish(&list);
    folder_remove();
}

static void check_phrase(size_t index, const char *text, double boost)
{
    ck_assert_uint_lt(index, list.count);
    ck_assert_str_eq(list.phrases[index].text, text);
    ck_assert_double_eq_tol((double)list.phrases[index].boost, boost, 1e-6);
}

START_TEST(of_the_command_line)
{
    const char *const texts[] = {"new york", "steno=7", "kubernetes=0.25", "a=b=20", "x=0"};
    ck_assert_int_eq(read_phrases(texts, 5, NULL), STENO_OK);
    ck_assert_uint_eq(list.count, 5);
    check_phrase(0, "new york", (double)PHRASES_BOOST);
    check_phrase(1, "steno", 7);
    check_phrase(2, "kubernetes", 0.25);
    check_phrase(3, "a=b", 20);
    check_phrase(4, "x", 0);
    ck_assert_str_eq(texts[1], "steno=7"); /* untouched */
    ck_assert_int_eq(read_phrases(NULL, 0, NULL), STENO_OK);
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(boosts_that_are_none)
{
    static const char *const bad[] = {"a=", "a=.", "a=21", "a=20.01", "a=-1", "a=1e1", "a=nan",
        "a= 1", "a=1,5", "a=1.2.3", "a=99999999999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(read_one(bad[i]) == STENO_ERROR_ARGUMENT, "%s", bad[i]);
        ck_assert_ptr_nonnull(strstr(error.message, bad[i]));
        ck_assert_ptr_nonnull(strstr(error.message, "0 to 20"));
    }
    ck_assert_int_eq(read_one("a=20.0"), STENO_OK);
    ck_assert_int_eq(read_one("a=.5"), STENO_OK);
    check_phrase(0, "a", 0.5);
}
END_TEST

START_TEST(without_words)
{
    static const char *const bad[] = {"=5", "", " ", "\t=1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(read_one(bad[i]), STENO_ERROR_ARGUMENT);
        ck_assert_str_eq(error.message, "--phrase: a phrase without words");
    }
    const char *path = folder_write("phrases", "a\n  \n =3\n");
    ck_assert_int_eq(read_phrases(NULL, 0, path), STENO_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "phrases:3: a phrase without words"));
}
END_TEST

START_TEST(of_a_file)
{
    const char *path =
        folder_write("phrases", "# names\n\nada lovelace\r\ncharles babbage=9\nlast");
    const char *const texts[] = {"first=1"};
    ck_assert_msg(read_phrases(texts, 1, path) == STENO_OK, "%s", error.message);
    ck_assert_uint_eq(list.count, 4);
    check_phrase(0, "first", 1);
    check_phrase(1, "ada lovelace", (double)PHRASES_BOOST);
    check_phrase(2, "charles babbage", 9);
    check_phrase(3, "last", (double)PHRASES_BOOST);
    path = folder_write("bad", "fine\nbad=x\n");
    ck_assert_int_eq(read_phrases(NULL, 0, path), STENO_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "bad:2: 'bad=x'"));
    ck_assert_int_eq(read_phrases(NULL, 0, folder_write("empty", "")), STENO_OK);
    ck_assert_uint_eq(list.count, 0);
    ck_assert_int_eq(read_phrases(NULL, 0, "/nonexistent/x"), STENO_ERROR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "/nonexistent/x"));
}
END_TEST

START_TEST(too_many)
{
    const char *texts[STENO_PHRASES_MAX + 1];
    for (size_t i = 0; i < STENO_PHRASES_MAX + 1; i++)
        texts[i] = "a";
    ck_assert_int_eq(read_phrases(texts, STENO_PHRASES_MAX, NULL), STENO_OK);
    ck_assert_int_eq(read_phrases(texts, STENO_PHRASES_MAX + 1, NULL), STENO_ERROR_LIMIT);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("all");
    tcase_add_checked_fixture(cases, folder_make, finish);
    tcase_add_test(cases, of_the_command_line);
    tcase_add_test(cases, boosts_that_are_none);
    tcase_add_test(cases, without_words);
    tcase_add_test(cases, of_a_file);
    tcase_add_test(cases, too_many);
    Suite *suite = suite_create("client_phrases");
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
