/*
 * The daemon's settings.  One table of options drives the command line (--max-streams 8), the
 * environment (STENOD_MAX_STREAMS=8), the configuration file (max-streams = 8) and --help.  Where
 * several speak, the command line counts, then the environment, then the file.
 *
 *     options_init(&options);
 *     options_read_arguments(&options, argc, argv, &error);
 *     options_read_environment(&options, environ, &error);
 *     config_read(&options, options.config, &error);           config.h
 *     options_complete(&options, &error);
 *     ... options.listen.items[0] ...
 *     options_finish(&options);
 *
 * Errors say where the value stands: "--threads", "STENOD_THREADS", "stenod.conf:12".
 */
#ifndef SETTINGS_OPTIONS_H
#define SETTINGS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "settings/capture_options.h"
#include "settings/option_values.h"
#include "steno/model.h"
#include "steno/status.h"

typedef enum option_source {
    OPTION_SOURCE_DEFAULT,
    OPTION_SOURCE_FILE,
    OPTION_SOURCE_ENVIRONMENT,
    OPTION_SOURCE_ARGUMENTS,
} option_source;

#define OPTIONS_MAX 48

/* Texts are owned; NULL: not given. */
typedef struct daemon_options {
    /* server */
    option_list listen;
    bool allow_plaintext_beyond_loopback;
    char *tls_cert, *tls_key, *tls_client_ca;
    char *tokens;
    uint32_t notice_seconds, drain_seconds;

    /* recognition */
    char *model;
    uint32_t precision; /* a steno_precision */
    uint32_t threads;   /* 0: one per core */
    uint32_t chunk_ms;  /* 0: the model's largest */
    uint32_t beam;      /* 0: the model's */

    /* limits */
    uint32_t max_streams; /* after options_complete never 0 */
    uint32_t max_streams_per_client;
    option_list client_limits; /* "NAME=N" */
    uint32_t backlog_seconds;
    uint32_t max_message_mb;
    uint32_t max_connections;          /* likewise */
    uint32_t max_calls_per_connection; /* 0: no limit of its own */
    uint32_t captions_readers;
    uint32_t idle_seconds; /* 0: for ever */
    uint32_t handshake_seconds;

    /* captures; in the file alone */
    capture_options captures;
    uint32_t max_watchers;

    /* monitoring */
    char *http;
    bool captions_page;
    uint32_t log_level;  /* a log_level */
    uint32_t log_format; /* a log_format */
    bool log_transcripts;

    /* Sockets are handed over: no addresses are preset. */
    bool has_sockets;

    /* what to do */
    char *config;
    bool check_config, help, version;

    option_source sources[OPTIONS_MAX]; /* who set each option of the table */
} daemon_options;

/* Everything as preset.  Errors: MEMORY; finish is fine then. */
steno_status options_init(daemon_options *self);
void options_finish(daemon_options *self);

/* NULL if there is none of this name [length]. */
const option_entry *options_find(const char *name, size_t length);

/* Sets one from a text, unless a stronger source has.  value: NULL for a switch that stands alone.
 * where: for the error.  Errors: ARGUMENT, MEMORY. */
steno_status options_set(daemon_options *self, const option_entry *entry, const char *value,
    option_source source, const char *where, steno_error *error);

/* Errors: ARGUMENT (unknown, a value missing or wrong), MEMORY. */
steno_status options_read_arguments(
    daemon_options *self, int argc, char *const *argv, steno_error *error);
/* environment: ended by NULL.  Variables of other names are passed over, also those that only begin
 * with STENOD_ (container platforms make such up). */
steno_status options_read_environment(
    daemon_options *self, char *const *environment, steno_error *error);

/* Finds what nobody has set (addresses, streams by cores) and checks what depends on each other.
 * Errors: ARGUMENT, MEMORY. */
steno_status options_complete(daemon_options *self, steno_error *error);

/* The option after `after` (NULL: the first) in which the two differ and that a reload does not
 * change; NULL: there is none. */
const option_entry *options_next_fixed(
    const daemon_options *a, const daemon_options *b, const option_entry *after);

void options_print_help(FILE *output);

#endif
