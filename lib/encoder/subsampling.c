#include "encoder/subsampling.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static size_t out_bins(const subsampling_stage *stage)
{
    return (stage->bins + 1) / 2;
}

/* Most outputs of a stage in one tile. */
static size_t tile_outputs(const subsampling_stage *stage)
{
    return (stage->tile_frames + 1) / 2;
}

/* Floats of one input frame. */
static size_t frame_size(const subsampling_stage *stage)
{
    return stage->bins * stage->channels;
}

/* in [2 rows + 1, bins, channels] -> out [rows, out bins, out channels]; between: room for as
 * much as out. */
static void stage_convolve(const subsampling *s, const nn_ops *ops, nn_scratch *scratch,
    size_t number, const float *in, size_t rows, float *between, float *out)
{
    const subsampling_stage *stage = &s->stages[number];
    if (number == 0) {
        ops->conv_first(in, rows, stage->bins, s->channels, stage->weight, stage->bias, out);
        return;
    }
    ops->conv_depthwise(
        in, rows, stage->bins, stage->channels, stage->weight, stage->bias, between);
    ops->linear_forward(stage->pointwise, scratch, between, rows * out_bins(stage), NN_SILU, out);
}

/* The constant input frames of all stages: each stage's is what the one before makes of its. */
static steno_status load_start(subsampling *s, const nn_ops *ops, steno_error *error)
{
    nn_scratch *scratch = NULL;
    steno_status status = nn_scratch_create(subsampling_scratch(s, ops, 1), &scratch, error);
    for (size_t i = 0; status >= 0 && i < s->stage_count; i++) {
        s->stages[i].start = memory_allocate(frame_size(&s->stages[i]), sizeof(float));
        if (!s->stages[i].start)
            status = error_memory(error);
    }
    for (size_t i = 0; status >= 0 && i + 1 < s->stage_count; i++) {
        size_t size = frame_size(&s->stages[i]);
        float *three = memory_allocate(3 * size, sizeof *three);
        float *between = memory_allocate(frame_size(&s->stages[i + 1]), sizeof *between);
        if (three && between) {
            for (size_t copy = 0; copy < 3; copy++)
                memcpy(three + copy * size, s->stages[i].start, size * sizeof *three);
            stage_convolve(s, ops, scratch, i, three, 1, between, s->stages[i + 1].start);
        } else {
            status = error_memory(error);
        }
        memory_free(three);
        memory_free(between);
    }
    nn_scratch_destroy(scratch);
    return status;
}

void subsampling_load(subsampling *s, loader *l)
{
    const encoder_config *config = l->config;
    s->factor = config->subsampling;
    s->channels = config->subsampling_channels;
    s->d = config->dimension;
    size_t bins = config->mel_bins, channels = s->channels;
    size_t frames = SUBSAMPLING_TILE * s->factor;
    const size_t shape[] = {channels, 1, 3, 3};
    while ((size_t)1 << s->stage_count < s->factor) {
        assert(s->stage_count < STATE_MAX_STAGES);
        size_t number = s->stage_count++;
        subsampling_stage *stage = &s->stages[number];
        stage->bins = bins;
        stage->channels = number == 0 ? 1 : channels;
        stage->tile_frames = frames;
        bins = out_bins(stage);
        frames = tile_outputs(stage);
        loader_enter(l, "encoder.subsampling.%zu", number);
        const char *weight = number == 0 ? "weight" : "depthwise.weight";
        loader_transposed(l, weight, 4, shape, channels, 9, &stage->weight);
        loader_vector(l, number == 0 ? "bias" : "depthwise.bias", channels, &stage->bias);
        if (number > 0)
            loader_linear(l, "pointwise", channels, channels, frames * bins, &stage->pointwise);
    }
    s->flat_size = bins * channels;
    loader_enter(l, "encoder.subsampling");
    loader_linear(l, "linear", s->d, s->flat_size, l->max_rows, &s->linear);
    if (l->status >= 0)
        l->status = load_start(s, l->ops, l->error);
}

void subsampling_finish(subsampling *s, const nn_ops *ops)
{
    for (size_t i = 0; i < s->stage_count; i++) {
        memory_free(s->stages[i].weight);
        memory_free(s->stages[i].bias);
        memory_free(s->stages[i].start);
        ops->linear_destroy(s->stages[i].pointwise);
    }
    ops->linear_destroy(s->linear);
}

size_t subsampling_cache_size(const subsampling *s, size_t stage)
{
    return stage < s->stage_count ? 2 * frame_size(&s->stages[stage]) : 0;
}

void subsampling_reset(const subsampling *s, encoder_state *state)
{
    for (size_t i = 0; i < s->stage_count; i++) {
        size_t size = frame_size(&s->stages[i]);
        memcpy(state->stages[i].frames, s->stages[i].start, size * sizeof(float));
        memcpy(state->stages[i].frames + size, s->stages[i].start, size * sizeof(float));
        state->stages[i].count = 2;
    }
}

uint64_t subsampling_encodings(const subsampling *s, uint64_t frames)
{
    return frames == 0 ? 0 : (frames - 1) / s->factor + 1;
}

/* Scratch of one tile: each stage's input, and what lies between the two halves of a stage. */
static size_t tile_scratch(const subsampling *s, const nn_ops *ops)
{
    size_t bytes = 0, between = 0, products = 0;
    for (size_t i = 0; i < s->stage_count; i++) {
        const subsampling_stage *stage = &s->stages[i];
        size_t rows = tile_outputs(stage) * out_bins(stage);
        bytes += nn_scratch_round((2 + stage->tile_frames) * frame_size(stage) * sizeof(float));
        if (!stage->pointwise)
            continue;
        size_t outputs = nn_scratch_round(rows * s->channels * sizeof(float));
        size_t product = ops->linear_scratch(stage->pointwise, rows);
        between = outputs > between ? outputs : between;
        products = product > products ? product : products;
    }
    return bytes + between + products;
}

size_t subsampling_scratch(const subsampling *s, const nn_ops *ops, size_t rows)
{
    size_t tile = tile_scratch(s, ops);
    size_t linear = ops->linear_scratch(s->linear, rows);
    return nn_scratch_round(rows * s->flat_size * sizeof(float)) + (tile > linear ? tile : linear);
}

/* Buffers of one tile. */
typedef struct tile {
    float *in[STATE_MAX_STAGES]; /* [2 + tile_frames, bins, channels] */
    float *between;
} tile;

static void tile_take(tile *t, const subsampling *s, nn_scratch *scratch)
{
    size_t between = 0;
    for (size_t i = 0; i < s->stage_count; i++) {
        const subsampling_stage *stage = &s->stages[i];
        size_t outputs = tile_outputs(stage) * out_bins(stage) * s->channels;
        t->in[i] =
            nn_scratch_take(scratch, (2 + stage->tile_frames) * frame_size(stage) * sizeof(float));
        if (stage->pointwise && outputs > between)
            between = outputs;
    }
    t->between = nn_scratch_take(scratch, between * sizeof(float));
}

/* Feeds up to one tile of one stream's frames; returns the encodings written to flat. */
static size_t tile_run(const subsampling *s, const batch *b, const tile *t, encoder_state *state,
    const float *frames, size_t count, float *flat)
{
    size_t arrived = count; /* new frames of the present stage */
    for (size_t i = 0; i < s->stage_count; i++) {
        const subsampling_stage *stage = &s->stages[i];
        stage_cache *cache = &state->stages[i];
        size_t size = frame_size(stage);
        if (i == 0)
            memcpy(t->in[0] + cache->count * size, frames, count * size * sizeof(float));
        memcpy(t->in[i], cache->frames, cache->count * size * sizeof(float));

        /* Where this stage's outputs go: behind the frames that the next one carries. */
        bool last = i + 1 == s->stage_count;
        float *out =
            last ? flat : t->in[i + 1] + state->stages[i + 1].count * frame_size(&s->stages[i + 1]);
        size_t frames_in = cache->count + arrived;
        size_t rows = (frames_in - 1) / 2;
        if (rows > 0)
            stage_convolve(s, b->ops, b->scratch, i, t->in[i], rows, t->between, out);
        cache->count = frames_in - 2 * rows;
        memcpy(cache->frames, t->in[i] + 2 * rows * size, cache->count * size * sizeof(float));
        arrived = rows;
    }
    return arrived;
}

void subsampling_run(const subsampling *s, const batch *b)
{
    size_t mark = nn_scratch_mark(b->scratch);
    float *flat = nn_scratch_take(b->scratch, b->rows * s->flat_size * sizeof *flat);
    size_t tile_mark = nn_scratch_mark(b->scratch);
    tile t;
    tile_take(&t, s, b->scratch);
    size_t row = 0, most = s->stages[0].tile_frames;
    for (size_t i = 0; i < b->count; i++) {
        const encoder_item *item = &b->items[i];
        for (size_t done = 0; done < item->frame_count;) {
            size_t count = item->frame_count - done < most ? item->frame_count - done : most;
            row += tile_run(s, b, &t, item->state, item->frames + done * s->stages[0].bins, count,
                flat + row * s->flat_size);
            done += count;
        }
    }
    assert(row == b->rows);
    nn_scratch_release(b->scratch, tile_mark);
    if (row > 0)
        b->ops->linear_forward(s->linear, b->scratch, flat, row, NN_IDENTITY, b->x);
    nn_scratch_release(b->scratch, mark);
}
