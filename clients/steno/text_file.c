#include "text_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static steno_status fail(
    steno_error *error, steno_status status, const char *path, const char *reason)
{
    snprintf(error->message, sizeof error->message, "%s: %s", path, reason);
    return error->status = status;
}

static steno_status fail_system(steno_error *error, const char *path)
{
    steno_status status = errno == ENOENT   ? STENO_ERROR_NOT_FOUND
                          : errno == EACCES ? STENO_ERROR_PERMISSION
                                            : STENO_ERROR_IO;
    return fail(error, status, path, strerror(errno));
}

steno_status text_file_read(const char *path, growing *out_bytes, steno_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return fail_system(error, path);
    char block[16384];
    size_t size;
    steno_status status = growing_add(out_bytes, "", 0);
    while (status == STENO_OK && (size = fread(block, 1, sizeof block, file)) > 0)
        status = growing_add(out_bytes, block, size);
    if (status < 0)
        fail(error, status, path, "out of memory");
    else if (ferror(file))
        status = fail_system(error, path);
    fclose(file);
    if (status == STENO_OK && out_bytes->size > 0 && strlen(out_bytes->bytes) != out_bytes->size)
        status = fail(error, STENO_ERROR_FORMAT, path, "not a text file");
    return status;
}
