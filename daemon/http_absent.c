/* A build without libmicrohttpd. */
#include "base/error.h"
#include "daemon/http.h"

steno_status http_create(const http_setting *setting, http **out_http, steno_error *error)
{
    return error_set(error, STENO_ERROR_UNSUPPORTED,
        "%s: this build has no HTTP: it was built without libmicrohttpd", setting->address);
}

int http_port(const http *self)
{
    return 0;
}

void http_destroy(http *self) {}
