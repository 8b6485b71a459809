/*
 * The daemon's log: entries of a message and named fields, to the journal where standard error
 * leads there, else to standard error as lines:
 *
 *     text    stenod: call ended method=/x.Y/Z status=OK request_id=4f0c...
 *     json    {"time":"2030-01-02T03:04:05.678Z","level":"info","message":"call ended",...}
 *
 * What clients say comes into the log as fields only, and control characters in it are escaped: a
 * line is an entry.  Audio never comes into it, and transcripts only where that was asked for
 * (speech/heard.h).
 *
 * Any thread.  An entry is one write; what can't be written is lost.
 */
#ifndef SYSTEM_LOG_H
#define SYSTEM_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

typedef enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
} log_level;

typedef enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON,
} log_format;

typedef struct log_sink {
    _Atomic uint32_t level;  /* of the least important entries written */
    _Atomic uint32_t format; /* a log_format */
    _Atomic bool transcripts;
    bool has_journal; /* constant after init */
} log_sink;

/* Text, entries of LOG_LEVEL_INFO and above, no transcripts. */
void log_init(log_sink *self);
void log_set(log_sink *self, log_level level, log_format format);
/* Whether what is recognised may be written; of no effect on what has been. */
void log_set_transcripts(log_sink *self, bool wanted);

/* Whether entries of a level are written at all. */
bool log_wants(const log_sink *self, log_level level);
bool log_wants_transcripts(const log_sink *self);

/* A field's name: lower case and underscores; its text may be anything, NULL leaves it out. */
typedef struct log_field {
    const char *name, *text;
} log_field;

enum { LOG_FIELDS_MAX = 12 };

/* message: at most 600 bytes.  At most LOG_FIELDS_MAX fields; what is too long for a line of 4 KiB
 * is left out. */
void log_write(
    log_sink *self, log_level level, const char *message, const log_field *fields, size_t count);
/* An entry without fields. */
void log_say(log_sink *self, log_level level, const char *format, ...) STENO_PRINTF(3, 4);

#endif
