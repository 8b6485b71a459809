#include "exit_status.h"

int exit_status_of_input(steno_status status)
{
    switch (status) {
    case STENO_ERROR_NOT_FOUND:
    case STENO_ERROR_PERMISSION:
    case STENO_ERROR_IO:
        return EXIT_STATUS_INPUT;
    default:
        return status < 0 ? EXIT_STATUS_AUDIO : EXIT_STATUS_FINE;
    }
}

static int severity(int status)
{
    switch (status) {
    case EXIT_STATUS_FINE:
        return 0;
    case EXIT_STATUS_INPUT:
        return 1;
    case EXIT_STATUS_AUDIO:
        return 2;
    case EXIT_STATUS_SERVER:
        return 3;
    default:
        return 4;
    }
}

int exit_status_worse(int one, int other)
{
    return severity(other) > severity(one) ? other : one;
}
