#include "noise.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void noise_hide(console *self)
{
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    FILE *errors = kept >= 0 && nowhere >= 0 ? fdopen(kept, "w") : NULL;
    if (errors != NULL) {
        setvbuf(errors, NULL, _IONBF, 0);
        fflush(stderr);
        dup2(nowhere, STDERR_FILENO);
        self->errors = errors;
    } else if (kept >= 0) {
        close(kept);
    }
    if (nowhere >= 0)
        close(nowhere);
}

void noise_restore(console *self)
{
    if (self->errors == stderr)
        return;
    fflush(self->errors);
    dup2(fileno(self->errors), STDERR_FILENO);
    fclose(self->errors);
    self->errors = stderr;
}
