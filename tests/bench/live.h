/*
 * Many live streams, each speaking as fast as a person does, as one thread feeds them: to a daemon
 * (live_client.h) or to the library in this process (live_library.h).  The plan, the schedule and
 * the times are the same for both, so that what the daemon adds can be told.
 */
#ifndef BENCH_LIVE_H
#define BENCH_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LIVE_RATE_HZ = 16000 };

typedef struct live_plan {
    uint32_t streams, seconds;
    uint32_t piece_ms;    /* of audio given at a time; divides 1000 * seconds */
    const int16_t *audio; /* [samples]; streams begin at different places and go round */
    size_t samples;

    /* Called with all streams under way: when the first piece is given, and just before the first
     * stream's last one. */
    void (*begun)(void *context), (*ending)(void *context);
    void *context;
} live_plan;

/* Seconds each, in rising order. */
typedef struct live_times {
    double *seconds; /* [count] */
    size_t count, room;
} live_times;

enum { LIVE_KINDS = 4 };

typedef struct live_report {
    union {
        struct {
            /* From when a stream's first sample was spoken to its first result: with the silence
             * before the first word, which is the same in all runs. */
            live_times first;
            /* From when the last sample that a result covers was due to be given to the result. */
            live_times interim, final;
            /* From the end of the audio to the end of the stream, when the last final has come. */
            live_times end;
        };
        live_times kinds[LIVE_KINDS]; /* all of these */
    };
    double latest_s; /* the most that the feeding thread itself was behind its schedule */
    uint32_t failed; /* streams that did not end well */
    bool is_short_of_memory;
    char reason[512]; /* why one of them failed */
} live_report;

/* Whoever is given the pieces. */
typedef struct live_driver {
    void *self;
    /* When the first sample of this stream is spoken. */
    void (*begin)(void *self, uint32_t stream, double begin_s);
    /* One more piece of this stream is due. */
    void (*due)(void *self, uint32_t stream);
    /* Takes one event, waiting for it until then; false if none came. */
    bool (*take)(void *self, double until_s);
    const uint32_t *over; /* streams that have ended */
} live_driver;

double live_now_s(void);

/* Pieces of each stream. */
uint32_t live_pieces(const live_plan *plan);
size_t live_piece_samples(const live_plan *plan);
/* The samples of a stream's piece. */
const int16_t *live_piece(const live_plan *plan, uint32_t stream, uint32_t piece);

/* Goes through the schedule from now on, then waits for the streams to end, for two minutes at
 * most.
 */
void live_speak(const live_plan *plan, const live_driver *driver, live_report *report);

/* A result that covers the audio up to covered_s of a stream whose first sample was spoken at
 * begin_s has come; is_first: before it there was none. */
void live_note_result(live_report *report, const live_plan *plan, double begin_s, double covered_s,
    bool is_final, bool is_first);
void live_note_time(live_report *report, live_times *times, double seconds);

void live_report_sort(live_report *report);
void live_report_finish(live_report *report);

/* The value that the share of all are at most; 0 where there are none. */
double live_quantile(const live_times *times, double share);

#endif
