/*
 * Utterance: the settled segments gathered for the next final result, with the best distinct
 * readings of all of them together.
 *
 * Each segment keeps its best distinct hypotheses ("parts") with their words and texts; a path
 * chooses one part per segment.  The K best paths are kept up to date segment by segment: the best
 * K of a sequence are always among the best K so far, each followed by one of the best K parts,
 * so nothing need be searched again at the end.
 */
#ifndef TRANSCRIPT_UTTERANCE_H
#define TRANSCRIPT_UTTERANCE_H

#include "transcript/assembly.h"
#include "transcript/runs.h"

typedef struct utterance_word {
    size_t text; /* where its text lies, terminated */
    size_t length;
    uint64_t first, last; /* frames */
    float confidence;
} utterance_word;

typedef struct utterance_part {
    size_t word, word_count;
    double log_posterior; /* parts, and paths, are in falling order of this */
} utterance_part;

typedef struct utterance_path {
    double log_posterior;
    uint8_t *choices; /* [segment_count]: the part of each segment */
} utterance_path;

typedef struct utterance_limits {
    size_t alternatives;   /* K */
    size_t tokens;         /* of a hypothesis */
    size_t gathered_words; /* of a path: with more the utterance is full */
    size_t gathered_bytes; /* likewise, each word's terminator counted */
    size_t segments;
} utterance_limits;

/* Words, and bytes, that one path may have at the most: what is gathered before the utterance is
 * full, and one segment more. */
size_t utterance_max_words(const utterance_limits *limits);
size_t utterance_max_bytes(const utterance_limits *limits);

typedef struct utterance {
    utterance_limits limits;
    utterance_word *words;        /* [K * max_words] */
    char *text;                   /* [K * max_bytes] */
    utterance_part *parts;        /* [segments, K] */
    utterance_path *paths, *next; /* [K] each; next: the paths being made */
    uint8_t *choices;             /* [2, K, segments]: the paths' */
    word_run *runs; /* [K + 1, tokens]: of the parts being added, and one to compare */
    const transcript_hypothesis **kept; /* [K]: the hypothesis of each of those parts */

    /* What clearing clears. */
    size_t segment_count, path_count;
    size_t word_count, text_bytes;       /* in all */
    size_t best_words;                   /* of path 0 */
    size_t longest_words, longest_bytes; /* no path has more */
    uint64_t first, last;                /* frames of path 0 */
} utterance;

steno_status utterance_init(utterance *utterance, const utterance_limits *limits);
void utterance_finish(utterance *utterance);
void utterance_clear(utterance *utterance);

/* Another segment might not fit: clear it first. */
bool utterance_is_full(const utterance *utterance);
/* Adds a segment, whose first hypothesis has words. */
void utterance_add(utterance *utterance, const transcript_hypothesis *hypotheses, size_t count);
/* Adds path `path`'s words to an assembly. */
void utterance_render(const utterance *utterance, size_t path, assembly *assembly);

#endif
