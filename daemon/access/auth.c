#include "access/auth.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "access/tokens.h"
#include "base/error.h"
#include "base/memory.h"

/* How names of either kind begin, so that neither can be taken for the other or for an address. */
#define TOKEN_PREFIX "token:"
#define CERTIFICATE_PREFIX "certificate:"

typedef struct auth_limit {
    char *name; /* owned */
    uint32_t max_streams;
} auth_limit;

struct auth_change {
    tokens *tokens; /* NULL: no token is needed */
    auth_limit *limits;
    size_t limit_count;
};

struct auth {
    pthread_mutex_t mutex;
    auth_change *now; /* under the mutex; NULL: everybody is let in */
};

/* ---- Changing ---- */

static steno_status parse_limit(const char *text, auth_limit *out, steno_error *error)
{
    const char *equals = strrchr(text, '=');
    size_t digits = equals != NULL ? strspn(equals + 1, "0123456789") : 0;
    if (equals == NULL || equals == text || digits == 0 || digits > 5 || equals[1 + digits] != '\0')
        return error_set(error, STENO_ERROR_ARGUMENT,
            "client-limit: %s is not NAME=N, a client's name and its streams at once", text);
    out->name = memory_duplicate(text);
    if (out->name == NULL)
        return error_memory(error);
    out->name[equals - text] = '\0';
    out->max_streams = (uint32_t)strtoul(equals + 1, NULL, 10);
    return STENO_OK;
}

steno_status auth_prepare(const auth_setting *setting, auth_change **out_change, steno_error *error)
{
    auth_change *change = memory_allocate(1, sizeof(*change));
    if (change == NULL)
        return error_memory(error);
    change->limits = memory_allocate(setting->limit_count, sizeof(*change->limits));
    steno_status status = change->limits != NULL ? STENO_OK : error_memory(error);
    for (size_t i = 0; i < setting->limit_count && status == STENO_OK; i++) {
        status = parse_limit(setting->limits[i], &change->limits[i], error);
        change->limit_count += status == STENO_OK;
    }
    if (status == STENO_OK && setting->tokens != NULL)
        status = tokens_read(setting->tokens, &change->tokens, error);
    if (status < 0)
        auth_abandon(change);
    else
        *out_change = change;
    return status;
}

void auth_abandon(auth_change *change)
{
    if (change == NULL)
        return;
    for (size_t i = 0; i < change->limit_count; i++)
        memory_free(change->limits[i].name);
    memory_free(change->limits);
    tokens_destroy(change->tokens);
    memory_free(change);
}

void auth_commit(auth *self, auth_change *change)
{
    pthread_mutex_lock(&self->mutex);
    auth_change *before = self->now;
    self->now = change;
    pthread_mutex_unlock(&self->mutex);
    auth_abandon(before);
}

steno_status auth_create(auth **out_auth, steno_error *error)
{
    auth *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    pthread_mutex_init(&self->mutex, NULL);
    *out_auth = self;
    return STENO_OK;
}

void auth_destroy(auth *self)
{
    if (self == NULL)
        return;
    auth_abandon(self->now);
    pthread_mutex_destroy(&self->mutex);
    memory_free(self);
}

/* ---- Admitting ---- */

bool auth_wants_token(auth *self)
{
    return !auth_knows_token(self, NULL);
}

bool auth_knows_token(auth *self, const char *text)
{
    pthread_mutex_lock(&self->mutex);
    const tokens *all = self->now != NULL ? self->now->tokens : NULL;
    bool is_known = all == NULL || (text != NULL && tokens_find(all, text) != NULL);
    pthread_mutex_unlock(&self->mutex);
    return is_known;
}

static bool is_open(const call_method *method)
{
    static const char health[] = "/grpc.health.v1.Health/";
    return strncmp(method->path, health, sizeof(health) - 1) == 0;
}

const char *auth_bearer_token(const char *value)
{
    if (value == NULL || strncasecmp(value, "bearer ", 7) != 0)
        return NULL;
    value += 7;
    return value + strspn(value, " ");
}

/* A limit for this name in the settings, which stands before others. */
static void limit_by_name(const auth_change *now, const char *name, server_client *client)
{
    for (size_t i = 0; i < now->limit_count; i++)
        if (strcmp(now->limits[i].name, name) == 0)
            client->max_streams = now->limits[i].max_streams;
}

static void know_by_certificate(const auth_change *now, const call *rpc, server_client *client)
{
    char name[sizeof(client->name) - sizeof(CERTIFICATE_PREFIX)];
    if (!call_certificate_name(rpc, name, sizeof(name)))
        return;
    snprintf(client->name, sizeof(client->name), CERTIFICATE_PREFIX "%s", name);
    limit_by_name(now, name, client);
}

static call_status know_by_token(
    const auth_change *now, const call *rpc, server_client *client, char *message, size_t size)
{
    const char *text = auth_bearer_token(call_header(rpc, "authorization"));
    const token *found = text != NULL ? tokens_find(now->tokens, text) : NULL;
    if (found == NULL) {
        snprintf(message, size, "%s",
            text == NULL ? "a token is needed: metadata \"authorization: Bearer TOKEN\""
                         : "the token is not valid");
        return CALL_UNAUTHENTICATED;
    }
    snprintf(client->name, sizeof(client->name), TOKEN_PREFIX "%s", found->name);
    if (found->max_streams != TOKEN_NO_LIMIT)
        client->max_streams = found->max_streams;
    limit_by_name(now, found->name, client);
    return CALL_OK;
}

call_status auth_admit(void *context, const call *rpc, const call_method *method,
    server_client *client, char *message, size_t size)
{
    auth *self = context;
    call_status status = CALL_OK;
    pthread_mutex_lock(&self->mutex);
    if (self->now != NULL) {
        know_by_certificate(self->now, rpc, client);
        if (self->now->tokens != NULL && !is_open(method))
            status = know_by_token(self->now, rpc, client, message, size);
    }
    pthread_mutex_unlock(&self->mutex);
    return status;
}
