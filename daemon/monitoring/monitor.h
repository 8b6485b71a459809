/*
 * What those who operate the daemon get to see of it: a log entry and counters for each call, and
 * metrics and states over HTTP.
 *
 *     monitor_create(log, speech, services, captures, &monitor, &error);
 *     ... http_handler of monitor_answer ...        if HTTP is wanted: between server and monitor
 *     ... the server's hooks call monitor_ended, monitor_beat, monitor_drain ...
 *     monitor_destroy(monitor);                     after server and HTTP
 */
#ifndef MONITORING_MONITOR_H
#define MONITORING_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "captions/captions.h"
#include "http/http.h"
#include "server/server.h"
#include "services/services.h"
#include "speech/speech.h"
#include "steno/status.h"
#include "system/log.h"

/* How often the server's thread must say that it is alive for /healthz to say so. */
enum { MONITOR_BEAT_MS = 5000, MONITOR_DEAD_MS = 30000 };

typedef struct monitor monitor;

/* All borrowed until destroy.  Errors: MEMORY. */
steno_status monitor_create(log_sink *log, speech *speech, services *services, captions *captures,
    monitor **out_monitor, steno_error *error);
/* Of which server the metrics tell; before the first request. */
void monitor_watch(monitor *self, const server *server);
/* For http_handler: /metrics, /healthz, /readyz. */
bool monitor_answer(void *context, http_exchange *exchange);
/* NULL is fine. */
void monitor_destroy(monitor *self);

/* From the server's hooks. */
void monitor_ended(monitor *self, const server_report *report);
void monitor_beat(monitor *self);
void monitor_drain(monitor *self);

/* Any thread. */
void monitor_reloaded(monitor *self, bool succeeded);
void monitor_set(monitor *self, uint32_t max_streams, int64_t certificate_expires_s);

#endif
