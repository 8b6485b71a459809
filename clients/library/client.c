/*
 * The servers and the way to them.  Everything that can be found wrong without a network is, at
 * creation: addresses, files, tokens that anybody could read.
 */
#include <assert.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "client_private.h"
#include "file.h"
#include "status.h"
#include "wire.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    CONNECT_TIMEOUT_MIN_MS = 100,
    CONNECT_TIMEOUT_MAX_MS = 600000,
};

void steno_client_options_init(steno_client_options *options)
{
    *options = (steno_client_options){.connect_timeout_ms = CONNECT_TIMEOUT_MS};
}

/* ---- Creation ---- */

static steno_status check_token(const char *token, steno_error *error)
{
    if (token == NULL)
        return STENO_OK;
    for (const char *c = token; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return error_set(
                error, STENO_ERROR_ARGUMENT, "the token has characters that no token has");
    if (*token == '\0')
        return error_set(error, STENO_ERROR_ARGUMENT, "the token is empty");
    return STENO_OK;
}

static steno_status check_options(const steno_client_options *options, steno_error *error)
{
    if (options->address_count == 0 || options->addresses == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "no address of a server");
    if (options->address_count > STENO_CLIENT_ADDRESSES_MAX)
        return error_set(error, STENO_ERROR_ARGUMENT, "more than %d addresses of servers",
            STENO_CLIENT_ADDRESSES_MAX);
    if (options->connect_timeout_ms < CONNECT_TIMEOUT_MIN_MS ||
        options->connect_timeout_ms > CONNECT_TIMEOUT_MAX_MS)
        return error_set(error, STENO_ERROR_ARGUMENT, "connect_timeout_ms: %u, should be %d to %d",
            (unsigned)options->connect_timeout_ms, CONNECT_TIMEOUT_MIN_MS, CONNECT_TIMEOUT_MAX_MS);
    if ((options->certificate_file == NULL) != (options->key_file == NULL))
        return error_set(
            error, STENO_ERROR_ARGUMENT, "a client's certificate and its key go together");
    return check_token(options->token, error);
}

static steno_status add_server(
    steno_client *self, const char *text, const connection_setting *setting, steno_error *error)
{
    client_server *server = &self->servers[self->server_count++];
    steno_status status = address_parse(text, &server->address, error);
    if (status < 0)
        return status;
    const address *where = &server->address;
    if (setting->token != NULL && !where->is_tls && !where->is_local)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "%s: the token would go there for all to read; use tls:%s", where->text, where->text);
    return connection_create(self->network, where, setting, &server->connection, error);
}

static bool has_tls(const steno_client_options *options)
{
    for (size_t i = 0; i < options->address_count; i++)
        if (strncmp(options->addresses[i], "tls:", 4) == 0)
            return true;
    return false;
}

static steno_status add_servers(
    steno_client *self, const steno_client_options *options, steno_error *error)
{
    const char *const paths[] = {
        options->ca_file, options->certificate_file, options->key_file, options->server_name};
    for (size_t i = 0; i < 4; i++)
        if (paths[i] != NULL && !has_tls(options))
            return error_set(error, STENO_ERROR_ARGUMENT,
                "certificates are for addresses that begin with \"tls:\", and there is none");
    char *texts[3] = {NULL, NULL, NULL};
    steno_status status = STENO_OK;
    for (size_t i = 0; i < 3 && status == STENO_OK; i++)
        if (paths[i] != NULL)
            status = file_read(paths[i], &texts[i], error);
    connection_setting setting = {
        .authorities = texts[0],
        .certificate = texts[1],
        .key = texts[2],
        .server_name = options->server_name,
        .token = options->token,
        .timeout_ms = options->connect_timeout_ms,
    };
    for (size_t i = 0; i < options->address_count && status == STENO_OK; i++)
        status = add_server(self, options->addresses[i], &setting, error);
    for (size_t i = 0; i < 3; i++)
        memory_free(texts[i]);
    return status;
}

steno_status steno_client_create(
    const steno_client_options *options, steno_client **out_client, steno_error *error)
{
    if (options == NULL || out_client == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "no options, or no place for the client");
    steno_status status = check_options(options, error);
    if (status < 0)
        return status;
    steno_client *self = memory_allocate(1, sizeof *self);
    if (self == NULL)
        return error_memory(error);
    self->connect_timeout_ms = options->connect_timeout_ms;
    self->servers = memory_allocate(options->address_count, sizeof *self->servers);
    status = self->servers != NULL ? network_create(&self->network, error) : error_memory(error);
    if (status == STENO_OK)
        status = add_servers(self, options, error);
    if (status != STENO_OK) {
        steno_client_destroy(self);
        return status;
    }
    *out_client = self;
    return STENO_OK;
}

void steno_client_destroy(steno_client *self)
{
    if (self == NULL)
        return;
    assert(atomic_load(&self->streams) == 0);
    for (size_t i = 0; i < self->server_count; i++) {
        connection_destroy(self->servers[i].connection);
        address_finish(&self->servers[i].address);
    }
    network_destroy(self->network);
    memory_free(self->servers);
    memory_free(self);
}

steno_status client_init_lock(pthread_mutex_t *lock, pthread_cond_t *cond, steno_error *error)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return error_memory(error);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int code = pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
    if (code != 0)
        return error_memory(error);
    if (pthread_mutex_init(lock, NULL) != 0) {
        pthread_cond_destroy(cond);
        return error_memory(error);
    }
    return STENO_OK;
}

/* ---- Questions ---- */

/* A call of one message, empty as all questions are, and its answer. */
typedef struct question {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool asked;
} question;

static call_pulled pull_question(void *context, const uint8_t **out_bytes, size_t *out_size)
{
    question *self = context;
    if (self->asked)
        return CALL_CLOSE;
    self->asked = true;
    *out_bytes = (const uint8_t *)"";
    *out_size = 0;
    return CALL_MESSAGE;
}

/* Waits for the answer, or the end without one. */
static steno_status take_answer(question *self, call *rpc, const client_server *server,
    client_use *use, void *context, steno_error *error)
{
    const uint8_t *bytes;
    size_t size;
    pthread_mutex_lock(&self->lock);
    bool answered;
    while (!(answered = call_take(rpc, &bytes, &size)) && !call_is_over(rpc))
        pthread_cond_wait(&self->cond, &self->lock);
    pthread_mutex_unlock(&self->lock);
    if (answered)
        return use(context, server->address.text, bytes, size, error);
    return status_explain(
        server->address.text, call_code(rpc), call_details(rpc), call_was_opened(rpc), error);
}

static steno_status ask(steno_client *client, const client_server *server, const char *path,
    client_use *use, void *context, steno_error *error)
{
    question self = {.asked = false};
    steno_status status = client_init_lock(&self.lock, &self.cond, error);
    if (status < 0)
        return status;
    call_owner owner = {
        .lock = &self.lock, .cond = &self.cond, .pull = pull_question, .context = &self};
    call *rpc = NULL;
    status = call_create(server->connection, path, client->connect_timeout_ms, &owner, &rpc, error);
    if (status == STENO_OK)
        status = take_answer(&self, rpc, server, use, context, error);
    call_destroy(rpc);
    pthread_cond_destroy(&self.cond);
    pthread_mutex_destroy(&self.lock);
    return status;
}

steno_status client_ask(
    steno_client *client, const char *path, client_use *use, void *context, steno_error *error)
{
    steno_status status = STENO_ERROR_NOT_FOUND;
    bool goes_on = true;
    for (size_t i = 0; i < client->server_count && goes_on; i++) {
        status = ask(client, &client->servers[i], path, use, context, error);
        goes_on = status != STENO_OK && status != STENO_ERROR_MEMORY;
    }
    return status;
}

static steno_status use_model(
    void *context, const char *from, const uint8_t *bytes, size_t size, steno_error *error)
{
    return wire_read_model(from, bytes, size, context, error);
}

steno_status steno_client_get_model(
    steno_client *client, steno_client_model **out_model, steno_error *error)
{
    if (client == NULL || out_model == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "no client, or no place for the model");
    return client_ask(client, WIRE_GET_MODEL, use_model, out_model, error);
}

void steno_client_model_destroy(steno_client_model *model)
{
    memory_free(model);
}
