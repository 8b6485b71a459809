/* The two halves of Google's protocol to each other: wire_google_request.c reads, wire_google.c
 * writes and has the tables. */
#ifndef DAEMON_WIRE_GOOGLE_H
#define DAEMON_WIRE_GOOGLE_H

#include "daemon/wire.h"

steno_status wire_google_read_streaming(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);
steno_status wire_steno_read_streaming(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);
steno_status wire_google_read_whole(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);
steno_status wire_steno_read_whole(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);

#endif
