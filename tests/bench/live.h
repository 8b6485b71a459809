/*
 * Many live streams on a daemon, as one thread of a light client: each has a connection of its own
 * and speaks as fast as a person does.  Riva's messages, because only their results tell how far
 * the audio was heard when they were made.
 */
#ifndef BENCH_LIVE_H
#define BENCH_LIVE_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

enum { LIVE_RATE_HZ = 16000 };

typedef struct live_plan {
    const char *target; /* "unix:PATH", "HOST:PORT" */
    uint32_t streams, seconds;
    uint32_t piece_ms; /* of audio in each message; divides 1000 * seconds */
    const int16_t *audio;
    size_t samples; /* of audio; streams begin at different places and go round */

    /* Called with all streams under way: when the first piece is sent, and just before the first
     * stream's last one. */
    void (*begun)(void *context), (*ending)(void *context);
    void *context;
} live_plan;

/* Seconds each, in rising order. */
typedef struct live_times {
    double *seconds; /* [count] */
    size_t count, room;
} live_times;

typedef struct live_report {
    /* From when the last sample that a result covers was due to be sent to the result. */
    live_times interim, final;
    /* From the half close to the status, when the last final has come. */
    live_times end;
    double latest_s;  /* the most that this client itself was behind its schedule */
    uint32_t failed;  /* streams that did not end with OK */
    char reason[256]; /* of one of them */
} live_report;

/* Errors: MEMORY, IO (no connection).  Finish the report in any case. */
steno_status live_run(const live_plan *plan, live_report *out_report, steno_error *error);
void live_report_finish(live_report *report);

/* The value that the share of all are at most; 0 where there are none. */
double live_quantile(const live_times *times, double share);

#endif
