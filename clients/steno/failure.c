#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

steno_status failure_set(steno_error *error, steno_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return error->status = status;
}

steno_status failure_memory(steno_error *error)
{
    return failure_set(error, STENO_ERROR_MEMORY, "out of memory");
}

static steno_status status_of(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return STENO_ERROR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return STENO_ERROR_PERMISSION;
    case ENOMEM:
        return STENO_ERROR_MEMORY;
    default:
        return STENO_ERROR_IO;
    }
}

steno_status failure_errno(steno_error *error, const char *path, int code)
{
    return failure_set(error, status_of(code), "%s: %s", path, strerror(code));
}
