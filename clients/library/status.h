/* How a call ended, in words for the person whose words it was to recognise. */
#ifndef CLIENT_STATUS_H
#define CLIENT_STATUS_H

#include <stdbool.h>

#include "steno/status.h"

/* gRPC's codes that are looked at. */
enum {
    STATUS_OK = 0,
    STATUS_CANCELLED = 1,
    STATUS_UNKNOWN = 2,
    STATUS_INVALID_ARGUMENT = 3,
    STATUS_DEADLINE_EXCEEDED = 4,
    STATUS_NOT_FOUND = 5,
    STATUS_PERMISSION_DENIED = 7,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_FAILED_PRECONDITION = 9,
    STATUS_UNIMPLEMENTED = 12,
    STATUS_UNAVAILABLE = 14,
    STATUS_UNAUTHENTICATED = 16,
};

/* Fills in the error and returns its status.  code: not STATUS_OK; opened: whether the server had
 * taken the call, so that it was not connecting that failed. */
steno_status status_explain(
    const char *address, int code, const char *details, bool opened, steno_error *error);

/* Whether another server might do what this one did not. */
bool status_is_worth_another(int code);

#endif
