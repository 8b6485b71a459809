#include "model_info.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "exit_status.h"
#include "help.h"
#include "printing.h"
#include "server.h"
#include "session.h"
#include "steno/model.h"

/* "name            VALUE": a value as it can be shown, whatever the file or the server says. */
static void print_text(FILE *out, const char *name, const char *value)
{
    growing shown = {0};
    columns_append(&shown, value, strlen(value));
    fprintf(out, "%-15s %s\n", name, shown.size > 0 ? shown.bytes : "not stated");
    growing_finish(&shown);
}

static void describe_lm(const steno_model_info *info, char *out, size_t size)
{
    if (info->lm_ngrams == 0)
        snprintf(out, size, "none");
    else
        snprintf(out, size, "%" PRIu64 " n-grams", info->lm_ngrams);
}

/* `place` says what `path` is: a file, or the address of a server.  NULL when memory is out. */
static char *to_text(const char *place, const char *path, const steno_model_info *info)
{
    char *text = NULL, lm[32], runs[96];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    describe_lm(info, lm, sizeof lm);
    snprintf(runs, sizeof runs, "%s, operators: %.60s", steno_precision_name(info->precision),
        info->operators);
    print_text(out, place, path);
    print_text(out, "name", info->name);
    print_text(out, "language", info->language);
    fprintf(out,
        "size            %.1f MB, %.2f million parameters\n"
        "units           %" PRIu32 " text units, one encoding each %" PRIu32 " ms\n"
        "language model  %s\n"
        "audio           %" PRIu32 " Hz, chunks up to %" PRIu32 " ms\n",
        (double)info->file_bytes / 1e6, (double)info->parameters / 1e6, info->tokens,
        info->encoding_ms, lm, info->rate_hz, info->max_chunk_ms);
    print_text(out, "training data", info->training_data);
    print_text(out, "training", info->trained_with);
    print_text(out, "word error rate", info->word_error_rate);
    print_text(out, "licence", info->licence);
    print_text(out, "runs in", runs);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static char *to_json(const char *place, const char *path, const steno_model_info *info)
{
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", place,
        path, "name", info->name, "language", info->language, "file_bytes",
        (json_int_t)info->file_bytes, "parameters", (json_int_t)info->parameters, "lm_ngrams",
        (json_int_t)info->lm_ngrams, "tokens", (json_int_t)info->tokens, "encoding_ms",
        (json_int_t)info->encoding_ms, "rate_hz", (json_int_t)info->rate_hz, "max_chunk_ms",
        (json_int_t)info->max_chunk_ms, "training_data", info->training_data, "trained_with",
        info->trained_with, "word_error_rate", info->word_error_rate, "licence", info->licence,
        "precision", steno_precision_name(info->precision), "operators", info->operators);
    char *json = json_dumps(root, JSON_INDENT(2)), *text = NULL;
    json_decref(root);
    if (json != NULL && asprintf(&text, "%s\n", json) < 0)
        text = NULL;
    free(json);
    return text;
}

static int show(console *screen, const option_values *options, const char *place, const char *path,
    const steno_model_info *info)
{
    char *text = options->json ? to_json(place, path, info) : to_text(place, path, info);
    if (text != NULL)
        return printing_text(screen, text);
    console_error(screen, NULL,
        "the model's description can't be put into words: out of memory, or not UTF-8");
    return EXIT_STATUS_MODEL;
}

static int show_file(console *screen, const option_values *options)
{
    const char *path = options->operand_count > 0 ? options->operands[0] : NULL;
    steno_model *model = NULL;
    int status = session_open_model(screen, options, path, &model);
    if (status != EXIT_STATUS_FINE)
        return status;
    steno_model_info info;
    steno_model_get_info(model, &info);
    const char *name = path != NULL ? path : steno_model_default_path();
    status = show(screen, options, "file", name, &info);
    steno_model_unref(model);
    return status;
}

/* What show needs once the server has answered. */
typedef struct answer {
    console *screen;
    const option_values *options;
    int status;
} answer;

static void show_answer(void *context, const steno_client_model *model)
{
    answer *self = context;
    steno_model_info info = {
        .name = model->name,
        .language = model->language,
        .licence = model->licence,
        .training_data = model->training_data,
        .trained_with = model->trained_with,
        .word_error_rate = model->word_error_rate,
        .file_bytes = model->file_bytes,
        .parameters = model->parameters,
        .lm_ngrams = model->lm_ngrams,
        .tokens = model->tokens,
        .rate_hz = model->rate_hz,
        .encoding_ms = model->encoding_ms,
        .max_chunk_ms = model->max_chunk_ms,
        .operators = model->operators,
    };
    /* One that this steno does not know stays AUTO. */
    steno_precision_parse(model->precision, &info.precision);
    self->status = show(self->screen, self->options, "server", model->address, &info);
}

static int show_server(console *screen, const option_values *options)
{
    answer shown = {.screen = screen, .options = options, .status = EXIT_STATUS_FINE};
    steno_error error;
    steno_status status = server_get_model(options, show_answer, &shown, &error);
    if (status == STENO_OK)
        return shown.status;
    console_error(screen, NULL, error.message);
    return status == STENO_ERROR_ARGUMENT ? EXIT_STATUS_USAGE : EXIT_STATUS_SERVER;
}

int model_info(const option_values *options)
{
    if (options->operand_count > 1)
        return help_usage_error("model info", "more than one model");
    if (options->operand_count > 0 && options->servers.count > 0)
        return help_usage_error("model info", "a file and a --server: which one?");
    console screen;
    console_init(&screen);
    int status =
        options->servers.count > 0 ? show_server(&screen, options) : show_file(&screen, options);
    console_finish(&screen);
    return status;
}
