/* The command line's table and parser. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exit_status.h"
#include "options.h"
#include "support/suite.h"

static option_values values;
static steno_error error;

/* Parses the words (ended by NULL) as the command's; what was parsed before is let go. */
static steno_status parse(const char *name, const char *const *words)
{
    int count = 0;
    while (words[count] != NULL)
        count++;
    options_finish(&values);
    return options_parse(command_find(name), count, words, &values, &error);
}

#define PARSE(name, ...) parse(name, (const char *const[]){__VA_ARGS__, NULL})

static void finish(void)
{
    options_finish(&values);
}

START_TEST(nothing_given)
{
    ck_assert_int_eq(parse("transcribe", (const char *const[]){NULL}), STENO_OK);
    ck_assert_uint_eq(values.operand_count, 0);
    ck_assert_uint_eq(values.encoding, OPTIONS_UNSET);
    ck_assert_uint_eq(values.format, 0);
    ck_assert_uint_eq(values.jobs, 0);
    ck_assert(!values.raw && !values.interim && !values.quiet);
    ck_assert_ptr_null(values.model);
    ck_assert(isnan(values.lm_weight) && isnan(values.attention_weight));
    ck_assert(isnan(values.token_bonus));
}
END_TEST

START_TEST(all_ways_to_give_a_value)
{
    ck_assert_int_eq(
        PARSE("transcribe", "--format", "json", "--jobs=3", "-mM", "-o", "O", "-qi"), STENO_OK);
    ck_assert_uint_eq(values.format, 1);
    ck_assert_uint_eq(values.jobs, 3);
    ck_assert_str_eq(values.model, "M");
    ck_assert_str_eq(values.output, "O");
    ck_assert(values.quiet && values.interim);
}
END_TEST

START_TEST(operands_anywhere)
{
    ck_assert_int_eq(PARSE("transcribe", "a", "--raw", "-", "--", "--rate", "-x"), STENO_OK);
    ck_assert_uint_eq(values.operand_count, 4);
    ck_assert_str_eq(values.operands[0], "a");
    ck_assert_str_eq(values.operands[1], "-");
    ck_assert_str_eq(values.operands[2], "--rate");
    ck_assert_str_eq(values.operands[3], "-x");
    ck_assert(values.raw);
}
END_TEST

START_TEST(lists_take_each)
{
    ck_assert_int_eq(
        PARSE("transcribe", "--phrase", "new york=3", "a", "--phrase=x", "--phrases=F"), STENO_OK);
    ck_assert_uint_eq(values.phrases.count, 2);
    ck_assert_str_eq(values.phrases.items[0], "new york=3");
    ck_assert_str_eq(values.phrases.items[1], "x");
    ck_assert_str_eq(values.phrase_file, "F");
    ck_assert_uint_eq(values.operand_count, 1);
    ck_assert_int_eq(PARSE("transcribe", "--phrase", ""), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(PARSE("transcribe", "--phrase"), STENO_ERROR_ARGUMENT);
}
END_TEST

START_TEST(last_one_counts)
{
    ck_assert_int_eq(PARSE("transcribe", "--format", "json", "--format", "srt"), STENO_OK);
    ck_assert_uint_eq(values.format, 2);
}
END_TEST

START_TEST(choice_of_numbers)
{
    ck_assert_int_eq(PARSE("transcribe", "--chunk", "1280"), STENO_OK);
    ck_assert_uint_eq(values.chunk_ms, 1280);
    ck_assert_int_eq(PARSE("transcribe", "--chunk", "0640"), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(PARSE("transcribe", "--chunk", "320 640"), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(PARSE("transcribe", "--chunk", ""), STENO_ERROR_ARGUMENT);
}
END_TEST

typedef struct refusal {
    const char *words[3];
    const char *message;
} refusal;

static const refusal refusals[] = {
    {{"--rate", "12x"}, "--rate: '12x' is not a whole number from 8000 to 192000"},
    {{"--rate", "7999"}, "--rate: '7999' is not a whole number from 8000 to 192000"},
    {{"--rate", "192001"}, "--rate: '192001' is not a whole number from 8000 to 192000"},
    {{"--rate", "4294967296000000000000"},
        "--rate: '4294967296000000000000' is not a whole number from 8000 to 192000"},
    {{"--beam", "-1"}, "--beam: '-1' is not a whole number from 1 to 128"},
    {{"--beam", "+1"}, "--beam: '+1' is not a whole number from 1 to 128"},
    {{"--beam", " 1"}, "--beam: ' 1' is not a whole number from 1 to 128"},
    {{"--beam="}, "--beam: '' is not a whole number from 1 to 128"},
    {{"--beam"}, "--beam needs a value"},
    {{"-o"}, "--output needs a value"},
    {{"--output="}, "--output: an empty name"},
    {{"--raw=yes"}, "--raw takes no value"},
    {{"--lm-weight", "-1"}, "--lm-weight: '-1' is not a number from 0 to 100"},
    {{"--token-bonus", "1e2"}, "--token-bonus: '1e2' is not a number from -100 to 100"},
    {{"--format", "xml"}, "--format: 'xml' is not one of text, json, srt, vtt, ctm, tsv"},
    {{"--format", "tex"}, "--format: 'tex' is not one of text, json, srt, vtt, ctm, tsv"},
    {{"--formats", "text"}, "unknown option '--formats'"},
    {{"--forma=text"}, "unknown option '--forma'"},
    {{"-qz"}, "unknown option '-z'"},
    {{"--details", "x"}, "unknown option '--details'"},
};

START_TEST(refused)
{
    const refusal *expected = &refusals[_i];
    const char *const words[] = {expected->words[0], expected->words[1], NULL};
    ck_assert_int_eq(parse("transcribe", words), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(error.status, STENO_ERROR_ARGUMENT);
    ck_assert_str_eq(error.message, expected->message);
}
END_TEST

START_TEST(numbers)
{
    uint32_t number = 7;
    ck_assert(options_parse_number("8", 8, 9, &number));
    ck_assert_uint_eq(number, 8);
    ck_assert(options_parse_number("4294967295", 0, UINT32_MAX, &number));
    ck_assert_uint_eq(number, UINT32_MAX);
    ck_assert(!options_parse_number("4294967296", 0, UINT32_MAX, &number));
    ck_assert(!options_parse_number("", 0, 9, &number));
    ck_assert(!options_parse_number("1 ", 0, 9, &number));
    ck_assert_uint_eq(number, UINT32_MAX);
}
END_TEST

START_TEST(reals)
{
    ck_assert_int_eq(PARSE("wer", "--lm-weight", "0.25", "--token-bonus=-1.5"), STENO_OK);
    ck_assert_float_eq(values.lm_weight, 0.25f);
    ck_assert_float_eq(values.token_bonus, -1.5f);
    float real = 7;
    static const char *const good[] = {"-2", "3", "-.5", "0.", "2.9999"};
    static const char *const bad[] = {"", "-", ".", "-2.1", "3.01", "1e0", " 1", "1 ", "+1", "0x1",
        "nan", "inf", "1,5", "1.2.3", "1-1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!options_parse_real(bad[i], -2, 3, &real), "'%s'", bad[i]);
    ck_assert_float_eq(real, 7);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(options_parse_real(good[i], -2, 3, &real), "'%s'", good[i]);
        ck_assert_float_eq(real, strtof(good[i], NULL));
    }
}
END_TEST

START_TEST(commands)
{
    ck_assert_uint_eq(command_find("transcribe")->bit, COMMAND_TRANSCRIBE);
    ck_assert_uint_eq(command_find("model info")->bit, COMMAND_MODEL_INFO);
    ck_assert_uint_eq(command_find("")->bit, COMMAND_NONE);
    ck_assert_uint_eq(command_find("listen")->bit, COMMAND_LISTEN);
    ck_assert_uint_eq(command_find("devices")->bit, COMMAND_DEVICES);
    ck_assert_ptr_null(command_find("trans"));
}
END_TEST

/* A second option of the same name or letter would never be found.  One name may stand for two
 * things in different commands, if it takes the same kind of value. */
START_TEST(table_is_unambiguous)
{
    size_t count;
    const option_entry *table = options_table(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) {
            if (strcmp(table[i].name, table[j].name) == 0) {
                ck_assert_uint_eq(table[i].commands & table[j].commands, 0);
                ck_assert_int_eq(table[i].kind, table[j].kind);
                ck_assert_int_eq(table[i].letter, table[j].letter);
                ck_assert_uint_eq(table[i].field, table[j].field);
            } else {
                ck_assert(table[i].letter == 0 || table[i].letter != table[j].letter);
            }
        }
}
END_TEST

START_TEST(exit_statuses)
{
    ck_assert_int_eq(exit_status_of_input(STENO_OK), 0);
    ck_assert_int_eq(exit_status_of_input(STENO_ERROR_FORMAT), EXIT_STATUS_AUDIO);
    ck_assert_int_eq(exit_status_of_input(STENO_ERROR_NOT_FOUND), EXIT_STATUS_INPUT);
    ck_assert_int_eq(exit_status_of_input(STENO_ERROR_PERMISSION), EXIT_STATUS_INPUT);
    ck_assert_int_eq(exit_status_worse(EXIT_STATUS_INPUT, EXIT_STATUS_FINE), EXIT_STATUS_INPUT);
    ck_assert_int_eq(exit_status_worse(EXIT_STATUS_INPUT, EXIT_STATUS_AUDIO), EXIT_STATUS_AUDIO);
    ck_assert_int_eq(exit_status_worse(EXIT_STATUS_AUDIO, EXIT_STATUS_INPUT), EXIT_STATUS_AUDIO);
    ck_assert_int_eq(exit_status_worse(EXIT_STATUS_OUTPUT, EXIT_STATUS_AUDIO), EXIT_STATUS_OUTPUT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client options");
    TCase *cases = tcase_create("options");
    tcase_add_checked_fixture(cases, NULL, finish);
    tcase_add_test(cases, nothing_given);
    tcase_add_test(cases, all_ways_to_give_a_value);
    tcase_add_test(cases, operands_anywhere);
    tcase_add_test(cases, lists_take_each);
    tcase_add_test(cases, last_one_counts);
    tcase_add_test(cases, choice_of_numbers);
    tcase_add_loop_test(cases, refused, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_test(cases, numbers);
    tcase_add_test(cases, reals);
    tcase_add_test(cases, commands);
    tcase_add_test(cases, table_is_unambiguous);
    tcase_add_test(cases, exit_statuses);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
