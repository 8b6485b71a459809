#include "access/tokens.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum { LINE_BYTES = 512 };

struct tokens {
    token *list; /* [count], room for TOKENS_MAX */
    size_t count;
};

/* ---- A line ---- */

static int digit_of(char character)
{
    return character >= '0' && character <= '9'   ? character - '0'
           : character >= 'a' && character <= 'f' ? character - 'a' + 10
                                                  : -1;
}

static bool parse_bytes(const char *text, uint8_t *out, size_t count)
{
    if (text == NULL || strlen(text) != 2 * count)
        return false;
    for (size_t i = 0; i < count; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* "streams=N" or "created=TIME", which is for people. */
static bool parse_more(const char *text, token *out)
{
    if (strncmp(text, "created=", 8) == 0)
        return true;
    if (strncmp(text, "streams=", 8) != 0)
        return false;
    const char *number = text + 8;
    size_t digits = strspn(number, "0123456789");
    if (digits == 0 || digits > 5 || number[digits] != '\0')
        return false;
    out->max_streams = (uint32_t)strtoul(number, NULL, 10);
    return true;
}

/* What is wrong with a line; NULL: nothing. */
static const char *parse_line(char *line, token *out)
{
    static const char white[] = " \t\r\n";
    char *rest = NULL;
    char *name = strtok_r(line, white, &rest), *kind = strtok_r(NULL, white, &rest);
    const char *salt = strtok_r(NULL, white, &rest), *hash = strtok_r(NULL, white, &rest);
    size_t length = strspn(name, NAME_CHARACTERS);
    if (length == 0 || name[length] != '\0' || length >= sizeof(out->name))
        return "a name has 1 to 64 letters, digits, dots, dashes and underscores";
    if (kind == NULL || strcmp(kind, "sha256") != 0)
        return "after the name comes sha256";
    if (!parse_bytes(salt, out->salt, sizeof(out->salt)) ||
        !parse_bytes(hash, out->hash, sizeof(out->hash)))
        return "salt or hash is damaged";
    out->max_streams = TOKEN_NO_LIMIT;
    for (const char *more; (more = strtok_r(NULL, white, &rest)) != NULL;)
        if (!parse_more(more, out))
            return "after the hash may come streams=N and created=TIME";
    memcpy(out->name, name, length + 1);
    return NULL;
}

/* ---- The file ---- */

static bool has_name(const tokens *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->list[i].name, name) == 0)
            return true;
    return false;
}

static steno_status add_line(
    tokens *self, char *line, const char *path, unsigned number, steno_error *error)
{
    size_t first = strspn(line, " \t\r\n");
    if (line[first] == '\0' || line[first] == '#')
        return STENO_OK;
    token read;
    const char *wrong = parse_line(line, &read);
    if (wrong == NULL && has_name(self, read.name))
        wrong = "the name stands there twice";
    if (wrong != NULL)
        return error_set(error, STENO_ERROR_FORMAT, "%s:%u: %s", path, number, wrong);
    if (self->count == TOKENS_MAX)
        return error_set(
            error, STENO_ERROR_LIMIT, "%s: more than %d tokens", path, (int)TOKENS_MAX);
    self->list[self->count++] = read;
    return STENO_OK;
}

static steno_status read_lines(tokens *self, FILE *file, const char *path, steno_error *error)
{
    char line[LINE_BYTES];
    for (unsigned number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
        if (strchr(line, '\n') == NULL && strlen(line) == sizeof(line) - 1)
            return error_set(
                error, STENO_ERROR_FORMAT, "%s:%u: the line is too long", path, number);
        steno_status status = add_line(self, line, path, number, error);
        if (status < 0)
            return status;
    }
    return ferror(file) ? error_errno(error, path, errno) : STENO_OK;
}

/* Who may write the file may let anybody in. */
static steno_status check_mode(FILE *file, const char *path, steno_error *error)
{
    struct stat there;
    if (fstat(fileno(file), &there) == 0 && (there.st_mode & S_IWOTH) == 0)
        return STENO_OK;
    return error_set(error, STENO_ERROR_PERMISSION,
        "%s: anybody may write it, and so let themselves in; chmod o-w it", path);
}

steno_status tokens_read(const char *path, tokens **out_tokens, steno_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_errno(error, path, errno);
    tokens *self = memory_allocate(1, sizeof(*self));
    if (self != NULL)
        self->list = memory_allocate(TOKENS_MAX, sizeof(*self->list));
    steno_status status =
        self != NULL && self->list != NULL ? check_mode(file, path, error) : error_memory(error);
    if (status == STENO_OK)
        status = read_lines(self, file, path, error);
    fclose(file);
    if (status < 0)
        tokens_destroy(self);
    else
        *out_tokens = self;
    return status;
}

void tokens_destroy(tokens *self)
{
    if (self == NULL)
        return;
    memory_free(self->list);
    memory_free(self);
}

/* ---- Finding ---- */

static bool hash_of(EVP_MD_CTX *context, const token *one, const char *text, size_t length,
    uint8_t out[EVP_MAX_MD_SIZE])
{
    unsigned size = 0;
    return EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
           EVP_DigestUpdate(context, one->salt, sizeof(one->salt)) == 1 &&
           EVP_DigestUpdate(context, text, length) == 1 &&
           EVP_DigestFinal_ex(context, out, &size) == 1 && size == sizeof(one->hash);
}

const token *tokens_find(const tokens *self, const char *text)
{
    size_t length = strlen(text);
    EVP_MD_CTX *context = length <= TOKEN_MAX_BYTES ? EVP_MD_CTX_new() : NULL;
    const token *found = NULL;
    if (context == NULL)
        return NULL;
    /* To the end, whichever it is. */
    for (size_t i = 0; i < self->count; i++) {
        uint8_t hash[EVP_MAX_MD_SIZE];
        const token *one = &self->list[i];
        if (hash_of(context, one, text, length, hash) &&
            CRYPTO_memcmp(hash, one->hash, sizeof(one->hash)) == 0)
            found = one;
    }
    EVP_MD_CTX_free(context);
    return found;
}
