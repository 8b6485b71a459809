/*
 * Assembly: puts a steno_result together, word by word, in memory taken once.  Places words in
 * time, so that final and interim results follow the same rule.
 *
 *     assembly_clear(&assembly);
 *     for each alternative:
 *         assembly_begin(&assembly, floor_ms);
 *         for each word:  memcpy(assembly_word(&assembly, length, first, last, c), text, length);
 *         assembly_end(&assembly);
 */
#ifndef TRANSCRIPT_ASSEMBLY_H
#define TRANSCRIPT_ASSEMBLY_H

#include "steno/result.h"

typedef struct assembly {
    steno_result result; /* alternatives and times are kept here; the rest is the owner's */
    steno_alternative *alternatives;
    steno_word *words;
    char *text; /* of each alternative: its words, each terminated, then the words joined */
    size_t alternative_count, word_count, text_bytes;
    size_t alternative_capacity, word_capacity, text_capacity;
    size_t begun_at;   /* word_count where the alternative under way began */
    uint64_t floor_ms; /* no earlier may the next word start */
    uint32_t frame_ms;
} assembly;

/* word_bytes: the most bytes of all words of one alternative, each with its terminator; `words`
 * likewise for one alternative.  On failure finish it all the same. */
steno_status assembly_init(
    assembly *assembly, size_t alternatives, size_t words, size_t word_bytes, uint32_t frame_ms);
void assembly_finish(assembly *assembly);

/* No alternatives, and a result of zeros. */
void assembly_clear(assembly *assembly);
void assembly_begin(assembly *assembly, uint64_t floor_ms);
/* One more word, of `length` bytes, whose tokens span frames first..last.  Returns where its
 * text is to be written; the terminator is there. */
char *assembly_word(
    assembly *assembly, size_t length, uint64_t first, uint64_t last, float confidence);
/* An alternative without words is left out. */
void assembly_end(assembly *assembly);

/* Whether the first alternatives have the same words at the same times and as many are settled. */
bool assembly_same(const assembly *a, const assembly *b);

#endif
