/* Word error rates: splitting into words, alignment, manifests, sums. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "alignment.h"
#include "folder.h"
#include "manifest.h"
#include "support/suite.h"
#include "wer_report.h"
#include "words.h"

typedef struct known {
    const char *reference, *hypothesis;
    uint64_t substitutions, deletions, insertions;
} known;

/* Where only one alignment has the fewest errors. */
static const known knowns[] = {
    {"", "", 0, 0, 0},
    {"a", "", 0, 1, 0},
    {"", "a b", 0, 0, 2},
    {"a b c", "a b c", 0, 0, 0},
    {"a b c", "a x c", 1, 0, 0},
    {"a b c", "a c", 0, 1, 0},
    {"a c", "a b c", 0, 0, 1},
    {"a b c d e", "b c d e f", 0, 1, 1},
    {"the cat sat on the mat", "the cat on a mat", 1, 1, 0},
    {"what's that for", "what that four", 2, 0, 0},
    {"a", "b c d", 1, 0, 2},
    {"a b a b a b", "b a b a b a", 0, 1, 1},
};

static alignment_errors count(const char *reference, const char *hypothesis)
{
    words one, other;
    alignment_errors errors;
    ck_assert_int_eq(words_split(reference, &one), STENO_OK);
    ck_assert_int_eq(words_split(hypothesis, &other), STENO_OK);
    ck_assert_int_eq(
        alignment_count(one.list, one.count, other.list, other.count, &errors), STENO_OK);
    words_finish(&one);
    words_finish(&other);
    return errors;
}

START_TEST(known_alignments)
{
    const known *expected = &knowns[_i];
    alignment_errors errors = count(expected->reference, expected->hypothesis);
    ck_assert_uint_eq(errors.substitutions, expected->substitutions);
    ck_assert_uint_eq(errors.deletions, expected->deletions);
    ck_assert_uint_eq(errors.insertions, expected->insertions);
}
END_TEST

/* The distance straight from its definition. */
static size_t distance(const char *const *a, size_t m, const char *const *b, size_t n)
{
    if (m == 0 || n == 0)
        return m + n;
    size_t best = distance(a, m - 1, b, n - 1) + (strcmp(a[m - 1], b[n - 1]) != 0);
    size_t deletion = distance(a, m - 1, b, n) + 1, insertion = distance(a, m, b, n - 1) + 1;
    best = deletion < best ? deletion : best;
    return insertion < best ? insertion : best;
}

START_TEST(random_alignments_are_shortest)
{
    static const char *const alphabet[] = {"a", "b", "c"};
    unsigned seed = (unsigned)_i;
    for (int round = 0; round < 20; round++) {
        const char *reference[6], *hypothesis[6];
        size_t m = (size_t)rand_r(&seed) % 7, n = (size_t)rand_r(&seed) % 7;
        for (size_t i = 0; i < 6; i++) {
            reference[i] = alphabet[rand_r(&seed) % 3];
            hypothesis[i] = alphabet[rand_r(&seed) % 3];
        }
        alignment_errors errors;
        ck_assert_int_eq(alignment_count(reference, m, hypothesis, n, &errors), STENO_OK);
        ck_assert_uint_eq(alignment_total(&errors), distance(reference, m, hypothesis, n));
        ck_assert_uint_eq(m - errors.deletions, n - errors.insertions);
        ck_assert_uint_le(errors.substitutions, m - errors.deletions);
    }
}
END_TEST

typedef struct splitting {
    const char *text, *words;
} splitting;

static const splitting splittings[] = {
    {"", ""},
    {"  \t\n ", ""},
    {"THE CAT, sat.", "the cat sat"},
    {"Ramsauer-Townsend effect", "ramsauer townsend effect"},
    {"one\xe2\x80\x94two\xe2\x80\x93three", "one two three"},
    {"don\xe2\x80\x99t DON'T", "don't don't"},
    {"'quoted' ' word", "'quoted' word"},
    {"Mr. Smith, MRS Jones and Dr. No", "mister smith missus jones and doctor no"},
    {"drmr", "drmr"},
    {"at 10:30, 5,000", "at 1030 5000"},
    {"caf\xc3\xa9 nai\xc3\xafve", "caf naive"},
    {"-a-", "a"},
    {"\xe2\x80", ""},
};

START_TEST(splitting_into_words)
{
    words split;
    ck_assert_int_eq(words_split(splittings[_i].text, &split), STENO_OK);
    char joined[256] = "";
    for (size_t i = 0; i < split.count; i++) {
        strcat(joined, i > 0 ? " " : "");
        strcat(joined, split.list[i]);
    }
    ck_assert_str_eq(joined, splittings[_i].words);
    words_finish(&split);
}
END_TEST

START_TEST(manifest_lines)
{
    const char *path = folder_write("m.tsv", "audio\ttext\tgroup\n"
                                             "# a remark\n"
                                             "\n"
                                             "a.wav\tHello there\tclean\textra\r\n"
                                             "/b.wav\t\n"
                                             "d/c.wav\tlast");
    manifest list;
    steno_error error;
    ck_assert_int_eq(manifest_read(path, &list, &error), STENO_OK);
    ck_assert_uint_eq(list.count, 3);
    ck_assert_str_eq(list.entries[0].path, folder_path("a.wav"));
    ck_assert_str_eq(list.entries[0].text, "Hello there");
    ck_assert_str_eq(list.entries[0].group, "clean");
    ck_assert_str_eq(list.entries[1].path, "/b.wav");
    ck_assert_str_eq(list.entries[1].text, "");
    ck_assert_str_eq(list.entries[1].group, "");
    ck_assert_str_eq(list.entries[2].path, folder_path("d/c.wav"));
    ck_assert_str_eq(list.entries[2].text, "last");
    manifest_finish(&list);
}
END_TEST

static void assert_refused(const char *path, steno_status status, const char *reason)
{
    manifest list;
    steno_error error;
    ck_assert_int_eq(manifest_read(path, &list, &error), status);
    ck_assert_int_eq(error.status, status);
    ck_assert_ptr_nonnull(strstr(error.message, path));
    ck_assert_msg(strstr(error.message, reason) != NULL, "%s", error.message);
    manifest_finish(&list);
}

START_TEST(manifests_refused)
{
    assert_refused(folder_path("none"), STENO_ERROR_NOT_FOUND, "No such file");
    assert_refused(folder_path(""), STENO_ERROR_IO, "directory");
    assert_refused(folder_write("e", ""), STENO_ERROR_FORMAT, "no recordings");
    assert_refused(folder_write("c", "# x\n"), STENO_ERROR_FORMAT, "no recordings");
    assert_refused(folder_write("t", "a\tx\nb.wav only\n"), STENO_ERROR_FORMAT, ":2: not a path");
    assert_refused(folder_write("p", "\ttext\n"), STENO_ERROR_FORMAT, ":1: not a path");
    const char *path = folder_path("zero");
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fwrite("a\tb\0c\n", 1, 6, file);
    fclose(file);
    assert_refused(path, STENO_ERROR_FORMAT, "not a text file");
}
END_TEST

/* Three recordings measured, one failed: worked out by hand. */
static void fill(manifest_entry *entries, wer_recording *recordings)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    entries[0] = (manifest_entry){names[0], "r a", "clean"};
    entries[1] = (manifest_entry){names[1], "r b", "noisy"};
    entries[2] = (manifest_entry){names[2], "r c", "clean"};
    entries[3] = (manifest_entry){names[3], "r d", "other"};
    recordings[0] = (wer_recording){
        &entries[0], true, (char *)"h a", 10, {1, 0, 1}, .audio_ms = 4000, .work_ms = 300};
    recordings[1] =
        (wer_recording){&entries[1], true, NULL, 5, {0, 5, 0}, .audio_ms = 1000, .work_ms = 100};
    recordings[2] = (wer_recording){
        &entries[2], true, (char *)"h c", 30, {2, 0, 0}, .audio_ms = 6000, .work_ms = 400};
    recordings[3] = (wer_recording){&entries[3], false, NULL, 0, {0, 0, 0}, 0, 5};
}

START_TEST(sums)
{
    manifest_entry entries[4];
    wer_recording recordings[4];
    fill(entries, recordings);
    wer_report report;
    ck_assert_int_eq(wer_report_init(&report, recordings, 4, 400), STENO_OK);
    ck_assert_uint_eq(report.count, 3);
    ck_assert_uint_eq(report.failed, 1);
    const wer_sum *clean = &report.sums[0], *noisy = &report.sums[1], *total = &report.sums[2];
    ck_assert_str_eq(clean->group, "clean");
    ck_assert_uint_eq(clean->recordings, 2);
    ck_assert_uint_eq(clean->words, 40);
    ck_assert_uint_eq(clean->errors.substitutions, 3);
    ck_assert_uint_eq(clean->errors.insertions, 1);
    ck_assert_double_eq_tol(clean->error_rate, 10, 1e-9);
    /* 700 of 800 ms of work in 400 ms of time: 350 ms for 10 s. */
    ck_assert_double_eq_tol(clean->real_time_factor, 0.035, 1e-9);
    ck_assert_str_eq(noisy->group, "noisy");
    ck_assert_double_eq_tol(noisy->error_rate, 100, 1e-9);
    ck_assert_double_eq_tol(noisy->real_time_factor, 0.05, 1e-9);
    ck_assert_str_eq(total->group, "total");
    ck_assert_double_eq_tol(total->error_rate, 20, 1e-9);
    ck_assert_double_eq_tol(total->real_time_factor, 400.0 / 11000, 1e-9);
    wer_report_finish(&report);
}
END_TEST

START_TEST(texts)
{
    manifest_entry entries[4];
    wer_recording recordings[4];
    fill(entries, recordings);
    wer_report report;
    ck_assert_int_eq(wer_report_init(&report, recordings, 4, 400), STENO_OK);
    char *table = wer_report_table(&report);
    ck_assert_str_eq(table, "group  recordings     words     sub     del     ins    WER %     RTF\n"
                            "clean           2        40       3       0       1    10.00   0.035\n"
                            "noisy           1         5       0       5       0   100.00   0.050\n"
                            "total           3        45       3       5       1    20.00   0.036\n"
                            "1 recording failed and is not counted\n");
    free(table);
    wer_report_finish(&report);
    char *line = wer_report_details(&recordings[1]);
    ck_assert_str_eq(line, "b\tnoisy\t5\t0\t5\t0\tr b\t\n");
    free(line);
}
END_TEST

START_TEST(nothing_measured)
{
    char name[] = "a";
    manifest_entry entry = {name, "r", ""};
    wer_recording recording = {.entry = &entry};
    wer_report report;
    ck_assert_int_eq(wer_report_init(&report, &recording, 1, 0), STENO_OK);
    ck_assert_uint_eq(report.count, 1);
    ck_assert_double_eq(report.sums[0].error_rate, 0);
    ck_assert_double_eq(report.sums[0].real_time_factor, 0);
    wer_report_finish(&report);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client wer");
    TCase *cases = tcase_create("wer");
    tcase_add_checked_fixture(cases, folder_make, folder_remove);
    tcase_add_loop_test(cases, known_alignments, 0, sizeof knowns / sizeof knowns[0]);
    tcase_add_loop_test(cases, random_alignments_are_shortest, 0, 5);
    tcase_add_loop_test(cases, splitting_into_words, 0, sizeof splittings / sizeof splittings[0]);
    tcase_add_test(cases, manifest_lines);
    tcase_add_test(cases, manifests_refused);
    tcase_add_test(cases, sums);
    tcase_add_test(cases, texts);
    tcase_add_test(cases, nothing_measured);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
