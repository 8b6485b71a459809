#include "text_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"

steno_status text_file_read(const char *path, growing *out_bytes, steno_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return failure_errno(error, path, errno);
    char block[16384];
    size_t size;
    steno_status status = growing_add(out_bytes, "", 0);
    while (status == STENO_OK && (size = fread(block, 1, sizeof block, file)) > 0)
        status = growing_add(out_bytes, block, size);
    if (status < 0)
        failure_memory(error);
    else if (ferror(file))
        status = failure_errno(error, path, errno);
    fclose(file);
    if (status == STENO_OK && out_bytes->size > 0 && strlen(out_bytes->bytes) != out_bytes->size)
        status = failure_set(error, STENO_ERROR_FORMAT, "%s: not a text file", path);
    return status;
}
