#include "monitoring/monitor.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "monitoring/metrics.h"
#include "steno/engine.h"
#include "system/alarms.h"

struct monitor {
    /* Constant after watch. */
    log_sink *log;
    speech *speech;
    services *services;
    captions *captures;
    const server *server;
    metrics *metrics;

    /* Any thread. */
    _Atomic uint64_t beat_at_ms;
    _Atomic bool is_draining;
    _Atomic uint32_t max_streams;
    _Atomic int64_t certificate_expires_s;
};

/* ---- Calls ---- */

static log_level level_of(const server_report *report)
{
    if (report->status == CALL_INTERNAL || report->status == CALL_UNKNOWN)
        return LOG_LEVEL_ERROR;
    if (report->refusal != SERVER_TAKEN && report->refusal != SERVER_NO_SUCH_METHOD)
        return LOG_LEVEL_WARNING;
    bool is_work = report->method != NULL && report->method->recognises;
    return is_work || report->status != CALL_OK ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

void monitor_ended(monitor *self, const server_report *report)
{
    metrics_count_call(self->metrics, report);
    log_level level = level_of(report);
    if (!log_wants(self->log, level))
        return;
    char duration[24];
    snprintf(duration, sizeof(duration), "%llu", (unsigned long long)report->duration_ms);
    const log_field fields[] = {
        {"method", report->method != NULL ? report->method->path : NULL},
        {"status", call_status_name(report->status)},
        {"reason", report->status != CALL_OK ? report->message : NULL},
        {"duration_ms", duration},
        {"client", report->call != NULL ? call_client(report->call) : NULL},
        {"peer", report->call != NULL ? call_peer(report->call) : NULL},
        {"request_id", report->call != NULL ? call_request_id(report->call) : NULL},
    };
    log_write(self->log, level, report->refusal == SERVER_TAKEN ? "call ended" : "call refused",
        fields, sizeof(fields) / sizeof(fields[0]));
}

static void on_answered(void *context, uint64_t latency_ms)
{
    monitor *self = context;
    metrics_count_final(self->metrics, latency_ms);
}

/* ---- States ---- */

void monitor_beat(monitor *self)
{
    atomic_store_explicit(&self->beat_at_ms, alarms_now_ms(), memory_order_relaxed);
}

void monitor_drain(monitor *self)
{
    atomic_store(&self->is_draining, true);
}

void monitor_reloaded(monitor *self, bool succeeded)
{
    metrics_count_reload(self->metrics, succeeded);
}

void monitor_set(monitor *self, uint32_t max_streams, int64_t certificate_expires_s)
{
    atomic_store(&self->max_streams, max_streams);
    atomic_store(&self->certificate_expires_s, certificate_expires_s);
}

static bool is_alive(const monitor *self)
{
    uint64_t last = atomic_load_explicit(&self->beat_at_ms, memory_order_relaxed);
    uint64_t now = alarms_now_ms();
    return now < last || now - last < MONITOR_DEAD_MS;
}

static bool is_ready(const monitor *self)
{
    return is_alive(self) && !atomic_load(&self->is_draining);
}

/* ---- Metrics ---- */

static steno_status write_metrics(const void *context, FILE *file)
{
    const monitor *self = context;
    char id[FINGERPRINT_BYTES];
    steno_model *model = speech_identify(self->speech, id);
    const steno_engine *engine = speech_engine(self->speech);
    metrics_state state = {
        .streams_open = server_streams(self->server),
        .streams_limit = atomic_load(&self->max_streams),
        .streams_total = server_streams_total(self->server),
        .operations = services_operations_pending(self->services),
        .threads = steno_engine_threads(engine),
        .is_ready = is_ready(self),
        .model_id = id,
        .captures = self->captures,
        .certificate_expires_s = atomic_load(&self->certificate_expires_s),
    };
    steno_engine_get_times(engine, &state.times);
    steno_engine_get_load(engine, &state.load);
    steno_model_get_info(model, &state.model);
    metrics_write(self->metrics, &state, file);
    steno_model_unref(model);
    return STENO_OK;
}

/* ---- HTTP ---- */

static void answer_state(http_exchange *exchange, bool is_good)
{
    http_answer_text(exchange, is_good ? 200 : 503, is_good ? "ok\n" : "unavailable\n");
}

bool monitor_answer(void *context, http_exchange *exchange)
{
    monitor *self = context;
    const char *path = http_path(exchange);
    bool is_metrics = strcmp(path, "/metrics") == 0, is_health = strcmp(path, "/healthz") == 0;
    if (!is_metrics && !is_health && strcmp(path, "/readyz") != 0)
        return false;
    if (!http_is_reading(exchange))
        http_refuse_method(exchange, "GET, HEAD");
    else if (is_metrics)
        http_answer_written(
            exchange, 200, "text/plain; version=0.0.4; charset=utf-8", write_metrics, self);
    else
        answer_state(exchange, is_health ? is_alive(self) : is_ready(self));
    return true;
}

/* ---- Beginning and end ---- */

steno_status monitor_create(log_sink *log, speech *recogniser, services *served, captions *captures,
    monitor **out_monitor, steno_error *error)
{
    const call_method *const *methods;
    size_t count = services_methods(served, &methods);
    monitor *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->log = log;
    self->speech = recogniser;
    self->services = served;
    self->captures = captures;
    steno_status status = metrics_create(methods, count, &self->metrics, error);
    if (status < 0) {
        memory_free(self);
        return status;
    }
    services_watch(served, on_answered, self);
    monitor_beat(self);
    *out_monitor = self;
    return STENO_OK;
}

void monitor_watch(monitor *self, const server *watched)
{
    self->server = watched;
}

void monitor_destroy(monitor *self)
{
    if (self == NULL)
        return;
    metrics_destroy(self->metrics);
    memory_free(self);
}
