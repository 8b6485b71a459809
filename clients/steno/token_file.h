/*
 * A daemon's file of tokens: a line for each, "NAME sha256 SALT HASH [streams=N] created=TIME". The
 * tokens themselves are in no file: who is given one sees it once.
 *
 *     token_file_open("/etc/stenod/tokens", true, &file, &error);
 *     token_file_add(&file, "alice", 4, token, &error);
 *     token_file_save(&file, &error);
 *     token_file_close(&file);
 *
 * Between open for writing and close nobody else may change the file; a daemon that reads it
 * meanwhile sees it as it was, or as it is after saving.
 */
#ifndef STENO_TOKEN_FILE_H
#define STENO_TOKEN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

enum {
    TOKEN_NAME_MAX = 64,
    TOKEN_BYTES = 64, /* of a token's text, terminated */
    TOKENS_MAX = 1000,
};

#define TOKEN_NO_LIMIT UINT32_MAX

typedef struct token_file {
    const char *path; /* borrowed */
    char *target;     /* the file itself, where `path` is a link to it; NULL: for reading */
    char *draft;      /* of the file that will take its place; likewise */
    int draft_fd;
    char **lines; /* [count], without line ends; comments and what is not understood, too */
    size_t count;
} token_file;

/* A file that is not there is empty when it is to be written.  Errors name the file: NOT_FOUND,
 * PERMISSION, IO (also where a device is to be written), STATE (somebody else is changing it),
 * LIMIT, MEMORY; close is fine then. */
steno_status token_file_open(
    token_file *self, const char *path, bool for_writing, steno_error *error);

/* What a line says; false: nothing, it is a comment or damaged.  created: "" if it is not there. */
typedef struct token_entry {
    char name[TOKEN_NAME_MAX + 1];
    uint32_t max_streams; /* TOKEN_NO_LIMIT: it does not say */
    char created[32];
} token_entry;
bool token_file_entry(const token_file *self, size_t line, token_entry *out_entry);

/* Adds one and writes its token.  Errors: ARGUMENT (no name, or one that is taken), LIMIT, MEMORY,
 * INTERNAL (no random numbers). */
steno_status token_file_add(token_file *self, const char *name, uint32_t max_streams,
    char out_token[TOKEN_BYTES], steno_error *error);
/* Errors: NOT_FOUND. */
steno_status token_file_remove(token_file *self, const char *name, steno_error *error);

/* Puts the lines in the file's place: all or nothing.  Errors: PERMISSION, IO. */
steno_status token_file_save(token_file *self, steno_error *error);
void token_file_close(token_file *self);

#endif
