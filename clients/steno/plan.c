#include "plan.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "failure.h"
#include "steno/format.h"

char *plan_base_name(const char *path)
{
    if (strcmp(path, "-") == 0)
        return strdup("stdin");
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    for (size_t dot = end; dot > start + 1; dot--)
        if (path[dot - 1] == '.')
            return strndup(path + start, dot - 1 - start);
    return strndup(path + start, end - start);
}

static bool goes_to_files(const option_values *options)
{
    return options->output_dir != NULL ||
           (options->output != NULL && strcmp(options->output, "-") != 0);
}

steno_status plan_check_interim(const option_values *options, steno_error *error)
{
    if (!options->interim)
        return STENO_OK;
    if (options->format != STENO_FORMAT_TEXT || goes_to_files(options))
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "--interim shows text on standard output: it goes with neither "
            "another --format nor --output");
    if (options->per_channel)
        return failure_set(
            error, STENO_ERROR_ARGUMENT, "--interim and --per-channel exclude each other");
    return STENO_OK;
}

static steno_status check_options(const option_values *options, steno_error *error)
{
    if (options->operand_count == 0)
        return failure_set(error, STENO_ERROR_ARGUMENT, "no file given; \"-\" is standard input");
    if (options->output != NULL && options->output_dir != NULL)
        return failure_set(
            error, STENO_ERROR_ARGUMENT, "--output and --output-dir exclude each other");
    if (options->output != NULL && options->operand_count > 1)
        return failure_set(
            error, STENO_ERROR_ARGUMENT, "--output takes one input; use --output-dir for several");
    bool one_document = options->format == STENO_FORMAT_SRT ||
                        options->format == STENO_FORMAT_VTT || options->format == STENO_FORMAT_TSV;
    if (one_document && options->operand_count > 1 && options->output_dir == NULL)
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "%s of several inputs can't share standard output: use --output-dir",
            steno_format_extension((steno_format)options->format));
    bool standard_input = false;
    for (size_t i = 0; i < options->operand_count; i++) {
        if (strcmp(options->operands[i], "-") != 0)
            continue;
        if (standard_input)
            return failure_set(error, STENO_ERROR_ARGUMENT, "standard input can be read only once");
        standard_input = true;
    }
    return plan_check_interim(options, error);
}

static steno_status name_outputs(plan *self, const option_values *options, steno_error *error)
{
    const char *extension = steno_format_extension((steno_format)options->format);
    for (size_t i = 0; i < self->count; i++) {
        if (options->output_dir == NULL) {
            self->outputs[i] = strdup(options->output);
        } else {
            char *name = plan_base_name(options->operands[i]);
            if (name == NULL ||
                asprintf(&self->outputs[i], "%s/%s.%s", options->output_dir, name, extension) < 0)
                self->outputs[i] = NULL;
            free(name);
        }
        if (self->outputs[i] == NULL)
            return failure_memory(error);
    }
    return STENO_OK;
}

typedef struct pair {
    const char *output, *input;
} pair;

static int compare_outputs(const void *one, const void *other)
{
    return strcmp(((const pair *)one)->output, ((const pair *)other)->output);
}

static steno_status check_distinct(
    const plan *self, const option_values *options, steno_error *error)
{
    pair *pairs = calloc(self->count, sizeof *pairs);
    if (pairs == NULL)
        return failure_memory(error);
    for (size_t i = 0; i < self->count; i++)
        pairs[i] = (pair){self->outputs[i], options->operands[i]};
    qsort(pairs, self->count, sizeof *pairs, compare_outputs);
    steno_status status = STENO_OK;
    for (size_t i = 1; i < self->count && status == STENO_OK; i++)
        if (strcmp(pairs[i - 1].output, pairs[i].output) == 0)
            status =
                failure_set(error, STENO_ERROR_ARGUMENT, "%s and %s would both be written to %s",
                    pairs[i - 1].input, pairs[i].input, pairs[i].output);
    free(pairs);
    return status;
}

/* A transcript of talk.txt (raw samples, say) in the same folder would replace the recording. */
static steno_status check_inputs_safe(
    const plan *self, const option_values *options, steno_error *error)
{
    for (size_t i = 0; i < self->count; i++) {
        struct stat output, input;
        if (stat(self->outputs[i], &output) != 0 || !S_ISREG(output.st_mode))
            continue;
        for (size_t j = 0; j < self->count; j++)
            if (stat(options->operands[j], &input) == 0 && input.st_dev == output.st_dev &&
                input.st_ino == output.st_ino)
                return failure_set(error, STENO_ERROR_ARGUMENT,
                    "%s would be overwritten by its own transcript or another's",
                    options->operands[j]);
    }
    return STENO_OK;
}

steno_status plan_init(plan *self, const option_values *options, steno_error *error)
{
    *self = (struct plan){0};
    steno_status status = check_options(options, error);
    if (status < 0)
        return status;
    self->outputs = calloc(options->operand_count, sizeof *self->outputs);
    if (self->outputs == NULL)
        return failure_memory(error);
    self->count = options->operand_count;
    if (!goes_to_files(options))
        return STENO_OK;
    status = name_outputs(self, options, error);
    if (status == STENO_OK)
        status = check_distinct(self, options, error);
    if (status == STENO_OK)
        status = check_inputs_safe(self, options, error);
    return status;
}

void plan_finish(plan *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->outputs[i]);
    free(self->outputs);
    *self = (struct plan){0};
}
