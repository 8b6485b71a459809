/*
 * The encoder as a whole: the configuration's limits, the blocks one after the other, and what
 * callers see of a stream's state.
 *
 * A forward call goes layer by layer over the rows of all streams and of all their chunks, since
 * one large product is far cheaper than many small ones.  Only attention and the convolutions
 * look at one stream at a time, and their caches make a chunk see the same whether it comes alone
 * or behind others in one call.
 */
#include "encoder/encoder.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "encoder/attention.h"
#include "encoder/convolution.h"
#include "encoder/feed_forward.h"
#include "encoder/loader.h"
#include "encoder/state.h"
#include "encoder/subsampling.h"

typedef struct encoder_block {
    feed_forward_layer feed_forward_1;
    attention_layer attention;
    convolution_layer convolution;
    feed_forward_layer feed_forward_2;
    norm norm;
} encoder_block;

struct encoder {
    encoder_config config;
    const nn_ops *ops;
    size_t max_rows;
    subsampling subsampling;
    encoder_block *blocks; /* [config.blocks] */
};

/* Limits far above any useful network, so low that no size computed from values within them
 * overflows, not even with 32 bits. */
enum {
    MOST_MEL_BINS = 512,
    MOST_CHANNELS = 1024,
    MOST_FLAT = 16384, /* channels x bins after subsampling */
    MOST_DIMENSION = 4096,
    MOST_BLOCKS = 256,
    MOST_FEED_FORWARD = 16384,
    MOST_KERNEL = 256,
    MOST_LEFT_CONTEXT = 4096,
    MOST_CHUNK = 256,
    MOST_ROWS = 4096
};

static steno_status check_range(
    const char *name, size_t value, size_t least, size_t most, steno_error *error)
{
    if (value >= least && value <= most)
        return STENO_OK;
    return error_set(error, STENO_ERROR_FORMAT, "encoder: %s is %zu, must be %zu to %zu", name,
        value, least, most);
}

static steno_status check_ranges(const encoder_config *c, steno_error *error)
{
    const struct {
        const char *name;
        size_t value, least, most;
    } ranges[] = {
        {"mel_bins", c->mel_bins, 2, MOST_MEL_BINS},
        {"subsampling", c->subsampling, 2, (size_t)1 << STATE_MAX_STAGES},
        {"subsampling_channels", c->subsampling_channels, 1, MOST_CHANNELS},
        {"dimension", c->dimension, 1, MOST_DIMENSION},
        {"blocks", c->blocks, 1, MOST_BLOCKS},
        {"heads", c->heads, 1, MOST_DIMENSION},
        {"feed_forward", c->feed_forward, 1, MOST_FEED_FORWARD},
        {"kernel", c->kernel, 1, MOST_KERNEL},
        {"left_context", c->left_context, 0, MOST_LEFT_CONTEXT},
        {"max_chunk", c->max_chunk, 1, MOST_CHUNK},
    };
    steno_status status = STENO_OK;
    for (size_t i = 0; status >= 0 && i < sizeof ranges / sizeof *ranges; i++)
        status =
            check_range(ranges[i].name, ranges[i].value, ranges[i].least, ranges[i].most, error);
    return status;
}

static steno_status check_config(const encoder_config *c, steno_error *error)
{
    steno_status status = check_ranges(c, error);
    if (status < 0)
        return status;
    if (c->subsampling & (c->subsampling - 1))
        return error_set(error, STENO_ERROR_FORMAT,
            "encoder: subsampling is %zu, must be a power of two", c->subsampling);
    if (c->mel_bins % 2)
        return error_set(
            error, STENO_ERROR_FORMAT, "encoder: mel_bins is %zu, must be even", c->mel_bins);
    if (c->dimension % c->heads)
        return error_set(error, STENO_ERROR_FORMAT,
            "encoder: %zu heads do not divide the dimension %zu", c->heads, c->dimension);
    size_t bins = c->mel_bins;
    for (size_t factor = c->subsampling; factor > 1; factor /= 2)
        bins = (bins + 1) / 2;
    return check_range("subsampling_channels times the bins left after subsampling",
        bins * c->subsampling_channels, 1, MOST_FLAT, error);
}

static void load_block(encoder_block *block, loader *l, size_t number)
{
    loader_enter(l, "encoder.blocks.%zu.feed_forward_1", number);
    feed_forward_load(&block->feed_forward_1, l);
    loader_enter(l, "encoder.blocks.%zu.attention", number);
    attention_load(&block->attention, l);
    loader_enter(l, "encoder.blocks.%zu.convolution", number);
    convolution_load(&block->convolution, l);
    loader_enter(l, "encoder.blocks.%zu.feed_forward_2", number);
    feed_forward_load(&block->feed_forward_2, l);
    loader_enter(l, "encoder.blocks.%zu", number);
    loader_norm(l, "norm", l->config->dimension, &block->norm);
}

static void block_finish(encoder_block *block, const nn_ops *ops)
{
    feed_forward_finish(&block->feed_forward_1, ops);
    attention_finish(&block->attention, ops);
    convolution_finish(&block->convolution, ops);
    feed_forward_finish(&block->feed_forward_2, ops);
    norm_finish(&block->norm);
}

steno_status encoder_create(const encoder_config *config, const nn_weights *weights,
    const nn_ops *ops, nn_precision precision, size_t max_rows, encoder **out_encoder,
    steno_error *error)
{
    steno_status status = check_config(config, error);
    if (status < 0)
        return status;
    if (max_rows < 1 || max_rows > MOST_ROWS)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "encoder: %zu rows in a batch, must be 1 to %d", max_rows, MOST_ROWS);

    encoder *e = memory_allocate(1, sizeof *e);
    if (!e)
        return error_memory(error);
    e->config = *config;
    e->ops = ops;
    e->max_rows = max_rows;
    e->blocks = memory_allocate(config->blocks, sizeof *e->blocks);
    loader l = {
        .config = &e->config,
        .weights = weights,
        .ops = ops,
        .precision = precision,
        .max_rows = max_rows,
        .error = error,
    };
    if (!e->blocks)
        l.status = error_memory(error);
    if (l.status >= 0)
        subsampling_load(&e->subsampling, &l);
    for (size_t i = 0; l.status >= 0 && i < config->blocks; i++)
        load_block(&e->blocks[i], &l, i);
    if (l.status < 0) {
        encoder_destroy(e);
        return l.status;
    }
    *out_encoder = e;
    return STENO_OK;
}

void encoder_destroy(encoder *e)
{
    if (!e)
        return;
    subsampling_finish(&e->subsampling, e->ops);
    for (size_t i = 0; e->blocks && i < e->config.blocks; i++)
        block_finish(&e->blocks[i], e->ops);
    memory_free(e->blocks);
    memory_free(e);
}

size_t encoder_scratch(const encoder *e)
{
    /* All blocks are alike. */
    const encoder_block *block = &e->blocks[0];
    const size_t parts[] = {
        subsampling_scratch(&e->subsampling, e->ops, e->max_rows),
        feed_forward_scratch(&block->feed_forward_1, e->ops, e->max_rows),
        attention_scratch(&block->attention, e->ops, e->max_rows),
        convolution_scratch(&block->convolution, e->ops, e->max_rows),
    };
    size_t most = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        most = parts[i] > most ? parts[i] : most;
    return nn_scratch_round(e->max_rows * e->config.dimension * sizeof(float)) + most;
}

steno_status encoder_state_create(
    const encoder *e, size_t chunk, encoder_state **out_state, steno_error *error)
{
    const encoder_config *config = &e->config;
    if (chunk < 1 || chunk > config->max_chunk)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "encoder: a chunk of %zu encodings, must be 1 to %zu", chunk, config->max_chunk);

    encoder_state *state = memory_allocate(1, sizeof *state);
    if (!state)
        return error_memory(error);
    state->owner = e;
    state->chunk = chunk;
    state->capacity = config->left_context + (chunk > STATE_SPARE_ROWS ? chunk : STATE_SPARE_ROWS);
    size_t keys_values = state->capacity * 2 * config->dimension;
    size_t gated = (config->kernel - 1) * config->dimension;
    size_t carried = 0;
    for (size_t i = 0; i < STATE_MAX_STAGES; i++)
        carried += subsampling_cache_size(&e->subsampling, i);
    state->blocks = memory_allocate(config->blocks, sizeof *state->blocks);
    state->carried = memory_allocate(carried, sizeof *state->carried);
    state->history =
        memory_allocate(config->blocks, (keys_values + gated) * sizeof *state->history);
    if (!state->blocks || !state->carried || !state->history) {
        encoder_state_destroy(state);
        return error_memory(error);
    }
    float *next = state->carried;
    for (size_t i = 0; i < STATE_MAX_STAGES; i++) {
        state->stages[i].frames = next;
        next += subsampling_cache_size(&e->subsampling, i);
    }
    for (size_t i = 0; i < config->blocks; i++) {
        state->blocks[i].keys_values = state->history + i * (keys_values + gated);
        state->blocks[i].gated = state->blocks[i].keys_values + keys_values;
    }
    encoder_state_reset(state);
    *out_state = state;
    return STENO_OK;
}

void encoder_state_destroy(encoder_state *state)
{
    if (!state)
        return;
    memory_free(state->history);
    memory_free(state->carried);
    memory_free(state->blocks);
    memory_free(state);
}

void encoder_state_reset(encoder_state *state)
{
    const encoder_config *config = &state->owner->config;
    size_t gated = (config->kernel - 1) * config->dimension;
    state->frames_fed = 0;
    subsampling_reset(&state->owner->subsampling, state);
    for (size_t i = 0; i < config->blocks; i++) {
        state->blocks[i].filled = 0;
        memset(state->blocks[i].gated, 0, gated * sizeof(float));
    }
}

size_t encoder_frames_wanted(const encoder_state *state, size_t chunks)
{
    assert(chunks >= 1);
    const subsampling *s = &state->owner->subsampling;
    uint64_t given = subsampling_encodings(s, state->frames_fed);
    uint64_t last = given + (uint64_t)chunks * state->chunk - 1; /* index of the last wanted */
    return (size_t)(s->factor * last + 1 - state->frames_fed);
}

size_t encoder_encodings_after(const encoder_state *state, size_t frames)
{
    const subsampling *s = &state->owner->subsampling;
    return (size_t)(subsampling_encodings(s, state->frames_fed + frames) -
                    subsampling_encodings(s, state->frames_fed));
}

/* The last layer norm writes where the callers want the encodings. */
static void write_out(const encoder *e, const batch *b, const norm *n)
{
    const float *x = b->x;
    size_t d = e->config.dimension;
    for (size_t i = 0; i < b->count; i++) {
        size_t rows = b->items[i].state->rows;
        if (rows > 0)
            b->ops->layer_norm(x, rows, d, n->gain, n->bias, b->items[i].out);
        x += rows * d;
    }
}

void encoder_forward(const encoder *e, nn_scratch *scratch, encoder_item *items, size_t count)
{
    size_t mark = nn_scratch_mark(scratch), d = e->config.dimension;
    batch b = {.ops = e->ops, .scratch = scratch, .items = items, .count = count};
    for (size_t i = 0; i < count; i++) {
        encoder_state *state = items[i].state;
        assert(state->owner == e && items[i].frame_count >= 1);
        state->rows = encoder_encodings_after(state, items[i].frame_count);
        state->frames_fed += items[i].frame_count;
        b.rows += state->rows;
    }
    assert(b.rows <= e->max_rows);
    b.x = nn_scratch_take(scratch, b.rows * d * sizeof *b.x);
    subsampling_run(&e->subsampling, &b);
    for (size_t i = 0; b.rows > 0 && i < e->config.blocks; i++) {
        const encoder_block *block = &e->blocks[i];
        feed_forward_run(&block->feed_forward_1, &b);
        attention_run(&block->attention, &b, i);
        convolution_run(&block->convolution, &b, i);
        feed_forward_run(&block->feed_forward_2, &b);
        if (i + 1 < e->config.blocks)
            b.ops->layer_norm(b.x, b.rows, d, block->norm.gain, block->norm.bias, b.x);
        else
            write_out(e, &b, &block->norm);
    }
    nn_scratch_release(scratch, mark);
}
