/* A bell wakes whoever waits at the queue, however often it is rung, and leaves nothing behind. */
#include <check.h>
#include <errno.h>

#include "server/bell.h"
#include "support/suite.h"
#include "system/alarms.h"

static grpc_completion_queue *queue;
static bell self;
static steno_error error;

static void begin(void)
{
    grpc_init();
    queue = grpc_completion_queue_create_for_next(NULL);
    ck_assert_int_eq(bell_init(&self, queue, &error), STENO_OK);
}

static void finish(void)
{
    bell_finish(&self);
    grpc_completion_queue_shutdown(queue);
    while (completion_take(queue, UINT64_MAX))
        ;
    grpc_completion_queue_destroy(queue);
    grpc_shutdown();
}

START_TEST(not_rung)
{
    uint64_t until_ms = alarms_now_ms() + 50;
    ck_assert(completion_take(queue, until_ms));
    /* gRPC reckons time by the processor's counter, to a hundredth. */
    ck_assert_uint_ge(alarms_now_ms() + 10, until_ms);
}
END_TEST

START_TEST(wakes_a_wait_without_end)
{
    for (int i = 0; i < 100; i++) {
        bell_ring(&self);
        ck_assert(completion_take(queue, UINT64_MAX));
    }
}
END_TEST

START_TEST(rung_often)
{
    errno = ERANGE;
    for (int i = 0; i < 1000; i++)
        bell_ring(&self);
    ck_assert_int_eq(errno, ERANGE);
    ck_assert(completion_take(queue, UINT64_MAX));
}
END_TEST

START_TEST(rung_and_not_heard)
{
    bell_ring(&self);
}
END_TEST

START_TEST(zeroed)
{
    bell none = {0};
    bell_finish(&none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bell");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, begin, finish);
    tcase_add_test(all, not_rung);
    tcase_add_test(all, wakes_a_wait_without_end);
    tcase_add_test(all, rung_often);
    tcase_add_test(all, rung_and_not_heard);
    tcase_add_test(all, zeroed);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
