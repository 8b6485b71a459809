/*
 * Text of marked-up documents, piece by piece to where it is written.  The first failure stays, and
 * nothing is written after it: who writes need not look until the end.
 */
#ifndef STENO_INSPECT_SINK_H
#define STENO_INSPECT_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "steno/format.h"

typedef struct sink {
    steno_write write;
    void *context;
    steno_status status; /* negative once writing has failed */
} sink;

/* As they are. */
void sink_bytes(sink *self, const char *bytes, size_t size);
void sink_text(sink *self, const char *text);
/* At most 1023 bytes at once. */
STENO_PRINTF(2, 3) void sink_print(sink *self, const char *format, ...);

/* Text as content or as an attribute's value: markup is escaped; what is not UTF-8, or no character
 * of XML, becomes U+FFFD. */
void sink_escaped(sink *self, const char *text);

/* Several pieces, of which all but the last have a multiple of three bytes, make one. */
void sink_base64(sink *self, const void *bytes, size_t size);

#endif
