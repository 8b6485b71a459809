/* In the place of watch.c where gRPC is not there. */
#include <stdio.h>

#include "exit_status.h"
#include "watch.h"

int watch(const option_values *options)
{
    fprintf(stderr, "steno: this steno was built without gRPC and can't speak to servers\n");
    return EXIT_STATUS_USAGE;
}
