/* What a device's callback fills: gaps stand where audio is missing, also between threads. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "audio/intake.h"
#include "base/memory.h"
#include "support/suite.h"

enum { CHANNELS = 2 };

static intake *create(size_t frames)
{
    intake *self = NULL;
    steno_error error;
    ck_assert_int_eq(intake_create(frames, CHANNELS, &self, &error), STENO_OK);
    return self;
}

/* Offers frames whose samples are their number: n and n + 0.5. */
static void offer(intake *self, uint64_t first, size_t frames)
{
    float samples[64 * CHANNELS];
    for (size_t i = 0; i < frames; i++) {
        samples[CHANNELS * i] = (float)(first + i);
        samples[CHANNELS * i + 1] = (float)(first + i) + 0.5f;
    }
    intake_write(self, samples, frames);
}

START_TEST(a_gap_stands_where_it_is)
{
    intake *self = create(16);
    float samples[64];
    uint64_t lost = 7;
    ck_assert_uint_eq(intake_read(self, samples, 16, &lost), 0);
    ck_assert_uint_eq(lost, 0);
    offer(self, 0, 10);
    offer(self, 10, 10); /* no room for all: none is taken */
    offer(self, 20, 5);
    offer(self, 25, 20); /* lost, too */
    ck_assert_uint_eq(intake_offered(self), 45);
    ck_assert_uint_eq(intake_lost(self), 30);

    ck_assert_uint_eq(intake_read(self, samples, 4, &lost), 4);
    ck_assert_uint_eq(lost, 0);
    ck_assert_float_eq(samples[0], 0);
    ck_assert_float_eq(samples[7], 3.5f);
    ck_assert_uint_eq(intake_read(self, samples, 32, &lost), 6); /* not across the gap */
    ck_assert_uint_eq(lost, 0);
    ck_assert_float_eq(samples[10], 9);
    ck_assert_uint_eq(intake_read(self, samples, 32, &lost), 5);
    ck_assert_uint_eq(lost, 10);
    ck_assert_float_eq(samples[0], 20);
    offer(self, 45, 1);
    ck_assert_uint_eq(intake_read(self, samples, 32, &lost), 1);
    ck_assert_uint_eq(lost, 20);
    ck_assert_float_eq(samples[0], 45);
    intake_destroy(self);
}
END_TEST

START_TEST(more_gaps_than_marks_are_joined)
{
    intake *self = create(1024);
    float samples[64];
    uint64_t lost, counted = 0, taken = 0;
    offer(self, 0, 32);
    for (int i = 0; i < 31; i++)
        offer(self, 0, 32);
    /* Full; now a frame of room at a time, each after a gap. */
    for (int i = 0; i < 300; i++) {
        offer(self, 0, 3);
        taken += intake_read(self, samples, 1, &lost);
        counted += lost;
        offer(self, 0, 1);
    }
    for (size_t frames; (frames = intake_read(self, samples, 32, &lost)) > 0; taken += frames)
        counted += lost;
    offer(self, 0, 1); /* brings the last gap's mark */
    taken += intake_read(self, samples, 1, &lost);
    counted += lost;
    ck_assert_uint_eq(counted, intake_lost(self));
    ck_assert_uint_eq(taken + counted, intake_offered(self));
    ck_assert_uint_gt(counted, 900);
    intake_destroy(self);
}
END_TEST

enum { MANY = 300000 };

typedef struct shared {
    intake *intake;
    atomic_bool done;
} shared;

static void *produce(void *context)
{
    shared *both = context;
    for (uint64_t next = 0; next < MANY;) {
        size_t frames = 1 + next % 61;
        offer(both->intake, next, frames);
        next += frames;
        if (next % 7 == 0)
            sched_yield(); /* so that on one core the other thread comes to run, too */
    }
    atomic_store(&both->done, true);
    return NULL;
}

/* Every frame's number is where the reader's count, gaps included, says it should be. */
START_TEST(positions_hold_between_threads)
{
    shared both = {.intake = create(256)};
    pthread_t producer;
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, &both), 0);
    float samples[100 * CHANNELS];
    uint64_t position = 0, lost;
    for (;;) {
        bool done = atomic_load(&both.done);
        size_t frames = intake_read(both.intake, samples, 1 + position % 100, &lost);
        position += lost;
        for (size_t i = 0; i < frames; i++) {
            ck_assert_float_eq(samples[CHANNELS * i], (float)(position + i));
            ck_assert_float_eq(samples[CHANNELS * i + 1], (float)(position + i) + 0.5f);
        }
        position += frames;
        if (frames == 0 && done)
            break;
        if (frames == 0)
            sched_yield();
    }
    pthread_join(producer, NULL);
    ck_assert_uint_le(position, intake_offered(both.intake));
    ck_assert_uint_ge(position, intake_offered(both.intake) - intake_lost(both.intake));
    intake_destroy(both.intake);
}
END_TEST

START_TEST(allocation_may_fail)
{
    size_t alive = memory_alive();
    for (uint64_t attempt = 1; attempt <= 5; attempt++) {
        intake *self = NULL;
        steno_error error;
        memory_fail_at(memory_attempts() + attempt);
        ck_assert_int_eq(intake_create(8, 1, &self, &error), STENO_ERROR_MEMORY);
        ck_assert_ptr_null(self);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    intake_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("intake");
    TCase *tests = tcase_create("intake");
    tcase_set_timeout(tests, 60); /* sanitizers */
    tcase_add_test(tests, a_gap_stands_where_it_is);
    tcase_add_test(tests, more_gaps_than_marks_are_joined);
    tcase_add_test(tests, positions_hold_between_threads);
    tcase_add_test(tests, allocation_may_fail);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
