/*
 * What a stream heard and said within a part of its audio, gathered while it recognises: from its
 * trace (on a worker's thread) and from its results (on the thread of the job).  To be read once
 * the stream is gone.
 */
#ifndef STENO_INSPECT_HEARD_H
#define STENO_INSPECT_HEARD_H

#include <stdbool.h>

#include "growing.h"
#include "kept.h"
#include "steno/model.h"
#include "steno/trace.h"

enum { HEARD_BEST = 5 };

/* One frame of CTC. */
typedef struct heard_ctc {
    float blank; /* probabilities */
    struct {
        uint32_t token;
        float probability;
    } best[HEARD_BEST]; /* of the tokens but blank, best first */
} heard_ctc;

typedef struct heard_token {
    const char *text; /* the model's */
    bool begins;      /* a word */
    float probability;
    uint64_t frame;           /* of CTC */
    uint64_t trigger, first;  /* encodings */
    size_t count, weights_at; /* weights[weights_at] to weights[weights_at + count - 1] */
} heard_token;

typedef struct heard_turn {
    uint64_t first; /* encodings */
    size_t count, chunk;
    uint64_t feature_ns, encoder_ns, decoder_ns, transcript_ns;
} heard_turn;

typedef struct heard {
    /* Immutable. */
    const steno_model *model;
    uint32_t encoding_ms, ctc_frame_ms;
    uint64_t from_ms; /* the part: whole encodings, [from, to) */

    uint64_t to_ms; /* no more than heard_end says */

    /* Arrays of what begins within the part.  The trace's. */
    growing samples;      /* int16_t, at rate_hz */
    growing frames;       /* uint8_t [.., bins]: log-mel energy, 0 little, 255 much */
    growing ctc;          /* heard_ctc, from frame first_ctc on */
    growing tokens;       /* heard_token */
    growing weights;      /* float */
    growing segment_ends; /* uint64_t, frames of CTC */
    growing turns;        /* heard_turn: all that reach into the part */
    uint32_t rate_hz, bins;
    double hop_ms;
    uint64_t first_ctc;
    heard_turn total; /* sums over all turns, also those outside */
    steno_trace trace;
    bool out_of_memory;

    /* The job's. */
    kept results; /* finals with a word that begins in the part */
} heard;

/* `self` must stay where it is while a stream has its trace.  The part is widened to whole
 * encodings. */
void heard_init(heard *self, const steno_model *model, uint64_t from_ms, uint64_t to_ms);
void heard_finish(heard *self);

/* A final result. STENO_ERROR_MEMORY. */
steno_status heard_result(heard *self, const steno_result *result);

/* The stream is gone; its audio was so long.  What belongs to the silence behind it is dropped,
 * unless a token was heard there. */
void heard_end(heard *self, uint64_t duration_ms);

/* Milliseconds of a frame of CTC. */
uint64_t heard_ctc_ms(const heard *self, uint64_t frame);

/* The arrays, and how long they are. */
const heard_ctc *heard_get_ctc(const heard *self, size_t *out_count);
const heard_token *heard_get_tokens(const heard *self, size_t *out_count);
const float *heard_get_weights(const heard *self, const heard_token *token);
const heard_turn *heard_get_turns(const heard *self, size_t *out_count);
const int16_t *heard_get_samples(const heard *self, size_t *out_count);

#endif
