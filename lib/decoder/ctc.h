/*
 * The CTC head: log-probabilities of blank (index 0) and each token at each frame of CTC, of which
 * an encoding has one or more: with long encodings and short tokens one is not enough.
 */
#ifndef DECODER_CTC_H
#define DECODER_CTC_H

#include "decoder/decoder.h"

typedef struct ctc ctc;

/* Tensors ctc.weight [ctc_frames * tokens, dimension], ctc.bias [ctc_frames * tokens]. */
steno_status ctc_create(const decoder_config *config, const nn_weights *weights, const nn_ops *ops,
    nn_precision precision, size_t max_rows, ctc **out_ctc, steno_error *error);
void ctc_destroy(ctc *ctc);
size_t ctc_scratch(const ctc *ctc, size_t rows);
/* encodings [rows, dimension] -> out [rows, ctc_frames, tokens]: natural logarithms, each frame
 * summing to one as probabilities.  rows <= max_rows. */
void ctc_forward(
    const ctc *ctc, nn_scratch *scratch, const float *encodings, size_t rows, float *out);

#endif
