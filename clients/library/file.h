/* Whole small files: certificates and keys. */
#ifndef CLIENT_FILE_H
#define CLIENT_FILE_H

#include "steno/status.h"

enum { FILE_MAX_BYTES = 4 << 20 };

/* The file with a zero behind it, one block of memory_allocate.  Errors name it: NOT_FOUND,
 * PERMISSION, IO, LIMIT, FORMAT (zeros in it), MEMORY. */
steno_status file_read(const char *path, char **out_text, steno_error *error);

#endif
