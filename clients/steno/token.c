#include "token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "exit_status.h"
#include "help.h"
#include "token_file.h"

static int fail(const steno_error *error, bool for_writing)
{
    fprintf(stderr, "steno: %s\n", error->message);
    if (error->status == STENO_ERROR_ARGUMENT)
        return EXIT_STATUS_USAGE;
    return for_writing && error->status != STENO_ERROR_NOT_FOUND ? EXIT_STATUS_OUTPUT
                                                                 : EXIT_STATUS_INPUT;
}

/* The exit status of what went to standard output. */
static int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_STATUS_FINE;
    fprintf(stderr, "steno: standard output: %s\n", strerror(errno));
    return EXIT_STATUS_OUTPUT;
}

static int create(const char *path, const char *name, uint32_t max_streams)
{
    token_file file;
    steno_error error;
    char text[TOKEN_BYTES];
    int exit_status = EXIT_STATUS_FINE;
    steno_status status = token_file_open(&file, path, true, &error);
    if (status == STENO_OK)
        status = token_file_add(&file, name, max_streams, text, &error);
    /* A token that nobody gets to see should not be valid. */
    if (status == STENO_OK) {
        printf("%s\n", text);
        exit_status = finish_output();
        if (exit_status == EXIT_STATUS_FINE)
            status = token_file_save(&file, &error);
    }
    token_file_close(&file);
    return status < 0 ? fail(&error, true) : exit_status;
}

static int revoke(const char *path, const char *name)
{
    token_file file;
    steno_error error;
    steno_status status = token_file_open(&file, path, true, &error);
    if (status == STENO_OK)
        status = token_file_remove(&file, name, &error);
    if (status == STENO_OK)
        status = token_file_save(&file, &error);
    token_file_close(&file);
    return status < 0 ? fail(&error, true) : EXIT_STATUS_FINE;
}

static int list(const char *path)
{
    token_file file;
    steno_error error;
    steno_status status = token_file_open(&file, path, false, &error);
    for (size_t i = 0; i < file.count; i++) {
        token_entry entry;
        if (!token_file_entry(&file, i, &entry))
            continue;
        char limit[16] = "-";
        if (entry.max_streams != TOKEN_NO_LIMIT)
            snprintf(limit, sizeof limit, "%u", (unsigned)entry.max_streams);
        printf("%s\t%s\t%s\n", entry.name, limit, entry.created[0] != '\0' ? entry.created : "-");
    }
    token_file_close(&file);
    return status < 0 ? fail(&error, false) : finish_output();
}

int token(const option_values *options)
{
    const char *const *words = options->operands;
    const char *action = options->operand_count > 0 ? words[0] : "";
    bool has_limit = options->streams != OPTIONS_UNSET;
    if (strcmp(action, "list") == 0 && options->operand_count == 2 && !has_limit)
        return list(words[1]);
    if (strcmp(action, "revoke") == 0 && options->operand_count == 3 && !has_limit)
        return revoke(words[1], words[2]);
    if (strcmp(action, "create") == 0 && options->operand_count == 3)
        return create(words[1], words[2], has_limit ? options->streams : TOKEN_NO_LIMIT);
    return help_usage_error("token",
        "create FILE NAME, list FILE or revoke FILE NAME is wanted; --streams is for create");
}
