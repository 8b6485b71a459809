/*
 * The network shared by all searches, and the driver of a batch.
 *
 * CTC and the attention keys need the encodings alone, so they are computed for all encodings of
 * all items at once.  Then the searches move in lockstep, one frame of CTC a round, and the
 * attention steps that they ask for in a round run together.  What a search decides depends on
 * nothing but its own numbers, so it decides the same in any company and however its encodings
 * arrive.
 */
#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decoder/attention.h"
#include "decoder/ctc.h"
#include "decoder/search.h"

struct decoder {
    decoder_config config;
    size_t max_rows;
    ctc *ctc;
    attention *attention;
};

/* Generous bounds that keep every product of two or three sizes far from overflow. */
enum { MAX_SIZE = 65536, MAX_WINDOW = 4096, MAX_ROWS = 1 << 20, MAX_CTC_FRAMES = 8 };

static steno_status check_config(const decoder_config *c, size_t max_rows, steno_error *error)
{
    const struct {
        const char *name;
        size_t value, least, most;
    } sizes[] = {
        {"dimension", c->dimension, 1, MAX_SIZE},
        {"tokens", c->tokens, 2, MAX_SIZE},
        {"ctc_frames", c->ctc_frames, 1, MAX_CTC_FRAMES},
        {"embedding", c->embedding, 1, MAX_SIZE},
        {"lstm", c->lstm, 1, MAX_SIZE},
        {"attention", c->attention, 1, MAX_SIZE},
        {"location_filters", c->location_filters, 1, MAX_SIZE},
        {"location_width", c->location_width, 1, MAX_WINDOW},
        {"window", c->window, 1, MAX_WINDOW},
        {"look_ahead", c->look_ahead, 0, c->window - 1},
        {"max_rows", max_rows, 1, MAX_ROWS},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i].value < sizes[i].least || sizes[i].value > sizes[i].most)
            return error_set(error, STENO_ERROR_FORMAT, "decoder: %s is %zu, allowed are %zu..%zu",
                sizes[i].name, sizes[i].value, sizes[i].least, sizes[i].most);
    if (c->location_width % 2 == 0)
        return error_set(error, STENO_ERROR_FORMAT, "decoder: location_width is %zu, must be odd",
            c->location_width);
    return STENO_OK;
}

steno_status decoder_create(const decoder_config *config, const nn_weights *weights,
    const nn_ops *ops, nn_precision precision, size_t max_rows, decoder **out_decoder,
    steno_error *error)
{
    steno_status status = check_config(config, max_rows, error);
    if (status != STENO_OK)
        return status;
    decoder *d = memory_allocate(1, sizeof *d);
    if (!d)
        return error_memory(error);
    d->config = *config;
    d->max_rows = max_rows;
    status = ctc_create(config, weights, ops, precision, max_rows, &d->ctc, error);
    if (status == STENO_OK)
        status = attention_create(config, weights, ops, precision, max_rows, &d->attention, error);
    if (status != STENO_OK) {
        decoder_destroy(d);
        return status;
    }
    *out_decoder = d;
    return STENO_OK;
}

void decoder_destroy(decoder *d)
{
    if (!d)
        return;
    ctc_destroy(d->ctc);
    attention_destroy(d->attention);
    memory_free(d);
}

const decoder_config *decoder_get_config(const decoder *d)
{
    return &d->config;
}

static size_t floats(size_t count)
{
    return nn_scratch_round(count * sizeof(float));
}

size_t decoder_scratch(const decoder *d)
{
    const decoder_config *c = &d->config;
    size_t rows = d->max_rows;
    size_t most = ctc_scratch(d->ctc, rows);
    size_t keys = attention_keys_scratch(d->attention, rows);
    size_t steps =
        floats(ATTENTION_MAX_STEPS * c->tokens) + attention_advance_scratch(d->attention);
    most = keys > most ? keys : most;
    most = steps > most ? steps : most;
    return floats(rows * c->dimension) + floats(rows * c->ctc_frames * c->tokens) +
           floats(rows * c->attention) + most;
}

/* What is computed for all encodings of a batch at once. */
typedef struct rows {
    float *encodings; /* [rows, dimension] */
    float *ctc;       /* [rows, ctc_frames, tokens] */
    float *keys;      /* [rows, attention], or NULL when no search attends */
} rows;

static rows compute_rows(
    const decoder *d, nn_scratch *scratch, const decoder_item *items, size_t count)
{
    const decoder_config *c = &d->config;
    size_t total = 0;
    bool attends = false;
    for (size_t i = 0; i < count; i++) {
        total += items[i].count;
        attends |= search_attends(items[i].search);
    }
    assert(total <= d->max_rows);
    rows r = {.encodings = nn_scratch_take(scratch, total * c->dimension * sizeof(float)),
        .ctc = nn_scratch_take(scratch, total * c->ctc_frames * c->tokens * sizeof(float)),
        .keys = attends ? nn_scratch_take(scratch, total * c->attention * sizeof(float)) : NULL};
    float *to = r.encodings;
    for (size_t i = 0; i < count; i++) {
        if (items[i].count > 0)
            memcpy(to, items[i].encodings, items[i].count * c->dimension * sizeof *to);
        to += items[i].count * c->dimension;
    }
    if (total > 0)
        ctc_forward(d->ctc, scratch, r.encodings, total, r.ctc);
    if (total > 0 && attends)
        attention_keys(d->attention, scratch, r.encodings, total, r.keys);
    return r;
}

/* Steps of several searches, gathered to run as one. */
typedef struct gathering {
    attention_step steps[ATTENTION_MAX_STEPS];
    search *searches[ATTENTION_MAX_STEPS];
    size_t indices[ATTENTION_MAX_STEPS]; /* of the steps within their searches */
    size_t count;
} gathering;

static void run_gathered(const decoder *d, nn_scratch *scratch, gathering *g)
{
    size_t mark = nn_scratch_mark(scratch);
    size_t tokens = d->config.tokens;
    float *answers = nn_scratch_take(scratch, g->count * tokens * sizeof *answers);
    attention_advance(d->attention, scratch, g->steps, g->count, answers);
    for (size_t i = 0; i < g->count; i++)
        search_answer(g->searches[i], g->indices[i], answers + i * tokens);
    g->count = 0;
    nn_scratch_release(scratch, mark);
}

/* Runs all steps that the items' searches have proposed. */
static void run_steps(
    const decoder *d, nn_scratch *scratch, const decoder_item *items, size_t count)
{
    gathering g = {.count = 0};
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < search_step_count(items[i].search); k++) {
            g.steps[g.count] = search_get_step(items[i].search, k);
            g.searches[g.count] = items[i].search;
            g.indices[g.count] = k;
            if (++g.count == ATTENTION_MAX_STEPS)
                run_gathered(d, scratch, &g);
        }
    if (g.count > 0)
        run_gathered(d, scratch, &g);
}

/* Encoding number `round` of each item that has one. */
static void push_round(
    const decoder *d, const decoder_item *items, size_t count, const rows *r, size_t round)
{
    const decoder_config *c = &d->config;
    size_t first = 0;
    for (size_t i = 0; i < count; first += items[i].count, i++) {
        size_t row = first + round;
        if (round < items[i].count)
            search_push(items[i].search, r->encodings + row * c->dimension,
                r->keys ? r->keys + row * c->attention : NULL,
                r->ctc + row * c->ctc_frames * c->tokens);
    }
}

/* One frame of each item that has one to decode. */
static void decode_frame(
    const decoder *d, nn_scratch *scratch, const decoder_item *items, size_t count, size_t round)
{
    for (size_t i = 0; i < count; i++)
        search_propose(items[i].search, items[i].finish && round >= items[i].count);
    run_steps(d, scratch, items, count);
    for (size_t i = 0; i < count; i++)
        search_commit(items[i].search);
}

void decoder_advance(const decoder *d, nn_scratch *scratch, decoder_item *items, size_t count)
{
    size_t mark = nn_scratch_mark(scratch);
    rows r = compute_rows(d, scratch, items, count);
    size_t rounds = 0;
    for (size_t i = 0; i < count; i++) {
        size_t needed = items[i].count + (items[i].finish ? d->config.look_ahead : 0);
        rounds = needed > rounds ? needed : rounds;
    }
    for (size_t round = 0; round < rounds; round++) {
        push_round(d, items, count, &r, round);
        for (size_t frame = 0; frame < d->config.ctc_frames; frame++)
            decode_frame(d, scratch, items, count, round);
    }

    for (size_t i = 0; i < count; i++)
        if (items[i].finish)
            search_finish(items[i].search);
    nn_scratch_release(scratch, mark);
}
