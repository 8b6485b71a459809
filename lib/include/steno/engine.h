/*
 * The engine: worker threads that run the streams made on it, batching chunks that are ready.
 *
 *     steno_engine_create(NULL, &engine, &error);
 *     ... steno_stream_create(engine, model, ...) ...
 *     steno_engine_destroy(engine);     after all its streams
 */
#ifndef STENO_ENGINE_H
#define STENO_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct steno_engine_options {
    uint32_t threads; /* workers; 0: one per core this process may use (affinity, cgroup quota) */
} steno_engine_options;

typedef struct steno_engine steno_engine;

STENO_API steno_status steno_engine_create(
    const steno_engine_options *options, steno_engine **out_engine, steno_error *error);
/* Joins the workers.  All streams must have been destroyed. */
STENO_API void steno_engine_destroy(steno_engine *engine);

STENO_API uint32_t steno_engine_threads(const steno_engine *engine);
/* Cores this process may use, at least 1. */
STENO_API uint32_t steno_engine_cores(void);

/* Time spent so far by all workers, in nanoseconds, by stage; for benchmarks and metrics. */
typedef struct steno_engine_times {
    uint64_t feature_ns, encoder_ns, decoder_ns, transcript_ns;
    uint64_t audio_ms; /* audio recognised */
    uint64_t batches;  /* encoder batches run */
    uint64_t items;    /* streams in them, summed */
} steno_engine_times;

STENO_API void steno_engine_get_times(const steno_engine *engine, steno_engine_times *out_times);

/* How busy the engine is and has been, for metrics.  A turn is what a worker does with one stream
 * of a batch: as a rule one chunk of its audio. */
enum { STENO_ENGINE_BATCH_BUCKETS = 10, STENO_ENGINE_LATENCY_BUCKETS = 16 };

typedef struct steno_engine_load {
    uint64_t streams; /* there are now */
    uint64_t queued;  /* of these: have a chunk of audio and wait for a worker */
    /* Batches by their number of streams: [i] those above 2^(i-1) and up to 2^i, [0] those of one,
     * the last all that are larger, too. */
    uint64_t batch_sizes[STENO_ENGINE_BATCH_BUCKETS];
    /* Turns by the time from the stream's being queued to its being recognised, likewise: [i] those
     * of up to 2^i ms; and the sum of these times. */
    uint64_t turn_latencies[STENO_ENGINE_LATENCY_BUCKETS];
    uint64_t turn_latency_ns;
} steno_engine_load;

/* Any thread. */
STENO_API void steno_engine_get_load(const steno_engine *engine, steno_engine_load *out_load);

#ifdef __cplusplus
}
#endif

#endif
