/*
 * What a capture has heard, as far as it is kept, as a file of one of the formats of
 * steno/format.h.
 */
#ifndef CAPTIONS_FILE_H
#define CAPTIONS_FILE_H

#include <stdio.h>

#include "captions/captions.h"
#include "steno/format.h"
#include "steno/status.h"

/* Times count from the moment that the capture began to listen.  Any thread.  Errors: MEMORY, IO
 * (the stream's). */
steno_status captions_file_write(
    captions_source *source, steno_format format, FILE *file, steno_error *error);

#endif
