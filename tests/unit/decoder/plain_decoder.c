#include "plain_decoder.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decoder/beam.h"

struct plain {
    decoder_config config;
    float *ctc_weight, *ctc_bias, *embedding, *input, *recurrent, *lstm_bias, *query, *key, *bias,
        *location, *filters, *energy, *output, *output_bias;
};

static float *load(const nn_weights *weights, const char *name, size_t rows, size_t columns)
{
    float *floats = NULL;
    steno_error error = {0};
    steno_status status = nn_weights_floats(
        weights, name, columns ? 2 : 1, (size_t[]){rows, columns}, &floats, &error);
    ck_assert_msg(status == STENO_OK, "%s", error.message);
    return floats;
}

plain *plain_create(const decoder_config *c, const nn_weights *w)
{
    plain *p = calloc(1, sizeof *p);
    size_t d = c->dimension, h = c->lstm, a = c->attention, t = c->tokens;
    ck_assert(h <= PLAIN_MAX_SIZE && a <= PLAIN_MAX_SIZE && t <= PLAIN_MAX_SIZE);
    ck_assert(c->embedding + d <= PLAIN_MAX_SIZE && h + d <= PLAIN_MAX_SIZE);
    p->config = *c;
    p->ctc_weight = load(w, "ctc.weight", c->ctc_frames * t, d);
    p->ctc_bias = load(w, "ctc.bias", c->ctc_frames * t, 0);
    p->embedding = load(w, "decoder.embedding.weight", t, c->embedding);
    p->input = load(w, "decoder.lstm.weight", 4 * h, c->embedding + d);
    p->recurrent = load(w, "decoder.lstm.recurrent", 4 * h, h);
    p->lstm_bias = load(w, "decoder.lstm.bias", 4 * h, 0);
    p->query = load(w, "decoder.attention.query.weight", a, h);
    p->key = load(w, "decoder.attention.key.weight", a, d);
    p->bias = load(w, "decoder.attention.bias", a, 0);
    p->location = load(w, "decoder.attention.location.weight", a, c->location_filters);
    p->filters =
        load(w, "decoder.attention.filters.weight", c->location_filters, c->location_width);
    p->energy = load(w, "decoder.attention.energy.weight", a, 0);
    p->output = load(w, "decoder.output.weight", t, h + d);
    p->output_bias = load(w, "decoder.output.bias", t, 0);
    return p;
}

void plain_destroy(plain *p)
{
    float *all[] = {p->ctc_weight, p->ctc_bias, p->embedding, p->input, p->recurrent, p->lstm_bias,
        p->query, p->key, p->bias, p->location, p->filters, p->energy, p->output, p->output_bias};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        memory_free(all[i]);
    free(p);
}

/* row . x */
static double product(const float *matrix, size_t row, size_t size, const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += (double)matrix[row * size + i] * x[i];
    return sum;
}

static void log_softmax(double *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += exp(x[i]);
    for (size_t i = 0; i < count; i++)
        x[i] -= log(sum);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static void widen(const float *in, size_t count, double *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (double)in[i];
}

void plain_ctc(const plain *p, const float *encoding, size_t frame, double *out)
{
    double x[PLAIN_MAX_SIZE];
    size_t tokens = p->config.tokens, first = frame * tokens;
    widen(encoding, p->config.dimension, x);
    for (size_t i = 0; i < tokens; i++)
        out[i] = product(p->ctc_weight, first + i, p->config.dimension, x) +
                 (double)p->ctc_bias[first + i];
    log_softmax(out, tokens);
}

/* e_j = v . tanh(W s + V h_j + U f_j + b) */
static double energy(const plain *p, const double *encoding, const double *previous, size_t count,
    size_t j, const double *hidden)
{
    const decoder_config *c = &p->config;
    double f[PLAIN_MAX_SIZE] = {0}, sum = 0;
    for (size_t filter = 0; filter < c->location_filters; filter++)
        for (size_t tap = 0; tap < c->location_width; tap++) {
            ptrdiff_t k = (ptrdiff_t)(j + tap) - (ptrdiff_t)(c->location_width - 1) / 2;
            if (k >= 0 && k < (ptrdiff_t)count)
                f[filter] += (double)p->filters[filter * c->location_width + tap] * previous[k];
        }
    for (size_t a = 0; a < c->attention; a++)
        sum += (double)p->energy[a] *
               tanh(product(p->query, a, c->lstm, hidden) +
                    product(p->key, a, c->dimension, encoding) +
                    product(p->location, a, c->location_filters, f) + (double)p->bias[a]);
    return sum;
}

void plain_step(const plain *p, const float *encodings, size_t count, size_t low, size_t high,
    uint32_t token, const plain_state *before, plain_state *after, double *out)
{
    const decoder_config *c = &p->config;
    double alignment[PLAIN_MAX_ENCODINGS] = {0}, sum = 0;
    double context[PLAIN_MAX_SIZE] = {0}, encoding[PLAIN_MAX_SIZE], both[PLAIN_MAX_SIZE];
    for (size_t j = low; j <= high; j++) {
        widen(encodings + j * c->dimension, c->dimension, encoding);
        alignment[j] = exp(energy(p, encoding, before->alignment, count, j, before->hidden));
        sum += alignment[j];
    }
    for (size_t j = low; j <= high; j++) {
        alignment[j] /= sum;
        for (size_t i = 0; i < c->dimension; i++)
            context[i] += alignment[j] * (double)encodings[j * c->dimension + i];
    }
    widen(p->embedding + token * c->embedding, c->embedding, both);
    memcpy(both + c->embedding, context, c->dimension * sizeof *context);
    plain_state new = {0};
    for (size_t k = 0; k < c->lstm; k++) {
        double gate[4];
        for (size_t g = 0; g < 4; g++)
            gate[g] = product(p->input, g * c->lstm + k, c->embedding + c->dimension, both) +
                      product(p->recurrent, g * c->lstm + k, c->lstm, before->hidden) +
                      (double)p->lstm_bias[g * c->lstm + k];
        new.cell[k] = sigmoid(gate[1]) * before->cell[k] + sigmoid(gate[0]) * tanh(gate[2]);
        new.hidden[k] = sigmoid(gate[3]) * tanh(new.cell[k]);
    }
    memcpy(new.alignment, alignment, sizeof alignment);
    memcpy(both, new.hidden, c->lstm * sizeof *both);
    memcpy(both + c->lstm, context, c->dimension * sizeof *both);
    for (size_t i = 0; i < c->tokens; i++)
        out[i] = product(p->output, i, c->lstm + c->dimension, both) + (double)p->output_bias[i];
    log_softmax(out, c->tokens);
    *after = new;
}

double plain_log_add(double a, double b)
{
    double high = fmax(a, b);
    return high == -INFINITY ? high : high + log(exp(a - high) + exp(b - high));
}

static bool is_extension(const plain_prefix *parent, uint32_t token, const plain_prefix *child)
{
    return child->length == parent->length + 1 && child->tokens[parent->length] == token &&
           memcmp(child->tokens, parent->tokens, parent->length * sizeof *child->tokens) == 0;
}

static double ctc_score(const plain_prefix *prefix)
{
    return plain_log_add(prefix->blank, prefix->nonblank);
}

static int compare_scores(const void *a, const void *b)
{
    double x = ((const plain_prefix *)a)->score, y = ((const plain_prefix *)b)->score;
    return (x < y) - (x > y);
}

/* log p of a token behind the history and the prefix. */
static double lm_score(const plain_lm *lm, const plain_prefix *prefix, uint32_t token)
{
    uint32_t context[2 * PLAIN_MAX_ENCODINGS];
    if (!lm->trie)
        return 0;
    memcpy(context, lm->history, lm->length * sizeof *context);
    memcpy(context + lm->length, prefix->tokens, prefix->length * sizeof *context);
    return tiny_ngram_score(lm->trie, context, lm->length + prefix->length, token);
}

/* All that the prefixes become at a frame of CTC, in `next`; returns how many. */
static size_t grow(const plain *p, const search_options *options, const plain_lm *lm,
    const float *encodings, size_t count, size_t frame, const plain_prefix *now, size_t prefixes,
    plain_prefix *next)
{
    const decoder_config *c = &p->config;
    double ctc[PLAIN_MAX_SIZE], outputs[PLAIN_MAX_SIZE] = {0};
    size_t t = frame / c->ctc_frames;
    plain_ctc(p, encodings + t * c->dimension, frame % c->ctc_frames, ctc);
    size_t grown = prefixes;
    for (size_t i = 0; i < prefixes; i++) {
        next[i] = now[i];
        next[i].blank = ctc_score(&now[i]) + ctc[0];
        if (now[i].length)
            next[i].nonblank = now[i].nonblank + ctc[now[i].tokens[now[i].length - 1]];
    }
    size_t high = t + c->look_ahead < count ? t + c->look_ahead : count - 1;
    size_t low = t + c->look_ahead + 1 > c->window ? t + c->look_ahead + 1 - c->window : 0;
    for (size_t i = 0; i < prefixes; i++) {
        uint32_t last = now[i].length ? now[i].tokens[now[i].length - 1] : 0;
        plain_state after = {0};
        if (options->attention_weight > 0)
            plain_step(p, encodings, count, low, high, last, &now[i].state, &after, outputs);
        for (uint32_t token = 1; token < c->tokens; token++) {
            double gain = (token == last ? now[i].blank : ctc_score(&now[i])) + ctc[token];
            size_t old = 0;
            while (old < prefixes && !is_extension(&now[i], token, &now[old]))
                old++;
            if (old < prefixes) {
                next[old].nonblank = plain_log_add(next[old].nonblank, gain);
            } else if (ctc[token] >= log((double)options->token_threshold) && gain > -INFINITY) {
                ck_assert_uint_lt(grown, PLAIN_MAX_PREFIXES);
                plain_prefix *new = &next[grown++];
                *new = now[i];
                new->tokens[new->length++] = token;
                new->blank = -INFINITY;
                new->nonblank = gain;
                new->attention += outputs[token];
                new->lm += lm_score(lm, &now[i], token);
                new->state = after;
            }
        }
    }
    return grown;
}

/* Whether one of the prefixes [count] ends in the same tokens. */
static bool goes_on_like_one(const plain_prefix *prefix, const plain_prefix *others, size_t count)
{
    for (size_t i = 0; i < count && prefix->length >= BEAM_MERGED_ENDING; i++)
        if (others[i].length >= BEAM_MERGED_ENDING &&
            memcmp(prefix->tokens + prefix->length - BEAM_MERGED_ENDING,
                others[i].tokens + others[i].length - BEAM_MERGED_ENDING,
                BEAM_MERGED_ENDING * sizeof *prefix->tokens) == 0)
            return true;
    return false;
}

size_t plain_search(const plain *p, const search_options *options, const plain_lm *lm,
    const float *encodings, size_t count, plain_prefix *prefixes)
{
    plain_prefix *next = calloc(PLAIN_MAX_PREFIXES, sizeof *next);
    size_t kept = 1;
    prefixes[0] = (plain_prefix){.nonblank = -INFINITY};
    for (size_t frame = 0; frame < count * p->config.ctc_frames; frame++) {
        size_t grown = grow(p, options, lm, encodings, count, frame, prefixes, kept, next);
        for (size_t i = 0; i < grown; i++)
            next[i].score = (double)options->ctc_weight * ctc_score(&next[i]) +
                            (double)options->attention_weight * next[i].attention +
                            (double)options->lm_weight * next[i].lm +
                            (double)options->token_bonus * (double)next[i].length;
        qsort(next, grown, sizeof *next, compare_scores);
        kept = 0;
        for (size_t i = 0; i < grown && kept < options->beam; i++)
            if (!goes_on_like_one(&next[i], prefixes, kept))
                prefixes[kept++] = next[i];
    }
    free(next);
    return kept;
}
