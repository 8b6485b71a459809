/* In the place of server.c where gRPC is not there. */
#include "failure.h"
#include "server.h"

static steno_status refuse(steno_error *error)
{
    return failure_set(error, STENO_ERROR_ARGUMENT,
        "--server: this steno was built without gRPC and can't speak to servers");
}

steno_status recogniser_create_server(
    const option_values *options, recogniser **out_recogniser, steno_error *error)
{
    return refuse(error);
}

steno_status server_get_model(const option_values *options,
    void (*use)(void *context, const steno_client_model *model), void *context, steno_error *error)
{
    return refuse(error);
}
