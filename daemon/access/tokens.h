/*
 * Bearer tokens: who may call, by a file that holds names and salted hashes, a line for each:
 *
 *     NAME sha256 SALT HASH [streams=N] [created=TIME]
 *
 * SALT (16 bytes) and HASH, SHA-256 of the salt and the token's characters, in hexadecimal.  `steno
 * token` writes the file.  Tokens have 256 random bits, so a plain hash tells nobody a token, and a
 * slow one would only slow calls down.  Lines that begin with # are comments.
 */
#ifndef ACCESS_TOKENS_H
#define ACCESS_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

enum { TOKENS_MAX = 1000, TOKEN_NAME_BYTES = 65, TOKEN_MAX_BYTES = 128 };

typedef struct token {
    char name[TOKEN_NAME_BYTES]; /* letters, digits, dots, dashes and underscores */
    uint32_t max_streams;        /* at once; TOKEN_NO_LIMIT: its line does not say */
    uint8_t salt[16], hash[32];
} token;

#define TOKEN_NO_LIMIT UINT32_MAX

typedef struct tokens tokens;

/* Errors name the file and the line: NOT_FOUND, IO, PERMISSION (also where others than owner and
 * group may write the file), FORMAT, LIMIT (more than TOKENS_MAX), MEMORY. */
steno_status tokens_read(const char *path, tokens **out_tokens, steno_error *error);
/* NULL is fine. */
void tokens_destroy(tokens *self);

/* Whose token this is; NULL: nobody's.  How long it takes depends on the number of tokens and the
 * length of the text alone. */
const token *tokens_find(const tokens *self, const char *text);

#endif
