/* Files of tokens: what they say, and whose a token is. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/tokens.h"
#include "base/memory.h"
#include "support/suite.h"

/* SHA-256 of the bytes 00 01 ... 0f and "abc", by sha256sum. */
#define SALT "000102030405060708090a0b0c0d0e0f"
#define HASH "f9b234fe3638bdd7671503b81bda6e249f96aea7e0d8ca758c8f5ab13096de90"

static char path[] = "/tmp/stenod-tokens-XXXXXX";
static tokens *read_tokens;
static steno_error error;

static steno_status read_text(const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    return tokens_read(path, &read_tokens, &error);
}

static void begin(void)
{
    strcpy(path + strlen(path) - 6, "XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    read_tokens = NULL;
}

static void finish(void)
{
    tokens_destroy(read_tokens);
    unlink(path);
    ck_assert_uint_eq(memory_alive(), 0);
}

START_TEST(known_answer)
{
    ck_assert_int_eq(read_text("# comment\n\n  alice  sha256 " SALT " " HASH
                               " streams=7 created=2030-01-01T00:00:00Z\r\n"
                               "bob sha256 " SALT " " HASH),
        STENO_OK);
    /* Of two with the same hash it is one of them; nobody makes such. */
    const token *found = tokens_find(read_tokens, "abc");
    ck_assert_ptr_nonnull(found);
    const char *const wrong[] = {"", "ab", "abcd", "Abc", "abc ", "abd"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_ptr_null(tokens_find(read_tokens, wrong[i]));
    char long_text[TOKEN_MAX_BYTES + 2];
    memset(long_text, 'a', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    ck_assert_ptr_null(tokens_find(read_tokens, long_text));
}
END_TEST

START_TEST(limits_of_names)
{
    ck_assert_int_eq(read_text("alice sha256 " SALT " " HASH " streams=7\n"), STENO_OK);
    ck_assert_uint_eq(tokens_find(read_tokens, "abc")->max_streams, 7);
    ck_assert_str_eq(tokens_find(read_tokens, "abc")->name, "alice");
    tokens_destroy(read_tokens);
    ck_assert_int_eq(read_text("alice sha256 " SALT " " HASH), STENO_OK);
    ck_assert_uint_eq(tokens_find(read_tokens, "abc")->max_streams, TOKEN_NO_LIMIT);
    tokens_destroy(read_tokens);
    ck_assert_int_eq(read_text(""), STENO_OK);
    ck_assert_ptr_null(tokens_find(read_tokens, "abc"));
}
END_TEST

START_TEST(wrong_lines)
{
    static const char *const lines[] = {"a", "a sha256", "a sha256 " SALT,
        "a sha512 " SALT " " HASH, "a sha256 " HASH " " SALT, "a sha256 " SALT " " HASH "00",
        "a sha256 " SALT " " HASH " x",
        "a sha256 " SALT " " HASH " streams=", "a sha256 " SALT " " HASH " streams=-1",
        "a sha256 " SALT " " HASH " streams=100000", "a:b sha256 " SALT " " HASH,
        "a\nb sha256 " SALT " " HASH, "b sha256 " SALT " " HASH "\nb sha256 " SALT " " HASH};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        ck_assert_msg(read_text(lines[i]) == STENO_ERROR_FORMAT, "%s", lines[i]);
        ck_assert_msg(strncmp(error.message, path, strlen(path)) == 0, "%s", error.message);
        ck_assert_ptr_null(read_tokens);
    }
}
END_TEST

START_TEST(files_that_can_not_be)
{
    ck_assert_int_eq(tokens_read("/none/tokens", &read_tokens, &error), STENO_ERROR_NOT_FOUND);
    ck_assert_int_eq(tokens_read("/tmp", &read_tokens, &error), STENO_ERROR_PERMISSION);
    ck_assert_int_eq(chmod(path, 0646), 0);
    ck_assert_int_eq(read_text("alice sha256 " SALT " " HASH), STENO_ERROR_PERMISSION);
    ck_assert_ptr_nonnull(strstr(error.message, "anybody may write it"));
    ck_assert_int_eq(chmod(path, 0640), 0);
    char *many = calloc(TOKENS_MAX + 1, 160);
    for (size_t i = 0, used = 0; i <= TOKENS_MAX; i++)
        used += (size_t)sprintf(many + used, "n%zu sha256 " SALT " " HASH "\n", i);
    ck_assert_int_eq(read_text(many), STENO_ERROR_LIMIT);
    *strrchr(many, 'n') = '\0';
    ck_assert_int_eq(read_text(many), STENO_OK);
    ck_assert_ptr_nonnull(tokens_find(read_tokens, "abc"));
    free(many);
}
END_TEST

START_TEST(each_allocation_failing)
{
    for (uint64_t i = 1;; i++) {
        memory_fail_at(memory_attempts() + i);
        steno_status status = read_text("alice sha256 " SALT " " HASH);
        memory_fail_at(0);
        if (status == STENO_OK) {
            ck_assert_uint_gt(i, 2);
            break;
        }
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
        ck_assert_ptr_null(read_tokens);
        ck_assert_uint_eq(memory_alive(), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokens");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, begin, finish);
    tcase_add_test(all, known_answer);
    tcase_add_test(all, limits_of_names);
    tcase_add_test(all, wrong_lines);
    tcase_add_test(all, files_that_can_not_be);
    tcase_add_test(all, each_allocation_failing);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
