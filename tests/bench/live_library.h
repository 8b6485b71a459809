/* Live streams on the library in this process: what the daemon's are compared with. */
#ifndef BENCH_LIVE_LIBRARY_H
#define BENCH_LIVE_LIBRARY_H

#include "live.h"
#include "steno/steno.h"

typedef struct live_library {
    const char *model; /* its path */
    steno_precision precision;
    uint32_t threads, chunk_ms;
} live_library;

/* Errors: those of opening the model and of creating streams.  Finish the report in any case. */
steno_status live_library_run(const live_plan *plan, const live_library *library,
    live_report *out_report, steno_error *error);

#endif
