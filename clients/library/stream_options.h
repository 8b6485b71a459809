/* The options of a stream: what can be said of them before a server is asked. */
#ifndef CLIENT_STREAM_OPTIONS_H
#define CLIENT_STREAM_OPTIONS_H

#include "steno/client.h"

/* ARGUMENT and LIMIT name the option that is out of its range. */
steno_status stream_options_check(const steno_client_stream_options *options, steno_error *error);

/* Whether the audio is samples whose rate, channels and encoding the options tell. */
bool stream_options_has_samples(const steno_client_stream_options *options);

#endif
