#include "served.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

enum { OPTIONS_MOST = 32, WAIT_MS = 60000, STEP_MS = 20 };

static bool answers(const served *self)
{
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    snprintf(where.sun_path, sizeof where.sun_path, "%s/socket", self->folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, (const struct sockaddr *)&where, sizeof where) == 0;
    if (fd >= 0)
        close(fd);
    return connected;
}

static steno_status wait_until_up(served *self, const char *program, steno_error *error)
{
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += STEP_MS) {
        if (answers(self))
            return STENO_OK;
        if (waitpid(self->process, NULL, WNOHANG) == self->process) {
            self->process = -1;
            return error_set(error, STENO_ERROR_IO, "%s ended before it served", program);
        }
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
    return error_set(error, STENO_ERROR_IO, "%s does not serve", program);
}

steno_status served_start(const char *program, const char *const *options, size_t count,
    served *out_served, steno_error *error)
{
    served self = {.folder = "/tmp/bench_daemon.XXXXXX"};
    if (mkdtemp(self.folder) == NULL)
        return error_set(error, STENO_ERROR_IO, "%s: %s", self.folder, strerror(errno));
    snprintf(self.target, sizeof self.target, "unix:%s/socket", self.folder);
    const char *arguments[OPTIONS_MOST + 6] = {
        program, "--listen", self.target, "--log-level", "warning"};
    for (size_t i = 0; i < count && i < OPTIONS_MOST; i++)
        arguments[5 + i] = options[i];
    self.process = fork();
    if (self.process == 0) {
        /* It must not outlive who measures it. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execv(program, (char *const *)arguments);
        fprintf(stderr, "%s: %s\n", program, strerror(errno));
        _exit(127);
    }
    steno_status status = self.process > 0
                              ? wait_until_up(&self, program, error)
                              : error_set(error, STENO_ERROR_IO, "fork: %s", strerror(errno));
    if (status < 0)
        served_stop(&self);
    else
        *out_served = self;
    return status;
}

void served_stop(served *self)
{
    if (self->process > 0) {
        kill(self->process, SIGTERM);
        waitpid(self->process, NULL, 0);
    }
    char socket_path[80];
    snprintf(socket_path, sizeof socket_path, "%s/socket", self->folder);
    unlink(socket_path);
    rmdir(self->folder);
    *self = (served){.process = -1};
}

/* A file of /proc, as far as it fits. */
static void read_proc(const served *self, const char *name, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)self->process, name);
    FILE *file = fopen(path, "re");
    size_t length = file != NULL ? fread(out, 1, size - 1, file) : 0;
    out[length] = '\0';
    if (file != NULL)
        fclose(file);
}

double served_cpu_s(const served *self)
{
    clockid_t clock;
    struct timespec used = {0};
    if (clock_getcpuclockid(self->process, &clock) == 0)
        clock_gettime(clock, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

size_t served_resident_kb(const served *self)
{
    char text[4096];
    read_proc(self, "status", text, sizeof text);
    const char *line = strstr(text, "VmRSS:");
    return line != NULL ? (size_t)strtoul(line + 6, NULL, 10) : 0;
}
