/*
 * The encoder written down once more straight from its definition (docs/model.md): the whole
 * utterance at once, explicit masks, double precision, weights as the file has them.  Slow, and
 * shares nothing with lib/encoder or the operators.
 */
#ifndef UNIT_ENCODER_PLAIN_ENCODER_H
#define UNIT_ENCODER_PLAIN_ENCODER_H

#include "encoder/encoder.h"

/* Encodings that `count` frames give. */
size_t plain_encoder_count(const encoder_config *config, size_t count);

/* frames [count, mel_bins]; chunk_of [plain_encoder_count]: the number of the chunk that each
 * encoding is in, ascending.  Returns encodings [plain_encoder_count, dimension]; free().
 * block_count: how many of the blocks to run; 0 gives what the subsampling puts out. */
double *plain_encoder_run(const encoder_config *config, const nn_weights *weights,
    size_t block_count, const float *frames, size_t count, const size_t *chunk_of);

#endif
