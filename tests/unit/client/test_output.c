/* Files written whole or not at all, standard output in order, results kept. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "folder.h"
#include "kept.h"
#include "ordered.h"
#include "output.h"
#include "support/suite.h"

static void assert_file(const char *name, const char *text)
{
    char *found = folder_read(name);
    ck_assert_ptr_nonnull(found);
    ck_assert_str_eq(found, text);
    free(found);
}

START_TEST(appears_on_commit)
{
    output *file;
    steno_error error;
    ck_assert_int_eq(output_open(folder_path("new"), &file, &error), STENO_OK);
    ck_assert_int_eq(output_write(file, "hello ", 6), STENO_OK);
    ck_assert_int_eq(output_write(file, "there", 5), STENO_OK);
    ck_assert_ptr_null(folder_read("new"));
    ck_assert_int_eq(output_commit(file, &error), STENO_OK);
    assert_file("new", "hello there");
    ck_assert_int_eq(folder_count(), 1);
    struct stat status;
    mode_t mask = umask(022);
    umask(mask);
    ck_assert_int_eq(stat(folder_path("new"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0666 & ~mask);
}
END_TEST

START_TEST(replaces_and_keeps_permissions)
{
    ck_assert_int_eq(chmod(folder_write("old", "before"), 0640), 0);
    output *file;
    steno_error error;
    ck_assert_int_eq(output_open(folder_path("old"), &file, &error), STENO_OK);
    ck_assert_int_eq(output_write(file, "x", 1), STENO_OK);
    assert_file("old", "before");
    ck_assert_int_eq(output_commit(file, &error), STENO_OK);
    assert_file("old", "x");
    struct stat status;
    ck_assert_int_eq(stat(folder_path("old"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0640);
}
END_TEST

START_TEST(discarding_leaves_what_was)
{
    folder_write("old", "before");
    output *file;
    steno_error error;
    ck_assert_int_eq(output_open(folder_path("old"), &file, &error), STENO_OK);
    ck_assert_int_eq(output_write(file, "x", 1), STENO_OK);
    output_discard(file);
    assert_file("old", "before");
    ck_assert_int_eq(folder_count(), 1);
    output_discard(NULL);
}
END_TEST

static int umask_calls;

/* In the place of the C library's. */
mode_t umask(mode_t mask)
{
    umask_calls++;
    return (mode_t)syscall(SYS_umask, mask);
}

/* Nor is the umask touched, which is that of all threads: between asking for it, which sets it, and
 * setting it back another thread's file would be made with the wrong one. */
START_TEST(is_no_more_readable_than_wanted)
{
    mode_t before = umask(077);
    int calls = umask_calls;
    output *file;
    steno_error error;
    ck_assert_int_eq(output_open(folder_path("private"), &file, &error), STENO_OK);
    ck_assert_int_eq(output_commit(file, &error), STENO_OK);
    ck_assert_int_eq(umask_calls, calls);
    umask(before);
    struct stat status;
    ck_assert_int_eq(stat(folder_path("private"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
}
END_TEST

START_TEST(links_are_followed)
{
    ck_assert_int_eq(symlink(folder_write("target", "before"), folder_path("link")), 0);
    output *file;
    steno_error error;
    ck_assert_int_eq(output_open(folder_path("link"), &file, &error), STENO_OK);
    ck_assert_int_eq(output_write(file, "x", 1), STENO_OK);
    ck_assert_int_eq(output_commit(file, &error), STENO_OK);
    assert_file("target", "x");
    struct stat status;
    ck_assert_int_eq(lstat(folder_path("link"), &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
}
END_TEST

START_TEST(large_texts)
{
    output *file;
    steno_error error;
    ck_assert_int_eq(output_open(folder_path("large"), &file, &error), STENO_OK);
    for (int i = 0; i < 50000; i++)
        ck_assert_int_eq(output_write(file, "0123456789", 10), STENO_OK);
    ck_assert_int_eq(output_commit(file, &error), STENO_OK);
    struct stat status;
    ck_assert_int_eq(stat(folder_path("large"), &status), 0);
    ck_assert_int_eq(status.st_size, 500000);
}
END_TEST

START_TEST(devices_are_written_directly)
{
    output *file;
    steno_error error;
    ck_assert_int_eq(output_open("/dev/null", &file, &error), STENO_OK);
    ck_assert_int_eq(output_write(file, "x", 1), STENO_OK);
    ck_assert_int_eq(output_commit(file, &error), STENO_OK);
    struct stat status;
    ck_assert_int_eq(stat("/dev/null", &status), 0);
    ck_assert(S_ISCHR(status.st_mode));
    if (access("/dev/full", W_OK) != 0)
        return;
    ck_assert_int_eq(output_open("/dev/full", &file, &error), STENO_OK);
    ck_assert_int_eq(output_write(file, "x", 1), STENO_OK);
    ck_assert_int_eq(output_commit(file, &error), STENO_ERROR_IO);
    ck_assert_str_eq(error.message, "/dev/full: can't write: No space left on device");
}
END_TEST

START_TEST(what_can_not_be_opened)
{
    output *file;
    steno_error error;
    ck_assert_int_eq(output_open(folder_path("none/x"), &file, &error), STENO_ERROR_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "No such file"));
    ck_assert_int_eq(output_open(folder_path(""), &file, &error), STENO_ERROR_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "directory"));
    ck_assert_int_eq(folder_count(), 0);
}
END_TEST

/* Standard output is a file of the folder. */
static void redirect(void)
{
    int fd = open(folder_path("stdout"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    close(fd);
}

static void put(ordered_item *item, const char *text)
{
    ck_assert_int_eq(ordered_write(item, text, strlen(text)), STENO_OK);
    ck_assert_int_eq(ordered_flush(item), STENO_OK);
}

START_TEST(order_is_kept)
{
    redirect();
    console screen;
    ordered order;
    steno_error error;
    console_init(&screen);
    ck_assert_int_eq(ordered_init(&order, &screen, 4, "\n", &error), STENO_OK);
    put(&order.items[1], "b1 ");
    put(&order.items[0], "a1 ");
    assert_file("stdout", "a1 ");
    ck_assert_int_eq(ordered_interim(&order.items[1], "hidden"), STENO_OK);
    ck_assert_int_eq(ordered_interim(&order.items[0], "shown"), STENO_OK);
    assert_file("stdout", "a1 ~ shown\n");
    put(&order.items[2], "c\n");
    ck_assert_int_eq(ordered_done(&order.items[2]), STENO_OK);
    ck_assert_int_eq(ordered_done(&order.items[0]), STENO_OK);
    assert_file("stdout", "a1 ~ shown\n\nb1 ");
    put(&order.items[1], "b2\n");
    ck_assert_int_eq(ordered_done(&order.items[1]), STENO_OK);
    assert_file("stdout", "a1 ~ shown\n\nb1 b2\n\nc\n");
    ck_assert_int_eq(ordered_done(&order.items[3]), STENO_OK);
    assert_file("stdout", "a1 ~ shown\n\nb1 b2\n\nc\n");
    ck_assert_int_eq(console_write_errno(&screen), 0);
    ordered_finish(&order);
    console_finish(&screen);
}
END_TEST

START_TEST(results_are_kept_in_order)
{
    char text[] = "one two", first[] = "one", second[] = "two";
    steno_word words[] = {{first, 100, 200, 0.5f}, {second, 200, 300, 1}};
    steno_alternative alternatives[] = {{text, words, 2, 0.75f}, {first, words, 1, 0.5f}};
    steno_result result = {.is_final = true,
        .stability = 1,
        .start_ms = 100,
        .end_ms = 300,
        .alternatives = alternatives,
        .alternative_count = 2};
    kept store = {0};
    ck_assert_int_eq(kept_add(&store, &result, 2), STENO_OK);
    result.start_ms = 50;
    ck_assert_int_eq(kept_add(&store, &result, 2), STENO_OK);
    result.start_ms = 100;
    ck_assert_int_eq(kept_add(&store, &result, 1), STENO_OK);
    for (int i = 0; i < 40; i++) {
        result.start_ms = 1000;
        result.end_ms = 1000 + (uint64_t)i;
        ck_assert_int_eq(kept_add(&store, &result, 1), STENO_OK);
    }
    memset(text, 'x', sizeof text - 1);
    memset(first, 'x', sizeof first - 1);
    kept_sort(&store);
    ck_assert_uint_eq(store.count, 43);
    ck_assert_uint_eq(store.results[0].result->start_ms, 50);
    ck_assert_uint_eq(store.results[1].channel, 1);
    ck_assert_uint_eq(store.results[2].channel, 2);
    for (size_t i = 0; i < 40; i++)
        ck_assert_uint_eq(store.results[3 + i].result->end_ms, 1000 + i);
    const steno_result *copy = store.results[2].result;
    ck_assert_uint_eq(copy->alternative_count, 2);
    ck_assert_str_eq(copy->alternatives[0].text, "one two");
    ck_assert_str_eq(copy->alternatives[0].words[1].text, "two");
    ck_assert_uint_eq(copy->alternatives[0].words[1].end_ms, 300);
    ck_assert_str_eq(copy->alternatives[1].words[0].text, "one");
    kept_finish(&store);
    ck_assert_uint_eq(store.count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client output");
    TCase *cases = tcase_create("output");
    tcase_add_checked_fixture(cases, folder_make, folder_remove);
    tcase_add_test(cases, appears_on_commit);
    tcase_add_test(cases, replaces_and_keeps_permissions);
    tcase_add_test(cases, discarding_leaves_what_was);
    tcase_add_test(cases, is_no_more_readable_than_wanted);
    tcase_add_test(cases, links_are_followed);
    tcase_add_test(cases, large_texts);
    tcase_add_test(cases, devices_are_written_directly);
    tcase_add_test(cases, what_can_not_be_opened);
    tcase_add_test(cases, order_is_kept);
    tcase_add_test(cases, results_are_kept_in_order);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
