/* The stack of working memory. */
#include "nn_fixture.h"

START_TEST(blocks_are_aligned_apart_and_given_back)
{
    nn_scratch *scratch = fixture_scratch(3 * 64);
    unsigned char *first = nn_scratch_take(scratch, 1);
    size_t mark = nn_scratch_mark(scratch);
    unsigned char *second = nn_scratch_take(scratch, 65);
    ck_assert_uint_eq((uintptr_t)first % 64, 0);
    ck_assert_ptr_eq(second, first + 64);
    nn_scratch_release(scratch, mark);
    ck_assert_ptr_eq(nn_scratch_take(scratch, 128), second); /* all of it fits again */
    nn_scratch_destroy(scratch);
}
END_TEST

START_TEST(rounding_is_what_a_block_takes)
{
    ck_assert_uint_eq(nn_scratch_round(0), 0);
    ck_assert_uint_eq(nn_scratch_round(1), 64);
    ck_assert_uint_eq(nn_scratch_round(64), 64);
    ck_assert_uint_eq(nn_scratch_round(65), 128);
    nn_scratch *scratch = fixture_scratch(1);
    nn_scratch_take(scratch, 33);
    ck_assert_uint_eq(nn_scratch_mark(scratch), 64);
    nn_scratch_destroy(scratch);
}
END_TEST

static steno_status create(void *argument)
{
    nn_scratch *scratch = NULL;
    steno_error error;
    steno_status status = nn_scratch_create(*(size_t *)argument, &scratch, &error);
    nn_scratch_destroy(scratch);
    return status;
}

START_TEST(each_allocation_may_fail)
{
    size_t bytes = 1000;
    ck_assert_uint_eq(fixture_fail_each_allocation(create, &bytes), 2);
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
    size_t bytes = SIZE_MAX;
    ck_assert_int_eq(create(&bytes), STENO_ERROR_MEMORY);
    nn_scratch_destroy(NULL);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {blocks_are_aligned_apart_and_given_back,
        rounding_is_what_a_block_takes, each_allocation_may_fail, impossible_sizes_are_refused};
    return fixture_run("nn scratch", tests, sizeof tests / sizeof *tests);
}
