/*
 * Writer: gathers small pieces of output into larger ones for a steno_write, and remembers the
 * first failure, after which it writes nothing.  Numbers don't depend on the locale.
 */
#ifndef TRANSCRIPT_WRITER_H
#define TRANSCRIPT_WRITER_H

#include <stdint.h>

#include "steno/format.h"

typedef struct writer {
    steno_write write;
    void *context;
    steno_status status; /* STENO_OK, or what `write` said when it failed */
    size_t used;
    char bytes[4096];
} writer;

void writer_init(writer *writer, steno_write write, void *context);
/* Hands on what is gathered; the writer's status. */
steno_status writer_flush(writer *writer);

void writer_bytes(writer *writer, const char *bytes, size_t size);
void writer_string(writer *writer, const char *string);
/* At least `digits` digits. */
void writer_number(writer *writer, uint64_t value, unsigned digits);
/* Milliseconds as seconds: "12.345". */
void writer_seconds(writer *writer, uint64_t ms);
/* A value in 0..1 with three decimals; what lies beyond is clipped, not-a-number is 0. */
void writer_share(writer *writer, float value);
/* Text with U+FFFD for what is ill-formed or a control character, and `space` for spaces. */
void writer_text(writer *writer, const char *text, char space);
/* Text as a JSON string, quotes included; U+FFFD for what is ill-formed. */
void writer_json(writer *writer, const char *text);

#endif
