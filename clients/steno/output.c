#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "growing.h"

enum { OUTPUT_BUFFER_BYTES = 64 * 1024, NAME_TRIES = 100 };

struct output {
    int fd;
    int failed_errno; /* of the first write that failed */
    char *path;       /* where it goes in the end */
    char *temporary;  /* NULL: written directly */
    growing buffer;
};

static steno_status fail(steno_error *error, const char *path, int code)
{
    steno_status status = code == ENOMEM ? STENO_ERROR_MEMORY : STENO_ERROR_IO;
    return failure_set(error, status, "%s: can't write: %s", path, strerror(code));
}

static void destroy(output *self)
{
    if (self == NULL)
        return;
    if (self->fd >= 0)
        close(self->fd);
    if (self->temporary != NULL)
        unlink(self->temporary);
    growing_finish(&self->buffer);
    free(self->temporary);
    free(self->path);
    free(self);
}

/* DIR/.NAME.NUMBER beside `path`, so that renaming stays within one file system. */
static char *temporary_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    int folder = slash != NULL ? (int)(slash + 1 - path) : 0;
    uint64_t number = 0;
    /* Should it fail, the name is only likelier to be taken. */
    (void)!getrandom(&number, sizeof number, GRND_NONBLOCK);
    char *name;
    if (asprintf(&name, "%.*s.%s.%016" PRIx64, folder, path, path + folder, number) < 0)
        return NULL;
    return name;
}

/* mkostemp would make it for its owner alone, and what a new file's permissions are the system
 * knows: asking for the umask changes it for a moment, for all threads. */
static int open_temporary(output *self)
{
    int code = EEXIST;
    for (int tries = 0; tries < NAME_TRIES && code == EEXIST; tries++) {
        free(self->temporary);
        self->temporary = temporary_name(self->path);
        if (self->temporary == NULL)
            return ENOMEM;
        self->fd = open(self->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        code = self->fd < 0 ? errno : 0;
    }
    if (code != 0) {
        free(self->temporary);
        self->temporary = NULL;
    }
    return code;
}

steno_status output_open(const char *path, output **out_output, steno_error *error)
{
    output *self = calloc(1, sizeof *self);
    if (self == NULL)
        return fail(error, path, ENOMEM);
    self->fd = -1;
    struct stat existing;
    bool exists = stat(path, &existing) == 0;
    bool regular = exists && S_ISREG(existing.st_mode);
    self->path = regular ? realpath(path, NULL) : strdup(path);
    int code = 0;
    if (self->path == NULL) {
        code = errno;
    } else if (exists && S_ISDIR(existing.st_mode)) {
        code = EISDIR;
    } else if (exists && !regular) {
        self->fd = open(path, O_WRONLY | O_CLOEXEC);
        code = self->fd < 0 ? errno : 0;
    } else if (exists && access(path, W_OK) != 0) {
        code = errno; /* a read-only file is not replaced behind its owner's back */
    } else {
        code = open_temporary(self);
        /* A file system without permissions refuses, and has none to keep. */
        if (code == 0 && exists)
            (void)!fchmod(self->fd, existing.st_mode & 0777);
    }
    if (code != 0) {
        destroy(self);
        return fail(error, path, code);
    }
    *out_output = self;
    return STENO_OK;
}

int output_write_to(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno != EINTR)
            return errno;
        bytes += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static void flush(output *self)
{
    if (self->failed_errno == 0)
        self->failed_errno = output_write_to(self->fd, self->buffer.bytes, self->buffer.size);
    growing_clear(&self->buffer);
}

steno_status output_write(void *context, const char *bytes, size_t size)
{
    output *self = context;
    if (growing_add(&self->buffer, bytes, size) < 0)
        self->failed_errno = ENOMEM;
    if (self->buffer.size >= OUTPUT_BUFFER_BYTES)
        flush(self);
    if (self->failed_errno == ENOMEM)
        return STENO_ERROR_MEMORY;
    return self->failed_errno == 0 ? STENO_OK : STENO_ERROR_IO;
}

steno_status output_commit(output *self, steno_error *error)
{
    flush(self);
    int code = self->failed_errno;
    int fd = self->fd;
    self->fd = -1;
    if (close(fd) != 0 && code == 0)
        code = errno;
    if (code == 0 && self->temporary != NULL) {
        if (rename(self->temporary, self->path) == 0) {
            free(self->temporary);
            self->temporary = NULL;
        } else {
            code = errno;
        }
    }
    steno_status status = code == 0 ? STENO_OK : fail(error, self->path, code);
    destroy(self);
    return status;
}

void output_discard(output *self)
{
    destroy(self);
}
