/*
 * The attention decoder: one LSTM layer that reads the last token and a context, the context
 * being a weighted mean of the visible encodings, weighted by location-aware additive attention.
 * For output step i over the visible encodings j, with s the LSTM's hidden state:
 *
 *     f_j = F * a_{i-1}                                  1-D convolution around j
 *     e_j = v . tanh(W s_{i-1} + V h_j + U f_j + b),     a_i = softmax(e),   c_i = sum_j a_ij h_j
 *     s_i = LSTM([embedding(y_{i-1}); c_i], s_{i-1})
 *     log y_i = log_softmax(W_o [s_i; c_i] + b_o)        index 0: end of the text
 *
 * (Bahdanau et al. 2014, arXiv 1409.0473; Chorowski et al. 2015, arXiv 1506.07503.)
 *
 * `attention` is immutable and shared; states belong to the caller.
 */
#ifndef DECODER_ATTENTION_H
#define DECODER_ATTENTION_H

#include "decoder/decoder.h"

/* Steps of one batch, at most. */
enum { ATTENTION_MAX_STEPS = 32 };

typedef struct attention attention;

/* What a prefix remembers: all zero, with count 0, at a segment's start. */
typedef struct attention_state {
    float *hidden;    /* [lstm] */
    float *cell;      /* [lstm] */
    float *alignment; /* [window], of which `count` are valid: encodings first .. first + count - 1;
                         zero everywhere else */
    uint64_t first;
    size_t count;
} attention_state;

typedef struct attention_step {
    const attention_state *before;
    attention_state *after; /* never `before` */
    uint32_t token;         /* y_{i-1}; 0 at a segment's start */
    uint64_t first;         /* the first visible encoding */
    size_t visible;         /* how many are: 1..window */
    const float *encodings; /* [visible, dimension] */
    const float *keys;      /* [visible, attention]: V h_j from attention_keys */
} attention_step;

/* max_rows: the most encodings of one attention_keys. */
steno_status attention_create(const decoder_config *config, const nn_weights *weights,
    const nn_ops *ops, nn_precision precision, size_t max_rows, attention **out_attention,
    steno_error *error);
void attention_destroy(attention *attention);

/* Scratch bytes of attention_keys with `rows` rows, and of attention_advance at most. */
size_t attention_keys_scratch(const attention *attention, size_t rows);
size_t attention_advance_scratch(const attention *attention);

/* encodings [rows, dimension] -> keys [rows, attention]. */
void attention_keys(const attention *attention, nn_scratch *scratch, const float *encodings,
    size_t rows, float *out_keys);

/* Runs count <= ATTENTION_MAX_STEPS steps as one batch of products.  Writes the states after and
 * log_probabilities [count, tokens]. */
void attention_advance(const attention *attention, nn_scratch *scratch, const attention_step *steps,
    size_t count, float *log_probabilities);

#endif
