/*
 * Reloading: on request, a thread of its own reads the settings again, from where they came from,
 * and has the parts change to them.  Loading a model takes its time, and neither calls nor signals
 * should wait for it.  Requests that come meanwhile lead to one more reload.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "parts.h"

/* All borrowed until destroy. */
typedef struct reload_setting {
    parts *parts;
    log_sink *log;
    const daemon_options *options; /* that the daemon began with */
    int argc;
    char **argv;
} reload_setting;

typedef struct reload reload;

steno_status reload_create(const reload_setting *setting, reload **out_reload, steno_error *error);
/* Any thread. */
void reload_request(reload *reload);
/* Waits for the one under way.  NULL is fine. */
void reload_destroy(reload *reload);

#endif
