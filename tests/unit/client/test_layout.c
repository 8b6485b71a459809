/* The screen of `steno listen` as lines: widths, breaks, what is left out, no text lost. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "layout.h"
#include "support/suite.h"

static const char words[] = "mister quilter is the apostle of the middle classes and we are glad";

static growing out;
static size_t rows;

static void setup(void)
{
    columns_init();
    out = (growing){0};
}

static void teardown(void)
{
    growing_finish(&out);
}

static layout_state state(const char *text, size_t settled)
{
    return (layout_state){
        .text = text,
        .settled_bytes = settled,
        .mark = LAYOUT_SPEECH,
        .level_db = -30,
        .peak_db = -12,
        .heard_ms = 61999,
        .note = "",
        .device = "default",
    };
}

static const char *live(const layout_state *shown, const layout_shape *shape)
{
    growing_clear(&out);
    ck_assert_int_eq(layout_live(shown, shape, &out, &rows), STENO_OK);
    return out.size > 0 ? out.bytes : "";
}

/* Text without escape sequences. */
static char *stripped(const char *text)
{
    static char plain[8192];
    char *end = plain;
    while (*text != '\0') {
        if (*text == '\033') {
            text += strcspn(text, "m");
            text += *text == 'm';
        } else {
            *end++ = *text++;
        }
    }
    *end = '\0';
    return plain;
}

/* The words of all lines, joined by single spaces; each line is checked to be narrower than the
 * terminal. */
static const char *joined(char *text, size_t columns)
{
    static char all[8192];
    all[0] = '\0';
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        ck_assert_uint_lt(columns_of(line, strlen(line)), columns > 1 ? columns : 2);
        line += strspn(line, " ");
        if (all[0] != '\0')
            strcat(all, " ");
        strcat(all, line);
    }
    return all;
}

START_TEST(a_wide_terminal)
{
    layout_state shown = state("hello big world", strlen("hello"));
    layout_shape shape = {80, 24, true, true, true};
    ck_assert_str_eq(live(&shown, &shape), "hello \033[2mbig world\033[0m\n"
                                           "\033[32m* speech\033[0m    [==========     |    ]  "
                                           "1:01  default");
    ck_assert_uint_eq(rows, 2);
    shape.styles = shape.colors = false;
    shown.too_loud = true;
    shown.note = "0.3 s lost";
    ck_assert_str_eq(live(&shown, &shape), "hello big world\n"
                                           "* speech    [==========     |   !]  1:01  0.3 s lost  "
                                           "default");
    shape.status = false;
    ck_assert_str_eq(live(&shown, &shape), "hello big world");
    shown.text = "";
    ck_assert_str_eq(live(&shown, &shape), "");
    ck_assert_uint_eq(rows, 0);
}
END_TEST

START_TEST(what_a_narrow_status_leaves_out)
{
    layout_state shown = state("", 0);
    shown.note = "silence only: muted?";
    static const struct {
        size_t columns;
        const char *line;
    } cases[] = {
        {80, "* speech    [==========     |    ]  1:01  silence only: muted?  default"},
        {66, "* speech    [==========     |    ]  1:01  silence only: muted?"},
        {61, "* speech    [==========     |    ]  silence only: muted?"},
        {45, "* speech    [======   |  ]  silence only: mu"},
        {21, "* speech    [=== | ]"},
        {20, "* speech"},
        {5, "* sp"},
        {2, "*"},
        {1, "*"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        layout_shape shape = {cases[i].columns, 24, false, false, true};
        ck_assert_str_eq(live(&shown, &shape), cases[i].line);
        ck_assert_uint_eq(rows, 1);
    }
}
END_TEST

START_TEST(every_mark_and_level)
{
    layout_shape shape = {40, 24, false, false, true};
    for (int mark = LAYOUT_OPENING; mark <= LAYOUT_FINISHING; mark++) {
        layout_state shown = state("", 0);
        shown.mark = (layout_mark)mark;
        const char *line = live(&shown, &shape);
        ck_assert_int_eq(line[12], '['); /* in one place whatever the mark */
    }
    layout_state shown = state("", 0);
    shown.level_db = shown.peak_db = -90;
    ck_assert_ptr_nonnull(strstr(live(&shown, &shape), "[      ]"));
    shown.level_db = shown.peak_db = 0;
    ck_assert_ptr_nonnull(strstr(live(&shown, &shape), "[======]"));
    shown.heard_ms = 3600 * 1000 * (uint64_t)100 + 62000;
    ck_assert_ptr_nonnull(strstr(live(&shown, &shape), "100:01:02"));
    /* Of what is heard elsewhere no level is known. */
    shown = state("", 0);
    shown.no_level = true;
    shown.mark = LAYOUT_AWAY;
    ck_assert_str_eq(live(&shown, &shape), "! no server   1:01  default");
}
END_TEST

START_TEST(no_word_is_lost_at_any_width)
{
    for (size_t columns = 1; columns <= 90; columns++) {
        layout_shape shape = {columns, 200, columns % 2 == 0, false, false};
        for (size_t settled = 0; settled <= strlen(words); settled += 7) {
            layout_state shown = state(words, settled);
            char *plain = stripped(live(&shown, &shape));
            if (columns > 9) { /* the longest word is "apostle" */
                ck_assert_str_eq(joined(plain, columns), words);
                continue;
            }
            /* Words are cut: the letters are all there. */
            char letters[sizeof words], *end = letters;
            for (const char *at = plain; *at != '\0'; at++)
                if (*at != '\n' && *at != ' ')
                    *end++ = *at;
            *end = '\0';
            const char *at = letters;
            for (const char *word = words; *word != '\0'; word++)
                if (*word != ' ')
                    ck_assert_int_eq(*at++, *word);
        }
    }
}
END_TEST

START_TEST(each_line_has_its_own_style)
{
    layout_state shown = state(words, strlen("mister quilter is"));
    layout_shape shape = {20, 24, true, false, false};
    ck_assert_str_eq(live(&shown, &shape), "mister quilter is\n"
                                           "\033[2mthe apostle of the\033[0m\n"
                                           "\033[2mmiddle classes and\033[0m\n"
                                           "\033[2mwe are glad\033[0m");
    ck_assert_uint_eq(rows, 4);
}
END_TEST

START_TEST(a_low_terminal_shows_the_end)
{
    layout_state shown = state(words, strlen(words));
    layout_shape shape = {20, 3, true, false, true};
    ck_assert_str_eq(live(&shown, &shape), "middle classes and\nwe are glad\n* speech");
    ck_assert_uint_eq(rows, 3);
    shape.rows = 2;
    ck_assert_str_eq(live(&shown, &shape), "we are glad\n* speech");
    shape.rows = 1;
    ck_assert_str_eq(live(&shown, &shape), "we are glad");
    ck_assert_uint_eq(rows, 1);
    shown.text = "";
    ck_assert_str_eq(live(&shown, &shape), "* speech");
}
END_TEST

START_TEST(final_text_is_whole_however_low_the_terminal)
{
    layout_shape shape = {20, 2, true, true, true};
    ck_assert_int_eq(layout_final(words, &shape, &out), STENO_OK);
    ck_assert_str_eq(
        out.bytes, "mister quilter is\nthe apostle of the\nmiddle classes and\nwe are glad\n");
    shape.columns = 40;
    growing_clear(&out);
    ck_assert_int_eq(layout_final(words, &shape, &out), STENO_OK);
    ck_assert_str_eq(
        out.bytes, "mister quilter is the apostle of the\n  middle classes and we are glad\n");
}
END_TEST

START_TEST(names_of_devices_are_any_text)
{
    layout_state shown = state("", 0);
    layout_shape shape = {80, 24, false, false, true};
    shown.device = "マイク\033[31m\a\xff\xe3";
    const char *line = live(&shown, &shape);
    ck_assert_ptr_nonnull(strstr(line, "  マイク?[31m???"));
    ck_assert_uint_eq(rows, 1);
    /* Wide characters are never cut in two: 12 columns are left, less the 2 of the gap. */
    shown.device = "マイクマイクマイク";
    for (size_t columns = 42; columns <= 60; columns++) {
        shape.columns = columns;
        line = live(&shown, &shape);
        ck_assert_uint_lt(columns_of(line, strlen(line)), columns);
        ck_assert_ptr_null(strchr(line, '?'));
    }
}
END_TEST

START_TEST(columns_of_all_kinds)
{
    ck_assert_uint_eq(columns_of("abc", 3), 3);
    ck_assert_uint_eq(columns_of("", 0), 0);
    ck_assert_uint_eq(columns_of("マ", 3), 2);
    ck_assert_uint_eq(columns_of("e\xcc\x81", 3), 1); /* with a combining accent */
    ck_assert_uint_eq(columns_of("\xe3\x83", 2), 2);  /* half a character */
    ck_assert_uint_eq(columns_of("\t\n", 2), 2);
    ck_assert_uint_eq(columns_fitting("マイク", 9, 5), 6);
    ck_assert_uint_eq(columns_fitting("e\xcc\x81x", 4, 1), 3);
    ck_assert_uint_eq(columns_fitting("abc", 3, 0), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layout");
    TCase *tests = tcase_create("layout");
    tcase_set_timeout(tests, 60); /* valgrind */
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_wide_terminal);
    tcase_add_test(tests, what_a_narrow_status_leaves_out);
    tcase_add_test(tests, every_mark_and_level);
    tcase_add_test(tests, no_word_is_lost_at_any_width);
    tcase_add_test(tests, each_line_has_its_own_style);
    tcase_add_test(tests, a_low_terminal_shows_the_end);
    tcase_add_test(tests, final_text_is_whole_however_low_the_terminal);
    tcase_add_test(tests, names_of_devices_are_any_text);
    tcase_add_test(tests, columns_of_all_kinds);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
