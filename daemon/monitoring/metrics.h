/*
 * What the daemon has done and is doing, in numbers, for Prometheus.  Counting is a relaxed
 * addition or two; everything else is worked out when somebody asks.
 *
 *     metrics_create(methods, count, &metrics, &error);
 *     metrics_count_call(metrics, &report);
 *     metrics_write(metrics, &state, file);
 *     metrics_destroy(metrics);
 *
 * docs/operations.md lists the names, which are not changed lightly: people's dashboards use them.
 */
#ifndef MONITORING_METRICS_H
#define MONITORING_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "captions/captions.h"
#include "server/server.h"
#include "steno/engine.h"
#include "steno/model.h"
#include "steno/status.h"

typedef struct metrics metrics;

/* methods [count] are borrowed until destroy.  Errors: MEMORY. */
steno_status metrics_create(const call_method *const *methods, size_t method_count,
    metrics **out_metrics, steno_error *error);
/* NULL is fine. */
void metrics_destroy(metrics *self);

/* These on any thread. */
void metrics_count_call(metrics *self, const server_report *report);
/* From the end of a stream's audio to its last result. */
void metrics_count_final(metrics *self, uint64_t latency_ms);
void metrics_count_reload(metrics *self, bool succeeded);

/* What is known elsewhere, at the moment of asking. */
typedef struct metrics_state {
    uint32_t streams_open, streams_limit;
    uint64_t streams_total;
    uint32_t operations;
    uint32_t threads;
    bool is_ready;
    steno_engine_times times;
    steno_engine_load load;
    steno_model_info model;        /* its texts are borrowed for the time of the call */
    const char *model_id;          /* likewise */
    int64_t certificate_expires_s; /* since 1970; 0: there is none */
    captions *captures;            /* borrowed likewise */
} metrics_state;

/* Everything, in Prometheus' text format, to a file in memory or not. */
void metrics_write(const metrics *self, const metrics_state *state, FILE *file);

#endif
