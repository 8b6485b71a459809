#include "phrases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "text_file.h"

enum { BOOST_MAX = 20 };

/* A decimal number from 0 to BOOST_MAX, with a point in every locale. */
static bool parse_boost(const char *text, float *out_boost)
{
    double value = 0, unit = 1;
    bool point = false, any = false;
    for (; *text != '\0'; text++) {
        if (*text == '.' && !point) {
            point = true;
        } else if (*text >= '0' && *text <= '9' && value <= BOOST_MAX) {
            any = true;
            unit /= point ? 10 : 1;
            value = point ? value + unit * (*text - '0') : value * 10 + (*text - '0');
        } else {
            return false;
        }
    }
    *out_boost = (float)value;
    return any && value <= BOOST_MAX;
}

/* Adds a phrase; its text is cut at the "=". */
static steno_status add(phrase_list *self, const char *where, char *text, steno_error *error)
{
    float boost = PHRASES_BOOST;
    char *equals = strrchr(text, '=');
    if (equals != NULL) {
        if (!parse_boost(equals + 1, &boost))
            return failure_set(error, STENO_ERROR_ARGUMENT,
                "%s: '%s': a boost is a number from 0 to %d", where, text, BOOST_MAX);
        *equals = '\0';
    }
    if (text[strspn(text, " \t")] == '\0')
        return failure_set(error, STENO_ERROR_ARGUMENT, "%s: a phrase without words", where);
    if (self->count == STENO_PHRASES_MAX)
        return failure_set(
            error, STENO_ERROR_LIMIT, "%s: more than %d phrases", where, STENO_PHRASES_MAX);
    self->phrases[self->count++] = (steno_phrase){text, boost};
    return STENO_OK;
}

static steno_status add_options(phrase_list *self, const option_values *options, steno_error *error)
{
    self->texts = calloc(options->phrases.count + 1, sizeof *self->texts);
    if (self->texts == NULL)
        return failure_memory(error);
    for (size_t i = 0; i < options->phrases.count; i++) {
        char *text = strdup(options->phrases.items[i]);
        if (text == NULL)
            return failure_memory(error);
        self->texts[self->text_count++] = text;
        steno_status status = add(self, "--phrase", text, error);
        if (status < 0)
            return status;
    }
    return STENO_OK;
}

static steno_status add_file(phrase_list *self, const char *path, steno_error *error)
{
    steno_status status = text_file_read(path, &self->file, error);
    if (status < 0 || self->file.size == 0)
        return status;
    char *rest = self->file.bytes, *line;
    for (size_t number = 1; (line = strsep(&rest, "\n")) != NULL; number++) {
        line[strcspn(line, "\r")] = '\0';
        if (line[strspn(line, " \t")] == '\0' || *line == '#')
            continue;
        char where[256];
        snprintf(where, sizeof where, "%s:%zu", path, number);
        status = add(self, where, line, error);
        if (status < 0)
            return status;
    }
    return STENO_OK;
}

steno_status phrases_read(
    const option_values *options, phrase_list *out_phrases, steno_error *error)
{
    phrase_list *self = out_phrases;
    *self = (phrase_list){.count = 0};
    self->phrases = calloc(STENO_PHRASES_MAX, sizeof *self->phrases);
    if (self->phrases == NULL)
        return failure_memory(error);
    steno_status status = add_options(self, options, error);
    if (status == STENO_OK && options->phrase_file != NULL)
        status = add_file(self, options->phrase_file, error);
    return status;
}

void phrases_finish(phrase_list *self)
{
    for (size_t i = 0; i < self->text_count; i++)
        free(self->texts[i]);
    free(self->texts);
    free(self->phrases);
    growing_finish(&self->file);
    *self = (phrase_list){.count = 0};
}
