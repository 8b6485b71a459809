#include "model_info.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_status.h"
#include "help.h"
#include "session.h"
#include "steno/model.h"

static const char *or_unknown(const char *text)
{
    return *text != '\0' ? text : "not stated";
}

static void describe_lm(const steno_model_info *info, char *out, size_t size)
{
    if (info->lm_ngrams == 0)
        snprintf(out, size, "none");
    else
        snprintf(out, size, "%" PRIu64 " n-grams", info->lm_ngrams);
}

static char *to_text(const char *path, const steno_model_info *info)
{
    char *text, lm[32];
    describe_lm(info, lm, sizeof lm);
    int size = asprintf(&text,
        "file            %s\n"
        "name            %s\n"
        "language        %s\n"
        "size            %.1f MB, %.2f million parameters\n"
        "units           %" PRIu32 " text units, one encoding each %" PRIu32 " ms\n"
        "language model  %s\n"
        "audio           %" PRIu32 " Hz, chunks up to %" PRIu32 " ms\n"
        "training data   %s\n"
        "training        %s\n"
        "word error rate %s\n"
        "licence         %s\n"
        "runs in         %s, operators: %s\n",
        path, or_unknown(info->name), or_unknown(info->language), (double)info->file_bytes / 1e6,
        (double)info->parameters / 1e6, info->tokens, info->encoding_ms, lm, info->rate_hz,
        info->max_chunk_ms, or_unknown(info->training_data), or_unknown(info->trained_with),
        or_unknown(info->word_error_rate), or_unknown(info->licence),
        steno_precision_name(info->precision), info->operators);
    return size < 0 ? NULL : text;
}

static char *to_json(const char *path, const steno_model_info *info)
{
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "file",
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

static int print(console *screen, char *text)
{
    if (text == NULL) {
        console_error(screen, NULL,
            "the model's description can't be put into words: out of "
            "memory, or not UTF-8");
        return EXIT_STATUS_MODEL;
    }
    steno_status status = console_write(screen, text, strlen(text));
    free(text);
    if (status == STENO_OK)
        return EXIT_STATUS_FINE;
    int code = console_write_errno(screen);
    if (code == EPIPE)
        return EXIT_STATUS_SIGNAL + SIGPIPE;
    console_error(screen, "standard output", strerror(code));
    return EXIT_STATUS_OUTPUT;
}

int model_info(const option_values *options)
{
    if (options->operand_count > 1)
        return help_usage_error("model info", "more than one model");
    const char *path = options->operand_count > 0 ? options->operands[0] : NULL;
    console screen;
    console_init(&screen);
    steno_model *model = NULL;
    int status = session_open_model(&screen, options, path, &model);
    if (status == EXIT_STATUS_FINE) {
        steno_model_info info;
        steno_model_get_info(model, &info);
        const char *name = path != NULL ? path : steno_model_default_path();
        status = print(&screen, options->json ? to_json(name, &info) : to_text(name, &info));
        steno_model_unref(model);
    }
    console_finish(&screen);
    return status;
}
