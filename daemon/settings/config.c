#include "settings/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define LINE_MAX_BYTES 4096

typedef struct reader {
    daemon_options *options;
    char where[512]; /* "path:line" */
    char section[32];
    capture_setting *capture; /* the section of; NULL: of another kind */
} reader;

/* Cuts white space off both ends, in place. */
static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

static bool is_section(const char *name)
{
    return strcmp(name, "server") == 0 || strcmp(name, "recognition") == 0 ||
           strcmp(name, "limits") == 0 || strcmp(name, "monitoring") == 0;
}

static steno_status read_section(reader *self, char *text, steno_error *error)
{
    char *end = strchr(text, ']');
    if (end == NULL || end[1] != '\0')
        return error_set(
            error, STENO_ERROR_ARGUMENT, "%s: a section is written [name]", self->where);
    *end = '\0';
    char *name = trim(text + 1);
    self->capture = NULL;
    size_t length = strcspn(name, " \t");
    if (length == strlen("capture") && memcmp(name, "capture", length) == 0)
        return capture_options_begin(
            &self->options->captures, trim(name + length), self->where, &self->capture, error);
    if (!is_section(name))
        return error_set(error, STENO_ERROR_ARGUMENT,
            "%s: there is no section [%s], but [server], [recognition], [limits], [monitoring] and "
            "[capture NAME]",
            self->where, name);
    snprintf(self->section, sizeof(self->section), "%s", name);
    return STENO_OK;
}

static steno_status read_setting(reader *self, char *text, steno_error *error)
{
    char *equals = strchr(text, '=');
    if (equals == NULL)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "%s: a setting is written key = value", self->where);
    *equals = '\0';
    char *key = trim(text);
    if (self->capture != NULL)
        return capture_options_set(self->capture, key, trim(equals + 1), self->where, error);
    const option_entry *entry = options_find(key, strlen(key));
    if (entry == NULL || entry->section == NULL)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "%s: there is no setting \"%s\"", self->where, key);
    if (self->section[0] != '\0' && strcmp(self->section, entry->section) != 0)
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: \"%s\" belongs under [%s], not [%s]",
            self->where, key, entry->section, self->section);
    return options_set(
        self->options, entry, trim(equals + 1), OPTION_SOURCE_FILE, self->where, error);
}

/* A comment is a line of its own: values may hold a #. */
static steno_status read_line(reader *self, char *line, steno_error *error)
{
    char *text = trim(line);
    if (text[0] == '\0' || text[0] == '#')
        return STENO_OK;
    return text[0] == '[' ? read_section(self, text, error) : read_setting(self, text, error);
}

/* Without the byte that ends it.  STENO_END after the last.  Not by fgets, which would hide what
 * stands behind a byte of zero, and go on for ever with /dev/zero. */
static steno_status next_line(
    const reader *self, FILE *file, char line[LINE_MAX_BYTES], steno_error *error)
{
    size_t length = 0;
    int byte;
    while ((byte = getc(file)) != EOF && byte != '\n') {
        if (byte == '\0')
            return error_set(
                error, STENO_ERROR_FORMAT, "%s: a byte of zero: this is no text", self->where);
        if (length == LINE_MAX_BYTES - 1)
            return error_set(error, STENO_ERROR_LIMIT, "%s: the line is too long", self->where);
        line[length++] = (char)byte;
    }
    line[length] = '\0';
    return byte == EOF && length == 0 ? STENO_END : STENO_OK;
}

steno_status config_read(daemon_options *options, const char *path, steno_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_errno(error, path, errno);
    reader self = {.options = options};
    steno_status status = STENO_OK;
    char line[LINE_MAX_BYTES];
    for (unsigned number = 1; status == STENO_OK; number++) {
        snprintf(self.where, sizeof(self.where), "%s:%u", path, number);
        status = next_line(&self, file, line, error);
        if (status == STENO_OK)
            status = read_line(&self, line, error);
    }
    if (status == STENO_END)
        status = STENO_OK;
    if (status == STENO_OK && ferror(file))
        status = error_errno(error, path, errno);
    fclose(file);
    return status;
}

steno_status config_read_all(
    daemon_options *options, int argc, char **argv, char *const *environment, steno_error *error)
{
    steno_status status = options_read_arguments(options, argc, argv, error);
    if (status < 0 || options->help || options->version)
        return status;
    if ((status = options_read_environment(options, environment, error)) < 0)
        return status;
    if (options->config != NULL && (status = config_read(options, options->config, error)) < 0)
        return status;
    return options_complete(options, error);
}
