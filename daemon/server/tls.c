#include "server/tls.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Each address asks for itself and keeps what it got. */
typedef struct tls_place {
    server_tls *tls;
    uint64_t seen; /* under the mutex: the version that it has */
} tls_place;

struct server_tls {
    tls_place *places; /* [addresses] */
    bool asks_clients;
    pthread_mutex_t mutex;

    /* Under the mutex. */
    char *chain, *key, *client_ca;
    uint64_t version; /* from 1 */
};

static void wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    memory_free(text);
}

static grpc_ssl_certificate_config_reload_status fetch(
    void *context, grpc_ssl_server_certificate_config **out_config)
{
    tls_place *place = context;
    server_tls *self = place->tls;
    pthread_mutex_lock(&self->mutex);
    bool is_new = place->seen != self->version;
    if (is_new) {
        grpc_ssl_pem_key_cert_pair pair = {self->key, self->chain};
        /* gRPC insists on authorities, also where it asks no client for a certificate and they
         * serve nothing: then the chain itself stands for them. */
        const char *authorities = self->client_ca != NULL ? self->client_ca : self->chain;
        *out_config = grpc_ssl_server_certificate_config_create(authorities, &pair, 1);
        place->seen = self->version;
    }
    pthread_mutex_unlock(&self->mutex);
    return is_new ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW
                  : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
}

grpc_server_credentials *server_tls_credentials(server_tls *self, size_t address)
{
    return grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(
            self->asks_clients ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                               : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            fetch, &self->places[address]));
}

steno_status server_tls_replace(
    server_tls *self, const char *chain, const char *key, const char *client_ca, steno_error *error)
{
    char *texts[3] = {memory_duplicate(chain), memory_duplicate(key),
        client_ca != NULL ? memory_duplicate(client_ca) : NULL};
    if (texts[0] == NULL || texts[1] == NULL || (client_ca != NULL && texts[2] == NULL)) {
        for (size_t i = 0; i < 3; i++)
            wipe(texts[i]);
        return error_memory(error);
    }
    pthread_mutex_lock(&self->mutex);
    char *before[3] = {self->chain, self->key, self->client_ca};
    self->chain = texts[0];
    self->key = texts[1];
    self->client_ca = texts[2];
    self->version++;
    pthread_mutex_unlock(&self->mutex);
    for (size_t i = 0; i < 3; i++)
        wipe(before[i]);
    return STENO_OK;
}

steno_status server_tls_create(const char *chain, const char *key, const char *client_ca,
    size_t addresses, server_tls **out_tls, steno_error *error)
{
    server_tls *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    pthread_mutex_init(&self->mutex, NULL);
    self->asks_clients = client_ca != NULL;
    self->places = memory_allocate(addresses, sizeof(*self->places));
    steno_status status = self->places != NULL
                              ? server_tls_replace(self, chain, key, client_ca, error)
                              : error_memory(error);
    if (status < 0) {
        server_tls_destroy(self);
        return status;
    }
    for (size_t i = 0; i < addresses; i++)
        self->places[i].tls = self;
    *out_tls = self;
    return STENO_OK;
}

void server_tls_destroy(server_tls *self)
{
    if (self == NULL)
        return;
    wipe(self->chain);
    wipe(self->key);
    wipe(self->client_ca);
    pthread_mutex_destroy(&self->mutex);
    memory_free(self->places);
    memory_free(self);
}
