/* The ring alone, and between two threads (which ./dev tsan watches). */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/ring.h"
#include "support/suite.h"

static ring *create(size_t items)
{
    ring *self = NULL;
    steno_error error;
    ck_assert_int_eq(ring_create(items, sizeof(uint64_t), &self, &error), STENO_OK);
    return self;
}

START_TEST(takes_what_there_is_room_for)
{
    ring *self = create(5);
    uint64_t in[10], out[10] = {0};
    for (uint64_t i = 0; i < 10; i++)
        in[i] = 100 + i;
    ck_assert_uint_eq(ring_writable(self), 8); /* the next power of two */
    ck_assert_uint_eq(ring_readable(self), 0);
    ck_assert_uint_eq(ring_read(self, out, 10), 0);
    ck_assert_uint_eq(ring_peek(self, out), 0);
    ck_assert_uint_eq(ring_write(self, in, 10), 8);
    ck_assert_uint_eq(ring_write(self, in, 1), 0);
    ck_assert_uint_eq(ring_writable(self), 0);
    ck_assert_uint_eq(ring_peek(self, out), 1);
    ck_assert_uint_eq(out[0], 100);
    ck_assert_uint_eq(ring_readable(self), 8);
    ck_assert_uint_eq(ring_read(self, out, 10), 8);
    for (uint64_t i = 0; i < 8; i++)
        ck_assert_uint_eq(out[i], 100 + i);
    ck_assert_uint_eq(ring_writable(self), 8);
    ring_destroy(self);
}
END_TEST

START_TEST(goes_round_in_pieces_of_any_size)
{
    ring *self = create(16);
    uint64_t in[16], out[16], next_in = 0, next_out = 0;
    for (size_t turn = 0; turn < 2000; turn++) {
        size_t count = turn * 7919 % 17;
        for (size_t i = 0; i < count; i++)
            in[i] = next_in + i;
        next_in += ring_write(self, in, count);
        ck_assert_uint_eq(ring_readable(self), next_in - next_out);
        count = ring_read(self, out, turn * 6007 % 15);
        for (size_t i = 0; i < count; i++)
            ck_assert_uint_eq(out[i], next_out + i);
        next_out += count;
    }
    ck_assert_uint_gt(next_out, 5000);
    ring_destroy(self);
}
END_TEST

enum { MANY = 200000 };

static void *produce(void *context)
{
    ring *self = context;
    uint64_t block[37];
    for (uint64_t next = 0; next < MANY;) {
        size_t count = 1 + next % 37;
        if (count > MANY - next)
            count = MANY - next;
        for (size_t i = 0; i < count; i++)
            block[i] = next + i;
        size_t taken = ring_write(self, block, count);
        if (taken == 0)
            sched_yield(); /* on one core the other thread has to come to run */
        next += taken;
    }
    return NULL;
}

START_TEST(two_threads_lose_and_double_nothing)
{
    ring *self = create(100);
    pthread_t producer;
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, self), 0);
    uint64_t block[53], next = 0;
    while (next < MANY) {
        size_t count = ring_read(self, block, 1 + next % 53);
        for (size_t i = 0; i < count; i++)
            ck_assert_uint_eq(block[i], next + i);
        if (count == 0)
            sched_yield();
        next += count;
    }
    pthread_join(producer, NULL);
    ck_assert_uint_eq(ring_readable(self), 0);
    ring_destroy(self);
}
END_TEST

START_TEST(allocation_may_fail)
{
    size_t alive = memory_alive();
    for (uint64_t attempt = 1; attempt <= 2; attempt++) {
        ring *self = NULL;
        steno_error error;
        memory_fail_at(memory_attempts() + attempt);
        ck_assert_int_eq(ring_create(8, 8, &self, &error), STENO_ERROR_MEMORY);
        ck_assert_ptr_null(self);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    ring *self = NULL;
    steno_error error;
    ck_assert_int_eq(ring_create(SIZE_MAX, 8, &self, &error), STENO_ERROR_MEMORY);
    ck_assert_int_eq(ring_create(SIZE_MAX / 4, 8, &self, &error), STENO_ERROR_MEMORY);
    ring_destroy(NULL);
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *tests = tcase_create("ring");
    tcase_set_timeout(tests, 60); /* sanitizers */
    tcase_add_test(tests, takes_what_there_is_room_for);
    tcase_add_test(tests, goes_round_in_pieces_of_any_size);
    tcase_add_test(tests, two_threads_lose_and_double_nothing);
    tcase_add_test(tests, allocation_may_fail);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
