#include "daemon/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/connections.h"
#include "daemon/listen.h"

/* Monitors are few and quick. */
enum { CONNECTIONS = 32, TIMEOUT_SECONDS = 10, BACKLOG = 32 };

#if MHD_VERSION < 0x00097002
typedef int http_result;
#else
typedef enum MHD_Result http_result;
#endif

struct http {
    http_setting setting;
    struct MHD_Daemon *daemon;
    int fd, port;
};

/* ---- Answers ---- */

static http_result answer(struct MHD_Connection *connection, unsigned code, char *text, size_t size,
    enum MHD_ResponseMemoryMode mode, const char *type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(size, text, mode);
    if (response == NULL) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    http_result result = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static http_result answer_text(struct MHD_Connection *connection, unsigned code, const char *text)
{
    return answer(connection, code, (char *)text, strlen(text), MHD_RESPMEM_PERSISTENT,
        "text/plain; charset=utf-8");
}

static http_result answer_state(struct MHD_Connection *connection, bool is_good)
{
    return is_good ? answer_text(connection, MHD_HTTP_OK, "ok\n")
                   : answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable\n");
}

static http_result answer_metrics(const http *self, struct MHD_Connection *connection)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        return MHD_NO;
    self->setting.write_metrics(self->setting.context, file);
    if (fclose(file) != 0) {
        free(text);
        return MHD_NO;
    }
    return answer(connection, MHD_HTTP_OK, text, size, MHD_RESPMEM_MUST_FREE,
        "text/plain; version=0.0.4; charset=utf-8");
}

static http_result handle(void *context, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *upload, size_t *upload_size, void **state)
{
    const http *self = context;
    const http_setting *setting = &self->setting;
    /* What comes with a request is not wanted, and has to be taken all the same. */
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    /* The first time the headers alone are there. */
    if (*state == NULL) {
        *state = context;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD alone\n");
    if (strcmp(path, "/metrics") == 0)
        return answer_metrics(self, connection);
    if (strcmp(path, "/healthz") == 0)
        return answer_state(connection, setting->is_alive(setting->context));
    if (strcmp(path, "/readyz") == 0)
        return answer_state(connection, setting->is_ready(setting->context));
    return answer_text(
        connection, MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz\n");
}

/* ---- Beginning and end ---- */

static int bind_first(const struct addrinfo *found, int *out_code)
{
    for (; found != NULL; found = found->ai_next) {
        int one = 1;
        int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
            found->ai_protocol);
        if (fd < 0) {
            *out_code = errno;
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
            return fd;
        *out_code = errno;
        close(fd);
    }
    return -1;
}

static int port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length = sizeof(address);
    if (getsockname(fd, &address.any, &length) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static steno_status listen_on(http *self, const char *text, steno_error *error)
{
    listen_address address;
    /* What has no names to look up and a port to bind is refused with the reason. */
    steno_status status = listen_parse(text, &address, error);
    if (status == STENO_OK)
        status = listen_probe(&address, text, error);
    if (status < 0)
        return status;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    int code = 0;
    snprintf(port, sizeof(port), "%u", address.port);
    if (getaddrinfo(address.host, port, &hints, &found) == 0) {
        self->fd = bind_first(found, &code);
        freeaddrinfo(found);
    }
    if (self->fd < 0)
        return error_set(error, STENO_ERROR_IO, "can't listen on %s: %s", text, strerror(code));
    self->port = port_of(self->fd);
    return STENO_OK;
}

steno_status http_create(const http_setting *setting, http **out_http, steno_error *error)
{
    http *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->setting = *setting;
    self->fd = -1;
    steno_status status = listen_on(self, setting->address, error);
    if (status == STENO_OK) {
        connections_spare_listener(self->fd);
        self->daemon =
            MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL,
                NULL, handle, self, MHD_OPTION_LISTEN_SOCKET, self->fd, MHD_OPTION_CONNECTION_LIMIT,
                (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_SECONDS,
                MHD_OPTION_END);
        if (self->daemon == NULL)
            status = error_set(error, STENO_ERROR_IO, "can't serve HTTP on %s", setting->address);
    }
    if (status < 0) {
        http_destroy(self);
        return status;
    }
    *out_http = self;
    return STENO_OK;
}

int http_port(const http *self)
{
    return self->port;
}

void http_destroy(http *self)
{
    if (self == NULL)
        return;
    connections_spare_listener(-1);
    /* Closes the socket, too, once it is its own. */
    if (self->daemon != NULL)
        MHD_stop_daemon(self->daemon);
    else if (self->fd >= 0)
        close(self->fd);
    memory_free(self);
}
