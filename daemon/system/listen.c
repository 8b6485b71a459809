#include "system/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

static steno_status parse_unix(const char *text, listen_address *address, steno_error *error)
{
    address->kind = LISTEN_UNIX;
    address->path = text + strlen("unix:");
    address->grpc = text;
    if (address->path[0] == '\0')
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: the path is missing", text);
    size_t longest = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    if (strlen(address->path) > longest)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "%s: a socket's path has at most %zu characters", text, longest);
    return STENO_OK;
}

/* Splits "HOST:PORT" or "[HOST]:PORT". */
static bool split_host_port(const char *text, listen_address *address)
{
    const char *host = text, *end, *port;
    if (text[0] == '[') {
        host = text + 1;
        end = strchr(host, ']');
        if (end == NULL || end[1] != ':')
            return false;
        port = end + 2;
    } else {
        end = strchr(text, ':');
        if (end == NULL || strchr(end + 1, ':') != NULL)
            return false;
        port = end + 1;
    }
    size_t size = (size_t)(end - host);
    size_t digits = strspn(port, "0123456789");
    if (size == 0 || size >= sizeof(address->host) || digits == 0 || digits > 5 ||
        port[digits] != '\0' || atol(port) > UINT16_MAX)
        return false;
    memcpy(address->host, host, size);
    address->host[size] = '\0';
    address->port = (uint16_t)atol(port);
    return true;
}

steno_status listen_parse(const char *text, listen_address *out_address, steno_error *error)
{
    listen_address address = {.kind = LISTEN_PLAIN, .grpc = text};
    if (strncmp(text, "unix:", 5) == 0) {
        steno_status status = parse_unix(text, &address, error);
        if (status < 0)
            return status;
    } else {
        /* "tls:50051" is port 50051 of a host named tls. */
        if (strncmp(text, "tls:", 4) == 0 && strchr(text + 4, ':') != NULL) {
            address.kind = LISTEN_TLS;
            address.grpc = text + 4;
        }
        if (!split_host_port(address.grpc, &address))
            return error_set(error, STENO_ERROR_ARGUMENT,
                "%s: not an address to listen on; HOST:PORT (an IPv6 HOST in brackets), "
                "tls:HOST:PORT or unix:PATH is",
                text);
    }
    *out_address = address;
    return STENO_OK;
}

bool listen_is_local(const listen_address *address)
{
    if (address->kind == LISTEN_UNIX || strcmp(address->host, "localhost") == 0)
        return true;
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address->host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, address->host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static steno_status status_of(int code)
{
    switch (code) {
    case EADDRINUSE:
        return STENO_ERROR_STATE;
    case EACCES:
    case EPERM:
        return STENO_ERROR_PERMISSION;
    case ENOENT:
    case ENOTDIR:
    case EADDRNOTAVAIL:
        return STENO_ERROR_NOT_FOUND;
    default:
        return STENO_ERROR_IO;
    }
}

static steno_status refuse(const char *text, int code, steno_error *error)
{
    if (code == EADDRINUSE)
        return error_set(error, STENO_ERROR_STATE,
            "can't listen on %s: somebody already does (another stenod?)", text);
    return error_set(error, status_of(code), "can't listen on %s: %s", text, strerror(code));
}

/* Listens for a moment; 0 or an errno.  Binding alone would not do: with SO_REUSEADDR, which lets a
 * restart have the port at once, only listening notices another listener in every case. */
static int try_tcp(const struct addrinfo *where)
{
    int code = 0, one = 1;
    int fd = socket(where->ai_family, where->ai_socktype | SOCK_CLOEXEC, where->ai_protocol);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, where->ai_addr, where->ai_addrlen) != 0 || listen(fd, 1) != 0)
        code = errno;
    close(fd);
    return code;
}

/* A name may stand for several addresses: one that this machine lacks is fine if another works,
 * one that is taken is not. */
static steno_status probe_tcp(const listen_address *address, const char *text, steno_error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", address->port);
    int failure = getaddrinfo(address->host, port, &hints, &found);
    if (failure != 0)
        return error_set(
            error, STENO_ERROR_NOT_FOUND, "can't listen on %s: %s", text, gai_strerror(failure));
    bool works = false;
    int taken = 0, missing = 0;
    for (const struct addrinfo *where = found; where != NULL; where = where->ai_next) {
        int code = try_tcp(where);
        works = works || code == 0;
        if (code == EADDRNOTAVAIL || code == EAFNOSUPPORT)
            missing = code;
        else if (code != 0)
            taken = code;
    }
    freeaddrinfo(found);
    if (taken != 0)
        return refuse(text, taken, error);
    return works ? STENO_OK : refuse(text, missing, error);
}

static steno_status probe_unix(const listen_address *address, const char *text, steno_error *error)
{
    struct stat there;
    if (lstat(address->path, &there) != 0) {
        if (errno != ENOENT)
            return refuse(text, errno, error);
        /* The file is to be made; its folder must be there and writable. */
        struct sockaddr_un where;
        const char *slash = strrchr(address->path, '/');
        char folder[sizeof(where.sun_path) + 1] = ".";
        if (slash != NULL)
            snprintf(
                folder, sizeof(folder), "%.*s", (int)(slash - address->path) + 1, address->path);
        return access(folder, W_OK | X_OK) == 0 ? STENO_OK : refuse(text, errno, error);
    }
    if (!S_ISSOCK(there.st_mode))
        return error_set(error, STENO_ERROR_STATE,
            "can't listen on %s: the file is there and is not a socket", text);
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    memcpy(where.sun_path, address->path, strlen(address->path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return refuse(text, errno, error);
    int code = connect(fd, (const struct sockaddr *)&where, sizeof(where)) == 0 ? 0 : errno;
    close(fd);
    /* EAGAIN: alive, and busy. */
    if (code == 0 || code == EAGAIN)
        return refuse(text, EADDRINUSE, error);
    if (code != ECONNREFUSED)
        return refuse(text, code, error);
    return unlink(address->path) == 0 || errno == ENOENT ? STENO_OK : refuse(text, errno, error);
}

steno_status listen_probe(const listen_address *address, const char *text, steno_error *error)
{
    return address->kind == LISTEN_UNIX ? probe_unix(address, text, error)
                                        : probe_tcp(address, text, error);
}

steno_status listen_keep_socket(
    const listen_address *address, const char *text, listen_socket *out_socket, steno_error *error)
{
    struct stat there;
    if (lstat(address->path, &there) != 0)
        return refuse(text, errno, error);
    char *path = memory_duplicate(address->path);
    if (path == NULL)
        return error_memory(error);
    *out_socket = (listen_socket){path, there.st_dev, there.st_ino};
    return STENO_OK;
}

void listen_remove_socket(listen_socket *kept)
{
    struct stat there;
    if (kept->path != NULL && lstat(kept->path, &there) == 0 && there.st_dev == kept->device &&
        there.st_ino == kept->inode)
        unlink(kept->path);
    memory_free(kept->path);
    *kept = (listen_socket){0};
}
