/*
 * Servers of the command line: --server and the options that go with it.  server_absent.c says in
 * their place that this steno is built without.
 */
#ifndef STENO_SERVER_H
#define STENO_SERVER_H

#include "options.h"
#include "recogniser.h"
#include "steno/client.h"

/* Options that contradict --server, or that are for it alone: STENO_ERROR_ARGUMENT. */
steno_status server_check_options(const option_values *options, steno_error *error);

/* Of --server and the options that go with it, or where there is none of the server of this machine
 * alone. */
steno_status server_create_client(
    const option_values *options, steno_client **out_client, steno_error *error);

/* Asks the server what it recognises with; `use` gets it for the time of the call. */
steno_status server_get_model(const option_values *options,
    void (*use)(void *context, const steno_client_model *model), void *context, steno_error *error);

#endif
