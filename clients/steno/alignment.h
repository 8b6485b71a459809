/*
 * Word errors: the fewest substitutions, deletions and insertions that turn a reference into a
 * hypothesis (Levenshtein distance over words, each edit costing one).  Where several alignments
 * have as few errors, their parts may differ from those another tool counts; the total, which is
 * all that the word error rate uses, can't.
 */
#ifndef STENO_ALIGNMENT_H
#define STENO_ALIGNMENT_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

typedef struct alignment_errors {
    uint64_t substitutions, deletions, insertions;
} alignment_errors;

/* STENO_ERROR_MEMORY: takes memory in proportion to the hypothesis, time to the product. */
steno_status alignment_count(const char *const *reference, size_t reference_count,
    const char *const *hypothesis, size_t hypothesis_count, alignment_errors *out_errors);

uint64_t alignment_total(const alignment_errors *errors);

#endif
