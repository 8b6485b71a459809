#include "status.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* Parts of what gRPC and OpenSSL say, in lower case, and what they mean here; the first that is
 * found holds. */
static const struct {
    const char *part, *meaning;
    steno_status status;
} reasons[] = {
    {"certificate verify failed", "its certificate is not signed by an authority that is trusted",
        STENO_ERROR_PERMISSION},
    {"hostname verification", "its certificate is for another name", STENO_ERROR_PERMISSION},
    {"peer name", "its certificate is for another name", STENO_ERROR_PERMISSION},
    {"wrong version number", "it does not speak TLS", STENO_ERROR_NOT_FOUND},
    {"certificate required", "it wants a certificate from us", STENO_ERROR_PERMISSION},
    {"alert", "it refuses to speak TLS with us", STENO_ERROR_PERMISSION},
    {"http1.x server", "it does not speak gRPC", STENO_ERROR_NOT_FOUND},
    {"connection refused", "connection refused", STENO_ERROR_NOT_FOUND},
    {"no such file or directory", "there is no such socket", STENO_ERROR_NOT_FOUND},
    {"permission denied", "permission denied", STENO_ERROR_PERMISSION},
    {"domain name not found", "no such host", STENO_ERROR_NOT_FOUND},
    {"dns resolution failed", "no such host", STENO_ERROR_NOT_FOUND},
    {"network is unreachable", "network is unreachable", STENO_ERROR_NOT_FOUND},
    {"no route to host", "no route to host", STENO_ERROR_NOT_FOUND},
    {"timer expired", "no answer in time", STENO_ERROR_NOT_FOUND},
    {"timed out", "no answer in time", STENO_ERROR_NOT_FOUND},
    {"timeout", "no answer in time", STENO_ERROR_NOT_FOUND},
    {"settings frame", "it does not speak gRPC", STENO_ERROR_NOT_FOUND},
    {"reset by peer", "it hung up", STENO_ERROR_NOT_FOUND},
    {"socket closed", "it hung up", STENO_ERROR_NOT_FOUND},
    {"broken pipe", "it hung up", STENO_ERROR_NOT_FOUND},
};

/* Whether the part is in the text, whose case does not matter. */
static bool holds(const char *text, const char *part)
{
    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (part[i] != '\0' && tolower((unsigned char)text[i]) == part[i])
            i++;
        if (part[i] == '\0')
            return true;
    }
    return false;
}

/* What a server or gRPC said may be long and hold anything: one line of it. */
typedef struct status_line {
    char text[320];
} status_line;

static status_line one_line(const char *details)
{
    status_line line;
    size_t used = 0;
    for (; *details != '\0' && used < sizeof line.text - 4; details++)
        line.text[used++] = iscntrl((unsigned char)*details) ? ' ' : *details;
    /* Not amid a character. */
    if (*details != '\0')
        while (used > 0 && ((unsigned char)*details & 0xc0) == 0x80) {
            used--;
            details--;
        }
    snprintf(line.text + used, sizeof line.text - used, "%s", *details != '\0' ? "..." : "");
    if (used == 0)
        snprintf(line.text, sizeof line.text, "no reason given");
    return line;
}

static steno_status explain_connecting(const char *address, const char *details, steno_error *error)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (holds(details, reasons[i].part))
            return error_set(
                error, reasons[i].status, "cannot connect to %s: %s", address, reasons[i].meaning);
    return error_set(
        error, STENO_ERROR_NOT_FOUND, "cannot connect to %s: %s", address, one_line(details).text);
}

static steno_status explain_loss(const char *address, const char *details, steno_error *error)
{
    if (holds(details, "shutting down"))
        return error_set(error, STENO_ERROR_IO, "%s is shutting down", address);
    bool silent = holds(details, "keepalive");
    bool hung_up = holds(details, "socket closed") || holds(details, "reset by peer") ||
                   holds(details, "goaway");
    return error_set(error, STENO_ERROR_IO, "the connection to %s was lost: %s", address,
        silent    ? "it no longer answers"
        : hung_up ? "it hung up"
                  : one_line(details).text);
}

steno_status status_explain(
    const char *address, int code, const char *details, bool opened, steno_error *error)
{
    status_line line = one_line(details);
    switch (code) {
    case STATUS_UNAVAILABLE:
        return opened ? explain_loss(address, details, error)
                      : explain_connecting(address, details, error);
    case STATUS_DEADLINE_EXCEEDED:
        return error_set(
            error, STENO_ERROR_NOT_FOUND, "cannot connect to %s: no answer in time", address);
    case STATUS_RESOURCE_EXHAUSTED:
        return error_set(error, STENO_ERROR_LIMIT, "%s is full: %s", address, line.text);
    case STATUS_INVALID_ARGUMENT:
    case STATUS_FAILED_PRECONDITION:
        return error_set(
            error, STENO_ERROR_ARGUMENT, "%s refuses what was sent: %s", address, line.text);
    case STATUS_UNAUTHENTICATED:
    case STATUS_PERMISSION_DENIED:
        return error_set(
            error, STENO_ERROR_PERMISSION, "%s does not let us in: %s", address, line.text);
    case STATUS_UNIMPLEMENTED:
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "%s is no Steno server that could do this: %s", address, line.text);
    case STATUS_CANCELLED:
        return error_set(error, STENO_ERROR_IO, "%s has ended the stream: %s", address, line.text);
    case STATUS_OK:
        return error_set(
            error, STENO_ERROR_IO, "%s has ended the stream before the audio's end", address);
    default:
        return error_set(error, STENO_ERROR_INTERNAL, "%s has failed: %s", address, line.text);
    }
}

bool status_is_worth_another(int code)
{
    return code != STATUS_INVALID_ARGUMENT && code != STATUS_FAILED_PRECONDITION;
}
