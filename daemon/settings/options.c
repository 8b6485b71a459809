#include "settings/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "steno/engine.h"
#include "system/connections.h"
#include "system/listen.h"

/* Streams at once for each thread unless said otherwise: about half of what one core of the machine
 * in docs/measurements.md has the processor time for, so that no stream waits for long.  A bound
 * that keeps a machine from drowning, not a promise; bench_daemon measures how many another one
 * holds. */
#define STREAMS_PER_THREAD 50

static const char *const precisions[] = {"auto", "f32", "bf16", "int8", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const log_formats[] = {"text", "json", NULL};

#define AT(member) offsetof(daemon_options, member)

static const option_entry entries[] = {
    {"listen", "server", "ADDRESS", OPTION_LIST, AT(listen), 0, 0, NULL, NULL,
        "where to listen: HOST:PORT, tls:HOST:PORT or unix:PATH; may be repeated "
        "(127.0.0.1:50051, and stenod.sock in $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR or /run if that "
        "is writable)",
        false},
    {"allow-plaintext-beyond-loopback", "server", NULL, OPTION_SWITCH,
        AT(allow_plaintext_beyond_loopback), 0, 0, NULL, NULL,
        "listen without TLS where other machines can reach it", false},
    {"tls-cert", "server", "FILE", OPTION_TEXT, AT(tls_cert), 0, 0, NULL, NULL,
        "certificate chain for tls: addresses, in PEM", true},
    {"tls-key", "server", "FILE", OPTION_TEXT, AT(tls_key), 0, 0, NULL, NULL,
        "its private key, in PEM", true},
    {"tls-client-ca", "server", "FILE", OPTION_TEXT, AT(tls_client_ca), 0, 0, NULL, NULL,
        "clients on tls: addresses need a certificate of one of the authorities in FILE, in PEM",
        true},
    {"tokens", "server", "FILE", OPTION_TEXT, AT(tokens), 0, 0, NULL, NULL,
        "calls need one of the tokens in FILE, which \"steno token\" writes", true},
    {"notice-seconds", "server", "N", OPTION_NUMBER, AT(notice_seconds), 0, 3600, NULL, "0",
        "time after SIGTERM or SIGINT in which new streams are still taken, for proxies that ask "
        "for its health to hear of the end",
        true},
    {"drain-seconds", "server", "N", OPTION_NUMBER, AT(drain_seconds), 0, 86400, NULL, "10",
        "time that streams get to end then", true},
    {"model", "recognition", "FILE", OPTION_TEXT, AT(model), 0, 0, NULL, NULL,
        "the model (the one that came with stenod)", true},
    {"precision", "recognition", "NAME", OPTION_CHOICE, AT(precision), 0, 0, precisions, "auto",
        "arithmetic: auto, f32, bf16 or int8", true},
    {"threads", "recognition", "N", OPTION_NUMBER, AT(threads), 0, 1024, NULL, "0",
        "threads that recognise; 0: one per core", false},
    {"chunk", "recognition", "MS", OPTION_NUMBER, AT(chunk_ms), 0, 10000, NULL, "0",
        "audio recognised at a time, latency against accuracy; 0: the model's largest", true},
    {"beam", "recognition", "N", OPTION_NUMBER, AT(beam), 0, 128, NULL, "0",
        "hypotheses kept while searching, accuracy against streams; 0: the model's", true},
    {"max-streams", "limits", "N", OPTION_NUMBER, AT(max_streams), 0, 65536, NULL, "0",
        "streams at once; 0: 50 for each thread that recognises", true},
    {"max-streams-per-client", "limits", "N", OPTION_NUMBER, AT(max_streams_per_client), 0, 65536,
        NULL, "0",
        "of one name (token or certificate) or address, Unix sockets counting as one; 0: no limit "
        "of its own",
        true},
    {"client-limit", "limits", "NAME=N", OPTION_LIST, AT(client_limits), 0, 0, NULL, NULL,
        "streams at once of the client with this name; may be repeated", true},
    {"backlog-seconds", "limits", "N", OPTION_NUMBER, AT(backlog_seconds), 1, 600, NULL, "10",
        "audio that a stream may have waiting before it is not read on", true},
    {"max-message-mb", "limits", "N", OPTION_NUMBER, AT(max_message_mb), 1, 1024, NULL, "32",
        "largest message taken, in MiB", false},
    {"max-connections", "limits", "N", OPTION_NUMBER, AT(max_connections), 0, 1000000, NULL, "0",
        "connections at once, others are closed; 0: 1000, or as many as open files allow", false},
    {"max-calls-per-connection", "limits", "N", OPTION_NUMBER, AT(max_calls_per_connection), 0,
        1000000, NULL, "0",
        "calls at once on one connection; further ones wait in their client; 0: no limit of its "
        "own",
        false},
    {"captions-readers", "limits", "N", OPTION_NUMBER, AT(captions_readers), 1, 10000, NULL, "100",
        "browsers that read captions at once", false},
    {"max-watchers", "limits", "N", OPTION_NUMBER, AT(max_watchers), 1, 65536, NULL, "1000",
        "readers of captures at once, beside the streams", false},
    {"idle-seconds", "limits", "N", OPTION_NUMBER, AT(idle_seconds), 0, 86400, NULL, "300",
        "until a connection without a call is closed; 0: never", false},
    {"handshake-seconds", "limits", "N", OPTION_NUMBER, AT(handshake_seconds), 1, 3600, NULL, "20",
        "until a new connection that says nothing is closed", false},
    {"http", "monitoring", "HOST:PORT", OPTION_TEXT, AT(http), 0, 0, NULL, NULL,
        "where to answer /metrics (for Prometheus), /healthz and /readyz; nowhere if not given",
        false},
    {"captions-page", "monitoring", NULL, OPTION_SWITCH, AT(captions_page), 0, 0, NULL, NULL,
        "show browsers what captures hear, at /captions of the address of --http", false},
    {"log-level", "monitoring", "LEVEL", OPTION_CHOICE, AT(log_level), 0, 0, log_levels, "info",
        "what to log: error, warning, info or debug, each with those before it", true},
    {"log-format", "monitoring", "FORMAT", OPTION_CHOICE, AT(log_format), 0, 0, log_formats, "text",
        "lines of text, or json: an object a line", true},
    {"log-transcripts", "monitoring", NULL, OPTION_SWITCH, AT(log_transcripts), 0, 0, NULL, NULL,
        "also log what was said, to find out why a transcript is what it is", true},
    {"config", NULL, "FILE", OPTION_TEXT, AT(config), 0, 0, NULL, NULL,
        "settings: lines of \"option = value\" under [server], [recognition], [limits], "
        "[monitoring] and [capture NAME]",
        false},
    {"check-config", NULL, NULL, OPTION_SWITCH, AT(check_config), 0, 0, NULL, NULL,
        "only say whether the settings are right: exit status 0, or 2", false},
    {"help", NULL, NULL, OPTION_SWITCH, AT(help), 0, 0, NULL, NULL, "print this", false},
    {"version", NULL, NULL, OPTION_SWITCH, AT(version), 0, 0, NULL, NULL, "print the version",
        false},
};
#define ENTRY_COUNT (sizeof(entries) / sizeof(entries[0]))
_Static_assert(ENTRY_COUNT <= OPTIONS_MAX, "room in daemon_options.sources");

const option_entry *options_find(const char *name, size_t length)
{
    return option_find(entries, ENTRY_COUNT, name, length);
}

/* ---- Setting one ---- */

steno_status options_set(daemon_options *self, const option_entry *entry, const char *value,
    option_source source, const char *where, steno_error *error)
{
    option_source *held = &self->sources[entry - entries];
    /* What is overruled must be right all the same.  The values of a list add up within one source;
     * a stronger source begins anew. */
    option_setting how = *held > source   ? OPTION_CHECK
                         : *held < source ? OPTION_REPLACE
                                          : OPTION_ADD;
    steno_status status = option_set(self, entry, value, how, where, error);
    if (status == STENO_OK && how != OPTION_CHECK)
        *held = source;
    return status;
}

steno_status options_init(daemon_options *self)
{
    *self = (daemon_options){0};
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        steno_error error;
        if (entries[i].preset != NULL && options_set(self, &entries[i], entries[i].preset,
                                             OPTION_SOURCE_DEFAULT, "preset", &error) < 0)
            return error.status;
    }
    return STENO_OK;
}

void options_finish(daemon_options *self)
{
    for (size_t i = 0; i < ENTRY_COUNT; i++)
        option_finish(self, &entries[i]);
    capture_options_finish(&self->captures);
}

/* ---- The command line ---- */

steno_status options_read_arguments(
    daemon_options *self, int argc, char *const *argv, steno_error *error)
{
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (strcmp(argument, "-h") == 0)
            argument = "--help";
        size_t length = strcspn(argument, "=");
        const option_entry *entry = length > 2 && strncmp(argument, "--", 2) == 0
                                        ? options_find(argument + 2, length - 2)
                                        : NULL;
        if (entry == NULL)
            return error_set(error, STENO_ERROR_ARGUMENT,
                "%s: there is no such option; stenod --help lists them", argv[i]);
        char where[64];
        snprintf(where, sizeof(where), "--%s", entry->name);
        const char *value = argument[length] == '=' ? argument + length + 1 : NULL;
        if (value == NULL && entry->kind != OPTION_SWITCH) {
            if (i + 1 == argc)
                return error_set(error, STENO_ERROR_ARGUMENT, "%s: the value is missing", where);
            value = argv[++i];
        }
        steno_status status =
            options_set(self, entry, value, OPTION_SOURCE_ARGUMENTS, where, error);
        if (status < 0)
            return status;
    }
    return STENO_OK;
}

/* ---- The environment ---- */

/* "max-streams" as "STENOD_MAX_STREAMS". */
static void variable_of(const option_entry *entry, char *out, size_t size)
{
    snprintf(out, size, "STENOD_%s", entry->name);
    for (char *at = out; *at != '\0'; at++) {
        if (*at == '-')
            *at = '_';
        else if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
    }
}

static const char *find_variable(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

steno_status options_read_environment(
    daemon_options *self, char *const *environment, steno_error *error)
{
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        const option_entry *entry = &entries[i];
        char name[64];
        variable_of(entry, name, sizeof(name));
        const char *value = find_variable(environment, name);
        bool has_place = entry->section != NULL || strcmp(entry->name, "config") == 0;
        /* Set to nothing means not set. */
        if (value == NULL || value[0] == '\0' || !has_place)
            continue;
        steno_status status =
            options_set(self, entry, value, OPTION_SOURCE_ENVIRONMENT, name, error);
        if (status < 0)
            return status;
    }
    return STENO_OK;
}

/* ---- The whole ---- */

static steno_status add_default_addresses(option_list *listen, steno_error *error)
{
    /* The service manager's for the service, a session's for its user. */
    const char *folder = getenv("RUNTIME_DIRECTORY");
    if (folder == NULL)
        folder = getenv("XDG_RUNTIME_DIR");
    char socket[512];
    if (folder == NULL || folder[0] != '/')
        folder = "/run";
    int length = snprintf(socket, sizeof(socket), "unix:%s/stenod.sock", folder);
    listen_address address;
    bool has_socket = length < (int)sizeof(socket) && access(folder, W_OK | X_OK) == 0 &&
                      listen_parse(socket, &address, NULL) == STENO_OK;
    if (option_list_append(listen, "127.0.0.1:50051", strlen("127.0.0.1:50051")) < 0 ||
        (has_socket && option_list_append(listen, socket, (size_t)length) < 0))
        return error_memory(error);
    return STENO_OK;
}

static steno_status check_addresses(const daemon_options *self, steno_error *error)
{
    bool has_tls = false;
    for (size_t i = 0; i < self->listen.count; i++) {
        const char *text = self->listen.items[i];
        listen_address address;
        steno_status status = listen_parse(text, &address, error);
        if (status < 0)
            return status;
        has_tls = has_tls || address.kind == LISTEN_TLS;
        if (address.kind == LISTEN_PLAIN && !listen_is_local(&address) &&
            !self->allow_plaintext_beyond_loopback)
            return error_set(error, STENO_ERROR_ARGUMENT,
                "%s: other machines could reach it and listen in; use tls:%s, or "
                "--allow-plaintext-beyond-loopback if the network is safe",
                text, text);
        if (address.kind == LISTEN_TLS && (self->tls_cert == NULL || self->tls_key == NULL))
            return error_set(
                error, STENO_ERROR_ARGUMENT, "%s: needs --tls-cert and --tls-key", text);
    }
    if (!has_tls &&
        (self->tls_cert != NULL || self->tls_key != NULL || self->tls_client_ca != NULL))
        return error_set(error, STENO_ERROR_ARGUMENT,
            "--tls-cert, --tls-key and --tls-client-ca are of use for tls: addresses only, and "
            "none is given");
    return STENO_OK;
}

static steno_status check_http(const daemon_options *self, steno_error *error)
{
    listen_address address;
    if (self->http == NULL && self->captions_page)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "captions-page: needs --http HOST:PORT, where browsers find it");
    if (self->http == NULL)
        return STENO_OK;
    if (listen_parse(self->http, &address, NULL) < 0 || address.kind != LISTEN_PLAIN)
        return error_set(error, STENO_ERROR_ARGUMENT, "http: %s is not HOST:PORT", self->http);
    if (!listen_is_local(&address) && !self->allow_plaintext_beyond_loopback)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "http: %s: other machines could reach it; a proxy may give it TLS, or "
            "--allow-plaintext-beyond-loopback if the network is safe",
            self->http);
    return STENO_OK;
}

steno_status options_complete(daemon_options *self, steno_error *error)
{
    if (self->listen.count == 0 && !self->has_sockets) {
        steno_status status = add_default_addresses(&self->listen, error);
        if (status < 0)
            return status;
    }
    if (self->max_streams == 0) {
        uint32_t threads = self->threads > 0 ? self->threads : steno_engine_cores();
        self->max_streams = STREAMS_PER_THREAD * threads;
    }
    if (self->max_connections == 0)
        self->max_connections = connections_preset();
    steno_status status = check_http(self, error);
    if (status == STENO_OK)
        status = capture_options_complete(&self->captures, error);
    return status == STENO_OK ? check_addresses(self, error) : status;
}

/* ---- Reloading ---- */

const option_entry *options_next_fixed(
    const daemon_options *a, const daemon_options *b, const option_entry *after)
{
    const option_entry *entry = after != NULL ? after + 1 : entries;
    while (entry < entries + ENTRY_COUNT && (entry->reloads || option_is_equal(entry, a, b)))
        entry++;
    return entry < entries + ENTRY_COUNT ? entry : NULL;
}

/* ---- Help ---- */

void options_print_help(FILE *output)
{
    fprintf(output, "Usage: stenod [OPTION]...\n\n"
                    "Recognises speech for gRPC clients.\n\n");
    const char *section = NULL;
    for (size_t i = 0; i < ENTRY_COUNT; i++) {
        const option_entry *entry = &entries[i];
        if (i == 0 || entry->section != section)
            fprintf(output, entry->section != NULL ? "%s[%s]\n" : "%s%s\n", i > 0 ? "\n" : "",
                entry->section != NULL ? entry->section : "On the command line");
        section = entry->section;
        option_print_help(output, entry, "--", " ");
    }
    fprintf(output, "\n[capture NAME], in the file alone: what the daemon itself listens to\n");
    capture_options_print_help(output);
    fprintf(output,
        "\nEach but those can also be set by an environment variable, as --max-streams by\n"
        "STENOD_MAX_STREAMS, and in the file of --config; the command line counts\n"
        "before the environment, and that before the file.\n");
}
