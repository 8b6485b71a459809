#include "manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "text_file.h"

static char *resolve(const char *manifest_path, const char *path)
{
    const char *slash = strrchr(manifest_path, '/');
    if (path[0] == '/' || slash == NULL)
        return strdup(path);
    char *resolved;
    if (asprintf(&resolved, "%.*s%s", (int)(slash + 1 - manifest_path), manifest_path, path) < 0)
        return NULL;
    return resolved;
}

static steno_status add_line(
    manifest *self, const char *path, size_t number, char *line, steno_error *error)
{
    char *rest = line;
    const char *audio = strsep(&rest, "\t");
    const char *text = rest != NULL ? strsep(&rest, "\t") : NULL;
    const char *group = rest != NULL ? strsep(&rest, "\t") : "";
    if (*audio == '\0' || text == NULL)
        return failure_set(error, STENO_ERROR_FORMAT,
            "%s:%zu: not a path and a text separated by a tab", path, number);
    if (self->count == 0 && strcmp(audio, "audio") == 0 && strcmp(text, "text") == 0)
        return STENO_OK;
    if (self->count == self->capacity) {
        size_t capacity = self->capacity * 2 + 64;
        manifest_entry *larger = realloc(self->entries, capacity * sizeof *larger);
        if (larger == NULL)
            return failure_set(error, STENO_ERROR_MEMORY, "%s: out of memory", path);
        self->entries = larger;
        self->capacity = capacity;
    }
    char *resolved = resolve(path, audio);
    if (resolved == NULL)
        return failure_set(error, STENO_ERROR_MEMORY, "%s: out of memory", path);
    self->entries[self->count++] = (manifest_entry){resolved, text, group};
    return STENO_OK;
}

static steno_status parse(manifest *self, const char *path, steno_error *error)
{
    char *rest = self->bytes, *line;
    for (size_t number = 1; (line = strsep(&rest, "\n")) != NULL; number++) {
        line[strcspn(line, "\r")] = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        steno_status status = add_line(self, path, number, line, error);
        if (status < 0)
            return status;
    }
    if (self->count == 0)
        return failure_set(error, STENO_ERROR_FORMAT, "%s: no recordings in it", path);
    return STENO_OK;
}

steno_status manifest_read(const char *path, manifest *out_manifest, steno_error *error)
{
    *out_manifest = (manifest){0};
    growing bytes = {0};
    steno_status status = text_file_read(path, &bytes, error);
    out_manifest->bytes = bytes.bytes;
    if (status < 0)
        return status;
    return parse(out_manifest, path, error);
}

void manifest_finish(manifest *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->entries[i].path);
    free(self->entries);
    free(self->bytes);
    *self = (struct manifest){0};
}
