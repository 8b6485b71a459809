/* Subtitles: known answers, and what must hold of any words, read back from the file. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "support/suite.h"

static output out;

static uint64_t state;

/* splitmix64 (Steele, Lea, Flood 2014); below `bound`. */
static size_t draw(size_t bound)
{
    uint64_t x = state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (size_t)((x ^ x >> 31) % bound);
}

START_TEST(test_one_line)
{
    static const steno_word words[] = {
        {"hello", 3723004, 3724000, 1}, {"world", 3724000, 3725000, 1}};
    FORMAT_WORDS(&out, STENO_FORMAT_SRT, words, 4000000);
    ck_assert_str_eq(out.bytes, "1\n01:02:03,004 --> 01:02:05,000\nhello world\n\n");
    FORMAT_WORDS(&out, STENO_FORMAT_VTT, words, 4000000);
    ck_assert_str_eq(out.bytes, "WEBVTT\n\n01:02:03.004 --> 01:02:05.000\nhello world\n\n");
}
END_TEST

START_TEST(test_long_hours)
{
    static const steno_word words[] = {{"late", 360000000, 360002000, 1}};
    FORMAT_WORDS(&out, STENO_FORMAT_SRT, words, 400000000);
    ck_assert_str_eq(out.bytes, "1\n100:00:00,000 --> 100:00:02,000\nlate\n\n");
}
END_TEST

START_TEST(test_even_lines)
{
    /* 47 characters: two lines as even as can be, not 42 and the rest. */
    static const steno_word words[] = {{"aaaaaaaaa", 0, 400, 1}, {"bbbbbbbbbbbb", 400, 800, 1},
        {"cccccccccc", 800, 1200, 1}, {"dddddddd", 1200, 1600, 1}, {"eeee", 1600, 2000, 1}};
    FORMAT_WORDS(&out, STENO_FORMAT_SRT, words, 2000);
    ck_assert_str_eq(out.bytes, "1\n00:00:00,000 --> 00:00:02,000\n"
                                "aaaaaaaaa bbbbbbbbbbbb\ncccccccccc dddddddd eeee\n\n");
}
END_TEST

START_TEST(test_full_lines)
{
    /* 42 characters fill a line; the 85th begins the next cue. */
    static const char line[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop"; /* 42 */
    const steno_word words[] = {{line, 0, 1000, 1}, {line, 1000, 2000, 1}, {"x", 2000, 2100, 1}};
    FORMAT_WORDS(&out, STENO_FORMAT_SRT, words, 9000);
    char expected[512];
    snprintf(expected, sizeof expected,
        "1\n00:00:00,000 --> 00:00:02,000\n%s\n%s\n\n2\n00:00:02,000 --> 00:00:03,000\nx\n\n", line,
        line);
    ck_assert_str_eq(out.bytes, expected);
}
END_TEST

START_TEST(test_pauses)
{
    /* A pause of 1 s ends a cue, 999 ms does not. */
    static const steno_word words[] = {
        {"a", 0, 1000, 1}, {"b", 1999, 3000, 1}, {"c", 4000, 5500, 1}};
    FORMAT_WORDS(&out, STENO_FORMAT_SRT, words, 9000);
    ck_assert_str_eq(out.bytes, "1\n00:00:00,000 --> 00:00:03,000\na b\n\n"
                                "2\n00:00:04,000 --> 00:00:05,500\nc\n\n");
}
END_TEST

START_TEST(test_breaks_at_the_longest_pause)
{
    /* Twelve words of 7 characters: ten fit (5 on a line); the longest pause in the second half is
     * before the eighth; the one before the third, longer, comes too early. */
    steno_word words[12];
    uint64_t at = 0;
    for (size_t i = 0; i < 12; i++) {
        at += i == 2 ? 300 : i == 7 ? 200 : 100;
        words[i] = (steno_word){"seven77", at, at + 200, 1};
        at += 200;
    }
    FORMAT_WORDS(&out, STENO_FORMAT_SRT, words, at);
    ck_assert_str_eq(out.bytes, "1\n00:00:00,100 --> 00:00:02,300\n"
                                "seven77 seven77 seven77\nseven77 seven77 seven77 seven77\n\n"
                                "2\n00:00:02,500 --> 00:00:03,900\n"
                                "seven77 seven77 seven77 seven77 seven77\n\n");
}
END_TEST

START_TEST(test_seven_seconds)
{
    /* Words of a second: seven in a cue.  A word of ten seconds is shown for seven. */
    steno_word words[9];
    for (size_t i = 0; i < 8; i++)
        words[i] = (steno_word){"w", 1000 * i, 1000 * (i + 1), 1};
    words[8] = (steno_word){"long", 9500, 19500, 1};
    FORMAT_WORDS(&out, STENO_FORMAT_SRT, words, 30000);
    ck_assert_str_eq(out.bytes, "1\n00:00:00,000 --> 00:00:07,000\nw w w w w w w\n\n"
                                "2\n00:00:07,000 --> 00:00:08,000\nw\n\n"
                                "3\n00:00:09,500 --> 00:00:16,500\nlong\n\n");
}
END_TEST

START_TEST(test_least_time)
{
    /* Short cues stay a second, or until the next one or the end of the audio. */
    static const steno_word words[] = {
        {"a", 0, 100, 1}, {"b", 5000, 5100, 1}, {"c", 5400, 5500, 1}, {"d", 9900, 9950, 1}};
    static const size_t counts[] = {1, 1, 1, 1};
    format_words(&out, STENO_FORMAT_SRT, "t", words, counts, 4, 10000);
    ck_assert_str_eq(out.bytes, "1\n00:00:00,000 --> 00:00:01,000\na\n\n"
                                "2\n00:00:05,000 --> 00:00:05,400\nb\n\n"
                                "3\n00:00:05,400 --> 00:00:06,400\nc\n\n"
                                "4\n00:00:09,900 --> 00:00:10,000\nd\n\n");
}
END_TEST

START_TEST(test_vtt_escapes)
{
    static const steno_word words[] = {{"<b>&amp;", 0, 500, 1}, {"-->", 500, 1000, 1}};
    FORMAT_WORDS(&out, STENO_FORMAT_VTT, words, 1000);
    ck_assert_str_eq(
        out.bytes, "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n&lt;b&gt;&amp;amp; --&gt;\n\n");
}
END_TEST

START_TEST(test_characters_not_bytes)
{
    /* 42 characters of two bytes fill a line, and longer words break between characters. */
    char word[2 * 60 + 1], line[2 * 42 + 1], rest[2 * 18 + 1];
    for (size_t i = 0; i < 60; i++)
        memcpy(word + 2 * i, "\xC3\xA9", 3);
    memcpy(line, word, sizeof line - 1);
    line[sizeof line - 1] = '\0';
    memcpy(rest, word, sizeof rest - 1);
    rest[sizeof rest - 1] = '\0';
    const steno_word words[] = {{word, 0, 6000, 1}, {"and", 6000, 6500, 1}};
    FORMAT_WORDS(&out, STENO_FORMAT_SRT, words, 7000);
    char expected[512];
    snprintf(
        expected, sizeof expected, "1\n00:00:00,000 --> 00:00:06,500\n%s\n%s and\n\n", line, rest);
    ck_assert_str_eq(out.bytes, expected);
}
END_TEST

START_TEST(test_cues_wait_for_no_more_than_the_next)
{
    static const steno_word words[] = {{"a", 0, 1500, 1}, {"b", 2000, 3000, 1}};
    steno_formatter *formatter;
    memset(&out, 0, sizeof out);
    ck_assert_int_eq(
        steno_formatter_create(STENO_FORMAT_SRT, "t", output_write, &out, &formatter, NULL),
        STENO_OK);
    for (size_t i = 0; i < 2; i++) {
        static made_result made;
        result_init(&made);
        result_add(&made, words + i, 1);
        ck_assert_int_eq(steno_formatter_add(formatter, &made.result, 0), STENO_OK);
    }
    ck_assert_str_eq(out.bytes, "1\n00:00:00,000 --> 00:00:01,500\na\n\n");
    ck_assert_int_eq(steno_formatter_finish(formatter, 3000), STENO_OK);
    steno_formatter_destroy(formatter);
}
END_TEST

/* Characters of a line, which must be UTF-8 without control characters. */
static size_t count_characters(const char *line, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++) {
        ck_assert((unsigned char)line[i] >= 0x20);
        count += ((unsigned char)line[i] & 0xC0) != 0x80;
    }
    return count;
}

static uint64_t read_ms(const char *text)
{
    unsigned long long hours, minutes, seconds, ms;
    ck_assert_int_eq(sscanf(text, "%llu:%llu:%llu,%llu", &hours, &minutes, &seconds, &ms), 4);
    ck_assert(minutes < 60 && seconds < 60 && ms < 1000);
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
}

/* Reads SubRip: checks numbers, times, lines; collects all characters but spaces in out_text. */
static size_t read_cues(const char *at, char *out_text)
{
    uint64_t shown_until = 0;
    size_t cues = 0;
    while (*at) {
        char *after;
        ck_assert_uint_eq(strtoull(at, &after, 10), ++cues);
        ck_assert_int_eq(*after, '\n');
        at = after + 1;
        const char *arrow = strstr(at, " --> ");
        ck_assert_ptr_nonnull(arrow);
        uint64_t start_ms = read_ms(at), end_ms = read_ms(arrow + 5);
        ck_assert(start_ms >= shown_until && end_ms > start_ms && end_ms <= start_ms + 7000);
        shown_until = end_ms;
        at = strchr(at, '\n') + 1;
        size_t lines = 0;
        for (; *at != '\n'; lines++) {
            size_t length = strcspn(at, "\n"), characters = count_characters(at, length);
            ck_assert(characters >= 1 && characters <= 42);
            ck_assert(at[0] != ' ' && at[length - 1] != ' ');
            for (size_t i = 0; i < length; i++)
                if (at[i] != ' ')
                    *out_text++ = at[i];
            at += length + 1;
        }
        ck_assert(lines == 1 || lines == 2);
        at++;
    }
    *out_text = '\0';
    return cues;
}

START_TEST(test_any_words)
{
    enum { WORDS = 150 };
    static char texts[WORDS][300], expected[WORDS * 300], read[WORDS * 300];
    static const char *const characters[] = {
        "a", "e", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "'", "<", "-->"};
    state = (uint64_t)_i;
    steno_word words[WORDS];
    size_t counts[WORDS], results = 0, given = 0, wanted = 1 + draw(WORDS);
    uint64_t now = draw(5000);
    char *end = expected;
    size_t longest = draw(4) ? 12 : 70; /* sometimes words longer than a line */
    for (size_t i = 0; i < wanted; i++) {
        char *at = texts[i];
        for (size_t length = 1 + draw(longest); length > 0; length--)
            at = stpcpy(at, characters[draw(draw(3) ? 2 : 8)]);
        end = stpcpy(end, texts[i]);
        words[i].text = texts[i];
        words[i].start_ms = now += draw(3) ? draw(100) : draw(1500);
        words[i].end_ms = now += draw(10) ? draw(600) : draw(9000) * draw(2);
    }
    while (given < wanted) {
        counts[results] = 1 + draw(wanted - given);
        given += counts[results++];
    }
    format_words(&out, STENO_FORMAT_SRT, "t", words, counts, results, now + draw(1000));
    size_t cues = read_cues(out.bytes, read);
    ck_assert_str_eq(read, expected);
    ck_assert_uint_ge(cues, results);

    format_words(&out, STENO_FORMAT_VTT, "t", words, counts, results, now);
    for (const char *at = out.bytes; (at = strpbrk(at, "<>")); at++)
        ck_assert(*at == '>' && at - out.bytes > 3 && strncmp(at - 3, " --> ", 5) == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subtitle");
    TCase *tests = tcase_create("subtitle");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_one_line);
    tcase_add_test(tests, test_long_hours);
    tcase_add_test(tests, test_even_lines);
    tcase_add_test(tests, test_full_lines);
    tcase_add_test(tests, test_pauses);
    tcase_add_test(tests, test_breaks_at_the_longest_pause);
    tcase_add_test(tests, test_seven_seconds);
    tcase_add_test(tests, test_least_time);
    tcase_add_test(tests, test_vtt_escapes);
    tcase_add_test(tests, test_characters_not_bytes);
    tcase_add_test(tests, test_cues_wait_for_no_more_than_the_next);
    tcase_add_loop_test(tests, test_any_words, 0, 100);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
