/*
 * A small HTTP server for those who watch over the daemon: /metrics, /healthz, /readyz.  http.c is
 * by libmicrohttpd; http_absent.c stands for it in a build without.
 *
 * One thread of its own answers; it calls back for what to say.
 */
#ifndef DAEMON_HTTP_H
#define DAEMON_HTTP_H

#include <stdbool.h>
#include <stdio.h>

#include "steno/status.h"

typedef struct http_setting {
    const char *address; /* HOST:PORT; borrowed during create */
    /* On the HTTP thread. */
    void (*write_metrics)(void *context, FILE *file);
    bool (*is_alive)(void *context);
    bool (*is_ready)(void *context);
    void *context;
} http_setting;

typedef struct http http;

/* Errors name the address: ARGUMENT, NOT_FOUND, STATE (somebody listens there), PERMISSION, IO,
 * MEMORY; UNSUPPORTED in a build without libmicrohttpd. */
steno_status http_create(const http_setting *setting, http **out_http, steno_error *error);
/* What port 0 has become. */
int http_port(const http *self);
/* NULL is fine. */
void http_destroy(http *self);

#endif
