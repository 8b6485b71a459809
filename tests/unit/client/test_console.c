/* What the terminal is told: nothing that files or servers are called gives it orders. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console.h"
#include "folder.h"
#include "support/suite.h"

static console screen;
static char *errors;
static size_t errors_size;
static int output_before;

static void set_up(void)
{
    folder_make();
    console_init(&screen);
    screen.errors = open_memstream(&errors, &errors_size);
    fflush(stdout);
    output_before = dup(STDOUT_FILENO);
    int file = open(folder_path("output"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(dup2(file, STDOUT_FILENO), 0);
    close(file);
    screen.output_is_terminal = false;
}

static void tear_down(void)
{
    dup2(output_before, STDOUT_FILENO);
    close(output_before);
    console_finish(&screen);
    fclose(screen.errors);
    free(errors);
    folder_remove();
}

static void check_error(const char *subject, const char *message, const char *expected)
{
    rewind(screen.errors);
    console_error(&screen, subject, message);
    fflush(screen.errors);
    ck_assert_uint_eq(errors_size, strlen(expected));
    ck_assert_mem_eq(errors, expected, errors_size);
}

static void check_output(const char *expected)
{
    char *found = folder_read("output");
    ck_assert_ptr_nonnull(found);
    ck_assert_str_eq(found, expected);
    free(found);
}

START_TEST(errors_name_their_subject_once)
{
    check_error(NULL, "all is lost", "steno: all is lost\n");
    check_error("a.wav", "damaged", "steno: a.wav: damaged\n");
    check_error("a.wav", "a.wav: damaged", "steno: a.wav: damaged\n");
    check_error("a", "a.wav: damaged", "steno: a: a.wav: damaged\n");
    check_error("", "", "steno: \n");
}
END_TEST

START_TEST(errors_give_no_orders)
{
    check_error("\033[2Ja", "x\033]0;title\007y\nz", "steno: ?[2Ja: x?]0;title?y?z\n");
    /* The one-byte form of ESC [, in UTF-8 and bare; letters of other scripts stay. */
    check_error(NULL,
        "\xc2\x9b"
        "2J \x9b caf\xc3\xa9 \xe6\x97\xa5",
        "steno: ?2J ? caf\xc3\xa9 \xe6\x97\xa5\n");
}
END_TEST

START_TEST(forming_text_gives_no_orders)
{
    ck_assert_int_eq(console_interim(&screen, "he\033[31mllo\n~ there"), STENO_OK);
    ck_assert_int_eq(console_interim(&screen, ""), STENO_OK);
    check_output("~ he?[31mllo?~ there\n~ \n");
}
END_TEST

START_TEST(forming_text_keeps_to_its_line)
{
    char text[400] = "";
    screen.output_is_terminal = true; /* of 80 columns, as far as is known */
    for (int i = 0; i < 60; i++)
        strcat(text, "\xe6\x97\xa5"); /* two columns each */
    ck_assert_int_eq(console_interim(&screen, text), STENO_OK);
    char *shown = folder_read("output");
    ck_assert_uint_eq(strlen(shown), 3 + 38 * 3); /* 79 - 3 columns */
    ck_assert_int_eq(strncmp(shown, "...\xe6", 4), 0);
    free(shown);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("all");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, errors_name_their_subject_once);
    tcase_add_test(cases, errors_give_no_orders);
    tcase_add_test(cases, forming_text_gives_no_orders);
    tcase_add_test(cases, forming_text_keeps_to_its_line);
    Suite *suite = suite_create("client_console");
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
