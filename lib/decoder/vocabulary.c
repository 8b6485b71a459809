/*
 * All texts lie in one block, terminated one after another, with an offset per token.  The word
 * mark (three bytes) becomes a space (one byte) while copying, so the block is never larger than
 * the strings of the list.  A literal space is refused: it would be read as a word mark.
 */
#include "decoder/vocabulary.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { MAX_TOKENS = 65536, MAX_TOKEN_BYTES = 256 };

static const char word_mark[] = "\xe2\x96\x81";

struct vocabulary {
    size_t size;
    char *bytes;
    uint32_t *offsets; /* [size] */
};

/* C0, DEL or C1, or a space.  text is valid UTF-8 (jansson refuses anything else). */
static bool has_forbidden(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c <= 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
            return true;
    return false;
}

/* Copies text with each word mark as a space; returns the bytes written with the terminator. */
static size_t copy_text(const char *text, char *out)
{
    char *begin = out;
    while (*text) {
        if (strncmp(text, word_mark, sizeof word_mark - 1) == 0) {
            *out++ = ' ';
            text += sizeof word_mark - 1;
        } else {
            *out++ = *text++;
        }
    }
    *out++ = '\0';
    return (size_t)(out - begin);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Checks each entry of the list for itself and sums the bytes they take. */
static steno_status check_list(
    const json_t *list, size_t tokens, size_t *out_bytes, steno_error *error)
{
    if (!json_is_array(list))
        return error_set(error, STENO_ERROR_FORMAT, "token list: not a JSON list");
    if (json_array_size(list) != tokens - 1)
        return error_set(error, STENO_ERROR_FORMAT, "token list: %zu tokens, expected %zu",
            json_array_size(list), tokens - 1);
    size_t bytes = 1; /* token 0 */
    for (size_t i = 0; i + 1 < tokens; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text)
            return error_set(
                error, STENO_ERROR_FORMAT, "token list: token %zu is not a string", i + 1);
        if (!*text)
            return error_set(error, STENO_ERROR_FORMAT, "token list: token %zu is empty", i + 1);
        if (strlen(text) > MAX_TOKEN_BYTES)
            return error_set(error, STENO_ERROR_FORMAT,
                "token list: token %zu is longer than %d bytes", i + 1, MAX_TOKEN_BYTES);
        if (has_forbidden(text))
            return error_set(error, STENO_ERROR_FORMAT,
                "token list: token %zu has a space or control character", i + 1);
        bytes += strlen(text) + 1;
    }
    *out_bytes = bytes;
    return STENO_OK;
}

static steno_status check_duplicates(const vocabulary *v, steno_error *error)
{
    const char **sorted = memory_allocate(v->size, sizeof *sorted);
    if (!sorted)
        return error_memory(error);
    for (size_t i = 0; i < v->size; i++)
        sorted[i] = v->bytes + v->offsets[i];
    qsort(sorted, v->size, sizeof *sorted, compare_texts);
    steno_status status = STENO_OK;
    for (size_t i = 1; i < v->size && status == STENO_OK; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status =
                error_set(error, STENO_ERROR_FORMAT, "token list: \"%s\" appears twice", sorted[i]);
    memory_free(sorted);
    return status;
}

steno_status vocabulary_create(
    const char *json, size_t tokens, vocabulary **out_vocabulary, steno_error *error)
{
    if (tokens < 2 || tokens > MAX_TOKENS)
        return error_set(error, STENO_ERROR_FORMAT, "token list: %zu tokens, allowed are 2..%d",
            tokens, MAX_TOKENS);
    if (!json)
        return error_set(error, STENO_ERROR_FORMAT, "token list: missing");
    json_error_t reason;
    vocabulary *v = NULL;
    json_t *list = json_loads(json, 0, &reason);
    if (!list) {
        if (json_error_code(&reason) == json_error_out_of_memory)
            return error_memory(error);
        return error_set(error, STENO_ERROR_FORMAT, "token list: %s", reason.text);
    }
    size_t bytes = 0;
    steno_status status = check_list(list, tokens, &bytes, error);
    if (status != STENO_OK)
        goto fail;

    v = memory_allocate(1, sizeof *v);
    if (!v || !(v->bytes = memory_allocate(bytes, 1)) ||
        !(v->offsets = memory_allocate(tokens, sizeof *v->offsets))) {
        status = error_memory(error);
        goto fail;
    }
    v->size = tokens;
    size_t used = 1; /* offset 0 holds the empty text of token 0 */
    for (size_t i = 1; i < tokens; i++) {
        v->offsets[i] = (uint32_t)used;
        used += copy_text(json_string_value(json_array_get(list, i - 1)), v->bytes + used);
    }
    status = check_duplicates(v, error);
    if (status != STENO_OK)
        goto fail;
    json_decref(list);
    *out_vocabulary = v;
    return STENO_OK;

fail:
    json_decref(list);
    vocabulary_destroy(v);
    return status;
}

void vocabulary_destroy(vocabulary *v)
{
    if (!v)
        return;
    memory_free(v->offsets);
    memory_free(v->bytes);
    memory_free(v);
}

const char *vocabulary_text(const vocabulary *v, uint32_t token)
{
    return token < v->size ? v->bytes + v->offsets[token] : "";
}
