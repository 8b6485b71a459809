/*
 * Ranking: which of the prefixes that a frame offers survive.  Knows nothing of what they say but
 * their score and a number for what decides how they go on.
 */
#ifndef DECODER_RANKING_H
#define DECODER_RANKING_H

#include "steno/status.h"

#include <stddef.h>
#include <stdint.h>

/* One prefix offered. */
typedef struct place {
    double score;
    size_t index;    /* what the caller knows it by */
    uint64_t ending; /* those of the same ending go on alike: only the best of them survives */
} place;

/* A place given up for a survivor with the same ending. */
typedef struct merge {
    size_t survivor; /* its rank */
    place lost;
} merge;

typedef struct ranking {
    size_t capacity, count;
    place *places; /* [count], best first, those added before at equal scores */
    size_t merge_count;
    merge *merges; /* [merge_count] */
} ranking;

/* Errors: MEMORY. */
steno_status ranking_create(size_t capacity, ranking *out_ranking, steno_error *error);
void ranking_destroy(ranking *ranking);

void ranking_clear(ranking *ranking);
void ranking_add(ranking *ranking, place added);
/* Keeps at most `width` of the places, each of another ending and none more than `margin` below the
 * best; at least one.  Those that were good enough but for their ending become the merges. */
void ranking_select(ranking *ranking, size_t width, double margin);

#endif
