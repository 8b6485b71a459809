#include "address.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* Whether gRPC resolves it as it stands. */
static bool is_grpc_name(const char *text)
{
    return after(text, "dns:") || after(text, "ipv4:") || after(text, "ipv6:") ||
           after(text, "unix-abstract:");
}

/* The part with the host, without scheme.  Of a name that some name server is to be asked for,
 * "dns://SERVER/NAME", nothing: that server's word is no promise, not even about localhost. */
static const char *host_of(const char *text)
{
    if (is_grpc_name(text))
        text = strchr(text, ':') + 1;
    const char *authority = after(text, "//");
    if (authority == NULL)
        return text;
    return *authority == '/' ? authority + 1 : "";
}

/* Whether it is a host's end: nothing, or a port, and no further address after a comma. */
static bool is_end(const char *rest)
{
    return *rest == '\0' || (*rest == ':' && rest[1 + strspn(rest + 1, "0123456789")] == '\0');
}

static bool is_local_host(const char *host)
{
    const char *name = after(host, "localhost"), *v6 = after(host, "[::1]");
    if ((name != NULL && is_end(name)) || (v6 != NULL && is_end(v6)))
        return true;
    /* Not of a name that only begins so. */
    return after(host, "127.") && is_end(host + strspn(host, "0123456789."));
}

static bool is_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && port > 0 && port <= 65535;
}

static bool is_host_and_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || !is_port(colon + 1))
        return false;
    bool has_colons = memchr(text, ':', (size_t)(colon - text)) != NULL;
    if (has_colons && (text[0] != '[' || colon[-1] != ']'))
        return false;
    return text[strcspn(text, "/ \t\r\n")] == '\0';
}

static char *join(const char *prefix, const char *text)
{
    size_t length = strlen(prefix), size = strlen(text) + 1;
    char *joined = memory_allocate(length + size, 1);
    if (joined != NULL) {
        memcpy(joined, prefix, length);
        memcpy(joined + length, text, size);
    }
    return joined;
}

steno_status address_parse(const char *text, address *out_address, steno_error *error)
{
    *out_address = (address){.text = memory_duplicate(text)};
    const char *place = after(text, "tls:");
    out_address->is_tls = place != NULL;
    if (place == NULL)
        place = text;
    const char *path = after(place, "unix:");
    if (path != NULL ? *path == '\0' : !is_grpc_name(place) && !is_host_and_port(place))
        return error_set(error, STENO_ERROR_ARGUMENT,
            "'%.200s' is not an address: HOST:PORT, tls:HOST:PORT or unix:PATH", text);
    out_address->is_local =
        path != NULL || after(place, "unix-abstract:") || is_local_host(host_of(place));
    out_address->target =
        path != NULL || is_grpc_name(place) ? memory_duplicate(place) : join("dns:///", place);
    if (out_address->text == NULL || out_address->target == NULL)
        return error_memory(error);
    return STENO_OK;
}

void address_finish(address *self)
{
    memory_free(self->text);
    memory_free(self->target);
    *self = (address){.text = NULL};
}
