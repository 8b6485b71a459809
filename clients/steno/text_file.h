/* Whole text files in memory. */
#ifndef STENO_TEXT_FILE_H
#define STENO_TEXT_FILE_H

#include "growing.h"

/* Appends the file with a zero behind it.  Errors name the path: NOT_FOUND, PERMISSION, IO, FORMAT
 * (zeros in it), MEMORY; growing_finish is due in either case. */
steno_status text_file_read(const char *path, growing *out_bytes, steno_error *error);

#endif
