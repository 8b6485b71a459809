/*
 *     parts_create    speech, captures, services -> server -> its surroundings
 *     parts_destroy   the other way round
 *
 * What a reload changes lies in the parts themselves, each behind its own lock or atomic: first all
 * prepare (which may fail), then all commit (which may not).
 */
#include "parts.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "access/auth.h"
#include "access/certificates.h"
#include "base/error.h"
#include "base/memory.h"
#include "captions/page.h"
#include "capture/captures.h"
#include "http/http.h"
#include "monitoring/monitor.h"
#include "server/server.h"
#include "services/services.h"
#include "speech/speech.h"
#include "steno/engine.h"
#include "system/alarms.h"
#include "system/inherited.h"
#include "system/listen.h"
#include "system/systemd.h"

/* Calls that don't recognise (health, reflection, operations) beside the streams. */
#define OTHER_CALLS 256
/* A reload may raise the limit on streams up to this, or to what it was in the beginning. */
#define STREAMS_ROOM 1024
/* Request headers: paths, deadlines, credentials. */
#define METADATA_BYTES (16 << 10)
/* What gRPC may use for buffers before it holds clients back. */
#define GRPC_MEMORY_BYTES ((size_t)256 << 20)
/* How long before its end a certificate is warned of: two weeks. */
#define CERTIFICATE_WARN_SECONDS (14 * 24 * 3600)

enum { SOCKET_NAME = 256 };

struct parts {
    const daemon_options *options; /* in the beginning */
    log_sink *log;
    unsigned sockets;
    uint32_t streams_room;
    speech *speech;
    captures *captures;
    services *services;
    auth *auth;
    certificates certificates; /* in use */
    monitor *monitor;
    server *server;
    inherited *inherited;
    captions_page *page; /* NULL: none is wanted */
    http_handler handlers[2];
    http *http; /* NULL: none is wanted */
    _Atomic uint32_t notice_seconds, drain_seconds;
    uint64_t captures_end_by_ms; /* the server's thread; 0: not told to end */
};

/* ---- Services ---- */

static speech_options speech_settings(const daemon_options *options, log_sink *log)
{
    return (speech_options){
        .model_path = options->model,
        .precision = (steno_precision)options->precision,
        .threads = options->threads,
        .backlog_ms = options->backlog_seconds * 1000,
        .chunk_ms = options->chunk_ms,
        .beam = options->beam,
        .log = log,
    };
}

static steno_status create_services(parts *self, const daemon_options *options, steno_error *error)
{
    const speech_options settings = speech_settings(options, self->log);
    steno_status status = speech_create(&settings, &self->speech, error);
    if (status == STENO_OK)
        status =
            captures_create(&options->captures, self->speech, self->log, &self->captures, error);
    if (status == STENO_OK)
        status = services_create(self->speech, captures_captions(self->captures),
            options->max_watchers, &self->services, error);
    return status;
}

/* ---- What the server says ---- */

static void on_draining(void *context)
{
    parts *self = context;
    services_drain(self->services);
    monitor_drain(self->monitor);
    /* Who connects from now on waits for the daemon that comes next. */
    inherited_stop(self->inherited);
    systemd_stopping(parts_notice_seconds(self) + parts_drain_seconds(self));
}

static void on_refusing(void *context)
{
    parts *self = context;
    if (self->page != NULL)
        captions_page_drain(self->page);
    captures_stop(self->captures, false);
    self->captures_end_by_ms = alarms_now_ms() + (uint64_t)parts_drain_seconds(self) * 1000;
}

/* The engine's lock is taken on the way: should it hang, so does the server's thread, and the
 * service manager hears nothing. */
static void on_beat(void *context)
{
    parts *self = context;
    steno_engine_times times;
    steno_engine_get_times(speech_engine(self->speech), &times);
    monitor_beat(self->monitor);
    systemd_alive();
}

static void on_ended(void *context, const server_report *report)
{
    parts *self = context;
    monitor_ended(self->monitor, report);
}

/* ---- The server ---- */

/* What there is to warn of. */
static void warn_of_certificate(const parts *self, const certificates *read)
{
    time_t end = (time_t)read->expires_s, now = time(NULL);
    struct tm date;
    char text[32];
    if (read->chain == NULL || end - now > CERTIFICATE_WARN_SECONDS)
        return;
    gmtime_r(&end, &date);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &date);
    log_say(self->log, LOG_LEVEL_WARNING, "the certificate for TLS %s on %s",
        end <= now ? "has expired" : "expires", text);
}

static void warn_of_transcripts(const parts *self, const daemon_options *options)
{
    if (options->log_transcripts)
        log_say(self->log, LOG_LEVEL_WARNING,
            "log-transcripts: what clients say is written here, for all to read who may read this");
}

static steno_status read_certificates(
    const daemon_options *options, certificates *out, steno_error *error)
{
    return options->tls_cert == NULL ? STENO_OK
                                     : certificates_read(options->tls_cert, options->tls_key,
                                           options->tls_client_ca, out, error);
}

static auth_setting auth_settings(const daemon_options *options)
{
    return (auth_setting){
        .tokens = options->tokens,
        .limits = options->client_limits.items,
        .limit_count = options->client_limits.count,
    };
}

static steno_status create_auth(parts *self, const daemon_options *options, steno_error *error)
{
    const auth_setting setting = auth_settings(options);
    auth_change *change;
    steno_status status = auth_create(&self->auth, error);
    if (status == STENO_OK)
        status = auth_prepare(&setting, &change, error);
    if (status == STENO_OK)
        auth_commit(self->auth, change);
    return status;
}

static call_status on_admit(void *context, const call *one, const call_method *method,
    server_client *client, char *message, size_t size)
{
    parts *self = context;
    return auth_admit(self->auth, one, method, client, message, size);
}

/* As often as the service manager and /healthz want it; 0: nobody does. */
static uint32_t beat_ms(const daemon_options *options)
{
    uint32_t watchdog_ms = systemd_watchdog_ms() / 3;
    if (options->http == NULL || (watchdog_ms > 0 && watchdog_ms < MONITOR_BEAT_MS))
        return watchdog_ms;
    return MONITOR_BEAT_MS;
}

static steno_status create_server(parts *self, const daemon_options *options, steno_error *error)
{
    steno_status status = read_certificates(options, &self->certificates, error);
    if (status < 0)
        return status;
    warn_of_certificate(self, &self->certificates);
    self->streams_room = options->max_streams > STREAMS_ROOM ? options->max_streams : STREAMS_ROOM;
    const server_options settings = {
        .addresses = (const char *const *)options->listen.items,
        .address_count = options->listen.count,
        .adopts = self->sockets > 0,
        .max_streams = options->max_streams,
        .max_streams_per_client = options->max_streams_per_client,
        .max_calls = self->streams_room + options->max_watchers + OTHER_CALLS,
        .max_calls_per_connection = options->max_calls_per_connection,
        .max_connections = options->max_connections,
        .idle_ms = options->idle_seconds * 1000,
        .handshake_ms = options->handshake_seconds * 1000,
        .max_message_bytes = (size_t)options->max_message_mb << 20,
        .max_metadata_bytes = METADATA_BYTES,
        .memory_bytes = GRPC_MEMORY_BYTES + ((size_t)options->max_message_mb << 20),
        .tls_certificate = self->certificates.chain,
        .tls_key = self->certificates.key,
        .tls_client_ca = self->certificates.client_ca,
        .draining = on_draining,
        .refusing = on_refusing,
        .beat = on_beat,
        .beat_ms = beat_ms(options),
        .admit = on_admit,
        .ended = on_ended,
        .context = self,
    };
    const call_method *const *methods;
    size_t count = services_methods(self->services, &methods);
    return server_create(&settings, methods, count, &self->server, error);
}

static steno_status take_sockets(parts *self, const daemon_options *options, steno_error *error)
{
    char name[SOCKET_NAME];
    for (unsigned i = 0; i < self->sockets; i++) {
        steno_status status = inherited_check(SYSTEMD_FIRST_SOCKET + (int)i,
            options->allow_plaintext_beyond_loopback, name, sizeof(name), error);
        if (status < 0)
            return status;
    }
    return self->sockets == 0 ? STENO_OK
                              : inherited_create(SYSTEMD_FIRST_SOCKET, self->sockets, server_adopt,
                                    self->server, &self->inherited, error);
}

static void set_ending(parts *self, const daemon_options *options)
{
    atomic_store(&self->notice_seconds, options->notice_seconds);
    atomic_store(&self->drain_seconds, options->drain_seconds);
}

static steno_status create_page(parts *self, const daemon_options *options, steno_error *error)
{
    return options->captions_page ? captions_page_create(captures_captions(self->captures),
                                        self->auth, &self->page, error)
                                  : STENO_OK;
}

static steno_status create_monitor(parts *self, steno_error *error)
{
    return monitor_create(self->log, self->speech, self->services,
        captures_captions(self->captures), &self->monitor, error);
}

steno_status parts_create(const daemon_options *options, log_sink *log, unsigned sockets,
    parts **out_parts, steno_error *error)
{
    parts *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->options = options;
    self->log = log;
    self->sockets = sockets;
    set_ending(self, options);
    steno_status status = create_services(self, options, error);
    if (status == STENO_OK)
        status = create_auth(self, options, error);
    if (status == STENO_OK)
        status = create_monitor(self, error);
    if (status == STENO_OK)
        status = create_page(self, options, error);
    if (status == STENO_OK)
        status = create_server(self, options, error);
    if (status == STENO_OK)
        status = take_sockets(self, options, error);
    if (status == STENO_OK)
        monitor_set(self->monitor, options->max_streams, self->certificates.expires_s);
    if (status < 0) {
        parts_destroy(self);
        return status;
    }
    *out_parts = self;
    return STENO_OK;
}

void parts_destroy(parts *self)
{
    if (self == NULL)
        return;
    inherited_destroy(self->inherited);
    http_destroy(self->http);
    server_destroy(self->server);
    captions_page_destroy(self->page);
    monitor_destroy(self->monitor);
    services_destroy(self->services);
    captures_destroy(self->captures);
    speech_destroy(self->speech);
    auth_destroy(self->auth);
    certificates_finish(&self->certificates);
    memory_free(self);
}

/* ---- HTTP ---- */

static steno_status serve_http(parts *self, const daemon_options *options, steno_error *error)
{
    const char *address = options->http;
    size_t count = 0;
    monitor_watch(self->monitor, self->server);
    self->handlers[count++] = (http_handler){monitor_answer, self->monitor};
    if (self->page != NULL)
        self->handlers[count++] = (http_handler){captions_page_answer, self->page};
    const http_setting setting = {
        .address = address,
        .handlers = self->handlers,
        .handler_count = count,
        .max_streams = self->page != NULL ? options->captions_readers : 0,
    };
    steno_status status = http_create(&setting, &self->http, error);
    if (status < 0)
        return status;
    int length = (int)(strrchr(address, ':') - address), port = http_port(self->http);
    log_say(self->log, LOG_LEVEL_INFO, "metrics on http://%.*s:%d/metrics", length, address, port);
    if (self->page != NULL)
        log_say(self->log, LOG_LEVEL_INFO, "captions on http://%.*s:%d/captions", length, address,
            port);
    return STENO_OK;
}

/* ---- Running ---- */

/* One entry for each address, with the port that "0" has become, and one for the model. */
static void announce(const parts *self)
{
    const daemon_options *options = self->options;
    for (size_t i = 0; i < options->listen.count; i++) {
        const char *text = options->listen.items[i];
        listen_address address;
        if (listen_parse(text, &address, NULL) == STENO_OK && address.kind != LISTEN_UNIX)
            log_say(self->log, LOG_LEVEL_INFO, "listening on %.*s:%d",
                (int)(strrchr(text, ':') - text), text, server_port(self->server, i));
        else
            log_say(self->log, LOG_LEVEL_INFO, "listening on %s", text);
    }
    for (unsigned i = 0; i < self->sockets; i++) {
        char name[SOCKET_NAME];
        if (inherited_check(SYSTEMD_FIRST_SOCKET + (int)i, true, name, sizeof(name), NULL) == 0)
            log_say(self->log, LOG_LEVEL_INFO, "listening on %s, from the service manager", name);
    }
    const char *model = options->model != NULL ? options->model : steno_model_default_path();
    uint32_t threads = steno_engine_threads(speech_engine(self->speech));
    log_say(self->log, LOG_LEVEL_INFO, "model %s, %u %s, at most %u streams", model, threads,
        threads == 1 ? "thread" : "threads", options->max_streams);
    warn_of_transcripts(self, options);
}

steno_status parts_run(parts *self, steno_error *error)
{
    announce(self);
    if (self->options->http != NULL) {
        steno_status status = serve_http(self, self->options, error);
        if (status < 0)
            return status;
    }
    steno_status status = captures_start(self->captures, error);
    if (status < 0)
        return status;
    systemd_ready("Serving");
    server_run(self->server);
    /* Browsers are told the last words, too, but the whole takes no longer than was said. */
    uint64_t now = alarms_now_ms(), end = self->captures_end_by_ms;
    captures_wait(self->captures, end > now ? (uint32_t)(end - now) : 0);
    return STENO_OK;
}

void parts_shutdown(parts *self, bool at_once)
{
    if (at_once)
        captures_stop(self->captures, true);
    server_shutdown(self->server, at_once ? 0 : parts_notice_seconds(self) * 1000,
        at_once ? 0 : parts_drain_seconds(self) * 1000);
}

uint32_t parts_notice_seconds(const parts *self)
{
    return atomic_load(&self->notice_seconds);
}

uint32_t parts_drain_seconds(const parts *self)
{
    return atomic_load(&self->drain_seconds);
}

/* ---- Reloading ---- */

/* Everything that is loaded before anything changes. */
typedef struct changes {
    speech_change *speech;
    auth_change *auth;
    certificates certificates;
} changes;

/* What can't be changed in what otherwise can. */
static steno_status check_changes(
    const parts *self, const daemon_options *options, steno_error *error)
{
    if (options->max_streams > self->streams_room)
        return error_set(error, STENO_ERROR_LIMIT, "max-streams: %u; above %u it takes a restart",
            options->max_streams, self->streams_room);
    bool asks = self->options->tls_client_ca != NULL;
    if (self->options->tls_cert != NULL && asks != (options->tls_client_ca != NULL))
        return error_set(error, STENO_ERROR_ARGUMENT,
            "tls-client-ca: %s clients for certificates takes a restart",
            asks ? "no longer asking" : "asking");
    if ((self->options->tls_cert != NULL) != (options->tls_cert != NULL))
        return error_set(
            error, STENO_ERROR_ARGUMENT, "tls-cert: beginning or ending TLS takes a restart");
    return STENO_OK;
}

static steno_status prepare(
    parts *self, const daemon_options *options, changes *out, steno_error *error)
{
    const speech_options how = speech_settings(options, self->log);
    const auth_setting who = auth_settings(options);
    steno_status status = check_changes(self, options, error);
    if (status == STENO_OK)
        status = read_certificates(options, &out->certificates, error);
    if (status == STENO_OK)
        status = auth_prepare(&who, &out->auth, error);
    if (status == STENO_OK)
        status = speech_prepare(self->speech, &how, &out->speech, error);
    /* The last that may fail, and the first that changes something. */
    if (status == STENO_OK)
        status = server_set_certificates(self->server, out->certificates.chain,
            out->certificates.key, out->certificates.client_ca, error);
    return status;
}

static void commit(parts *self, const daemon_options *options, changes *all)
{
    certificates_finish(&self->certificates);
    self->certificates = all->certificates;
    auth_commit(self->auth, all->auth);
    server_admit_again(self->server);
    speech_commit(self->speech, all->speech);
    server_set_limits(self->server, options->max_streams, options->max_streams_per_client);
    monitor_set(self->monitor, options->max_streams, self->certificates.expires_s);
    set_ending(self, options);
    log_set(self->log, (log_level)options->log_level, (log_format)options->log_format);
    log_set_transcripts(self->log, options->log_transcripts);
    warn_of_certificate(self, &self->certificates);
    warn_of_transcripts(self, options);
}

steno_status parts_reload(parts *self, const daemon_options *options, steno_error *error)
{
    changes all = {0};
    steno_status status = prepare(self, options, &all, error);
    if (status == STENO_OK) {
        commit(self, options, &all);
    } else {
        speech_abandon(all.speech);
        auth_abandon(all.auth);
        certificates_finish(&all.certificates);
    }
    return status;
}

void parts_count_reload(parts *self, bool succeeded)
{
    monitor_reloaded(self->monitor, succeeded);
}
