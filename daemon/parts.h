/*
 * The parts of the daemon, put together: speech (model and engine), health and reflection as tables
 * of methods, the server that serves them, and what goes on around it.
 *
 *     parts_create(&options, &log, sockets, &parts, &error);
 *     parts_run(parts, &error);                 until parts_shutdown
 *     parts_destroy(parts);
 */
#ifndef DAEMON_PARTS_H
#define DAEMON_PARTS_H

#include <stdbool.h>

#include "settings/options.h"
#include "steno/status.h"
#include "system/log.h"

typedef struct parts parts;

/* options: complete; borrowed until destroy, as is the log.  sockets: how many the service manager
 * has handed over (system/systemd.h).  Errors: all that there can be, in words for a person. */
steno_status parts_create(const daemon_options *options, log_sink *log, unsigned sockets,
    parts **out_parts, steno_error *error);

/* Says where it listens, and serves until it has been shut down.  Errors: of what can't be had for
 * HTTP; it has not served then. */
steno_status parts_run(parts *parts, steno_error *error);

/* Gives notice and lets the streams under way end, for as long as the settings say, or ends at
 * once.  Any thread. */
void parts_shutdown(parts *parts, bool at_once);
uint32_t parts_notice_seconds(const parts *parts);
uint32_t parts_drain_seconds(const parts *parts);

/* Changes to other settings, as far as settings/options.h says that they reload, and reads again
 * the files that they name: everything is loaded and checked before anything is changed.  options
 * are borrowed for the time of the call.  One thread at a time, any but the server's: it may take
 * as long as loading a model.  On an error nothing has changed. */
steno_status parts_reload(parts *parts, const daemon_options *options, steno_error *error);

/* For the metrics: how a reload went as a whole, reading the settings included. */
void parts_count_reload(parts *parts, bool succeeded);

/* NULL is fine. */
void parts_destroy(parts *parts);

#endif
