/* Where results go: names and refusals. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "options.h"
#include "plan.h"
#include "steno/format.h"
#include "support/suite.h"

typedef struct naming {
    const char *path, *name;
} naming;

static const naming namings[] = {
    {"talk.wav", "talk"},
    {"/a/b.c/talk.wav", "talk"},
    {"/a/b.c/talk", "talk"},
    {"two.parts.wav", "two.parts"},
    {".hidden", ".hidden"},
    {".hidden.wav", ".hidden"},
    {"folder/", "folder"},
    {"talk.", "talk"},
    {"-", "stdin"},
};

START_TEST(base_names)
{
    char *name = plan_base_name(namings[_i].path);
    ck_assert_str_eq(name, namings[_i].name);
    free(name);
}
END_TEST

/* The plan for these words after "steno transcribe"; NULL on success, else the message. */
static const char *make_plan(plan *out_plan, const char *const *words)
{
    static steno_error error;
    int count = 0;
    while (words[count] != NULL)
        count++;
    option_values options;
    ck_assert_int_eq(
        options_parse(command_find("transcribe"), count, words, &options, &error), STENO_OK);
    steno_status status = plan_init(out_plan, &options, &error);
    options_finish(&options);
    ck_assert(status == STENO_OK || status == STENO_ERROR_ARGUMENT);
    return status == STENO_OK ? NULL : error.message;
}

#define PLAN(planned, ...) make_plan(planned, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(to_standard_output)
{
    plan planned;
    ck_assert_ptr_null(PLAN(&planned, "a.wav", "b.wav"));
    ck_assert_uint_eq(planned.count, 2);
    ck_assert_ptr_null(planned.outputs[0]);
    ck_assert_ptr_null(planned.outputs[1]);
    plan_finish(&planned);
    ck_assert_ptr_null(PLAN(&planned, "a.wav", "--output", "-"));
    ck_assert_ptr_null(planned.outputs[0]);
    plan_finish(&planned);
}
END_TEST

START_TEST(to_files)
{
    plan planned;
    ck_assert_ptr_null(PLAN(&planned, "-d", "out", "-f", "vtt", "x/a.wav", "b.flac", "-"));
    ck_assert_str_eq(planned.outputs[0], "out/a.vtt");
    ck_assert_str_eq(planned.outputs[1], "out/b.vtt");
    ck_assert_str_eq(planned.outputs[2], "out/stdin.vtt");
    plan_finish(&planned);
    ck_assert_ptr_null(PLAN(&planned, "-o", "o.txt", "x/a.wav"));
    ck_assert_str_eq(planned.outputs[0], "o.txt");
    plan_finish(&planned);
}
END_TEST

typedef struct refusal {
    const char *words[6];
    const char *reason;
} refusal;

static const refusal refusals[] = {
    {{NULL}, "no file given"},
    {{"a", "-o", "x", "-d", "y"}, "exclude"},
    {{"a", "b", "-o", "x"}, "one input"},
    {{"a", "b", "-f", "srt"}, "srt of several"},
    {{"a", "b", "-f", "tsv"}, "tsv of several"},
    {{"-", "a", "-"}, "once"},
    {{"a", "-i", "-f", "json"}, "--interim"},
    {{"a", "-i", "-o", "x"}, "--interim"},
    {{"a", "-i", "--per-channel"}, "--per-channel"},
    {{"x/a.wav", "c.wav", "y/a.mp3", "-d", "out"},
        "x/a.wav and y/a.mp3 would both be written to out/a.txt"},
};

START_TEST(refused)
{
    plan planned;
    const char *words[7] = {NULL};
    memcpy(words, refusals[_i].words, sizeof refusals[_i].words);
    const char *message = make_plan(&planned, words);
    ck_assert_ptr_nonnull(message);
    /* Which of two equal names sorts first is not said. */
    const char *swapped = "y/a.mp3 and x/a.wav would both be written to out/a.txt";
    ck_assert_msg(
        strstr(message, refusals[_i].reason) || strcmp(message, swapped) == 0, "%s", message);
    plan_finish(&planned);
}
END_TEST

START_TEST(inputs_are_safe)
{
    char *input = strdup(folder_write("talk.txt", "raw samples"));
    char *place = strdup(folder_path(""));
    plan planned;
    const char *message = PLAN(&planned, "--raw", "-d", place, input);
    ck_assert_ptr_nonnull(message);
    ck_assert_ptr_nonnull(strstr(message, "overwritten"));
    plan_finish(&planned);
    char *alias = strdup(folder_path("alias"));
    ck_assert_int_eq(symlink(input, alias), 0);
    ck_assert_ptr_nonnull(PLAN(&planned, "--raw", "-o", alias, input));
    plan_finish(&planned);
    free(input);
    free(place);
    free(alias);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client plan");
    TCase *cases = tcase_create("plan");
    tcase_add_checked_fixture(cases, folder_make, folder_remove);
    tcase_add_loop_test(cases, base_names, 0, sizeof namings / sizeof namings[0]);
    tcase_add_test(cases, to_standard_output);
    tcase_add_test(cases, to_files);
    tcase_add_loop_test(cases, refused, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_test(cases, inputs_are_safe);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
