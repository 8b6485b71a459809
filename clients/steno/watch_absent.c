/* In the place of watch.c where gRPC is not there. */
#include <stdio.h>

#include "exit_status.h"
#include "help.h"
#include "watch.h"

int watch(const option_values *options)
{
    steno_error error;
    if (watch_check_options(options, &error) < 0)
        return help_usage_error("watch", error.message);
    fprintf(stderr, "steno: this steno was built without gRPC and can't speak to servers\n");
    return EXIT_STATUS_SERVER;
}
