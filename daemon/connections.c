/*
 * gRPC's C core takes every connection that comes.  Once the process has no file descriptor left,
 * accepting fails, and 1.51 then stops listening for good (newer versions try again): who opens a
 * thousand connections to a daemon with the usual limit of 1024 files has ended it for everybody.
 * The core has no limit of its own (newer versions have one, which counts per port), no hook before
 * a connection is taken, and takes sockets that were accepted elsewhere only without TLS and
 * without their address.
 *
 * So the accept4 that the core calls is the one of this file: a program's symbols come before those
 * of the C library.  It closes what is too many, and never reports an error that the core would
 * stop listening for.
 *
 * What is counted is sockets that were taken and are still open.  The core closes them where it
 * likes, so a socket is known by its descriptor and inode number, and those that have gone are
 * found when the table is full; nobody pays for counting before.
 */
#include "daemon/connections.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

/* Descriptors for all that is no connection: the model, gRPC's own, listening sockets. */
#define OTHER_FILES 128
/* Connections where nobody says how many. */
#define MANY 1000

typedef struct taken_socket {
    int fd;
    ino_t inode;
} taken_socket;

/* accept4 gets nothing of ours to find it by. */
static struct {
    pthread_mutex_t lock;
    taken_socket *taken; /* [most]; NULL: no limit */
    uint32_t most, count;
    int spared; /* a listening socket whose connections aren't counted; -1: none */
    int spare;  /* a descriptor to give up when there are no others; -1: none */
} connections = {.lock = PTHREAD_MUTEX_INITIALIZER, .spared = -1, .spare = -1};

/* ---- Counting ---- */

static bool is_still_there(const taken_socket *one)
{
    struct stat now;
    return fstat(one->fd, &now) == 0 && S_ISSOCK(now.st_mode) && now.st_ino == one->inode;
}

static void forget_closed(void)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < connections.count; i++)
        if (is_still_there(&connections.taken[i]))
            connections.taken[kept++] = connections.taken[i];
    connections.count = kept;
}

/* Whether there is room for it; then it is counted. */
static bool take(int fd)
{
    if (connections.taken == NULL)
        return true;
    if (connections.count == connections.most)
        forget_closed();
    struct stat now;
    if (connections.count == connections.most || fstat(fd, &now) != 0)
        return false;
    connections.taken[connections.count++] = (taken_socket){fd, now.st_ino};
    return true;
}

/* ---- Accepting ---- */

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* No descriptor is left: the spare one's place serves to close what waits.  Returns false where
 * that does not help either. */
static bool turn_away(int listener)
{
    if (connections.spare < 0)
        return false;
    close(connections.spare);
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0)
        close(fd);
    connections.spare = open_spare();
    return fd >= 0;
}

static int accept_with(int listener, struct sockaddr *address, socklen_t *size, int flags)
{
    int fd = accept(listener, address, size);
    if (fd < 0)
        return -1;
    int mode = fcntl(fd, F_GETFL);
    if ((flags & SOCK_CLOEXEC) != 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    if ((flags & SOCK_NONBLOCK) != 0)
        fcntl(fd, F_SETFL, mode | O_NONBLOCK);
    return fd;
}

/* The connection waits, and there is nothing to take it with. */
static bool is_want(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

/* One connection had gone wrong before it was taken, and is out of the way. */
static bool is_of_one(int code)
{
    switch (code) {
    case ECONNABORTED:
    case EPERM: /* a firewall's */
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    default:
        return false;
    }
}

static int accept_counted(int listener, struct sockaddr *address, socklen_t *size, int flags)
{
    socklen_t room = size != NULL ? *size : 0;
    for (;;) {
        if (size != NULL)
            *size = room;
        int fd = accept_with(listener, address, size, flags);
        if (fd >= 0 && (listener == connections.spared || take(fd)))
            return fd;
        if (fd >= 0) {
            close(fd);
        } else if (is_want(errno)) {
            if (turn_away(listener))
                continue;
            /* The next connection to come leads here again. */
            errno = EAGAIN;
            return -1;
        } else if (!is_of_one(errno)) {
            return -1;
        }
    }
}

/* Instead of the C library's, for the whole process.  By its name alone: the headers of C libraries
 * declare accept4 with types of their own. */
int accept_for_all(int listener, struct sockaddr *address, socklen_t *size, int flags) __asm__(
    "accept4");

__attribute__((visibility("default"))) int accept_for_all(
    int listener, struct sockaddr *address, socklen_t *size, int flags)
{
    pthread_mutex_lock(&connections.lock);
    int fd = accept_counted(listener, address, size, flags);
    int kept = errno;
    pthread_mutex_unlock(&connections.lock);
    errno = kept;
    return fd;
}

/* ---- Beginning and end ---- */

void connections_spare_listener(int listener)
{
    pthread_mutex_lock(&connections.lock);
    connections.spared = listener;
    pthread_mutex_unlock(&connections.lock);
}

uint32_t connections_preset(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max == RLIM_INFINITY ||
        files.rlim_max >= MANY + OTHER_FILES)
        return MANY;
    return files.rlim_max > OTHER_FILES ? (uint32_t)(files.rlim_max - OTHER_FILES) : 1;
}

static steno_status allow_files(uint32_t most, steno_error *error)
{
    struct rlimit files;
    rlim_t needed = (rlim_t)most + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return error_set(error, STENO_ERROR_IO, "can't ask for the limit of open files");
    if (files.rlim_cur == RLIM_INFINITY || files.rlim_cur >= needed)
        return STENO_OK;
    files.rlim_cur = needed;
    if ((files.rlim_max != RLIM_INFINITY && files.rlim_max < needed) ||
        setrlimit(RLIMIT_NOFILE, &files) != 0)
        return error_set(error, STENO_ERROR_LIMIT,
            "%u connections need %llu open files, and this process may have %llu (ulimit -n)", most,
            (unsigned long long)needed, (unsigned long long)files.rlim_max);
    return STENO_OK;
}

steno_status connections_begin(uint32_t most, steno_error *error)
{
    steno_status status = allow_files(most, error);
    if (status < 0)
        return status;
    taken_socket *taken = memory_allocate(most, sizeof *taken);
    if (taken == NULL)
        return error_memory(error);
    pthread_mutex_lock(&connections.lock);
    memory_free(connections.taken);
    connections.taken = taken;
    connections.most = most;
    connections.count = 0;
    if (connections.spare < 0)
        connections.spare = open_spare();
    pthread_mutex_unlock(&connections.lock);
    return STENO_OK;
}

void connections_end(void)
{
    pthread_mutex_lock(&connections.lock);
    memory_free(connections.taken);
    connections.taken = NULL;
    if (connections.spare >= 0)
        close(connections.spare);
    connections.spare = -1;
    pthread_mutex_unlock(&connections.lock);
}
