/*
 * One step costs window x attention hyperbolic tangents, the LSTM's and the output's products.
 * So the visible encodings of all steps of a batch stand in one tall matrix of rows, on which the
 * location product runs once; the LSTM's and the output's rows are the steps.
 *
 * U (F * a) is linear in the previous alignment a, so both factors are multiplied at creation to
 * one matrix [attention, location_width]; its input row for encoding j is simply the stretch of
 * the alignment around j.  With 16 filters of width 31 this takes more multiplications than the
 * two steps apart, but in one dense product instead of a convolution of its own.
 *
 * sigmoid(x) = (1 + tanh(x / 2)) / 2, so that the gates of all steps are one call of tanh.
 */
#include "decoder/attention.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decoder/layer.h"

struct attention {
    decoder_config config;
    const nn_ops *ops;
    layer key;       /* V   [attention, dimension] */
    layer query;     /* W   [attention, lstm], b */
    layer input;     /*     [4 lstm, embedding + dimension], the LSTM's bias; gates i, f, g, o */
    layer recurrent; /*     [4 lstm, lstm] */
    layer output;    /* W_o [tokens, lstm + dimension], b_o */
    layer location;  /* U F [attention, location_width] */
    float *location_weight;
    float *energy;    /* v [attention] */
    float *embedding; /* [tokens, embedding] */
};

/* Multiplies U [attention, filters] by F [filters, width] into the location layer. */
static steno_status create_location(attention *net, const nn_weights *weights, steno_error *error)
{
    const decoder_config *c = &net->config;
    size_t filters = c->location_filters, width = c->location_width;
    float *mix = NULL, *taps = NULL;
    steno_status status = nn_weights_floats(weights, "decoder.attention.location.weight", 2,
        (size_t[]){c->attention, filters}, &mix, error);
    if (status == STENO_OK)
        status = nn_weights_floats(weights, "decoder.attention.filters.weight", 2,
            (size_t[]){filters, width}, &taps, error);
    if (status != STENO_OK)
        goto done;
    net->location_weight = memory_allocate(c->attention * width, sizeof(float));
    if (!net->location_weight) {
        status = error_memory(error);
        goto done;
    }
    for (size_t a = 0; a < c->attention; a++)
        for (size_t tap = 0; tap < width; tap++) {
            double sum = 0;
            for (size_t filter = 0; filter < filters; filter++)
                sum += (double)mix[a * filters + filter] * (double)taps[filter * width + tap];
            net->location_weight[a * width + tap] = (float)sum;
        }
    nn_tensor tensor = {.name = "decoder.attention.location",
        .type = NN_F32,
        .rank = 2,
        .shape = {c->attention, width},
        .data = net->location_weight};
    net->location.ops = net->ops;
    /* Always f32: the product is small, and alignments are what attention keeps its place by. */
    status = net->ops->linear_create(&tensor, NULL, NN_PRECISION_F32,
        ATTENTION_MAX_STEPS * c->window, &net->location.linear, error);
done:
    memory_free(mix);
    memory_free(taps);
    return status;
}

steno_status attention_create(const decoder_config *config, const nn_weights *weights,
    const nn_ops *ops, nn_precision precision, size_t max_rows, attention **out_attention,
    steno_error *error)
{
    attention *net = memory_allocate(1, sizeof *net);
    if (!net)
        return error_memory(error);
    const decoder_config *c = &net->config;
    net->config = *config;
    net->ops = ops;
    const struct {
        layer *layer;
        const char *weight, *bias;
        size_t out_size, in_size, max_rows;
    } layers[] = {
        {&net->key, "decoder.attention.key.weight", NULL, c->attention, c->dimension, max_rows},
        {&net->query, "decoder.attention.query.weight", "decoder.attention.bias", c->attention,
            c->lstm, ATTENTION_MAX_STEPS},
        {&net->input, "decoder.lstm.weight", "decoder.lstm.bias", 4 * c->lstm,
            c->embedding + c->dimension, ATTENTION_MAX_STEPS},
        {&net->recurrent, "decoder.lstm.recurrent", NULL, 4 * c->lstm, c->lstm,
            ATTENTION_MAX_STEPS},
        {&net->output, "decoder.output.weight", "decoder.output.bias", c->tokens,
            c->lstm + c->dimension, ATTENTION_MAX_STEPS},
    };
    steno_status status = STENO_OK;
    for (size_t i = 0; i < sizeof layers / sizeof layers[0] && status == STENO_OK; i++)
        status = layer_init(layers[i].layer, weights, ops, layers[i].weight, layers[i].bias,
            layers[i].out_size, layers[i].in_size, precision, layers[i].max_rows, error);
    if (status == STENO_OK)
        status = create_location(net, weights, error);
    if (status == STENO_OK)
        status = nn_weights_floats(weights, "decoder.attention.energy.weight", 1,
            (size_t[]){c->attention}, &net->energy, error);
    if (status == STENO_OK)
        status = nn_weights_floats(weights, "decoder.embedding.weight", 2,
            (size_t[]){c->tokens, c->embedding}, &net->embedding, error);
    if (status != STENO_OK) {
        attention_destroy(net);
        return status;
    }
    *out_attention = net;
    return STENO_OK;
}

void attention_destroy(attention *net)
{
    if (!net)
        return;
    layer_finish(&net->key);
    layer_finish(&net->query);
    layer_finish(&net->input);
    layer_finish(&net->recurrent);
    layer_finish(&net->output);
    layer_finish(&net->location);
    memory_free(net->location_weight);
    memory_free(net->energy);
    memory_free(net->embedding);
    memory_free(net);
}

size_t attention_keys_scratch(const attention *net, size_t rows)
{
    return layer_scratch(&net->key, rows);
}

void attention_keys(
    const attention *net, nn_scratch *scratch, const float *encodings, size_t rows, float *out_keys)
{
    layer_forward(&net->key, scratch, encodings, rows, out_keys);
}

/* The arrays of one batch, all in scratch. */
typedef struct batch {
    float *line;      /* [window + location_width - 1]: previous alignment around the window */
    float *stretches; /* [rows, location_width] */
    float *location;  /* [rows, attention]: U f */
    float *hidden;    /* [steps, lstm]: gathered states before */
    float *query;     /* [steps, attention] */
    float *input;     /* [steps, embedding + dimension] */
    float *output;    /* [steps, lstm + dimension] */
    float *gates;     /* [steps, 4 lstm] */
    float *recurrent; /* [steps, 4 lstm] */
    float *cells;     /* [steps, lstm]: tanh of the new cells */
} batch;

enum { BATCH_ARRAYS = sizeof(batch) / sizeof(float *) };

/* Elements of each array of a batch, in the order of its members. */
static void batch_sizes(
    const decoder_config *c, size_t steps, size_t rows, size_t sizes[BATCH_ARRAYS])
{
    const size_t all[BATCH_ARRAYS] = {
        c->window + c->location_width - 1,
        rows * c->location_width,
        rows * c->attention,
        steps * c->lstm,
        steps * c->attention,
        steps * (c->embedding + c->dimension),
        steps * (c->lstm + c->dimension),
        steps * 4 * c->lstm,
        steps * 4 * c->lstm,
        steps * c->lstm,
    };
    memcpy(sizes, all, sizeof all);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t attention_advance_scratch(const attention *net)
{
    size_t sizes[BATCH_ARRAYS], arrays = 0, steps = ATTENTION_MAX_STEPS;
    size_t rows = steps * net->config.window;
    batch_sizes(&net->config, steps, rows, sizes);
    for (size_t i = 0; i < BATCH_ARRAYS; i++)
        arrays += nn_scratch_round(sizes[i] * sizeof(float));
    size_t product = layer_scratch(&net->location, rows);
    product = larger(product, layer_scratch(&net->query, steps));
    product = larger(product, layer_scratch(&net->input, steps));
    product = larger(product, layer_scratch(&net->recurrent, steps));
    product = larger(product, layer_scratch(&net->output, steps));
    return arrays + product;
}

static batch take_batch(const decoder_config *c, nn_scratch *scratch, size_t steps, size_t rows)
{
    size_t sizes[BATCH_ARRAYS];
    float *arrays[BATCH_ARRAYS];
    batch_sizes(c, steps, rows, sizes);
    for (size_t i = 0; i < BATCH_ARRAYS; i++)
        arrays[i] = nn_scratch_take(scratch, sizes[i] * sizeof(float));
    return (batch){arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5], arrays[6],
        arrays[7], arrays[8], arrays[9]};
}

/* Rows of the previous alignment around each visible encoding: rows [visible, width]. */
static void fill_stretches(
    const decoder_config *c, const attention_step *step, float *line, float *rows)
{
    size_t width = c->location_width, length = step->visible + width - 1;
    /* line[k] is the alignment at encoding step->first - half + k. */
    const attention_state *before = step->before;
    memset(line, 0, length * sizeof *line);
    int64_t offset = (int64_t)(before->first - step->first) + (int64_t)(width - 1) / 2;
    for (size_t k = 0; k < before->count; k++) {
        int64_t place = offset + (int64_t)k;
        if (place >= 0 && place < (int64_t)length)
            line[place] = before->alignment[k];
    }
    for (size_t j = 0; j < step->visible; j++)
        memcpy(rows + j * width, line + j, width * sizeof *rows);
}

/* Alignment and context of one step from U f_j [visible, attention] and W s + b [attention]. */
static void attend(const attention *net, const attention_step *step, const float *location,
    const float *query, float *context)
{
    const decoder_config *c = &net->config;
    attention_state *after = step->after;
    after->first = step->first;
    after->count = step->visible;
    net->ops->energies(
        location, step->keys, query, net->energy, step->visible, c->attention, after->alignment);
    net->ops->softmax(after->alignment, 1, step->visible);
    memset(context, 0, c->dimension * sizeof *context);
    for (size_t j = 0; j < step->visible; j++)
        net->ops->add_scaled(
            context, step->encodings + j * c->dimension, after->alignment[j], c->dimension);
}

/* gates [4 lstm] = gates + recurrent, with i, f and o halved: ready for tanh. */
static void prepare_gates(float *gates, const float *recurrent, size_t lstm)
{
    for (size_t k = 0; k < 4 * lstm; k++) {
        bool sigmoid = k < 2 * lstm || k >= 3 * lstm;
        gates[k] = (gates[k] + recurrent[k]) * (sigmoid ? 0.5f : 1.0f);
    }
}

static void update_cell(const float *gates, const float *before, float *after, size_t lstm)
{
    const float *in = gates, *forget = gates + lstm, *value = gates + 2 * lstm;
    for (size_t k = 0; k < lstm; k++)
        after[k] = (0.5f + 0.5f * forget[k]) * before[k] + (0.5f + 0.5f * in[k]) * value[k];
}

/* alignments and contexts of all steps; the contexts go to where both products want them. */
static void run_attention(const attention *net, nn_scratch *scratch, const attention_step *steps,
    size_t count, size_t rows, const batch *b)
{
    const decoder_config *c = &net->config;
    size_t row = 0;
    for (size_t i = 0; i < count; row += steps[i].visible, i++) {
        memcpy(b->hidden + i * c->lstm, steps[i].before->hidden, c->lstm * sizeof(float));
        fill_stretches(c, &steps[i], b->line, b->stretches + row * c->location_width);
    }
    layer_forward(&net->query, scratch, b->hidden, count, b->query);
    layer_forward(&net->location, scratch, b->stretches, rows, b->location);
    row = 0;
    for (size_t i = 0; i < count; row += steps[i].visible, i++) {
        float *input = b->input + i * (c->embedding + c->dimension);
        float *context = input + c->embedding;
        attend(
            net, &steps[i], b->location + row * c->attention, b->query + i * c->attention, context);
        memcpy(input, net->embedding + steps[i].token * c->embedding, c->embedding * sizeof(float));
        memcpy(b->output + i * (c->lstm + c->dimension) + c->lstm, context,
            c->dimension * sizeof(float));
    }
}

static void run_lstm(const attention *net, nn_scratch *scratch, const attention_step *steps,
    size_t count, const batch *b)
{
    const decoder_config *c = &net->config;
    size_t lstm = c->lstm;
    layer_forward(&net->input, scratch, b->input, count, b->gates);
    layer_forward(&net->recurrent, scratch, b->hidden, count, b->recurrent);
    for (size_t i = 0; i < count; i++)
        prepare_gates(b->gates + i * 4 * lstm, b->recurrent + i * 4 * lstm, lstm);
    net->ops->tanh(b->gates, count * 4 * lstm);
    for (size_t i = 0; i < count; i++) {
        float *cell = steps[i].after->cell;
        update_cell(b->gates + i * 4 * lstm, steps[i].before->cell, cell, lstm);
        memcpy(b->cells + i * lstm, cell, lstm * sizeof *cell);
    }
    net->ops->tanh(b->cells, count * lstm);
    for (size_t i = 0; i < count; i++) {
        const float *out_gate = b->gates + (i * 4 + 3) * lstm;
        float *hidden = steps[i].after->hidden;
        for (size_t k = 0; k < lstm; k++)
            hidden[k] = (0.5f + 0.5f * out_gate[k]) * b->cells[i * lstm + k];
        memcpy(b->output + i * (lstm + c->dimension), hidden, lstm * sizeof *hidden);
    }
}

void attention_advance(const attention *net, nn_scratch *scratch, const attention_step *steps,
    size_t count, float *log_probabilities)
{
    const decoder_config *c = &net->config;
    assert(count <= ATTENTION_MAX_STEPS);
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        assert(steps[i].visible >= 1 && steps[i].visible <= c->window);
        assert(steps[i].token < c->tokens && steps[i].after != steps[i].before);
        rows += steps[i].visible;
    }
    if (count == 0)
        return;
    size_t mark = nn_scratch_mark(scratch);
    batch b = take_batch(c, scratch, count, rows);
    run_attention(net, scratch, steps, count, rows, &b);
    run_lstm(net, scratch, steps, count, &b);
    layer_forward(&net->output, scratch, b.output, count, log_probabilities);
    net->ops->log_softmax(log_probabilities, count, c->tokens);
    nn_scratch_release(scratch, mark);
}
