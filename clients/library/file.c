#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static steno_status read_all(const char *path, FILE *file, char **out_text, steno_error *error)
{
    size_t capacity = 1 << 14, size = 0;
    char *text = memory_allocate(capacity, 1);
    while (text != NULL) {
        size_t got = fread(text + size, 1, capacity - 1 - size, file);
        size += got;
        if (got == 0)
            break;
        if (size < capacity - 1)
            continue;
        if (capacity > FILE_MAX_BYTES) {
            memory_free(text);
            return error_set(error, STENO_ERROR_LIMIT, "%s: too large for this", path);
        }
        char *larger = memory_allocate(capacity * 2, 1);
        if (larger != NULL)
            memcpy(larger, text, size);
        memory_free(text);
        text = larger;
        capacity *= 2;
    }
    if (text == NULL)
        return error_memory(error);
    steno_status status = STENO_OK;
    if (ferror(file))
        status = error_errno(error, path, errno);
    else if (strlen(text) != size)
        status = error_set(error, STENO_ERROR_FORMAT, "%s: not a text", path);
    if (status == STENO_OK)
        *out_text = text;
    else
        memory_free(text);
    return status;
}

steno_status file_read(const char *path, char **out_text, steno_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_errno(error, path, errno);
    steno_status status = read_all(path, file, out_text, error);
    fclose(file);
    return status;
}
