#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

steno_status error_set(steno_error *error, steno_status status, const char *format, ...)
{
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        error->status = status;
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

steno_status error_memory(steno_error *error)
{
    return error_set(error, STENO_ERROR_MEMORY, "out of memory");
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

steno_status error_errno(steno_error *error, const char *path, int code)
{
    return error_set(error, status_of(code), "%s: %s", path, strerror(code));
}

const char *steno_status_name(steno_status status)
{
    switch (status) {
    case STENO_OK:
        return "ok";
    case STENO_AGAIN:
        return "again";
    case STENO_FULL:
        return "full";
    case STENO_END:
        return "end";
    case STENO_ERROR_ARGUMENT:
        return "invalid argument";
    case STENO_ERROR_MEMORY:
        return "out of memory";
    case STENO_ERROR_NOT_FOUND:
        return "not found";
    case STENO_ERROR_PERMISSION:
        return "permission denied";
    case STENO_ERROR_IO:
        return "input/output error";
    case STENO_ERROR_FORMAT:
        return "bad format";
    case STENO_ERROR_UNSUPPORTED:
        return "unsupported";
    case STENO_ERROR_LIMIT:
        return "limit exceeded";
    case STENO_ERROR_STATE:
        return "wrong state";
    case STENO_ERROR_INTERNAL:
        return "internal error";
    }
    return "unknown status";
}
