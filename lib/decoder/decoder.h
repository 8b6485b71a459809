/*
 * The decoder: encodings in, hypotheses out.  A CTC head says when a token may end; an attention
 * decoder (LSTM with location-aware additive attention) scores what it may be; one pass of
 * frame-synchronous prefix beam search joins them (docs/model.md has the maths).
 *
 * `decoder` is immutable and shared; a `search` belongs to one stream: fixed size.
 *
 * The stream is cut into segments at fixed pauses (trailing blanks), whatever endpointing a user
 * asks for: at the end of a segment the best hypothesis is settled, handed to the sink, and the
 * search starts afresh with the next encoding; only the language model knows what was said before.
 * So settings of results never change words.
 */
#ifndef DECODER_DECODER_H
#define DECODER_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/ops.h"
#include "nn/weights.h"

typedef struct decoder_config {
    size_t dimension;        /* of the encodings */
    size_t tokens;           /* V + 1: index 0 is CTC's blank and the decoder's start and end */
    size_t ctc_frames;       /* of CTC in each encoding, 1..8: time is counted in these */
    size_t embedding;        /* of tokens */
    size_t lstm;             /* size of the LSTM */
    size_t attention;        /* size of the additive attention */
    size_t location_filters; /* 16 */
    size_t location_width;   /* 31, odd */
    size_t look_ahead;       /* encodings visible after a trigger: 2 */
    size_t window; /* encodings visible in all: [t + look_ahead - window + 1, t + look_ahead] */
} decoder_config;

typedef struct decoder decoder;
typedef struct search search;

/* max_rows: the most encodings of one decoder_advance, over all its items.  weights are borrowed
 * until decoder_destroy.  Tensors (V + 1 = tokens, d = dimension, e, h, a = sizes of embedding,
 * LSTM and attention):
 *     ctc.weight [ctc_frames (V+1), d], ctc.bias [ctc_frames (V+1)]
 *     decoder.embedding.weight [V+1, e]
 *     decoder.lstm.weight [4h, e+d], .recurrent [4h, h], .bias [4h]      gates i, f, g, o
 *     decoder.attention.query.weight [a, h], .key.weight [a, d], .bias [a],
 *         .location.weight [a, filters], .filters.weight [filters, width], .energy.weight [a]
 *     decoder.output.weight [V+1, h+d], decoder.output.bias [V+1]
 * STENO_ERROR_FORMAT names a size that is out of range or a tensor that does not fit. */
steno_status decoder_create(const decoder_config *config, const nn_weights *weights,
    const nn_ops *ops, nn_precision precision, size_t max_rows, decoder **out_decoder,
    steno_error *error);
void decoder_destroy(decoder *decoder);
const decoder_config *decoder_get_config(const decoder *decoder);
/* Scratch bytes one decoder_advance takes at most. */
size_t decoder_scratch(const decoder *decoder);

/* How a search weighs and prunes.  Defaults come from the model file's metadata. */
typedef struct search_options {
    size_t beam;                   /* prefixes kept: 1..SEARCH_MAX_BEAM */
    float token_threshold;         /* tokens below this CTC probability do not extend a prefix */
    float attention_weight;        /* of the attention decoder's log-probability; 0: CTC alone */
    float ctc_weight;              /* of CTC's prefix log-probability */
    float token_bonus;             /* added per token */
    float lm_weight;               /* of the language model's log-probability */
    size_t segment_blanks;         /* trailing blanks that end a segment, in encodings */
    size_t segment_max;            /* encodings after which the segment is cut at its best pause */
    const struct phrases *phrases; /* to prefer (decoder/phrases.h), borrowed until search_destroy;
                                      NULL: none */
    const struct ngram *lm;        /* decoder/ngram.h, over the decoder's tokens, borrowed until
                                      search_destroy; NULL: none, whatever its weight */
    const struct search_observer *observer; /* copied; NULL: nobody looks on */
} search_options;

enum { SEARCH_MAX_BEAM = 128 };

/* One token of a hypothesis. */
typedef struct search_token {
    uint32_t token;    /* 1..V */
    float probability; /* CTC posterior where it is highest while the token lasts, 0..1 */
    uint64_t frame;    /* index of that frame of CTC, from the stream's start */
} search_token;

typedef struct search_hypothesis {
    const search_token *tokens;
    size_t token_count;
    float score;       /* weighted log-probability, with the language model and the credit for
                          phrases */
    float posterior;   /* share among the surviving hypotheses, 0..1 */
    bool is_variation; /* it was merged into the best hypothesis, from which it differs at one
                          place: its posterior is part of that one's, and independent of what is
                          elsewhere */
} search_hypothesis;

/* A finished segment: hypotheses best first, each text once, valid during the call.  A segment in
 * which the best hypothesis has no tokens is not reported; an alternative may have none.  The
 * tokens' frames rise strictly and are below end_frame, the first frame of CTC of the next
 * segment.  Called from decoder_advance; must not touch the search.  segment may be NULL. */
typedef struct search_sink {
    void (*segment)(
        void *context, const search_hypothesis *hypotheses, size_t count, uint64_t end_frame);
    void *context;
} search_sink;

/* Where the attention decoder looked when it said what a token is. */
typedef struct search_alignment {
    uint64_t trigger;     /* the encoding at which CTC proposed the token */
    uint64_t first;       /* encodings first .. first + count - 1 were visible, */
    size_t count;         /* 1..window of them, */
    const float *weights; /* [count], and this is how much it looked at each: their sum is 1 */
} search_alignment;

/* Looks on at a search, whose results do not change by it.  Called from decoder_advance, with what
 * the search itself used, valid during the call; must not touch the search.  Each may be NULL.
 * A search that is looked on at has more memory (for the alignments), and one that isn't does not
 * know of this. */
typedef struct search_observer {
    /* The next frame of CTC is decoded: its log-probabilities [tokens]. */
    void (*ctc)(void *context, uint64_t frame, const float *log_probabilities);
    /* A segment is finished, before the sink is told: the best hypothesis, with an alignment for
     * each token; alignments is NULL where the attention decoder has no weight. */
    void (*segment)(void *context, const search_token *tokens, const search_alignment *alignments,
        size_t count, uint64_t end_frame);
    void *context;
} search_observer;

/* The decoder must outlive the search.  STENO_ERROR_ARGUMENT for options out of range: beam
 * 1..SEARCH_MAX_BEAM, token_threshold 0..1 (not 1), weights finite and not negative, those of
 * CTC and attention not both 0, token_bonus finite, segment_max 1..1000, segment_blanks
 * 1..segment_max. */
steno_status search_create(const decoder *decoder, const search_options *options, search_sink sink,
    search **out_search, steno_error *error);
void search_destroy(search *search);

typedef struct decoder_item {
    search *search;
    const float *encodings; /* [count, dimension] */
    size_t count;
    bool finish; /* after these encodings the stream (or an explicit flush) ends: the look-ahead is
                    waived and the running segment is reported; more may follow it */
} decoder_item;

/* Advances all items as one batch.  Of each item's encodings all are taken; decoding trails them
 * by look_ahead encodings unless finish.  Sum of counts <= max_rows. */
void decoder_advance(
    const decoder *decoder, nn_scratch *scratch, decoder_item *items, size_t count);

/* The running segment: writes up to `max` hypotheses, best first; returns how many (there is
 * always one, without tokens while nothing was said).  Posteriors are shares among all that
 * survive, also those not written.  Token pointers stay valid until the next call of this or of
 * decoder_advance with this search. */
size_t search_hypotheses(search *search, size_t max, search_hypothesis *out_hypotheses);
/* Tokens at the start of the best hypothesis that all surviving hypotheses share. */
size_t search_stable(const search *search);
/* Frames of CTC decoded so far, from the stream's start. */
uint64_t search_position(const search *search);
/* Frames since the last token of the best hypothesis, or since the last token reported when
 * the running segment has none (or since the stream's start). */
uint64_t search_trailing(const search *search);

#endif
