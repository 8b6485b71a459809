/*
 * What a model file says about itself: the JSON strings "config", "search" and, where it has a
 * language model, "lm" of its metadata, read into the configurations of the stages with every
 * number checked against stated bounds, so that a hostile file can't ask for absurd amounts of
 * memory.
 */
#ifndef RECOGNIZER_MODEL_CONFIG_H
#define RECOGNIZER_MODEL_CONFIG_H

#include "decoder/decoder.h"
#include "decoder/ngram.h"
#include "encoder/encoder.h"
#include "feature/frontend.h"
#include "nn/weights.h"

typedef struct model_config {
    frontend_config frontend;
    encoder_config encoder;
    decoder_config decoder;
    search_options search;
    ngram_config lm;      /* order 0: none */
    uint32_t encoding_ms; /* milliseconds of audio per encoding */
    uint32_t frame_ms;    /* and per frame of CTC */
} model_config;

/* Reads them; STENO_ERROR_FORMAT names `path`, the string and the key.  *out_config is written
 * only on success. */
steno_status model_config_read(
    const char *path, const nn_weights *weights, model_config *out_config, steno_error *error);

#endif
