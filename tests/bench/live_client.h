/*
 * Live streams on a daemon, by one thread of a light client: each has a connection of its own.
 * Riva's messages, because only their results tell how far the audio was heard when they were made.
 */
#ifndef BENCH_LIVE_CLIENT_H
#define BENCH_LIVE_CLIENT_H

#include "live.h"
#include "steno/status.h"

/* target: "unix:PATH", "HOST:PORT".  Errors: MEMORY, IO (no connection).  Finish the report in any
 * case. */
steno_status live_client_run(
    const live_plan *plan, const char *target, live_report *out_report, steno_error *error);

#endif
