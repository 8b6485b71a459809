#include "live_output.h"

#include <stdio.h>
#include <string.h>

#include "exit_status.h"
#include "kept.h"

bool live_output_goes_to_file(const option_values *options)
{
    return options->output != NULL && strcmp(options->output, "-") != 0;
}

static steno_status write_to_console(void *context, const char *bytes, size_t size)
{
    return console_write(context, bytes, size);
}

int live_output_open(live_output *self, session *state, screen *terminal,
    const option_values *options, const char *source)
{
    *self = (struct live_output){
        .session = state,
        .screen = terminal,
        .interim = options->interim && terminal->kind != SCREEN_LIVE,
    };
    steno_error error;
    bool to_file = live_output_goes_to_file(options);
    if (to_file && live_file_open(options->output, &self->file, &error) < 0) {
        screen_say(terminal, error.message);
        return EXIT_STATUS_OUTPUT;
    }
    if (!to_file && terminal->kind == SCREEN_LIVE)
        return EXIT_STATUS_FINE;
    steno_write write = to_file ? live_file_write : write_to_console;
    void *target = to_file ? (void *)self->file : &state->console;
    if (steno_formatter_create((steno_format)options->format, source, write, target,
            &self->formatter, &error) == STENO_OK)
        return EXIT_STATUS_FINE;
    screen_say(terminal, error.message);
    return EXIT_STATUS_OUTPUT;
}

/* Where the first `words` words of a text of words and single spaces end. */
static size_t end_of_words(const char *text, size_t words)
{
    size_t at = 0;
    for (size_t i = 0; i < words && text[at] != '\0'; i++) {
        at += text[at] == ' ';
        at += strcspn(text + at, " ");
    }
    return at;
}

static steno_status show_interim(live_output *self, const steno_result *result)
{
    const char *text = result->alternatives[0].text;
    if (self->interim)
        return console_interim(&self->session->console, text);
    screen_set_text(self->screen, text, end_of_words(text, result->stable_words));
    return screen_draw(self->screen);
}

static steno_status write_final(live_output *self, const steno_result *result, uint64_t origin_ms)
{
    if (origin_ms == 0)
        return steno_formatter_add(self->formatter, result, 0);
    kept later = {0};
    steno_status status = kept_add(&later, result, 0);
    if (status == STENO_OK) {
        kept_delay(&later, origin_ms);
        status = steno_formatter_add(self->formatter, later.results[0].result, 0);
    }
    kept_finish(&later);
    return status;
}

steno_status live_output_add(live_output *self, const steno_result *result, uint64_t origin_ms)
{
    steno_status status = STENO_OK;
    if (!result->is_final) {
        status = show_interim(self, result);
    } else {
        if (self->formatter != NULL)
            status = write_final(self, result, origin_ms);
        if (status == STENO_OK && self->screen->kind == SCREEN_LIVE)
            status = screen_add_final(self->screen, result->alternatives[0].text);
    }
    if (status < 0) {
        self->error.status = status;
        snprintf(self->error.message, sizeof self->error.message, "%s", steno_status_name(status));
    }
    return status;
}

int live_output_close(live_output *self, uint64_t duration_ms)
{
    int exit_status = EXIT_STATUS_FINE;
    steno_status status = self->error.status;
    steno_error error;
    if (status == STENO_OK && self->formatter != NULL)
        status = steno_formatter_finish(self->formatter, duration_ms);
    steno_formatter_destroy(self->formatter);
    self->formatter = NULL;
    bool is_file = self->file != NULL;
    if (live_file_close(self->file, &error) < 0) {
        screen_say(self->screen, error.message);
        exit_status = EXIT_STATUS_OUTPUT;
    } else if (status == STENO_ERROR_IO && !is_file) {
        exit_status = EXIT_STATUS_OUTPUT; /* session_output_failed has said it */
    } else if (status < 0) {
        screen_say(self->screen, steno_status_name(status));
        exit_status = EXIT_STATUS_OUTPUT;
    }
    self->file = NULL;
    return exit_status;
}
