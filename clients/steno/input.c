#include "input.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* Reads standard input; a stop is its end, so that what a live source gave so far is recognised. */
static int64_t read_standard_input(void *context, void *bytes, size_t size)
{
    const input *self = context;
    for (;;) {
        struct pollfd fds[] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = self->interrupt->stop_fd, .events = POLLIN},
        };
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return -1;
        if (interrupt_stopped(self->interrupt))
            return 0;
        if (fds[0].revents == 0)
            continue;
        ssize_t got = read(STDIN_FILENO, bytes, size);
        if (got >= 0 || errno != EINTR)
            return got;
    }
}

static int64_t seek_standard_input(void *context, int64_t offset, int whence)
{
    return lseek(STDIN_FILENO, offset, whence);
}

steno_status input_open(input *self, const char *path, const steno_raw_format *raw,
    const interrupt *signals, steno_error *error)
{
    *self = (struct input){.interrupt = signals};
    if (strcmp(path, "-") != 0)
        return steno_audio_open(path, raw, &self->file, error);
    struct stat status;
    bool seekable = fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode);
    steno_source source = {
        .read = read_standard_input,
        .seek = seekable ? seek_standard_input : NULL,
        .context = self,
    };
    return steno_audio_open_source(input_name(path), &source, raw, &self->file, error);
}

void input_close(input *self)
{
    steno_audio_close(self->file);
    self->file = NULL;
}
