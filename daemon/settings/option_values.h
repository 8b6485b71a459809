/*
 * Options as rows of tables: a row says where in an object the value lies and what is right for it.
 * The daemon's settings are one such object (options.h), each capture's another
 * (capture_options.h).
 */
#ifndef SETTINGS_OPTION_VALUES_H
#define SETTINGS_OPTION_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "steno/status.h"

typedef struct option_list {
    char **items; /* [count], owned */
    size_t count;
} option_list;

/* Who reads which kind of value. */
typedef enum option_kind {
    OPTION_SWITCH, /* bool; in files and environment "yes" or "no" */
    OPTION_NUMBER, /* uint32_t between minimum and maximum */
    OPTION_CHOICE, /* uint32_t: which of `choices` */
    OPTION_TEXT,   /* char * */
    OPTION_LIST,   /* option_list; repeated, or separated by commas */
    OPTION_LINES,  /* option_list; repeated, each value whole */
} option_kind;

typedef struct option_entry {
    const char *name;     /* as on the command line, without "--" */
    const char *section;  /* of the file; NULL: on the command line alone */
    const char *argument; /* what --help calls the value; NULL for a switch */
    option_kind kind;
    size_t offset; /* in the object */
    uint32_t minimum, maximum;
    const char *const *choices; /* ended by NULL */
    const char *preset;         /* as text; NULL: none, or one that options_complete finds */
    const char *help;
    bool reloads; /* a reload changes it; otherwise a restart does */
} option_entry;

/* The row of this name [length], or NULL. */
const option_entry *option_find(
    const option_entry *entries, size_t count, const char *name, size_t length);

/* What to do with a value that is right. */
typedef enum option_setting {
    OPTION_CHECK,   /* nothing */
    OPTION_REPLACE, /* set it */
    OPTION_ADD,     /* the same, but a list gets longer */
} option_setting;

/* value: NULL for a switch that stands alone.  where: for the error.  Errors: ARGUMENT, MEMORY. */
steno_status option_set(void *object, const option_entry *entry, const char *value,
    option_setting how, const char *where, steno_error *error);

/* Frees what the object holds there. */
void option_finish(void *object, const option_entry *entry);

bool option_is_equal(const option_entry *entry, const void *one, const void *other);

/* Errors: MEMORY. */
steno_status option_list_append(option_list *list, const char *text, size_t length);

/* A row of --help; `dashes` before the name, `equals` between it and what the value is called. */
void option_print_help(
    FILE *output, const option_entry *entry, const char *dashes, const char *equals);

#endif
