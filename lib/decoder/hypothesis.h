/*
 * A hypothesis: one token prefix of the beam, with the probability of its alignments by CTC.  Pure
 * arithmetic and comparison; which prefixes there are is the beam's matter.
 */
#ifndef DECODER_HYPOTHESIS_H
#define DECODER_HYPOTHESIS_H

#include "decoder/decoder.h"
#include "decoder/ngram.h"
#include "decoder/phrases.h"

/* A surviving prefix.  All probabilities are natural logarithms. */
typedef struct hypothesis {
    search_token *tokens; /* [max_length], the first `length` valid */
    size_t length;
    uint32_t last;        /* the last token, also when it was cut off; 0 at a segment's start */
    uint64_t hash;        /* of the tokens, */
    uint64_t parent_hash; /* and of all but the last */
    double blank;         /* CTC probability of all alignments that end in blank, */
    double nonblank;      /* and in the last token */
    double attention;     /* of the tokens by the attention decoder */
    double lm;            /* and by the language model: 0 without one */
    ngram_state context;  /* of what the language model is asked next */
    phrase_state phrase;  /* where it is in the phrases to prefer, */
    double credit;        /* and what that adds to the score: 0 without phrases */
    double score;         /* weighted sum: what ranks */
    size_t slot;          /* attention state that the last token is to be read in */
    uint32_t variations;  /* its list of them (decoder/variations.h) */
} hypothesis;

/* The empty prefix, whose one alignment is certain; `tokens` is its memory. */
hypothesis hypothesis_empty(search_token *tokens, ngram_state context, size_t slot);

/* log(exp(a) + exp(b)) */
double hypothesis_log_add(double a, double b);
/* CTC's log-probability of a prefix: all its alignments. */
double hypothesis_ctc(const hypothesis *hypothesis);
/* The same of those that grow by `token` at a frame where it has that log-probability: the same
 * token again needs a blank between. */
double hypothesis_grown(const hypothesis *hypothesis, uint32_t token, double log_probability);

/* The hash of a prefix of that hash and one more token. */
uint64_t hypothesis_extend_hash(uint64_t hash, uint32_t token);
/* A hash of the last `count` tokens of a prefix and one more token, or none more if that is 0. */
uint64_t hypothesis_ending(const hypothesis *hypothesis, uint32_t token, size_t count);
/* Whether it begins with these tokens [count]. */
bool hypothesis_begins_with(const hypothesis *hypothesis, const search_token *tokens, size_t count);
/* Whether child is parent and one token more. */
bool hypothesis_is_child(const hypothesis *parent, const hypothesis *child);

/* Forgets the first `count` tokens; `last` stays. */
void hypothesis_drop(hypothesis *hypothesis, size_t count);

#endif
