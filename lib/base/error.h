/* Filling in a steno_error and returning its status in one expression:
 *
 *     return error_set(error, STENO_ERROR_FORMAT, "%s: truncated header", path);
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "steno/status.h"

/* Writes status and the formatted message to *error unless error is NULL; returns status. */
steno_status error_set(steno_error *error, steno_status status, const char *format, ...)
    STENO_PRINTF(3, 4);

/* The same for an allocation that failed: STENO_ERROR_MEMORY, "out of memory". */
steno_status error_memory(steno_error *error);

/* The same for what the system says of a file, "PATH: No such file or directory" say; code: an
 * errno.  STENO_ERROR_NOT_FOUND, PERMISSION, MEMORY or IO. */
steno_status error_errno(steno_error *error, const char *path, int code);

#endif
