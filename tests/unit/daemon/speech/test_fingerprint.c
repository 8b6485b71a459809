/* What a file is known by, and what has none. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "speech/fingerprint.h"
#include "support/suite.h"

static char path[64];

static void setup(void)
{
    strcpy(path, "/tmp/steno-fingerprint-XXXXXX");
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
}

static void teardown(void)
{
    unlink(path);
}

static void write_file(const char *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static void check(const char *name, const char *expected)
{
    char found[FINGERPRINT_BYTES];
    memset(found, 'x', sizeof found);
    fingerprint_file(name, found);
    ck_assert_str_eq(found, expected);
}

START_TEST(begins_the_hash)
{
    check(path, "e3b0c44298fc1c14");
    write_file("abc", 3); /* the example of FIPS 180-4 */
    check(path, "ba7816bf8f01cfea");

    static char large[1000000]; /* the same standard's, of several pieces */
    memset(large, 'a', sizeof large);
    write_file(large, sizeof large);
    check(path, "cdc76e5c9914fb92");
}
END_TEST

START_TEST(no_regular_file)
{
    check("/tmp", "");
    check("/dev/zero", "");
    ck_assert_int_eq(unlink(path), 0);
    check(path, "");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    check(path, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fingerprint");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, begins_the_hash);
    tcase_add_test(all, no_regular_file);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
