/*
 * A file that is written whole or not at all: bytes go to a temporary file beside it, which takes
 * its name on commit.  Devices and pipes (/dev/null, a FIFO) are written directly.
 */
#ifndef STENO_OUTPUT_H
#define STENO_OUTPUT_H

#include <stddef.h>

#include "steno/status.h"

typedef struct output output;

/* A symbolic link is followed.  Errors name the file. */
steno_status output_open(const char *path, output **out_output, steno_error *error);

/* A steno_write: context is the output.  What failed is told by commit. */
steno_status output_write(void *context, const char *bytes, size_t size);

/* Closes the file and puts it in place; the output is gone then, whatever is returned. */
steno_status output_commit(output *self, steno_error *error);
/* Removes what was written; NULL is fine. */
void output_discard(output *self);

/* All of the bytes to a descriptor that waits, whatever signals come in between: 0, or an errno. */
int output_write_to(int fd, const char *bytes, size_t size);

#endif
