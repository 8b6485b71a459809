#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

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
