/* Which line of log.c an entry comes from is of no use. */
#define SD_JOURNAL_SUPPRESS_LOCATION

#include "system/systemd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

/* Beside the drain, for what is left to do. */
enum { STOPPING_SECONDS = 10 };
enum { JOURNAL_FIELDS = 16 }; /* one more than log.c has */

steno_status systemd_take_sockets(unsigned *out_count, steno_error *error)
{
    int count = sd_listen_fds(1);
    if (count < 0)
        return error_set(error, STENO_ERROR_IO, "the sockets handed over: %s", strerror(-count));
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++)
        if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
            return error_set(error, STENO_ERROR_STATE,
                "descriptor %d was handed over and is not a listening stream socket", fd);
    *out_count = (unsigned)count;
    return STENO_OK;
}

void systemd_ready(const char *status)
{
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void systemd_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reloading",
        (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
}

void systemd_stopping(uint32_t seconds)
{
    sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu\nSTATUS=Streams under way may end",
        ((unsigned long long)seconds + STOPPING_SECONDS) * 1000000);
}

uint32_t systemd_watchdog_ms(void)
{
    uint64_t us = 0;
    if (sd_watchdog_enabled(0, &us) <= 0)
        return 0;
    return us / 1000 < UINT32_MAX ? (uint32_t)(us / 1000) : UINT32_MAX;
}

void systemd_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}

bool systemd_has_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat there;
    char own[64];
    if (stream == NULL || fstat(STDERR_FILENO, &there) != 0)
        return false;
    snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)there.st_dev,
        (unsigned long long)there.st_ino);
    return strcmp(stream, own) == 0;
}

bool systemd_journal(const char *const *fields, unsigned count)
{
    struct iovec parts[JOURNAL_FIELDS];
    if (count > JOURNAL_FIELDS)
        count = JOURNAL_FIELDS;
    for (unsigned i = 0; i < count; i++)
        parts[i] = (struct iovec){(char *)fields[i], strlen(fields[i])};
    return sd_journal_sendv(parts, (int)count) == 0;
}
