/* Final results made by hand, and what a formatter writes of them. */
#ifndef TESTS_TRANSCRIPT_OUTPUT_H
#define TESTS_TRANSCRIPT_OUTPUT_H

#include "steno/format.h"

typedef struct output {
    char bytes[1 << 16]; /* terminated */
    size_t size;
    size_t fail_at; /* the write number (from 1) that fails with STENO_ERROR_IO; 0: none */
    size_t writes;
} output;

/* A steno_write whose context is an output. */
steno_status output_write(void *context, const char *bytes, size_t size);

typedef struct made_result {
    steno_result result;
    steno_alternative alternatives[4];
    char texts[4][8192];
} made_result;

/* A final result without alternatives, and one more alternative for it; borrows the words. */
void result_init(made_result *self);
void result_add(made_result *self, const steno_word *words, size_t count);

/* Formats results that have one alternative each, of the mix; `counts` words each, in a row. */
void format_words(output *out, steno_format format, const char *source, const steno_word *words,
    const size_t *counts, size_t results, uint64_t duration_ms);

/* One result of one alternative, given as an array. */
#define FORMAT_WORDS(out, format, words, duration_ms)                                              \
    format_words(out, format, "talk.wav", words, &(size_t){sizeof(words) / sizeof *(words)}, 1,    \
        duration_ms)

#endif
