/* Filling in a steno_error and returning its status in one expression:
 *
 *     return failure_set(error, STENO_ERROR_FORMAT, "%s: no recordings in it", path);
 */
#ifndef STENO_FAILURE_H
#define STENO_FAILURE_H

#include "steno/status.h"

/* error: never NULL, here and below. */
steno_status failure_set(steno_error *error, steno_status status, const char *format, ...)
    STENO_PRINTF(3, 4);

/* STENO_ERROR_MEMORY, "out of memory". */
steno_status failure_memory(steno_error *error);

/* What the system says of a file, "PATH: No such file or directory" say; code: an errno.
 * STENO_ERROR_NOT_FOUND, PERMISSION, MEMORY or IO. */
steno_status failure_errno(steno_error *error, const char *path, int code);

#endif
