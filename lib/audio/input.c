/*
 * A path is read through the same two callbacks as a caller's source, so that there are only two
 * cases below: callbacks and memory.
 */
#include "audio/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

static void set_name(input *in, const char *name)
{
    size_t length = strlen(name);
    size_t room = sizeof in->name - 1;
    if (length <= room)
        memcpy(in->name, name, length + 1);
    else
        snprintf(in->name, sizeof in->name, "...%s", name + length - (room - 3));
}

static int64_t read_descriptor(void *context, void *bytes, size_t size)
{
    const int *descriptor = context;
    ssize_t count;
    do
        count = read(*descriptor, bytes, size);
    while (count < 0 && errno == EINTR);
    return count;
}

static int64_t seek_descriptor(void *context, int64_t offset, int whence)
{
    const int *descriptor = context;
    return lseek(*descriptor, offset, whence);
}

/* Finds out whether the source can seek, and how long it is. */
static void measure(input *in)
{
    in->size = UINT64_MAX;
    if (!in->source.seek)
        return;
    int64_t end = in->source.seek(in->source.context, 0, SEEK_END);
    if (end < 0 || in->source.seek(in->source.context, 0, SEEK_SET) != 0)
        return;
    in->seekable = true;
    in->size = (uint64_t)end;
}

static steno_status open_error(const input *in, int number, steno_error *error)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return error_set(error, STENO_ERROR_NOT_FOUND, "%s: no such file", in->name);
    case EACCES:
    case EPERM:
        return error_set(error, STENO_ERROR_PERMISSION, "%s: permission denied", in->name);
    case ENOMEM:
        return error_memory(error);
    default:
        return error_set(error, STENO_ERROR_IO, "%s: can't open: %s", in->name, strerror(number));
    }
}

steno_status input_open_path(input *in, const char *path, steno_error *error)
{
    *in = (struct input){.descriptor = -1};
    set_name(in, path);
    in->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (in->descriptor < 0)
        return open_error(in, errno, error);

    struct stat status;
    const char *wrong = NULL;
    if (fstat(in->descriptor, &status) != 0)
        wrong = strerror(errno);
    else if (S_ISDIR(status.st_mode))
        wrong = "is a directory";
    else if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
        wrong = "is a device, not a file";
    if (wrong) {
        close(in->descriptor);
        return error_set(error, STENO_ERROR_IO, "%s: %s", in->name, wrong);
    }
    in->source = (steno_source){.read = read_descriptor, .seek = seek_descriptor, &in->descriptor};
    measure(in);
    return STENO_OK;
}

steno_status input_open_memory(
    input *in, const char *name, const void *bytes, size_t size, steno_error *error)
{
    *in = (struct input){.descriptor = -1, .seekable = true, .size = size};
    set_name(in, name);
    in->bytes = bytes;
    return STENO_OK;
}

steno_status input_open_source(
    input *in, const char *name, const steno_source *source, steno_error *error)
{
    *in = (struct input){.descriptor = -1, .source = *source};
    set_name(in, name);
    measure(in);
    return STENO_OK;
}

void input_close(input *in)
{
    if (in->descriptor >= 0)
        close(in->descriptor);
    memory_free(in->owned);
}

steno_status input_error(const input *in, steno_error *error)
{
    return error_set(
        error, STENO_ERROR_IO, "%s: can't read: %s", in->name, strerror(in->error_number));
}

int64_t input_read_some(input *in, void *bytes, size_t size)
{
    if (in->error_number)
        return -1;
    if (in->bytes) {
        size_t left = (size_t)in->size - in->position;
        size_t count = size < left ? size : left;
        memcpy(bytes, in->bytes + in->position, count);
        in->position += count;
        return (int64_t)count;
    }
    errno = 0;
    int64_t count = in->source.read(in->source.context, bytes, size);
    if (count < 0 || (uint64_t)count > size) {
        in->error_number = count < 0 && errno ? errno : EIO;
        return -1;
    }
    return count;
}

int64_t input_read(input *in, void *bytes, size_t size)
{
    size_t total = 0;
    while (total < size) {
        int64_t count = input_read_some(in, (unsigned char *)bytes + total, size - total);
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        total += (size_t)count;
    }
    return (int64_t)total;
}

int64_t input_seek(input *in, int64_t offset, int whence)
{
    if (!in->seekable)
        return -1;
    if (!in->bytes)
        return in->source.seek(in->source.context, offset, whence);
    int64_t base = whence == SEEK_CUR   ? (int64_t)in->position
                   : whence == SEEK_END ? (int64_t)in->size
                                        : 0;
    if (offset < -base || offset > (int64_t)in->size - base)
        return -1;
    in->position = (size_t)(base + offset);
    return (int64_t)in->position;
}

/* Replaces the block by a larger one with the same first `used` bytes. */
static bool grow(unsigned char **block, size_t used, size_t capacity)
{
    unsigned char *larger = memory_allocate(capacity, 1);
    if (!larger)
        return false;
    if (used > 0)
        memcpy(larger, *block, used);
    memory_free(*block);
    *block = larger;
    return true;
}

/* Reads to the end into a block that doubles; its first size is what seeking said, plus one so
 * that the end is seen without growing. */
static steno_status read_all(
    input *in, size_t limit, unsigned char **block, size_t *out_size, steno_error *error)
{
    size_t capacity = in->seekable && in->size < limit ? (size_t)in->size + 1 : 1 << 16;
    size_t used = 0;
    if (!grow(block, 0, capacity))
        return error_memory(error);
    for (;;) {
        int64_t count = input_read(in, *block + used, capacity - used);
        if (count < 0)
            return input_error(in, error);
        used += (size_t)count;
        if (used > limit)
            return error_set(error, STENO_ERROR_LIMIT,
                "%s: more than %zu MiB, too long to be read into memory", in->name, limit >> 20);
        if (used < capacity)
            break;
        capacity = capacity <= limit / 2 ? 2 * capacity : limit + 1;
        if (!grow(block, used, capacity))
            return error_memory(error);
    }
    *out_size = used;
    return STENO_OK;
}

steno_status input_load(input *in, size_t limit, steno_error *error)
{
    if (in->owned)
        return STENO_OK;
    if (in->seekable)
        input_seek(in, 0, SEEK_SET);
    unsigned char *block = NULL;
    size_t size = 0;
    steno_status status = read_all(in, limit, &block, &size, error);
    if (status < 0) {
        memory_free(block);
        return status;
    }
    in->owned = block;
    in->bytes = block;
    in->size = size;
    in->position = 0;
    in->seekable = true;
    return STENO_OK;
}
