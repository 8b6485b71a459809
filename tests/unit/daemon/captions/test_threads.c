/* The hub of captions with a publisher, readers of every kind, and some that come and go. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/memory.h"
#include "fixture.h"
#include "support/suite.h"

enum { FINALS = 3000, READERS = 6 };

static captions_source *room;
static pthread_barrier_t all_are_here; /* who comes later does not get what was before */

typedef struct reading {
    int number, pipe[2];
    uint64_t got, missed, gaps;
    bool is_back;
} reading;

static void wake_pipe(void *context)
{
    reading *self = context;
    ck_assert_int_eq(write(self->pipe[1], "", 1), 1);
}

static void *publish_all(void *context)
{
    (void)context;
    for (unsigned i = 1; i <= FINALS; i++) {
        fixture_publish(room, false, i);
        if (i % 7 == 0)
            fixture_publish_status(room, CAPTIONS_LISTENING);
        fixture_publish(room, true, i);
        if (i % 64 == 0)
            usleep(500);
    }
    captions_end(room);
    return NULL;
}

static void check_event(reading *self, const captions_event *event, uint64_t *sequence)
{
    char text[32];
    if (event->kind == CAPTIONS_GAP) { /* one that came back may be told no beginning */
        if (!self->is_back || event->gap.first_sequence != 0)
            ck_assert_uint_eq(event->gap.first_sequence, *sequence);
        self->missed += event->gap.last_sequence + 1 - *sequence;
        *sequence = event->gap.last_sequence + 1;
        self->gaps++;
    } else if (event->kind == CAPTIONS_FINAL) {
        ck_assert_uint_eq(event->segment.sequence, (*sequence)++);
        snprintf(text, sizeof text, "%u words", (unsigned)event->segment.sequence);
        ck_assert_str_eq(event->segment.text, text);
        self->got++;
    } else if (event->kind == CAPTIONS_INTERIM) {
        ck_assert_uint_eq(event->segment.sequence, *sequence);
    }
    if (event->kind == CAPTIONS_GAP || event->kind == CAPTIONS_FINAL)
        self->is_back = false;
}

static void *read_all(void *context)
{
    reading *self = context;
    captions_reader *reader;
    captions_from from = {0, SIZE_MAX};
    uint64_t id = 0, sequence = 1;
    ck_assert_int_eq(captions_join(room, &from, wake_pipe, self, &reader, NULL), STENO_OK);
    pthread_barrier_wait(&all_are_here);
    for (unsigned count = 1;; count++) {
        captions_event event;
        char byte;
        steno_status status = captions_next(reader, &event);
        if (status == STENO_END)
            break;
        if (status == STENO_AGAIN) {
            ck_assert_int_eq(read(self->pipe[0], &byte, 1), 1);
            continue;
        }
        ck_assert_uint_ge(event.id, id);
        id = event.id;
        check_event(self, &event, &sequence);
        if (self->number % 3 == 1 && count % 100 == 0)
            usleep(3000); /* slow */
        if (self->number % 3 == 2 && count % 50 == 0 && self->got > 0) {
            /* Comes back; what it missed in between, if anything, is a gap without beginning. */
            captions_leave(reader);
            from.after = id;
            ck_assert_int_eq(captions_join(room, &from, wake_pipe, self, &reader, NULL), STENO_OK);
            ck_assert_int_eq(captions_next(reader, &event), STENO_OK);
            ck_assert_int_eq(event.kind, CAPTIONS_STATUS);
            ck_assert_uint_eq(event.id, id);
            self->is_back = true;
        }
    }
    captions_leave(reader);
    ck_assert_uint_eq(self->got + self->missed, FINALS);
    return NULL;
}

static void no_wake(void *context)
{
    (void)context;
}

/* Asks for counts and joins for a moment, again and again. */
static void *look_in(void *context)
{
    atomic_bool *stop = context;
    while (!atomic_load(stop)) {
        captions_counts counts;
        captions_get_counts(room, &counts);
        ck_assert_uint_eq(counts.words, counts.finals * 2);
        captions_reader *reader;
        const captions_from from = {0, 2};
        ck_assert_int_eq(captions_join(room, &from, no_wake, NULL, &reader, NULL), STENO_OK);
        captions_event event;
        while (captions_next(reader, &event) == STENO_OK)
            continue;
        captions_leave(reader);
    }
    return NULL;
}

START_TEST(all_at_once)
{
    static const captions_setting setting = {"room", "", 200};
    captions *hub;
    ck_assert_int_eq(captions_create(&setting, 1, &hub, NULL), STENO_OK);
    room = captions_at(hub, 0);
    ck_assert_int_eq(pthread_barrier_init(&all_are_here, NULL, READERS + 1), 0);
    pthread_t publisher, visitor, readers[READERS];
    reading readings[READERS];
    atomic_bool stop = false;
    for (int i = 0; i < READERS; i++) {
        readings[i] = (reading){.number = i};
        ck_assert_int_eq(pipe(readings[i].pipe), 0);
        ck_assert_int_eq(pthread_create(&readers[i], NULL, read_all, &readings[i]), 0);
    }
    ck_assert_int_eq(pthread_create(&visitor, NULL, look_in, &stop), 0);
    pthread_barrier_wait(&all_are_here);
    ck_assert_int_eq(pthread_create(&publisher, NULL, publish_all, NULL), 0);
    pthread_join(publisher, NULL);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
        close(readings[i].pipe[0]);
        close(readings[i].pipe[1]);
    }
    atomic_store(&stop, true);
    pthread_join(visitor, NULL);
    pthread_barrier_destroy(&all_are_here);
    captions_destroy(hub);
    ck_assert_uint_eq(memory_alive(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("captions_threads");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 100);
    tcase_add_test(all, all_at_once);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
