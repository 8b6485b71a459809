/* The formatters' contract, and known answers of those that write words and results as they are:
 * text, TSV, CTM, JSON.  Subtitles have their own test. */
#include <check.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "output.h"
#include "steno/audio.h"
#include "support/suite.h"

enum { FORMATS = STENO_FORMAT_TSV + 1 };

static const steno_word talk[] = {
    {"hello", 80, 320, 0.9f}, {"world", 400, 1040, 0.12345f}, {"again", 3600000, 3600080, 1}};
static const size_t talk_counts[] = {2, 1};

static output out;

START_TEST(test_names)
{
    static const struct {
        const char *name, *extension;
        steno_format format;
    } cases[] = {
        {"text", "txt", STENO_FORMAT_TEXT},
        {"json", "json", STENO_FORMAT_JSON},
        {"srt", "srt", STENO_FORMAT_SRT},
        {"vtt", "vtt", STENO_FORMAT_VTT},
        {"ctm", "ctm", STENO_FORMAT_CTM},
        {"tsv", "tsv", STENO_FORMAT_TSV},
    };
    steno_format format;
    for (size_t i = 0; i < FORMATS; i++) {
        ck_assert_int_eq(steno_format_parse(cases[i].name, &format), STENO_OK);
        ck_assert_int_eq(format, cases[i].format);
        ck_assert_str_eq(steno_format_extension(format), cases[i].extension);
    }
    static const char *const wrong[] = {"", "txt", "TEXT", "text ", "srtx", NULL};
    format = STENO_FORMAT_CTM;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_int_eq(steno_format_parse(wrong[i], &format), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(format, STENO_FORMAT_CTM);
    ck_assert_int_eq(steno_format_parse("text", NULL), STENO_ERROR_ARGUMENT);
    ck_assert_str_eq(steno_format_extension((steno_format)FORMATS), "");
}
END_TEST

START_TEST(test_text)
{
    format_words(&out, STENO_FORMAT_TEXT, "talk.wav", talk, talk_counts, 2, 3700000);
    ck_assert_str_eq(out.bytes, "hello world\nagain\n");
}
END_TEST

START_TEST(test_tsv)
{
    format_words(&out, STENO_FORMAT_TSV, "talk.wav", talk, talk_counts, 2, 3700000);
    ck_assert_str_eq(out.bytes, "start_ms\tend_ms\tchannel\tconfidence\tword\n"
                                "80\t320\t0\t0.900\thello\n"
                                "400\t1040\t0\t0.123\tworld\n"
                                "3600000\t3600080\t0\t1.000\tagain\n");
}
END_TEST

START_TEST(test_ctm)
{
    format_words(&out, STENO_FORMAT_CTM, "a/b.c/my talk.en.wav", talk, talk_counts, 2, 3700000);
    ck_assert_str_eq(out.bytes, "my_talk.en 1 0.080 0.240 hello 0.900\n"
                                "my_talk.en 1 0.400 0.640 world 0.123\n"
                                "my_talk.en 1 3600.000 0.080 again 1.000\n");
}
END_TEST

START_TEST(test_ctm_names)
{
    static const char *const cases[][2] = {{NULL, "-"}, {"", "-"}, {"a/", "-"}, {".wav", ".wav"},
        {"x", "x"}, {";;x.wav", "_;x"}, {"a\tb\nc\x7F.wav", "a_b_c_"},
        {"\xC3\xA9.wav", "\xC3\xA9"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        format_words(&out, STENO_FORMAT_CTM, cases[i][0], talk, (size_t[]){1}, 1, 0);
        char expected[64];
        snprintf(expected, sizeof expected, "%s 1 0.080 0.240 hello 0.900\n", cases[i][1]);
        ck_assert_str_eq(out.bytes, expected);
    }
}
END_TEST

START_TEST(test_json)
{
    format_words(&out, STENO_FORMAT_JSON, "talk.wav", talk, talk_counts, 2, 3700000);
    ck_assert_str_eq(out.bytes,
        "{\n\"file\": \"talk.wav\",\n\"results\": [\n"
        "{\"channel\": 0, \"start_ms\": 80, \"end_ms\": 1040, \"text\": \"hello world\","
        " \"confidence\": 0.512, \"words\": ["
        "{\"word\": \"hello\", \"start_ms\": 80, \"end_ms\": 320, \"confidence\": 0.900}, "
        "{\"word\": \"world\", \"start_ms\": 400, \"end_ms\": 1040, \"confidence\": 0.123}]},\n"
        "{\"channel\": 0, \"start_ms\": 3600000, \"end_ms\": 3600080, \"text\": \"again\","
        " \"confidence\": 1.000, \"words\": ["
        "{\"word\": \"again\", \"start_ms\": 3600000, \"end_ms\": 3600080,"
        " \"confidence\": 1.000}]}\n"
        "],\n\"text\": \"hello world again\",\n\"duration_ms\": 3700000\n}\n");
}
END_TEST

START_TEST(test_json_alternatives)
{
    steno_formatter *formatter;
    memset(&out, 0, sizeof out);
    ck_assert_int_eq(
        steno_formatter_create(STENO_FORMAT_JSON, "t", output_write, &out, &formatter, NULL),
        STENO_OK);
    static made_result made;
    result_init(&made);
    result_add(&made, talk, 2);
    result_add(&made, talk + 1, 1);
    result_add(&made, talk + 2, 1);
    ck_assert_int_eq(steno_formatter_add(formatter, &made.result, 2), STENO_OK);
    ck_assert_int_eq(steno_formatter_finish(formatter, 5), STENO_OK);
    steno_formatter_destroy(formatter);

    json_error_t error;
    json_t *root = json_loads(out.bytes, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(root, "line %d: %s", error.line, error.text);
    json_t *result = json_array_get(json_object_get(root, "results"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(result, "channel")), 2);
    json_t *others = json_object_get(result, "alternatives");
    ck_assert_uint_eq(json_array_size(others), 2);
    for (size_t i = 0; i < 2; i++) {
        json_t *other = json_array_get(others, i);
        ck_assert_str_eq(json_string_value(json_object_get(other, "text")), i ? "again" : "world");
        ck_assert_uint_eq(json_array_size(json_object_get(other, "words")), 1);
        ck_assert(json_is_real(json_object_get(other, "confidence")));
    }
    json_decref(root);
}
END_TEST

START_TEST(test_nothing_said)
{
    static const char *const expected[FORMATS] = {"",
        "{\n\"file\": \"talk.wav\",\n\"results\": [],\n\"text\": \"\",\n\"duration_ms\": 9\n}\n",
        "", "WEBVTT\n\n", "", "start_ms\tend_ms\tchannel\tconfidence\tword\n"};
    for (int format = 0; format < FORMATS; format++) {
        steno_formatter *formatter;
        memset(&out, 0, sizeof out);
        ck_assert_int_eq(steno_formatter_create((steno_format)format, "talk.wav", output_write,
                             &out, &formatter, NULL),
            STENO_OK);
        ck_assert_uint_eq(out.writes, 0);
        /* What isn't final or has no words counts as nothing. */
        static made_result made;
        result_init(&made);
        ck_assert_int_eq(steno_formatter_add(formatter, &made.result, 0), STENO_OK);
        result_add(&made, talk, 0);
        ck_assert_int_eq(steno_formatter_add(formatter, &made.result, 0), STENO_OK);
        result_init(&made);
        result_add(&made, talk, 2);
        made.result.is_final = false;
        ck_assert_int_eq(steno_formatter_add(formatter, &made.result, 0), STENO_OK);
        ck_assert_int_eq(steno_formatter_finish(formatter, 9), STENO_OK);
        ck_assert_str_eq(out.bytes, expected[format]);

        ck_assert_int_eq(steno_formatter_finish(formatter, 9), STENO_ERROR_STATE);
        ck_assert_int_eq(steno_formatter_add(formatter, &made.result, 0), STENO_ERROR_STATE);
        ck_assert_str_eq(out.bytes, expected[format]);
        steno_formatter_destroy(formatter);
    }
}
END_TEST

/* Two channels talk by turns, given out of order. */
static void two_channels(steno_format format)
{
    static const steno_word words[] = {{"one", 0, 500, 1}, {"two", 2000, 2500, 1},
        {"three", 1000, 1500, 1}, {"four", 2000, 2400, 1}};
    static const unsigned channels[] = {2, 2, 1, 1};
    steno_formatter *formatter;
    memset(&out, 0, sizeof out);
    ck_assert_int_eq(
        steno_formatter_create(format, "talk.wav", output_write, &out, &formatter, NULL), STENO_OK);
    for (size_t i = 0; i < 4; i++) {
        static made_result made;
        result_init(&made);
        result_add(&made, words + i, 1);
        ck_assert_int_eq(steno_formatter_add(formatter, &made.result, channels[i]), STENO_OK);
    }
    ck_assert_int_eq(steno_formatter_finish(formatter, 2600), STENO_OK);
    steno_formatter_destroy(formatter);
}

START_TEST(test_channels)
{
    two_channels(STENO_FORMAT_TEXT);
    ck_assert_str_eq(out.bytes, "[2] one\n[2] two\n[1] three\n[1] four\n");
    two_channels(STENO_FORMAT_TSV);
    ck_assert_ptr_nonnull(strstr(out.bytes, "\n1000\t1500\t1\t1.000\tthree\n"));
    two_channels(STENO_FORMAT_CTM);
    ck_assert_str_eq(out.bytes, "talk 1 1.000 0.500 three 1.000\ntalk 1 2.000 0.400 four 1.000\n"
                                "talk 2 0.000 0.500 one 1.000\ntalk 2 2.000 0.500 two 1.000\n");
    two_channels(STENO_FORMAT_SRT);
    ck_assert_str_eq(out.bytes, "1\n00:00:00,000 --> 00:00:01,000\n[2] one\n\n"
                                "2\n00:00:01,000 --> 00:00:02,000\n[1] three\n\n"
                                "3\n00:00:02,000 --> 00:00:02,600\n[1] four\n\n"
                                "4\n00:00:02,000 --> 00:00:02,600\n[2] two\n\n");
    two_channels(STENO_FORMAT_VTT);
    ck_assert_str_eq(out.bytes, "WEBVTT\n\n"
                                "00:00:00.000 --> 00:00:01.000\n[2] one\n\n"
                                "00:00:01.000 --> 00:00:02.000\n[1] three\n\n"
                                "00:00:02.000 --> 00:00:02.600\n[1] four\n\n"
                                "00:00:02.000 --> 00:00:02.600\n[2] two\n\n");
}
END_TEST

START_TEST(test_confidences)
{
    static const steno_word words[] = {{"a", 0, 1, NAN}, {"b", 1, 2, -1}, {"c", 2, 3, INFINITY},
        {"d", 3, 4, -INFINITY}, {"e", 4, 5, 0.9996f}, {"f", 5, 6, 0.0004f}, {"g", 6, 7, 0.05f}};
    FORMAT_WORDS(&out, STENO_FORMAT_TSV, words, 10);
    ck_assert_str_eq(strchr(out.bytes, '\n') + 1,
        "0\t1\t0\t0.000\ta\n1\t2\t0\t0.000\tb\n2\t3\t0\t1.000\tc\n3\t4\t0\t0.000\td\n"
        "4\t5\t0\t1.000\te\n5\t6\t0\t0.000\tf\n6\t7\t0\t0.050\tg\n");
}
END_TEST

/* U+FFFD as it stands in the output. */
#define R "\xEF\xBF\xBD"

static const struct {
    const char *text, *shown; /* shown: in all formats but JSON */
} hostile[] = {
    {"plain", "plain"},
    {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
    {"\xFF", R},
    {"a\xC3", "a" R}, /* cut short by the end */
    {"\xC3(", R "("}, /* cut short by another character */
    {"\xE2\x82", R R},
    {"\xF0\x9F\x98z", R R R "z"},
    {"\x80\xBF", R R},             /* no beginning */
    {"\xC0\x80\xC1\xBF", R R R R}, /* overlong */
    {"\xE0\x9F\xBF", R R R},
    {"\xF0\x8F\xBF\xBF", R R R R},
    {"\xED\xA0\x80", R R R},                                  /* a surrogate */
    {"\xED\x9F\xBF\xEE\x80\x80", "\xED\x9F\xBF\xEE\x80\x80"}, /* its neighbours */
    {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
    {"\xF4\x90\x80\x80\xF5\x80\x80\x80\xF8\xFE", R R R R R R R R R R}, /* beyond U+10FFFF */
    {"a\tb\nc\rd\x01\x1F\x7F", "a" R "b" R "c" R "d" R R R},
    {"\t\xC2\x80\xC2\x9B"
     "2J\xC2\x9F\xC2\xA0",
        R R R "2J" R "\xC2\xA0"}, /* U+0080 to U+009F, and what comes next */
    {"\"quoted\\\"/", "\"quoted\\\"/"},
};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

START_TEST(test_hostile_text)
{
    for (size_t i = 0; i < HOSTILE; i++) {
        steno_word word = {hostile[i].text, 0, 80, 1};
        char expected[256];
        format_words(&out, STENO_FORMAT_TEXT, "t", &word, (size_t[]){1}, 1, 80);
        snprintf(expected, sizeof expected, "%s\n", hostile[i].shown);
        ck_assert_str_eq(out.bytes, expected);
        format_words(&out, STENO_FORMAT_CTM, "t", &word, (size_t[]){1}, 1, 80);
        snprintf(expected, sizeof expected, "t 1 0.000 0.080 %s 1.000\n", hostile[i].shown);
        ck_assert_str_eq(out.bytes, expected);
        format_words(&out, STENO_FORMAT_TSV, "t", &word, (size_t[]){1}, 1, 80);
        snprintf(expected, sizeof expected, "\n0\t80\t0\t1.000\t%s\n", hostile[i].shown);
        ck_assert_str_eq(strchr(out.bytes, '\n'), expected);
        format_words(&out, STENO_FORMAT_SRT, "t", &word, (size_t[]){1}, 1, 80);
        snprintf(expected, sizeof expected, "1\n00:00:00,000 --> 00:00:00,080\n%s\n\n",
            hostile[i].shown);
        ck_assert_str_eq(out.bytes, expected);
    }
    /* Spaces inside a word, or no text, must not shift CTM's fields. */
    static const steno_word words[] = {{"a b ", 0, 80, 1}, {"", 80, 160, 1}};
    FORMAT_WORDS(&out, STENO_FORMAT_CTM, words, 160);
    ck_assert_str_eq(out.bytes, "talk 1 0.000 0.080 a_b_ 1.000\n");
}
END_TEST

START_TEST(test_hostile_json)
{
    for (size_t i = 0; i < HOSTILE; i++) {
        steno_word word = {hostile[i].text, 0, 80, 1};
        format_words(&out, STENO_FORMAT_JSON, hostile[i].text, &word, (size_t[]){1}, 1, 80);
        json_error_t error;
        json_t *root = json_loads(out.bytes, JSON_REJECT_DUPLICATES, &error);
        ck_assert_msg(root, "%zu: line %d: %s\n%s", i, error.line, error.text, out.bytes);
        json_t *result = json_array_get(json_object_get(root, "results"), 0);
        json_t *first = json_array_get(json_object_get(result, "words"), 0);
        json_t *strings[] = {json_object_get(root, "file"), json_object_get(root, "text"),
            json_object_get(result, "text"), json_object_get(first, "word")};
        /* JSON can tell control characters; only what isn't UTF-8 is replaced. */
        bool has_controls = strchr(hostile[i].text, '\t');
        for (size_t j = 0; j < 4; j++)
            ck_assert_str_eq(
                json_string_value(strings[j]), has_controls ? hostile[i].text : hostile[i].shown);
        json_decref(root);
    }
}
END_TEST

START_TEST(test_long_output)
{
    /* A word longer than the writer's buffer, made of characters that straddle its end. */
    static char text[6002];
    for (size_t i = 0; i + 2 < sizeof text; i += 3)
        memcpy(text + i, "\xE2\x82\xAC", 3);
    text[6000] = '\0';
    steno_word word = {text, 0, 80, 1};
    format_words(&out, STENO_FORMAT_JSON, "t", &word, (size_t[]){1}, 1, 80);
    json_t *root = json_loads(out.bytes, 0, NULL);
    ck_assert_ptr_nonnull(root);
    ck_assert_str_eq(json_string_value(json_object_get(root, "text")), text);
    json_decref(root);
    format_words(&out, STENO_FORMAT_TEXT, "t", &word, (size_t[]){1}, 1, 80);
    ck_assert_uint_eq(out.size, 6001);
    ck_assert_int_eq(strncmp(out.bytes, text, 6000), 0);
}
END_TEST

START_TEST(test_locale)
{
    /* Where it is installed, a locale with decimal commas changes nothing. */
    setlocale(LC_ALL, "de_DE.UTF-8");
    format_words(&out, STENO_FORMAT_CTM, "talk.wav", talk, talk_counts, 1, 2000);
    ck_assert_str_eq(out.bytes, "talk 1 0.080 0.240 hello 0.900\ntalk 1 0.400 0.640 world 0.123\n");
    setlocale(LC_ALL, "C");
}
END_TEST

/* Formats two results of each of two channels, or of the mix; the first status that isn't OK. */
static steno_status try_all(steno_format format, unsigned channels)
{
    steno_formatter *formatter;
    steno_status first =
        steno_formatter_create(format, "talk.wav", output_write, &out, &formatter, NULL);
    if (first != STENO_OK)
        return first;
    for (unsigned i = 0; i < 4; i++) {
        static made_result made;
        result_init(&made);
        result_add(&made, talk, 3);
        steno_status status =
            steno_formatter_add(formatter, &made.result, channels ? i % 2 + 1 : 0);
        if (first == STENO_OK)
            first = status;
        ck_assert_int_eq(status, first); /* a failure stays */
    }
    steno_status status = steno_formatter_finish(formatter, 3700000);
    if (first == STENO_OK)
        first = status;
    ck_assert_int_eq(status, first);
    if (first != STENO_OK)
        ck_assert_int_eq(steno_formatter_finish(formatter, 3700000), first);
    steno_formatter_destroy(formatter);
    return first;
}

START_TEST(test_write_errors)
{
    for (int format = 0; format < FORMATS; format++) {
        for (unsigned channels = 0; channels < 2; channels++) {
            size_t fail_at = 1;
            for (;; fail_at++) {
                memset(&out, 0, sizeof out);
                out.fail_at = fail_at;
                steno_status status = try_all((steno_format)format, channels);
                if (out.writes < fail_at) {
                    ck_assert_int_eq(status, STENO_OK);
                    break;
                }
                ck_assert_int_eq(status, STENO_ERROR_IO);
                ck_assert_uint_eq(out.writes, fail_at); /* nothing is written after it */
            }
            ck_assert_uint_gt(fail_at, 1);
        }
    }
}
END_TEST

START_TEST(test_write_error_amid_a_result)
{
    static char text[20001]; /* takes several writes */
    memset(text, 'x', sizeof text - 1);
    steno_word word = {text, 0, 80, 1};
    for (size_t fail_at = 1; fail_at <= 4; fail_at++) {
        static made_result made;
        result_init(&made);
        result_add(&made, &word, 0);
        made.alternatives[0] = (steno_alternative){text, &word, 1, 1};
        memset(&out, 0, sizeof out);
        out.fail_at = fail_at;
        steno_formatter *formatter;
        ck_assert_int_eq(
            steno_formatter_create(STENO_FORMAT_TEXT, "t", output_write, &out, &formatter, NULL),
            STENO_OK);
        ck_assert_int_eq(steno_formatter_add(formatter, &made.result, 0), STENO_ERROR_IO);
        ck_assert_uint_eq(out.writes, fail_at);
        steno_formatter_destroy(formatter);
    }
}
END_TEST

START_TEST(test_allocation_failures)
{
    for (int format = 0; format < FORMATS; format++) {
        for (unsigned channels = 0; channels < 2; channels++) {
            size_t alive = memory_alive(), failures = 0;
            for (uint64_t i = 1;; i++) {
                memset(&out, 0, sizeof out);
                memory_fail_at(memory_attempts() + i);
                steno_status status = try_all((steno_format)format, channels);
                memory_fail_at(0);
                ck_assert_uint_eq(memory_alive(), alive);
                if (status == STENO_OK)
                    break;
                ck_assert_int_eq(status, STENO_ERROR_MEMORY);
                failures++;
            }
            ck_assert_uint_ge(failures, 2);
        }
    }
}
END_TEST

START_TEST(test_arguments)
{
    steno_formatter *formatter = NULL;
    steno_error error;
    ck_assert_int_eq(
        steno_formatter_create((steno_format)FORMATS, "t", output_write, &out, &formatter, &error),
        STENO_ERROR_ARGUMENT);
    ck_assert_str_eq(error.message, "unknown format 6");
    ck_assert_int_eq(
        steno_formatter_create((steno_format)-1, "t", output_write, &out, &formatter, &error),
        STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_formatter_create(STENO_FORMAT_TEXT, "t", NULL, NULL, &formatter, &error),
        STENO_ERROR_ARGUMENT);
    ck_assert_ptr_null(formatter);
    ck_assert_int_eq(
        steno_formatter_create(STENO_FORMAT_TEXT, "t", output_write, &out, NULL, &error),
        STENO_ERROR_ARGUMENT);

    memset(&out, 0, sizeof out);
    ck_assert_int_eq(
        steno_formatter_create(STENO_FORMAT_SRT, "t", output_write, &out, &formatter, NULL),
        STENO_OK);
    static made_result made;
    result_init(&made);
    result_add(&made, talk, 1);
    ck_assert_int_eq(steno_formatter_add(NULL, &made.result, 0), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_formatter_add(formatter, NULL, 0), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(
        steno_formatter_add(formatter, &made.result, STENO_CHANNELS_MAX + 1), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_formatter_add(formatter, &made.result, STENO_CHANNELS_MAX), STENO_OK);
    ck_assert_int_eq(steno_formatter_finish(NULL, 0), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_formatter_finish(formatter, 1000), STENO_OK);
    ck_assert_str_eq(out.bytes, "1\n00:00:00,080 --> 00:00:01,000\n[8] hello\n\n");
    steno_formatter_destroy(formatter);
    steno_formatter_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("format");
    TCase *tests = tcase_create("format");
    tcase_add_test(tests, test_names);
    tcase_add_test(tests, test_text);
    tcase_add_test(tests, test_tsv);
    tcase_add_test(tests, test_ctm);
    tcase_add_test(tests, test_ctm_names);
    tcase_add_test(tests, test_json);
    tcase_add_test(tests, test_json_alternatives);
    tcase_add_test(tests, test_nothing_said);
    tcase_add_test(tests, test_channels);
    tcase_add_test(tests, test_confidences);
    tcase_add_test(tests, test_hostile_text);
    tcase_add_test(tests, test_hostile_json);
    tcase_add_test(tests, test_long_output);
    tcase_add_test(tests, test_locale);
    tcase_add_test(tests, test_write_errors);
    tcase_add_test(tests, test_write_error_amid_a_result);
    tcase_add_test(tests, test_allocation_failures);
    tcase_add_test(tests, test_arguments);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
