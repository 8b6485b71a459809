/*
 * Where each result goes, settled before anything is begun: with --output-dir, inputs that would
 * write the same file, or over an input, are refused.
 */
#ifndef STENO_PLAN_H
#define STENO_PLAN_H

#include <stddef.h>

#include "options.h"

typedef struct plan {
    char **outputs; /* [count] paths; NULL: standard output */
    size_t count;
} plan;

/* STENO_ERROR_ARGUMENT where the options contradict each other or the inputs; STENO_ERROR_MEMORY.
 * plan_finish is due in either case. */
steno_status plan_init(plan *self, const option_values *options, steno_error *error);
void plan_finish(plan *self);

/* Whether --interim goes with the other options: STENO_OK or STENO_ERROR_ARGUMENT. */
steno_status plan_check_interim(const option_values *options, steno_error *error);

/* The last part of a path without its extension: "talk" of "/a/talk.wav", ".hidden" as it is,
 * "stdin" of "-".  The caller frees it; NULL when memory is out. */
char *plan_base_name(const char *path);

#endif
