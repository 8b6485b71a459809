/*
 * A small random model as the bytes of a model file: every tensor that the encoder, the CTC head,
 * the decoder and the features need, with the metadata, from one seed.
 *
 *     tiny_model_config config = tiny_model_default();
 *     config.blocks = 1;
 *     size_t size;
 *     void *bytes = tiny_model_write(&config, &size);
 *     nn_weights_open(bytes, size, &weights, &error);
 *     ...
 *     free(bytes);
 *
 * A tensor's values depend on the seed, its name and its shape alone.  Memory comes from the C
 * library directly: tests that count the blocks of base/memory.h do not see it.
 */
#ifndef SUPPORT_TINY_MODEL_H
#define SUPPORT_TINY_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "nn/tensor.h"
#include "support/tiny_ngram.h"

typedef struct tiny_model_config {
    size_t mel_bins, subsampling, subsampling_channels;
    size_t dimension, blocks, heads, feed_forward, kernel, left_context, max_chunk;
    size_t tokens; /* V + 1 */
    size_t ctc_frames;
    size_t decoder_embedding, decoder_lstm, decoder_attention;
    size_t location_filters, location_width, look_ahead, attention_window;

    uint64_t seed;
    nn_type matrix_type;    /* of linear layers' weights: NN_F32, NN_BF16 or NN_I8 */
    nn_type other_type;     /* of everything else: NN_F32 or NN_BF16 */
    const char *token_list; /* JSON list of V strings; NULL: "\u2581b", "c", "\u2581d", ... */
    /* More metadata: key, value, key, value, ..., NULL.  NULL: none. */
    const char *const *metadata;
    const tiny_ngram *lm; /* NULL: no language model */
} tiny_model_config;

/* Subsampling 8, two blocks of dimension 32, 12 tokens, all f32. */
tiny_model_config tiny_model_default(void);

/* The file's bytes, to be freed with free(); *out_size: how many.  Aborts when memory is out. */
void *tiny_model_write(const tiny_model_config *config, size_t *out_size);

/* `count` floats, uniform in [-scale, scale), the same for the same seed. */
void tiny_model_noise(uint64_t seed, float scale, size_t count, float *out);

#endif
