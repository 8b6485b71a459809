/*
 * A number of live streams at once and what they cost, on a daemon or on the library alone, each
 * measured in a process of its own: the library's memory and processor time are that process', and
 * what one load leaves behind is not the next one's.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "live.h"
#include "steno/status.h"

typedef struct load_setting {
    const char *chunk, *threads, *precision; /* as stenod's options */
    const char *model;                       /* its path */
    const char *stenod;                      /* the program */
    uint32_t most_streams;                   /* the daemon is told to take */
    live_plan plan; /* streams, begun, ending and context are the load's own */
} load_setting;

typedef enum load_side { LOAD_DAEMON, LOAD_LIBRARY, LOAD_SIDES } load_side;

typedef struct load {
    uint32_t streams;
    live_report live;
    double wall_s, audio_s; /* while all streams were under way */
    double cpu_s;           /* of the daemon, or of the process that has the library, meanwhile */
    double client_cpu_s;    /* of the daemon's client */
    size_t resident_kb;     /* as cpu_s, with all streams under way */
    bool holds; /* the p95 of each wait is below a chunk: what comes is done before more comes */
} load;

/* Errors: IO (no process, no daemon), MEMORY, those of the model.  Finish what came with
 * live_report_finish. */
steno_status load_measure(const load_setting *setting, load_side side, uint32_t streams,
    load *out_load, steno_error *error);

#endif
