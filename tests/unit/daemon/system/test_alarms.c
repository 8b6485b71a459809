/* Alarms against the obvious: a list that is searched. */
#include <check.h>
#include <stdlib.h>

#include "base/memory.h"
#include "support/suite.h"
#include "system/alarms.h"

#define ENTRIES 40

static alarm_entry entries[ENTRIES];

static uint64_t soonest(void)
{
    uint64_t at = UINT64_MAX;
    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].place != 0 && entries[i].at_ms < at)
            at = entries[i].at_ms;
    return at;
}

START_TEST(soonest_first_whatever_happens)
{
    alarms heap;
    ck_assert_int_eq(alarms_init(&heap, ENTRIES), STENO_OK);
    ck_assert_uint_eq(alarms_next_ms(&heap), UINT64_MAX);
    srand(7);
    size_t rung = 0;
    for (int step = 0; step < 20000; step++) {
        alarm_entry *entry = &entries[rand() % ENTRIES];
        int what = rand() % 4;
        if (what < 2) {
            alarms_set(&heap, entry, (uint64_t)(rand() % 100));
        } else if (what == 2) {
            alarms_remove(&heap, entry);
            ck_assert_uint_eq(entry->place, 0);
        } else {
            uint64_t before = soonest(), now = (uint64_t)(rand() % 100);
            alarm_entry *due = alarms_take_due(&heap, now);
            ck_assert_int_eq(due != NULL, before <= now);
            if (due != NULL) {
                ck_assert_uint_eq(due->at_ms, before);
                ck_assert_uint_eq(due->place, 0);
                rung++;
            }
        }
        ck_assert_uint_eq(alarms_next_ms(&heap), soonest());
    }
    ck_assert_uint_gt(rung, 1000);
    alarms_finish(&heap);
}
END_TEST

START_TEST(never_is_never_due)
{
    alarms heap;
    alarm_entry entry = {0};
    ck_assert_int_eq(alarms_init(&heap, 1), STENO_OK);
    ck_assert_ptr_null(alarms_take_due(&heap, UINT64_MAX));
    alarms_set(&heap, &entry, 5);
    ck_assert_ptr_null(alarms_take_due(&heap, 4));
    ck_assert_ptr_eq(alarms_take_due(&heap, 5), &entry);
    ck_assert_ptr_null(alarms_take_due(&heap, 5));
    alarms_finish(&heap);
}
END_TEST

START_TEST(out_of_memory)
{
    alarms heap;
    memory_fail_at(memory_attempts() + 1);
    ck_assert_int_eq(alarms_init(&heap, 10), STENO_ERROR_MEMORY);
    memory_fail_at(0);
    alarms_finish(&heap);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alarms");
    TCase *all = tcase_create("all");
    tcase_add_test(all, soonest_first_whatever_happens);
    tcase_add_test(all, never_is_never_due);
    tcase_add_test(all, out_of_memory);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
