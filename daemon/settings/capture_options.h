/*
 * Captures in the configuration file: what the daemon itself listens to.
 *
 *     [capture hall]
 *     device = USB Audio
 *     phrase = Ada Lovelace=8
 *
 * A section for each, with one of device, file and fifo.  They stand in the file alone: neither
 * the command line nor the environment knows them.
 */
#ifndef SETTINGS_CAPTURE_OPTIONS_H
#define SETTINGS_CAPTURE_OPTIONS_H

#include "settings/option_values.h"
#include "steno/status.h"
#include "steno/stream.h"

enum { CAPTURES_MAX = 64, CAPTURE_NAME_BYTES = 64 };

/* Texts are owned; NULL: not given. */
typedef struct capture_setting {
    char *name;                 /* 1 to 63 letters, digits, dots, dashes, underscores; not "." */
    char *where;                /* "path:line" of the section */
    char *device, *file, *fifo; /* one of them */
    bool loop;                  /* of a file */
    uint32_t rate_hz;           /* 0, but for a FIFO: the device's or the file's own */
    uint32_t channels;          /* 0: likewise */
    uint32_t encoding;          /* of a FIFO: a steno_encoding */
    uint32_t channel;           /* 0: the mean of all */
    uint32_t chunk_ms;          /* 0: as for requests that name none */
    uint32_t endpoint_ms;
    uint32_t history;    /* finals kept for readers */
    option_list phrases; /* "TEXT" or "TEXT=BOOST" */
    uint32_t given;      /* a bit for each row of the table that was set */
} capture_setting;

typedef struct capture_options {
    capture_setting *items; /* [count] */
    size_t count;
} capture_options;

void capture_options_finish(capture_options *self);

/* A section begins: adds one, with everything as preset.  where: of the section.  It lives until
 * the next call.  Errors: ARGUMENT (a name that is none, or is there already), LIMIT, MEMORY. */
steno_status capture_options_begin(capture_options *self, const char *name, const char *where,
    capture_setting **out_setting, steno_error *error);
/* Errors: ARGUMENT, MEMORY. */
steno_status capture_options_set(capture_setting *setting, const char *key, const char *value,
    const char *where, steno_error *error);
/* Checks what depends on each other, and that files are there.  Errors name file and line:
 * ARGUMENT. */
steno_status capture_options_complete(capture_options *self, steno_error *error);

bool capture_options_are_equal(const capture_options *one, const capture_options *other);

/* What is listened to, for a person: "device USB Audio", copied and cut to size. */
void capture_options_describe(const capture_setting *setting, char *out_text, size_t size);

/* The text, cut off in place, and boost of what was given as a phrase; false if the boost is no
 * number from 0 to 20. */
bool capture_options_read_phrase(char *text, float *out_boost);

/* What is to be preferred, in the terms of a stream's options: [setting->phrases.count], with their
 * texts in one block for memory_free.  NULL: no memory. */
steno_phrase *capture_options_make_phrases(const capture_setting *setting);

/* The rows of --help. */
void capture_options_print_help(FILE *output);

#endif
