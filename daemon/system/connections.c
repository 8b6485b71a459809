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
 * found when the table is full, or looked at.
 *
 * The core 1.51 also keeps request headers of any length while they come: who never ends them has
 * all of its memory.  Nothing else can come in between on that connection, so a thread looks, twice
 * a second while there are any, how much each has received (the kernel counts) since a call or a
 * message of it came whole, and closes those for which that is more than honest clients have under
 * way: a little, and a message for each call that may still send one.
 */
#include "system/connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

/* Descriptors for all that is no connection: the model, gRPC's own, listening sockets. */
#define OTHER_FILES 128
/* Connections where nobody says how many. */
#define MANY 1000
/* Bytes that a connection may have under way beside the messages of its calls; of all connections
 * that have no such call, together; and how often that is looked at. */
#define UNHEARD_ONE ((uint64_t)16 << 20)
#define UNHEARD_ALL ((uint64_t)128 << 20)
#define LOOK_MS 500

typedef struct taken_socket {
    int fd;
    ino_t inode;
    uint16_t port; /* of the client; 0: not TCP, and not looked at */
    char address[INET6_ADDRSTRLEN];
    uint32_t calls;       /* that may still send a message */
    bool was_heard;       /* since the last look */
    uint64_t heard_bytes; /* received when it was last heard, to the next look */
} taken_socket;

/* accept4 gets nothing of ours to find it by. */
static struct {
    pthread_mutex_t lock;
    taken_socket *taken; /* [most]; NULL: no limit */
    uint32_t most, count;
    uint64_t message_bytes; /* the largest message */
    pthread_t looker;
    pthread_cond_t came, ending; /* has_any; is_ending, there while has_looker */
    bool has_looker, has_any /* to look at */, is_ending;
    int spared; /* a listening socket whose connections aren't counted; -1: none */
    int spare;  /* a descriptor to give up when there are no others; -1: none */
} connections = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER, .spared = -1, .spare = -1};

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

/* Who is at the other end, as far as that is a port. */
static void note_address(taken_socket *one)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage room;
    } peer;
    socklen_t size = sizeof peer;
    if (getpeername(one->fd, &peer.any, &size) != 0)
        return;
    if (peer.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &peer.v4.sin_addr, one->address, sizeof one->address);
        one->port = ntohs(peer.v4.sin_port);
    } else if (peer.any.sa_family == AF_INET6) {
        /* gRPC writes a mapped address as the one it stands for, others with their scope. */
        const struct in6_addr *v6 = &peer.v6.sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(v6))
            inet_ntop(AF_INET, &v6->s6_addr[12], one->address, sizeof one->address);
        else
            inet_ntop(AF_INET6, v6, one->address, sizeof one->address);
        one->port = ntohs(peer.v6.sin6_port);
    }
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
    taken_socket *one = &connections.taken[connections.count++];
    *one = (taken_socket){.fd = fd, .inode = now.st_ino};
    note_address(one);
    connections.has_any |= one->port != 0;
    pthread_cond_signal(&connections.came);
    return true;
}

/* ---- Looking ---- */

void connections_heard(const char *peer, int calls)
{
    const char *colon = strrchr(peer, ':');
    /* "ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711"; others are not looked at. */
    if (colon == NULL || strncmp(peer, "ipv", 3) != 0)
        return;
    uint16_t port = (uint16_t)atoi(colon + 1);
    pthread_mutex_lock(&connections.lock);
    for (uint32_t i = 0; connections.taken != NULL && i < connections.count; i++) {
        taken_socket *one = &connections.taken[i];
        if (one->port != port || strstr(peer, one->address) == NULL)
            continue;
        one->was_heard = true;
        if (calls > 0)
            one->calls++;
        else if (calls < 0 && one->calls > 0)
            one->calls--;
    }
    pthread_mutex_unlock(&connections.lock);
}

static uint64_t received_bytes(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received : 0;
}

/* What has come since it was last heard. */
static uint64_t unheard_bytes(taken_socket *one)
{
    uint64_t received = received_bytes(one->fd);
    if (one->was_heard)
        one->heard_bytes = received;
    one->was_heard = false;
    return received - one->heard_bytes;
}

/* The core sees the end and closes it.  That then is a reset, which its client sees even with
 * nowhere left to write to. */
static void cut(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(fd, SHUT_RDWR);
}

static void look(void)
{
    uint64_t all = 0, largest_bytes = 0;
    const taken_socket *largest = NULL;
    forget_closed();
    connections.has_any = false;
    for (uint32_t i = 0; i < connections.count; i++) {
        taken_socket *one = &connections.taken[i];
        if (one->port == 0)
            continue;
        connections.has_any = true;
        uint64_t bytes = unheard_bytes(one);
        if (bytes > UNHEARD_ONE + one->calls * connections.message_bytes)
            cut(one->fd);
        if (one->calls > 0)
            continue;
        all += bytes;
        if (bytes > largest_bytes) {
            largest_bytes = bytes;
            largest = one;
        }
    }
    if (all > UNHEARD_ALL && largest != NULL)
        cut(largest->fd);
}

static void *run_looker(void *unused)
{
    pthread_mutex_lock(&connections.lock);
    while (!connections.is_ending) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (until.tv_nsec + LOOK_MS * 1000000L) / 1000000000L;
        until.tv_nsec = (until.tv_nsec + LOOK_MS * 1000000L) % 1000000000L;
        if (!connections.has_any)
            pthread_cond_wait(&connections.came, &connections.lock);
        else if (pthread_cond_timedwait(&connections.ending, &connections.lock, &until) ==
                 ETIMEDOUT)
            look();
    }
    pthread_mutex_unlock(&connections.lock);
    return NULL;
}

static steno_status start_looker(steno_error *error)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&connections.ending, &attributes);
    pthread_condattr_destroy(&attributes);
    int code = pthread_create(&connections.looker, NULL, run_looker, NULL);
    connections.has_looker = code == 0;
    if (code == 0)
        return STENO_OK;
    pthread_cond_destroy(&connections.ending);
    return error_set(error, STENO_ERROR_IO, "can't start a thread: %s", strerror(code));
}

static void stop_looker(void)
{
    if (!connections.has_looker)
        return;
    pthread_mutex_lock(&connections.lock);
    connections.is_ending = true;
    pthread_cond_signal(&connections.came);
    pthread_cond_signal(&connections.ending);
    pthread_mutex_unlock(&connections.lock);
    pthread_join(connections.looker, NULL);
    pthread_cond_destroy(&connections.ending);
    connections.has_looker = false;
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

void connections_leave_room(uint32_t others)
{
    struct rlimit files;
    pthread_mutex_lock(&connections.lock);
    rlim_t needed = (rlim_t)connections.most + OTHER_FILES + others;
    pthread_mutex_unlock(&connections.lock);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY ||
        files.rlim_cur >= needed)
        return;
    files.rlim_cur = needed < files.rlim_max ? needed : files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

steno_status connections_begin(uint32_t most, size_t message_bytes, steno_error *error)
{
    connections_end();
    steno_status status = allow_files(most, error);
    if (status < 0)
        return status;
    taken_socket *taken = memory_allocate(most, sizeof *taken);
    if (taken == NULL)
        return error_memory(error);
    pthread_mutex_lock(&connections.lock);
    connections.taken = taken;
    connections.most = most;
    connections.message_bytes = message_bytes;
    connections.count = 0;
    connections.is_ending = connections.has_any = false;
    connections.spare = open_spare();
    pthread_mutex_unlock(&connections.lock);
    return start_looker(error);
}

void connections_end(void)
{
    stop_looker();
    pthread_mutex_lock(&connections.lock);
    memory_free(connections.taken);
    connections.taken = NULL;
    if (connections.spare >= 0)
        close(connections.spare);
    connections.spare = -1;
    pthread_mutex_unlock(&connections.lock);
}
