#include "decoder/ctc.h"

#include "base/error.h"
#include "base/memory.h"
#include "decoder/layer.h"

struct ctc {
    size_t frames, tokens;
    const nn_ops *ops;
    layer head;
};

steno_status ctc_create(const decoder_config *config, const nn_weights *weights, const nn_ops *ops,
    nn_precision precision, size_t max_rows, ctc **out_ctc, steno_error *error)
{
    ctc *c = memory_allocate(1, sizeof *c);
    if (!c)
        return error_memory(error);
    c->frames = config->ctc_frames;
    c->tokens = config->tokens;
    c->ops = ops;
    steno_status status = layer_init(&c->head, weights, ops, "ctc.weight", "ctc.bias",
        config->ctc_frames * config->tokens, config->dimension, precision, max_rows, error);
    if (status != STENO_OK) {
        ctc_destroy(c);
        return status;
    }
    *out_ctc = c;
    return STENO_OK;
}

void ctc_destroy(ctc *c)
{
    if (!c)
        return;
    layer_finish(&c->head);
    memory_free(c);
}

size_t ctc_scratch(const ctc *c, size_t rows)
{
    return layer_scratch(&c->head, rows);
}

void ctc_forward(const ctc *c, nn_scratch *scratch, const float *encodings, size_t rows, float *out)
{
    layer_forward(&c->head, scratch, encodings, rows, out);
    c->ops->log_softmax(out, rows * c->frames, c->tokens);
}
