/* The token list of a model: index <-> text.  Token 0 is blank / start / end and has no text; a
 * token that begins a word starts with U+2581. */
#ifndef DECODER_VOCABULARY_H
#define DECODER_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

typedef struct vocabulary vocabulary;

/* json: the metadata string "tokens", a JSON list of V strings for indices 1..V.  Checked: V of
 * them, valid UTF-8, none empty, no duplicates, no control characters. */
steno_status vocabulary_create(
    const char *json, size_t tokens, vocabulary **out_vocabulary, steno_error *error);
void vocabulary_destroy(vocabulary *vocabulary);
/* Text of token 1..V with the word mark replaced by a space; "" for 0. */
const char *vocabulary_text(const vocabulary *vocabulary, uint32_t token);

#endif
