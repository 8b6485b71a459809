/* steno.v1.Captions as messages: requests in, captions out. */
#ifndef WIRE_CAPTIONS_H
#define WIRE_CAPTIONS_H

#include "captions/captions.h"
#include "wire/wire.h"

typedef struct wire_watch {
    char capture[128]; /* one that is longer is cut, and so found nowhere */
    captions_from from;
    bool interim;
} wire_watch;

/* Errors: ARGUMENT, LIMIT. */
steno_status wire_captions_read_watch(
    const uint8_t *bytes, size_t size, wire_watch *out_watch, steno_error *error);
steno_status wire_captions_read_list(const uint8_t *bytes, size_t size, steno_error *error);

void wire_captions_write_event(wire_output *output, const captions_event *event);

/* Appends one capture of ListCaptures' answer, whose messages joined are one. */
void wire_captions_write_capture(wire_output *output, const captions_source *source,
    const captions_status *status, const captions_counts *counts);

#endif
