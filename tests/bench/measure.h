/*
 * What bench_recognizer measures: one model in one precision, on an engine of one thread, in a
 * process of its own so that its peak memory is its own too.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>

#include "steno/steno.h"

enum { MEASURE_MAX_LOADS = 12 };

typedef struct measure_plan {
    const char *model;
    steno_precision precision;
    steno_search search;
    uint32_t chunk_ms;
    uint32_t max_streams;    /* the most streams fed side by side; 0: skip */
    uint32_t stream_seconds; /* of audio each of them is fed */
    uint32_t rate_hz;
    const float *audio; /* [samples], mono */
    size_t samples;
} measure_plan;

/* One way of feeding one stream. */
typedef struct measure_run {
    double audio_s;
    double wall_s; /* from the first sample to the last result */
    double cpu_s;  /* processor time meanwhile: less than wall_s where other programs ran too */
    /* By all workers, by stage. */
    double feature_s, encoder_s, decoder_s, transcript_s;
    double encodings_per_batch;    /* mean */
    double step_p50_s, step_p95_s; /* live only: from a chunk's last sample to its recognition */
    size_t words;
} measure_run;

/* `streams` live streams side by side. */
typedef struct measure_load {
    uint32_t streams;
    double load;       /* wall seconds per second of audio: below 1, all keep up */
    double cpu;        /* processor seconds per second of audio */
    double step_p95_s; /* from the last stream's chunk being fed to all being recognised */
} measure_load;

typedef struct measure_report {
    steno_status status; /* STENO_ERROR_UNSUPPORTED: the processor lacks the precision */
    char message[512];
    char operators[16];
    double open_s;         /* opening the model */
    size_t stream_bytes;   /* what one stream holds */
    size_t peak_model_kb;  /* peak resident memory with the model open */
    size_t peak_stream_kb; /* ... after both runs of one stream */
    size_t parameters;
    measure_run file, live;
    double encoder_giga; /* operations (a multiplication and an addition are two) a second */
    double encoder_giga_live;
    double peak_giga; /* of one large matrix product in this precision */
    measure_load loads[MEASURE_MAX_LOADS];
    size_t load_count;
} measure_report;

/* Never fails but by the report's status. */
void measure(const measure_plan *plan, measure_report *report);

#endif
