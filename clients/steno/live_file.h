/*
 * A transcript that grows while someone speaks: each result is in the file as soon as it is final,
 * and whoever follows the file (tail -f) sees it.
 */
#ifndef STENO_LIVE_FILE_H
#define STENO_LIVE_FILE_H

#include <stddef.h>

#include "steno/status.h"

typedef struct live_file live_file;

/* Creates the file, or empties the one that is there.  Errors name it. */
steno_status live_file_open(const char *path, live_file **out_file, steno_error *error);

/* A steno_write: context is the file.  STENO_ERROR_IO sticks. */
steno_status live_file_write(void *context, const char *bytes, size_t size);

/* Closes it; the first error that there was, if any.  The file is gone then, whatever is returned.
 * NULL is fine. */
steno_status live_file_close(live_file *self, steno_error *error);

#endif
