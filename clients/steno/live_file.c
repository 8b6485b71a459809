#include "live_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"
#include "output.h"

struct live_file {
    int fd;
    int failed_errno; /* of the first write that failed */
    char *path;
};

static steno_status fail(steno_error *error, const char *path, int code)
{
    steno_status status = code == ENOMEM ? STENO_ERROR_MEMORY : STENO_ERROR_IO;
    return failure_set(error, status, "%s: can't write: %s", path, strerror(code));
}

steno_status live_file_open(const char *path, live_file **out_file, steno_error *error)
{
    live_file *self = calloc(1, sizeof *self);
    char *name = strdup(path);
    int fd = -1;
    if (self != NULL && name != NULL)
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    else
        errno = ENOMEM;
    if (fd < 0) {
        steno_status status = fail(error, path, errno);
        free(name);
        free(self);
        return status;
    }
    *self = (struct live_file){.fd = fd, .path = name};
    *out_file = self;
    return STENO_OK;
}

steno_status live_file_write(void *context, const char *bytes, size_t size)
{
    live_file *self = context;
    if (self->failed_errno == 0)
        self->failed_errno = output_write_to(self->fd, bytes, size);
    return self->failed_errno == 0 ? STENO_OK : STENO_ERROR_IO;
}

steno_status live_file_close(live_file *self, steno_error *error)
{
    if (self == NULL)
        return STENO_OK;
    if (close(self->fd) != 0 && self->failed_errno == 0)
        self->failed_errno = errno;
    steno_status status =
        self->failed_errno == 0 ? STENO_OK : fail(error, self->path, self->failed_errno);
    free(self->path);
    free(self);
    return status;
}
