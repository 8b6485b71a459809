/* The two halves of Google's protocol to each other: google_request.c reads, google.c writes and
 * has the tables. */
#ifndef WIRE_GOOGLE_H
#define WIRE_GOOGLE_H

#include "wire/wire.h"

steno_status wire_google_read_streaming(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);
steno_status wire_steno_read_streaming(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);
steno_status wire_google_read_whole(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);
steno_status wire_steno_read_whole(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);

#endif
