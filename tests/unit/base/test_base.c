/* Error messages and the allocator with its counters and its failure on demand. */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "support/suite.h"

START_TEST(error_set_returns_status_and_writes_message)
{
    steno_error error;
    ck_assert_int_eq(error_set(&error, STENO_ERROR_IO, "%s: byte %d", "a.wav", 7), STENO_ERROR_IO);
    ck_assert_int_eq(error.status, STENO_ERROR_IO);
    ck_assert_str_eq(error.message, "a.wav: byte 7");
    ck_assert_int_eq(error_memory(&error), STENO_ERROR_MEMORY);
    ck_assert_int_eq(error.status, STENO_ERROR_MEMORY);
    ck_assert_str_eq(error.message, "out of memory");
}
END_TEST

START_TEST(error_errno_says_what_the_system_says)
{
    static const struct {
        int code;
        steno_status status;
    } known[] = {{ENOENT, STENO_ERROR_NOT_FOUND}, {ENOTDIR, STENO_ERROR_NOT_FOUND},
        {EACCES, STENO_ERROR_PERMISSION}, {EPERM, STENO_ERROR_PERMISSION},
        {ENOMEM, STENO_ERROR_MEMORY}, {EIO, STENO_ERROR_IO}, {EISDIR, STENO_ERROR_IO}};
    steno_error error;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        ck_assert_int_eq(error_errno(&error, "a.wav", known[i].code), known[i].status);
        ck_assert_int_eq(error.status, known[i].status);
        ck_assert_int_eq(strncmp(error.message, "a.wav: ", 7), 0);
        ck_assert_str_eq(error.message + 7, strerror(known[i].code));
    }
}
END_TEST

START_TEST(error_set_accepts_no_error)
{
    ck_assert_int_eq(error_set(NULL, STENO_ERROR_LIMIT, "%d", 1), STENO_ERROR_LIMIT);
    ck_assert_int_eq(error_memory(NULL), STENO_ERROR_MEMORY);
}
END_TEST

START_TEST(error_set_cuts_a_long_message)
{
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct {
        steno_error error;
        char guard;
    } block = {.guard = 'g'};
    error_set(&block.error, STENO_ERROR_FORMAT, "%s", text);
    ck_assert_uint_eq(strlen(block.error.message), sizeof block.error.message - 1);
    ck_assert_int_eq(block.guard, 'g');
}
END_TEST

START_TEST(every_status_has_its_own_name)
{
    const char *names[14];
    size_t count = 0;
    for (int status = STENO_ERROR_INTERNAL; status <= STENO_END; status++) {
        names[count] = steno_status_name((steno_status)status);
        ck_assert_str_ne(names[count], "unknown status");
        for (size_t i = 0; i < count; i++)
            ck_assert_str_ne(names[i], names[count]);
        count++;
    }
    ck_assert_uint_eq(count, 14);
    ck_assert_str_eq(steno_status_name((steno_status)1000), "unknown status");
    ck_assert_str_eq(steno_status_name((steno_status)-1000), "unknown status");
}
END_TEST

START_TEST(memory_is_zeroed_and_aligned)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 1000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        /* Twice, the first block written full: the second may reuse it and must be clean. */
        for (int round = 0; round < 2; round++) {
            unsigned char *block = memory_allocate(sizes[i], 1);
            ck_assert_ptr_nonnull(block);
            ck_assert_uint_eq((uintptr_t)block % MEMORY_ALIGNMENT, 0);
            size_t dirty = 0;
            for (size_t k = 0; k < sizes[i]; k++)
                dirty += block[k] != 0;
            ck_assert_uint_eq(dirty, 0);
            memset(block, 0xa5, sizes[i]);
            memory_free(block);
        }
    }
}
END_TEST

START_TEST(memory_refuses_sizes_that_overflow)
{
    size_t before = memory_alive();
    ck_assert_ptr_null(memory_allocate(SIZE_MAX, 1));
    ck_assert_ptr_null(memory_allocate(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(memory_allocate(3, SIZE_MAX / 2));
    ck_assert_uint_eq(memory_alive(), before);
    void *block = memory_allocate(SIZE_MAX, 0);
    ck_assert_ptr_nonnull(block);
    memory_free(block);
}
END_TEST

START_TEST(memory_counts_what_is_alive)
{
    size_t alive = memory_alive();
    uint64_t attempts = memory_attempts();
    void *first = memory_allocate(1, 10);
    void *second = memory_allocate(10, 1);
    ck_assert_uint_eq(memory_alive(), alive + 2);
    ck_assert_uint_eq(memory_attempts(), attempts + 2);
    memory_free(first);
    ck_assert_uint_eq(memory_alive(), alive + 1);
    memory_free(NULL);
    memory_free(second);
    ck_assert_uint_eq(memory_alive(), alive);
    ck_assert_uint_eq(memory_attempts(), attempts + 2);
}
END_TEST

START_TEST(memory_fails_once_where_told)
{
    size_t alive = memory_alive();
    memory_fail_at(memory_attempts() + 2);
    void *first = memory_allocate(1, 1);
    void *second = memory_allocate(1, 1);
    void *third = memory_allocate(1, 1);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(third);
    ck_assert_uint_eq(memory_alive(), alive + 2);

    memory_fail_at(memory_attempts() + 1);
    memory_fail_at(0);
    char *copy = memory_duplicate("text");
    ck_assert_str_eq(copy, "text");
    memory_fail_at(memory_attempts() + 1);
    ck_assert_ptr_null(memory_duplicate("text"));
    memory_free(first);
    memory_free(third);
    memory_free(copy);
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *errors = tcase_create("error");
    tcase_add_test(errors, error_set_returns_status_and_writes_message);
    tcase_add_test(errors, error_errno_says_what_the_system_says);
    tcase_add_test(errors, error_set_accepts_no_error);
    tcase_add_test(errors, error_set_cuts_a_long_message);
    tcase_add_test(errors, every_status_has_its_own_name);
    suite_add_tcase(suite, errors);
    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, memory_is_zeroed_and_aligned);
    tcase_add_test(memory, memory_refuses_sizes_that_overflow);
    tcase_add_test(memory, memory_counts_what_is_alive);
    tcase_add_test(memory, memory_fails_once_where_told);
    suite_add_tcase(suite, memory);
    return suite_run(suite);
}
