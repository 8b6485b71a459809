/* The hub of captions: what readers get, in which order, however late or slow they are. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fixture.h"
#include "support/suite.h"

enum { HISTORY = 5 };

static captions *hub;
static captions_source *room;
static int wakes;

static void count_wake(void *context)
{
    ++*(int *)context;
}

static void set_up(void)
{
    static const captions_setting settings[] = {
        {"room", "a microphone", HISTORY}, {"hall", "another", 1}};
    ck_assert_int_eq(captions_create(settings, 2, &hub, NULL), STENO_OK);
    room = captions_find(hub, "room");
    wakes = 0;
}

static void tear_down(void)
{
    captions_destroy(hub);
    ck_assert_uint_eq(memory_alive(), 0);
}

/* ---- Publishing ---- */

static void publish_final(unsigned number)
{
    ck_assert_int_eq(fixture_publish(room, true, number), STENO_OK);
}

static void publish_interim(unsigned number)
{
    ck_assert_int_eq(fixture_publish(room, false, number), STENO_OK);
}

static void publish_status(captions_state state)
{
    fixture_publish_status(room, state);
}

/* ---- Reading ---- */

static captions_reader *join(uint64_t after, size_t recent)
{
    captions_reader *reader;
    const captions_from from = {after, recent};
    ck_assert_int_eq(captions_join(room, &from, count_wake, &wakes, &reader, NULL), STENO_OK);
    return reader;
}

/* The id of the next event, which is of this kind. */
static uint64_t expect(captions_reader *reader, captions_kind kind, captions_event *event)
{
    ck_assert_int_eq(captions_next(reader, event), STENO_OK);
    ck_assert_int_eq(event->kind, kind);
    ck_assert_uint_gt(event->id, 1000000);
    ck_assert_uint_lt(event->id, (uint64_t)1 << 53);
    return event->id;
}

static uint64_t expect_words(captions_reader *reader, captions_kind kind, unsigned number)
{
    captions_event event;
    uint64_t id = expect(reader, kind, &event);
    char text[32];
    snprintf(text, sizeof text, "%u words", number);
    const captions_segment *segment = &event.segment;
    ck_assert_str_eq(segment->text, text);
    ck_assert_uint_eq(segment->start_ms, number * 1000 + 7);
    ck_assert_uint_eq(segment->end_ms, number * 1000 + 207);
    ck_assert_uint_eq(segment->word_count, 2);
    ck_assert_str_eq(segment->words[1].text, "words");
    ck_assert_uint_eq(segment->words[1].start_ms, number * 1000 + 107);
    ck_assert_float_eq(segment->words[0].confidence, 0.5f);
    ck_assert_uint_eq(segment->stable_words, kind == CAPTIONS_FINAL ? 2 : 1);
    ck_assert_int_eq(segment->endpoint, kind == CAPTIONS_FINAL);
    return id;
}

static uint64_t expect_state(captions_reader *reader, captions_state state)
{
    captions_event event;
    uint64_t id = expect(reader, CAPTIONS_STATUS, &event);
    ck_assert_int_eq(event.status.state, state);
    return id;
}

static uint64_t expect_gap(captions_reader *reader, uint64_t first, uint64_t last)
{
    captions_event event;
    uint64_t id = expect(reader, CAPTIONS_GAP, &event);
    ck_assert_uint_eq(event.gap.first_sequence, first);
    ck_assert_uint_eq(event.gap.last_sequence, last);
    return id;
}

static void expect_nothing(captions_reader *reader)
{
    captions_event event;
    ck_assert_int_eq(captions_next(reader, &event), STENO_AGAIN);
}

/* ---- Tests ---- */

START_TEST(sources_by_name)
{
    ck_assert_uint_eq(captions_count(hub), 2);
    ck_assert_ptr_eq(captions_at(hub, 0), room);
    ck_assert_ptr_null(captions_find(hub, "roo"));
    ck_assert_str_eq(captions_name(captions_at(hub, 1)), "hall");
    ck_assert_str_eq(captions_about(room), "a microphone");
    captions_counts counts;
    captions_get_counts(room, &counts);
    ck_assert_int_eq(counts.state, CAPTIONS_STARTING);
    captions_reader *reader = join(0, 0);
    publish_final(1);
    publish_status(CAPTIONS_LISTENING);
    captions_get_counts(room, &counts);
    ck_assert_int_eq(counts.state, CAPTIONS_LISTENING);
    ck_assert_uint_eq(counts.finals, 1);
    ck_assert_uint_eq(counts.words, 2);
    ck_assert_uint_eq(counts.readers, 1);
    /* No less than what was said of it, and as the thread says now and then. */
    ck_assert_uint_eq(counts.heard_ms, 1207);
    captions_set_heard(room, 5000);
    captions_reader *late = join(0, 0);
    captions_event event;
    expect(late, CAPTIONS_STATUS, &event);
    ck_assert_uint_eq(event.status.heard_ms, 5000);
    captions_leave(late);
    captions_leave(reader);
    captions_get_counts(room, &counts);
    ck_assert_uint_eq(counts.readers, 0);
}
END_TEST

START_TEST(everything_in_order)
{
    captions_reader *reader = join(0, SIZE_MAX);
    uint64_t ids[6] = {expect_state(reader, CAPTIONS_STARTING)};
    expect_nothing(reader);
    publish_status(CAPTIONS_LISTENING);
    ids[1] = expect_state(reader, CAPTIONS_LISTENING);
    publish_interim(1);
    ids[2] = expect_words(reader, CAPTIONS_INTERIM, 1);
    publish_final(1);
    publish_interim(2);
    ids[3] = expect_words(reader, CAPTIONS_FINAL, 1);
    ids[4] = expect_words(reader, CAPTIONS_INTERIM, 2);
    publish_final(2);
    ids[5] = expect_words(reader, CAPTIONS_FINAL, 2);
    expect_nothing(reader);
    for (int i = 1; i < 6; i++)
        ck_assert_uint_gt(ids[i], ids[i - 1]);
    captions_leave(reader);
}
END_TEST

START_TEST(the_newest_interim_and_state)
{
    captions_reader *reader = join(0, SIZE_MAX);
    expect_state(reader, CAPTIONS_STARTING);
    publish_status(CAPTIONS_LISTENING);
    publish_interim(1);
    publish_interim(2);
    publish_status(CAPTIONS_WAITING);
    expect_words(reader, CAPTIONS_INTERIM, 2);
    expect_state(reader, CAPTIONS_WAITING);
    publish_interim(3);
    publish_final(3);
    expect_words(reader, CAPTIONS_FINAL, 3);
    expect_nothing(reader);
    captions_take_back(room); /* of nothing */
    expect_nothing(reader);
    publish_interim(4);
    expect_words(reader, CAPTIONS_INTERIM, 4);
    captions_take_back(room);
    captions_event event;
    expect(reader, CAPTIONS_INTERIM, &event);
    ck_assert_uint_eq(event.segment.word_count, 0);
    ck_assert_uint_eq(event.segment.sequence, 2);
    captions_leave(reader);
}
END_TEST

START_TEST(a_late_joiner_gets_the_recent_past)
{
    publish_status(CAPTIONS_LISTENING);
    for (unsigned i = 1; i <= HISTORY + 2; i++)
        publish_final(i);
    publish_interim(HISTORY + 3);
    size_t recent[] = {0, 1, HISTORY, HISTORY + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof recent / sizeof recent[0]; i++) {
        captions_reader *reader = join(0, recent[i]);
        uint64_t id = expect_state(reader, CAPTIONS_LISTENING);
        unsigned count = recent[i] < HISTORY ? (unsigned)recent[i] : HISTORY;
        for (unsigned k = HISTORY + 3 - count; k < HISTORY + 3; k++) {
            uint64_t next = expect_words(reader, CAPTIONS_FINAL, k);
            ck_assert_uint_gt(next, id);
            id = next;
        }
        ck_assert_uint_gt(expect_words(reader, CAPTIONS_INTERIM, HISTORY + 3), id);
        expect_nothing(reader);
        captions_leave(reader);
    }
}
END_TEST

START_TEST(coming_back_after_an_id)
{
    uint64_t ids[HISTORY + 4];
    captions_reader *all = join(0, SIZE_MAX);
    ids[0] = expect_state(all, CAPTIONS_STARTING);
    for (unsigned i = 1; i <= HISTORY; i++) {
        publish_final(i);
        ids[i] = expect_words(all, CAPTIONS_FINAL, i);
    }
    for (unsigned i = 0; i <= HISTORY; i++) { /* nothing is lost, nothing doubled */
        captions_reader *reader = join(ids[i], 0);
        ck_assert_uint_eq(expect_state(reader, CAPTIONS_STARTING), ids[i]);
        for (unsigned k = i + 1; k <= HISTORY; k++)
            ck_assert_uint_eq(expect_words(reader, CAPTIONS_FINAL, k), ids[k]);
        expect_nothing(reader);
        captions_leave(reader);
    }
    for (unsigned i = HISTORY + 1; i <= HISTORY + 3; i++) {
        publish_final(i);
        ids[i] = expect_words(all, CAPTIONS_FINAL, i);
    }
    /* Three are forgotten. */
    captions_reader *reader = join(ids[3], 0);
    expect_state(reader, CAPTIONS_STARTING);
    expect_words(reader, CAPTIONS_FINAL, 4);
    captions_leave(reader);
    reader = join(ids[2], 0);
    expect_state(reader, CAPTIONS_STARTING);
    uint64_t gap = expect_gap(reader, 0, 3);
    ck_assert_uint_ge(gap, ids[3]);
    ck_assert_uint_lt(gap, ids[4]);
    expect_words(reader, CAPTIONS_FINAL, 4);
    captions_leave(reader);
    /* An id of an earlier life, and one that is not yet. */
    uint64_t strange[] = {1, ids[0] - 1, ids[HISTORY + 3] + 1000000};
    for (int i = 0; i < 3; i++) {
        reader = join(strange[i], 0);
        expect_state(reader, CAPTIONS_STARTING);
        expect_words(reader, CAPTIONS_FINAL, 4);
        captions_leave(reader);
    }
    captions_leave(all);
}
END_TEST

START_TEST(a_slow_reader_is_told_of_the_gap)
{
    captions_reader *slow = join(0, SIZE_MAX), *quick = join(0, SIZE_MAX);
    expect_state(slow, CAPTIONS_STARTING);
    expect_state(quick, CAPTIONS_STARTING);
    publish_final(1);
    ck_assert_uint_eq(
        expect_words(slow, CAPTIONS_FINAL, 1), expect_words(quick, CAPTIONS_FINAL, 1));
    captions_event held;
    publish_final(2);
    expect(slow, CAPTIONS_FINAL, &held);
    for (unsigned i = 3; i <= HISTORY + 4; i++) {
        publish_final(i);
        if (i == 3)
            publish_status(CAPTIONS_WAITING);
    }
    ck_assert_str_eq(held.segment.text, "2 words"); /* until the next call */
    uint64_t state = expect_state(slow, CAPTIONS_WAITING);
    ck_assert_uint_gt(expect_gap(slow, 3, 4), state);
    for (unsigned i = 5; i <= HISTORY + 4; i++)
        expect_words(slow, CAPTIONS_FINAL, i);
    expect_nothing(slow);
    captions_leave(slow);
    captions_leave(quick);
}
END_TEST

START_TEST(one_wake_for_each_again)
{
    captions_reader *reader = join(0, SIZE_MAX);
    publish_final(1);
    ck_assert_int_eq(wakes, 0); /* it has not looked yet */
    expect_state(reader, CAPTIONS_STARTING);
    expect_words(reader, CAPTIONS_FINAL, 1);
    publish_final(2);
    ck_assert_int_eq(wakes, 0);
    expect_words(reader, CAPTIONS_FINAL, 2);
    expect_nothing(reader);
    publish_final(3);
    publish_interim(4);
    publish_status(CAPTIONS_LISTENING);
    ck_assert_int_eq(wakes, 1);
    captions_leave(reader);
    publish_final(4);
    captions_end(room);
    ck_assert_int_eq(wakes, 1);
}
END_TEST

START_TEST(the_end_comes_after_the_last)
{
    captions_reader *reader = join(0, SIZE_MAX);
    captions_event event;
    expect_state(reader, CAPTIONS_STARTING);
    expect_nothing(reader);
    publish_final(1);
    captions_end(room);
    publish_final(2); /* dropped, as all that follows */
    publish_interim(2);
    publish_status(CAPTIONS_ENDED);
    ck_assert_int_eq(wakes, 1);
    expect_words(reader, CAPTIONS_FINAL, 1);
    ck_assert_int_eq(captions_next(reader, &event), STENO_END);
    ck_assert_int_eq(captions_next(reader, &event), STENO_END);
    captions_reader *late = join(0, SIZE_MAX);
    expect_state(late, CAPTIONS_STARTING);
    expect_words(late, CAPTIONS_FINAL, 1);
    ck_assert_int_eq(captions_next(late, &event), STENO_END);
    captions_leave(late);
    captions_leave(reader);
    captions_leave(NULL);
}
END_TEST

START_TEST(out_of_memory)
{
    captions_setting setting = {"name", "", 3};
    steno_error error;
    captions *other = NULL;
    size_t alive = memory_alive();
    for (uint64_t i = 1; other == NULL; i++) {
        memory_fail_at(memory_attempts() + i);
        if (captions_create(&setting, 1, &other, &error) < 0)
            ck_assert_uint_eq(memory_alive(), alive);
        memory_fail_at(0);
    }
    captions_destroy(other);
    captions_reader *reader = join(0, SIZE_MAX), *none = NULL;
    expect_state(reader, CAPTIONS_STARTING);
    memory_fail_at(memory_attempts() + 1);
    const captions_from from = {0};
    ck_assert_int_eq(captions_join(room, &from, count_wake, NULL, &none, NULL), STENO_ERROR_MEMORY);
    publish_final(1);
    memory_fail_at(memory_attempts() + 1);
    ck_assert_int_eq(fixture_publish(room, true, 2), STENO_ERROR_MEMORY);
    publish_final(3);
    memory_fail_at(memory_attempts() + 1);
    ck_assert_int_eq(fixture_publish(room, false, 4), STENO_ERROR_MEMORY);
    expect_words(reader, CAPTIONS_FINAL, 1);
    expect_gap(reader, 2, 2);
    expect_words(reader, CAPTIONS_FINAL, 3);
    expect_nothing(reader);
    captions_leave(reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("captions");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 100);
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, sources_by_name);
    tcase_add_test(all, everything_in_order);
    tcase_add_test(all, the_newest_interim_and_state);
    tcase_add_test(all, a_late_joiner_gets_the_recent_past);
    tcase_add_test(all, coming_back_after_an_id);
    tcase_add_test(all, a_slow_reader_is_told_of_the_gap);
    tcase_add_test(all, one_wake_for_each_again);
    tcase_add_test(all, the_end_comes_after_the_last);
    tcase_add_test(all, out_of_memory);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
