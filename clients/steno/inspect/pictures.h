/* The files that `steno inspect` was asked for: opened before the work begins, written when it is
 * done, each whole or not at all. */
#ifndef STENO_INSPECT_PICTURES_H
#define STENO_INSPECT_PICTURES_H

#include "inspect/page.h"
#include "options.h"

enum { PICTURES_MAX = 3 };

typedef struct picture {
    const char *path;
    struct output *file;
    steno_status (*draw)(sink *out, const heard *heard, const page_facts *facts);
} picture;

typedef struct pictures {
    picture items[PICTURES_MAX]; /* [count] */
    size_t count;
} pictures;

/* Which there are; nothing is opened.  STENO_ERROR_ARGUMENT if there are none, some can't be made,
 * or one would be written over the recording or another. */
steno_status pictures_init(pictures *self, const option_values *options, steno_error *error);

/* Errors name the file. */
steno_status pictures_open(pictures *self, steno_error *error);
steno_status pictures_write(
    pictures *self, const heard *heard, const page_facts *facts, steno_error *error);
/* Removes what was opened and not written. */
void pictures_finish(pictures *self);

#endif
