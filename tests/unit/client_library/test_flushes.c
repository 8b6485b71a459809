/* Flushes in their places among the audio. */
#include <check.h>
#include <stdlib.h>

#include "flushes.h"
#include "support/suite.h"

static flushes list;

static void set_up(void)
{
    list = (flushes){.count = 0};
}

/* The positions that are still to be sent, sent now. */
static void check_sent(const uint64_t *expected, size_t count)
{
    uint64_t position;
    for (size_t i = 0; i < count; i++) {
        ck_assert(flushes_next(&list, &position));
        ck_assert_uint_eq(position, expected[i]);
        flushes_pass(&list);
    }
    ck_assert(!flushes_next(&list, &position));
}

START_TEST(go_in_order)
{
    check_sent(NULL, 0);
    ck_assert(flushes_add(&list, 3));
    ck_assert(flushes_add(&list, 3));
    check_sent((const uint64_t[]){3, 3}, 2);
    ck_assert(flushes_add(&list, 7));
    check_sent((const uint64_t[]){7}, 1);
}
END_TEST

START_TEST(go_again_as_long_as_their_audio_is_kept)
{
    for (uint64_t position = 1; position <= 4; position++)
        ck_assert(flushes_add(&list, 10 * position));
    flushes_pass(&list);
    flushes_pass(&list);
    flushes_pass(&list);
    /* All audio before 20 is gone, and with it what was asked for up to there. */
    flushes_forget(&list, 20);
    flushes_rewind(&list);
    check_sent((const uint64_t[]){30, 40}, 2);
    flushes_forget(&list, 39);
    flushes_rewind(&list);
    check_sent((const uint64_t[]){40}, 1);
    flushes_forget(&list, 40);
    flushes_rewind(&list);
    check_sent(NULL, 0);
}
END_TEST

START_TEST(those_not_sent_are_not_forgotten)
{
    ck_assert(flushes_add(&list, 10));
    flushes_forget(&list, 10);
    check_sent((const uint64_t[]){10}, 1);
}
END_TEST

START_TEST(room_ends_and_comes_back)
{
    for (uint64_t i = 0; i < FLUSHES_MAX; i++)
        ck_assert(flushes_add(&list, i));
    ck_assert(!flushes_add(&list, FLUSHES_MAX));
    flushes_pass(&list);
    flushes_forget(&list, 0);
    ck_assert(flushes_add(&list, FLUSHES_MAX));
    ck_assert(!flushes_add(&list, FLUSHES_MAX));
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("all");
    tcase_add_checked_fixture(cases, set_up, NULL);
    tcase_add_test(cases, go_in_order);
    tcase_add_test(cases, go_again_as_long_as_their_audio_is_kept);
    tcase_add_test(cases, those_not_sent_are_not_forgotten);
    tcase_add_test(cases, room_ends_and_comes_back);
    Suite *suite = suite_create("client_library_flushes");
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
