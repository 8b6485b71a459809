/*
 * Text to words as word error rates compare them: lower case; letters a-z, digits and apostrophes
 * are kept, hyphens and dashes become spaces, all else is dropped; mr, mrs and dr are written out
 * (mister, missus, doctor).  A typographic apostrophe is an apostrophe.  Letters beyond a-z are
 * dropped on both sides.
 */
#ifndef STENO_WORDS_H
#define STENO_WORDS_H

#include <stddef.h>

#include "steno/status.h"

typedef struct words {
    const char **list; /* [count], terminated */
    size_t count;
    char *text; /* where they stand */
} words;

/* STENO_ERROR_MEMORY.  `words` is to be finished on success. */
steno_status words_split(const char *text, words *out_words);
void words_finish(words *self);

#endif
