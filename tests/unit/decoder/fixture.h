/* A tiny decoder with all that its tests need around it. */
#ifndef UNIT_DECODER_FIXTURE_H
#define UNIT_DECODER_FIXTURE_H

#include "decoder/decoder.h"
#include "decoder/ngram.h"
#include "support/tiny_model.h"
#include "support/tiny_ngram.h"

enum {
    FIXTURE_TOKENS = 12,
    FIXTURE_DIMENSION = 12, /* for each frame of CTC: as many, so that CTC can be the identity */
    FIXTURE_MAX_ROWS = 128,
};

typedef struct fixture {
    void *bytes;
    nn_weights *weights;
    decoder_config config;
    decoder *decoder;
    nn_scratch *scratch; /* exactly decoder_scratch bytes */

    tiny_ngram *trie; /* a random language model of order 4, */
    void *lm_bytes;
    nn_weights *lm_weights;
    ngram *lm; /* and the same as the search takes it */
} fixture;

/* The network of a tiny model with look_ahead 2 and window 7. */
tiny_model_config fixture_model(void);
decoder_config fixture_config(const tiny_model_config *model);

/* Overwrites the CTC head by the identity: an encoding's values are then CTC's logits.  The
 * tensors must be f32 and `bytes` writable. */
void fixture_identity_ctc(const nn_weights *weights, const decoder_config *config);

/* Opens fixture_model's decoder with the identity as its CTC head. */
void fixture_open_with(fixture *f, const nn_ops *ops, nn_precision precision);
/* With reference operators and f32. */
void fixture_open(fixture *f);
/* And with that many frames of CTC in an encoding, not one. */
void fixture_open_frames(fixture *f, size_t ctc_frames);
void fixture_close(fixture *f);

/* Options that segment at 4 blanks or after 60 encodings. */
search_options fixture_options(void);
/* The same, with the fixture's language model where `use` is not 0. */
search_options fixture_options_lm(const fixture *f, int use);

/* Encodings [length of script, dimension], free(): '.' is blank, ',' one so probable that nothing
 * else is considered, 'a'.. 'k' tokens 1..11, 'A'.. 'K' the same but less sure, each plus noise.
 * With more frames of CTC than one, as many letters make one encoding. */
float *fixture_encodings(const char *script, uint64_t seed);

#endif
