/*
 * The phrases of --phrase and --phrases.  Each is TEXT or TEXT=BOOST; a file has one a line, empty
 * lines and those beginning with "#" are skipped.
 */
#ifndef STENO_PHRASES_H
#define STENO_PHRASES_H

#include "growing.h"
#include "options.h"
#include "steno/stream.h"

typedef struct phrase_list {
    steno_phrase *phrases; /* [count], into the texts below */
    size_t count;
    char **texts; /* [text_count]: copies of the options' words */
    size_t text_count;
    growing file;
} phrase_list;

/* The boost of a phrase that has none with it: moderate. */
#define PHRASES_BOOST 5.0f

/* Those of the command line, then those of the file.  Errors: ARGUMENT (a boost that is none from
 * 0 to 20; LIMIT: more than the library takes), those of reading the file, MEMORY.
 * phrases_finish is due in either case. */
steno_status phrases_read(
    const option_values *options, phrase_list *out_phrases, steno_error *error);
void phrases_finish(phrase_list *phrases);

#endif
