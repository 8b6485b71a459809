#include <math.h>

#include "failure.h"
#include "server.h"

static steno_status refuse(const char *name, const char *reason, steno_error *error)
{
    return failure_set(error, STENO_ERROR_ARGUMENT, "--%s %s", name, reason);
}

typedef struct given {
    const char *name;
    bool is_given;
} given;

static const char *first_given(const given *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].is_given)
            return list[i].name;
    return NULL;
}

steno_status server_check_options(const option_values *options, steno_error *error)
{
    const given engines[] = {
        {"model", options->model != NULL},
        {"precision", options->precision != 0},
        {"operators", options->operators != 0},
        {"search", options->search != 0},
        {"beam", options->beam != 0},
        {"lm-weight", !isnan(options->lm_weight)},
        {"attention-weight", !isnan(options->attention_weight)},
        {"token-bonus", !isnan(options->token_bonus)},
        {"threads", options->threads != 0},
    };
    const given servers[] = {
        {"ca", options->ca_file != NULL},
        {"cert", options->certificate_file != NULL},
        {"key", options->key_file != NULL},
        {"server-name", options->server_name != NULL},
        {"token-file", options->token_file != NULL},
        {"connect-timeout", options->connect_timeout_s != 0},
    };
    const char *name;
    if (options->servers.count > 0) {
        name = first_given(engines, sizeof engines / sizeof engines[0]);
        if (name != NULL)
            return refuse(name, "is the server's to choose: it does not go with --server", error);
        return options->servers.count <= STENO_CLIENT_ADDRESSES_MAX
                   ? STENO_OK
                   : failure_set(error, STENO_ERROR_ARGUMENT, "--server: more than %d",
                         STENO_CLIENT_ADDRESSES_MAX);
    }
    name = first_given(servers, sizeof servers / sizeof servers[0]);
    return name != NULL ? refuse(name, "says how to speak to a --server, and there is none", error)
                        : STENO_OK;
}
