/*
 * Piece k of stream i of n is due at
 *
 *     begin + (k + 1 + i / n) pieces
 *
 * so that the order is always the same and the next is found without looking.  What is due while
 * the one before is not out yet (the stream is held back) is given later, and its time counts from
 * when it was due all the same: whoever is slow to take audio gains nothing by it.
 */
#include "live.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

/* For what is left when the last piece is given. */
enum { LAST_WAIT_S = 120 };

double live_now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- The schedule ---- */

static double piece_s(const live_plan *plan)
{
    return (double)plan->piece_ms / 1000;
}

uint32_t live_pieces(const live_plan *plan)
{
    return plan->seconds * 1000 / plan->piece_ms;
}

size_t live_piece_samples(const live_plan *plan)
{
    return (size_t)plan->piece_ms * LIVE_RATE_HZ / 1000;
}

const int16_t *live_piece(const live_plan *plan, uint32_t stream, uint32_t piece)
{
    size_t size = live_piece_samples(plan);
    size_t from = ((size_t)stream * 7919 + piece) * size;
    return plan->audio + from % (plan->samples - size);
}

/* When a stream's first sample is spoken, if the first stream's is at begin_s. */
static double begin_of(const live_plan *plan, double begin_s, uint32_t stream)
{
    return begin_s + piece_s(plan) * stream / plan->streams;
}

void live_speak(const live_plan *plan, const live_driver *driver, live_report *report)
{
    uint32_t pieces = live_pieces(plan);
    double begin_s = live_now_s();
    for (uint32_t i = 0; i < plan->streams; i++)
        driver->begin(driver->self, i, begin_of(plan, begin_s, i));
    plan->begun(plan->context);
    for (uint32_t k = 0; k < pieces; k++)
        for (uint32_t i = 0; i < plan->streams; i++) {
            double due_s = begin_of(plan, begin_s, i) + piece_s(plan) * (k + 1), now;
            while ((now = live_now_s()) < due_s)
                driver->take(driver->self, due_s);
            report->latest_s = fmax(report->latest_s, now - due_s);
            if (k + 1 == pieces && i == 0)
                plan->ending(plan->context);
            driver->due(driver->self, i);
            /* Even when behind, answers are taken as they come. */
            while (driver->take(driver->self, 0))
                ;
        }
    double until_s = live_now_s() + LAST_WAIT_S;
    while (*driver->over < plan->streams && driver->take(driver->self, until_s))
        ;
}

/* ---- Times ---- */

void live_note_time(live_report *report, live_times *times, double seconds)
{
    if (times->count == times->room) {
        size_t room = times->room > 0 ? 2 * times->room : 1024;
        double *grown = memory_allocate(room, sizeof *grown);
        if (grown == NULL) {
            report->is_short_of_memory = true;
            return;
        }
        if (times->count > 0)
            memcpy(grown, times->seconds, times->count * sizeof *grown);
        memory_free(times->seconds);
        times->seconds = grown;
        times->room = room;
    }
    times->seconds[times->count++] = seconds;
}

void live_note_result(live_report *report, const live_plan *plan, double begin_s, double covered_s,
    bool is_final, bool is_first)
{
    double now = live_now_s();
    /* The last of the samples came with a whole piece. */
    double given_s = ceil(covered_s / piece_s(plan) - 1e-3) * piece_s(plan);
    live_note_time(report, is_final ? &report->final : &report->interim, now - begin_s - given_s);
    if (is_first)
        live_note_time(report, &report->first, now - begin_s);
}

static int compare_times(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void live_report_sort(live_report *report)
{
    for (int kind = 0; kind < LIVE_KINDS; kind++) {
        live_times *times = &report->kinds[kind];
        if (times->count > 0)
            qsort(times->seconds, times->count, sizeof *times->seconds, compare_times);
    }
}

double live_quantile(const live_times *times, double share)
{
    return times->count > 0 ? times->seconds[(size_t)(share * (double)(times->count - 1) + 0.5)]
                            : 0;
}

void live_report_finish(live_report *report)
{
    for (int kind = 0; kind < LIVE_KINDS; kind++)
        memory_free(report->kinds[kind].seconds);
    *report = (live_report){0};
}
