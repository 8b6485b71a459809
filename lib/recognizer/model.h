/* A model as streams and workers see it: all fields are immutable after steno_model_open but the
 * reference count. */
#ifndef RECOGNIZER_MODEL_H
#define RECOGNIZER_MODEL_H

#include <stdatomic.h>

#include "decoder/vocabulary.h"
#include "recognizer/model_config.h"
#include "steno/model.h"
#include "transcript/transcript.h"

/* Encodings in one batch at most, over all its streams: what the matrix products are prepared
 * for.  More than 128 rows gain nothing on the processors measured; the working memory grows with
 * it. */
enum { MODEL_MAX_ROWS = 128 };

/* The longest text of one token: longer ones the transcript would cut. */
enum { MODEL_MAX_TOKEN_BYTES = TRANSCRIPT_TOKEN_BYTES };

struct steno_model {
    atomic_size_t references;

    char *path;
    void *bytes; /* the file, mapped read-only */
    size_t size;
    nn_weights *weights; /* views into bytes */

    model_config config;
    const nn_ops *ops;
    nn_precision precision;
    float *mean, *inverse_deviation; /* [mel_bins] */
    encoder *encoder;
    decoder *decoder;
    vocabulary *vocabulary;
    ngram *lm;           /* NULL: none */
    size_t token_bytes;  /* longest text of a token, without its end */
    uint64_t parameters; /* of the network */
};

#endif
