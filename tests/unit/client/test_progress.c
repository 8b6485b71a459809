/* The progress line. */
#include <check.h>
#include <string.h>

#include "folder.h"
#include "progress.h"
#include "support/suite.h"

START_TEST(lines)
{
    char line[160];
    progress_format(0, 0, 0, line, sizeof line);
    ck_assert_str_eq(line, "[>                       ]   0 %  0.0 x real time  -:-- left");
    progress_format(60000, 0.5, 2000, line, sizeof line);
    ck_assert_str_eq(line, "[============>           ]  50 %  30.0 x real time  0:02 left");
    progress_format(60000, 1, 2000, line, sizeof line);
    ck_assert_str_eq(line, "[========================] 100 %  30.0 x real time  0:00 left");
    progress_format(3661000, 0.25, 1221000, line, sizeof line);
    ck_assert_ptr_nonnull(strstr(line, " 3.0 x real time  1:01:03 left"));
    progress_format(61500, -1, 10000, line, sizeof line);
    ck_assert_str_eq(line, "1:01 of audio  6.2 x real time");
}
END_TEST

START_TEST(files_weigh_by_their_size)
{
    const char *paths[] = {folder_write("small", "0123456789"),
        folder_write("large", "012345678901234567890123456789"), "-", folder_path("none")};
    progress state;
    steno_error error;
    ck_assert_int_eq(progress_init(&state, paths, 4, &error), STENO_OK);
    uint64_t audio_ms;
    double share;
    progress_sum(&state, &audio_ms, &share);
    ck_assert_uint_eq(audio_ms, 0);
    ck_assert_double_eq(share, 0);
    progress_update(&state, 1, 500, 1000);
    progress_update(&state, 2, 250, UINT64_MAX);
    progress_sum(&state, &audio_ms, &share);
    ck_assert_uint_eq(audio_ms, 750);
    ck_assert_double_eq_tol(share, 15.0 / 40, 1e-9);
    progress_update(&state, 1, 1100, 1000); /* longer than its header says */
    progress_complete(&state, 0);           /* failed, say */
    progress_sum(&state, &audio_ms, &share);
    ck_assert_double_eq_tol(share, 1, 1e-9);
    progress_finish(&state);
}
END_TEST

START_TEST(pipes_alone_have_no_share)
{
    const char *paths[] = {"-"};
    progress state;
    steno_error error;
    ck_assert_int_eq(progress_init(&state, paths, 1, &error), STENO_OK);
    progress_update(&state, 0, 250, UINT64_MAX);
    uint64_t audio_ms;
    double share;
    progress_sum(&state, &audio_ms, &share);
    ck_assert_uint_eq(audio_ms, 250);
    ck_assert(share < 0);
    progress_finish(&state);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client progress");
    TCase *cases = tcase_create("progress");
    tcase_add_checked_fixture(cases, folder_make, folder_remove);
    tcase_add_test(cases, lines);
    tcase_add_test(cases, files_weigh_by_their_size);
    tcase_add_test(cases, pipes_alone_have_no_share);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
