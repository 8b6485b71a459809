/*
 * A list of recordings with what is said in them: a line each, tab separated: path, text and, if
 * wanted, a group.  Empty lines and those beginning with "#" are skipped, as is a first line
 * "audio<tab>text...".  Relative paths are relative to the manifest's folder.
 */
#ifndef STENO_MANIFEST_H
#define STENO_MANIFEST_H

#include <stddef.h>

#include "steno/status.h"

typedef struct manifest_entry {
    char *path; /* as to be opened */
    const char *text;
    const char *group; /* "" if none is given */
} manifest_entry;

typedef struct manifest {
    manifest_entry *entries; /* [count] */
    size_t count, capacity;
    char *bytes; /* the file */
} manifest;

/* Errors name file and line: NOT_FOUND, PERMISSION, IO, FORMAT (a line without text, no line at
 * all, zero bytes), MEMORY.  manifest_finish is due in either case. */
steno_status manifest_read(const char *path, manifest *out_manifest, steno_error *error);
void manifest_finish(manifest *self);

#endif
