/* The decoder's steps under teacher forcing, as network.Decoder.forward: location-aware attention
 * over a window, then the LSTM, one step after the other for all recordings together.
 *
 * What does not depend on the step before is left to the caller as large products: keys of the
 * encodings, what the embeddings give to the gates, the output layer.  Within a step there are
 * small products only (tile.h).  Those of the location filters have a left side whose every row is
 * the one above moved by one place, so that it need not be written out.  Backward the gradients of
 * what enters the gates are collected, and that of the matrix is one product at the end.
 *
 * Memory is laid out by steps, with the recordings' number rounded up to a multiple of 4. */
#include "tile.h"

/* fused.py has the same structure. */
struct decoder {
    int64_t batch, time, steps;
    int64_t dimension; /* d, of encodings; a multiple of 16, as l and a */
    int64_t lstm;      /* l */
    int64_t attention; /* a */
    int64_t window;    /* w, a multiple of 16 */
    int64_t taps;      /* of the location filters, at most w */
    int64_t look_ahead;
    const int64_t *counts;   /* [batch]: encodings */
    const int64_t *tokens;   /* [batch, steps]: 0 where it starts afresh */
    const int64_t *triggers; /* [batch, steps] */
    const int64_t *starts;   /* [batch, steps]: first visible encoding */
};

enum { MATRIX, FOLDED, QUERY, ENERGY };

/* What forward keeps for backward, B being the rounded number of recordings. */
struct kept {
    float *inputs;    /* [steps, B, d + l]: context and hidden state before */
    float *hidden;    /* [steps, B, l]: hidden state before */
    float *gates;     /* [steps, B, 4 l]: input, forget, cell, output, after their functions */
    float *cells;     /* [steps, B, l]: after the step */
    float *alignment; /* [steps, B, w] */
    float *moved;  /* [steps, B, 2 w]: the alignment before, as seen by the taps of this window */
    float *active; /* [steps, B, w, a]: hyperbolic tangents of the energy's layer */
};

static int64_t recordings(const struct decoder *shape)
{
    return (shape->batch + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

static int64_t kept_sizes(const struct decoder *shape, int64_t *sizes)
{
    int64_t rows = shape->steps * recordings(shape), l = shape->lstm, total = 0;
    int64_t widths[7] = {shape->dimension + l, l, 4 * l, l, shape->window, 2 * shape->window,
        shape->window * shape->attention};
    for (int part = 0; part < 7; part++) {
        sizes[part] = rows * widths[part];
        total += sizes[part];
    }
    return total;
}

int64_t decoder_kept(const struct decoder *shape)
{
    int64_t sizes[7];
    return kept_sizes(shape, sizes);
}

static struct kept kept_of(const struct decoder *shape, float *memory)
{
    struct kept kept;
    int64_t sizes[7];
    float **parts[7] = {&kept.inputs, &kept.hidden, &kept.gates, &kept.cells, &kept.alignment,
        &kept.moved, &kept.active};
    kept_sizes(shape, sizes);
    for (int part = 0; part < 7; memory += sizes[part], part++)
        *parts[part] = memory;
    return kept;
}

int64_t decoder_scratch(const struct decoder *shape)
{
    int64_t l = shape->lstm, d = shape->dimension, a = shape->attention, w = shape->window;
    int64_t rows = recordings(shape);
    return 4 * l * (d + l) + a * l + 2 * w * a + rows * (6 * l + 2 * d + 2 * a + 3 * w) +
           shape->steps * rows * (4 * l + a) + 2 * w * a + w * w;
}

static void transpose(int64_t rows, int64_t columns, const float *in, float *out)
{
    for (int64_t i = 0; i < rows; i += 16)
        for (int64_t j = 0; j < columns; j++)
            for (int64_t r = i; r < i + 16 && r < rows; r++)
                out[j * rows + r] = in[r * columns + j];
}

static inline float hyperbolic_tangent(float x)
{
    return 1.0f - 2.0f / (1.0f + exponential(2.0f * x));
}

/* Where the window of a step begins, and which of its places are visible: [first, end), empty in a
 * step that sees nothing. */
struct window {
    int64_t low, first, end;
};

static struct window window_at(const struct decoder *shape, int64_t b, int64_t step)
{
    int64_t at = b * shape->steps + step;
    int64_t low = shape->triggers[at] + shape->look_ahead - shape->window + 1;
    int64_t first = shape->starts[at] - low, end = shape->counts[b] - low;
    first = first < 0 ? 0 : first;
    end = end > shape->window ? shape->window : end;
    return (struct window){low, first, end > first ? end : first};
}

static int goes_on(const struct decoder *shape, int64_t b, int64_t step)
{
    return shape->tokens[b * shape->steps + step] != 0;
}

/* The place in the window before of what tap 0 of this window's place 0 looks at. */
static int64_t source(const struct decoder *shape, int64_t b, int64_t step)
{
    return window_at(shape, b, step).low - window_at(shape, b, step - 1).low - shape->taps / 2;
}

/* moved [2 w]; before: the alignment of the step before. */
static void move(
    const struct decoder *shape, int64_t b, int64_t step, const float *before, float *moved)
{
    int64_t w = shape->window;
    memset(moved, 0, (size_t)(2 * w) * sizeof(float));
    if (!goes_on(shape, b, step) || step == 0)
        return;
    int64_t from = source(shape, b, step);
    for (int64_t i = 0; i < w + shape->taps - 1; i++)
        if (from + i >= 0 && from + i < w)
            moved[i] = before[from + i];
}

/* Attention of one recording in one step.  query [a]; folded [w, a], the taps too many being 0;
 * keys [time, a] and encodings [time, d] of this recording; context [d]. */
static void attend(const struct decoder *shape, struct window window, int follows,
    const float *query, const float *folded, const float *energy, const float *keys,
    const float *encodings, const float *moved, float *active, float *alignment, float *context)
{
    int64_t w = shape->window, a = shape->attention, d = shape->dimension;
    float most = -3e38f, sum = 0;
    memset(active, 0, (size_t)(w * a) * sizeof(float));
    memset(alignment, 0, (size_t)w * sizeof(float));
    memset(context, 0, (size_t)d * sizeof(float));
    for (int64_t i = window.first; i < window.end; i++)
#pragma omp simd
        for (int64_t j = 0; j < a; j++)
            active[i * a + j] = query[j] + keys[(window.low + i) * a + j];
    if (follows)
        small_product(w, a, shape->taps, moved, 1, 1, folded, a, 1, active, a);
    for (int64_t i = window.first; i < window.end; i++) {
        float *row = active + i * a, total = 0;
#pragma omp simd reduction(+ : total)
        for (int64_t j = 0; j < a; j++) {
            row[j] = hyperbolic_tangent(row[j]);
            total += row[j] * energy[j];
        }
        alignment[i] = total;
        most = total > most ? total : most;
    }
    for (int64_t i = window.first; i < window.end; i++) {
        alignment[i] = exponential(alignment[i] - most);
        sum += alignment[i];
    }
    for (int64_t i = 0; i < w; i++) {
        if (window.first == window.end)
            alignment[i] = 1.0f / (float)w; /* of equal energies, all -1e9 */
        else
            alignment[i] /= sum;
        int64_t place = window.low + i;
        if (alignment[i] == 0 || place < 0 || place >= shape->time)
            continue;
#pragma omp simd
        for (int64_t j = 0; j < d; j++)
            context[j] += alignment[i] * encodings[place * d + j];
    }
}

/* gates [4 l]: sums, become what their functions give; before: the cell before, or NULL for 0. */
static void lstm_step(int64_t l, float *gates, const float *before, float *cell, float *hidden)
{
#pragma omp simd
    for (int64_t j = 0; j < l; j++) {
        float in = sigmoid(gates[j]), forget = sigmoid(gates[l + j]);
        float new = hyperbolic_tangent(gates[2 * l + j]), out = sigmoid(gates[3 * l + j]);
        float c = in * new + (before ? forget * before[j] : 0.0f);
        gates[j] = in;
        gates[l + j] = forget;
        gates[2 * l + j] = new;
        gates[3 * l + j] = out;
        cell[j] = c;
        hidden[j] = out * hyperbolic_tangent(c);
    }
}

/* The filters' matrix [taps, a] with rows of zeros up to w. */
static void pad_folded(const struct decoder *shape, const float *folded, float *out)
{
    int64_t size = shape->taps * shape->attention;
    memset(out, 0, (size_t)(shape->window * shape->attention) * sizeof(float));
    memcpy(out, folded, (size_t)size * sizeof(float));
}

/* p: matrix [4 l, d + l] from (context, hidden) to the gates, folded filters [taps, a], query [a,
 * l], energy [a].  before [batch, steps, 4 l]: what else enters the gates; encodings [batch, time,
 * d]; keys [batch, time, a] with the energy's bias.  out [batch, steps, l + d]: hidden, context. */
void decoder_forward(const struct decoder *shape, float *const *p, const float *before,
    const float *encodings, const float *keys, float *memory, float *scratch, float *out)
{
    int64_t l = shape->lstm, d = shape->dimension, a = shape->attention, w = shape->window;
    int64_t rows = recordings(shape), steps = shape->steps;
    struct kept kept = kept_of(shape, memory);
    float *matrix = scratch, *query = matrix + 4 * l * (d + l), *folded = query + a * l;
    float *queries = folded + w * a;
    transpose(4 * l, d + l, p[MATRIX], matrix);
    transpose(a, l, p[QUERY], query);
    pad_folded(shape, p[FOLDED], folded);
    for (int64_t step = 0; step < steps; step++) {
        int64_t at = step * rows;
        float *hidden = kept.hidden + at * l, *inputs = kept.inputs + at * (d + l);
        float *gates = kept.gates + at * 4 * l;
        memset(hidden, 0, (size_t)(rows * l) * sizeof(float));
        memset(inputs, 0, (size_t)(rows * (d + l)) * sizeof(float));
        for (int64_t b = 0; b < shape->batch; b++)
            if (step > 0 && goes_on(shape, b, step))
                memcpy(hidden + b * l, out + (b * steps + step - 1) * (l + d),
                    (size_t)l * sizeof(float));
        small_product(rows, a, l, hidden, l, 1, query, a, 0, queries, a);
        for (int64_t b = 0; b < shape->batch; b++) {
            float *moved = kept.moved + (at + b) * 2 * w, *context = inputs + b * (d + l);
            move(shape, b, step, kept.alignment + (at - rows + b) * w, moved);
            attend(shape, window_at(shape, b, step), goes_on(shape, b, step) && step > 0,
                queries + b * a, folded, p[ENERGY], keys + b * shape->time * a,
                encodings + b * shape->time * d, moved, kept.active + (at + b) * w * a,
                kept.alignment + (at + b) * w, context);
            memcpy(context + d, hidden + b * l, (size_t)l * sizeof(float));
        }
        small_product(rows, 4 * l, d + l, inputs, d + l, 1, matrix, 4 * l, 0, gates, 4 * l);
        for (int64_t b = 0; b < shape->batch; b++) {
            float *to = out + (b * steps + step) * (l + d), *sums = gates + b * 4 * l;
            const float *other = before + (b * steps + step) * 4 * l;
            for (int64_t j = 0; j < 4 * l; j++)
                sums[j] += other[j];
            lstm_step(l, sums,
                step > 0 && goes_on(shape, b, step) ? kept.cells + (at - rows + b) * l : NULL,
                kept.cells + (at + b) * l, to);
            memcpy(to + l, inputs + b * (d + l), (size_t)d * sizeof(float));
        }
    }
}

/* dhidden, dcell [l]: gradients of what a step gives; dcell becomes that of the cell before.
 * dgates [4 l]: of the gates' sums. */
static void lstm_back(int64_t l, const float *gates, const float *cell, const float *before,
    const float *dhidden, float *dcell, float *dgates)
{
#pragma omp simd
    for (int64_t j = 0; j < l; j++) {
        float in = gates[j], forget = gates[l + j], new = gates[2 * l + j];
        float out = gates[3 * l + j], tangent = hyperbolic_tangent(cell[j]);
        float dc = dcell[j] + dhidden[j] * out * (1.0f - tangent * tangent);
        dgates[j] = dc * new *in *(1.0f - in);
        dgates[l + j] = before ? dc * before[j] * forget * (1.0f - forget) : 0.0f;
        dgates[2 * l + j] = dc * in * (1.0f - new *new);
        dgates[3 * l + j] = dhidden[j] * tangent * out * (1.0f - out);
        dcell[j] = before ? dc * forget : 0.0f;
    }
}

/* Where the gradients of one recording's attention go. */
struct attention_gradients {
    float *folded;    /* [w, a], added to; rows beyond the taps are of no use */
    float *energy;    /* [a], added to */
    float *keys;      /* [time, a], added to */
    float *encodings; /* [time, d], added to */
    float *query;     /* [a], written */
    float *before;    /* [w]: of the alignment before, written */
    float *inner;     /* [w, a], scratch */
    float *along;     /* [w, w], scratch */
};

/* dcontext [d]; dalignment [w], what comes from the step after, is spoilt.  turned: the filters'
 * matrix [a, w], transposed. */
static void attend_back(const struct decoder *shape, struct window window, int64_t from,
    int follows, const float *energy, const float *turned, const float *encodings,
    const float *moved, const float *active, const float *alignment, const float *dcontext,
    float *dalignment, struct attention_gradients to)
{
    int64_t w = shape->window, a = shape->attention, d = shape->dimension;
    float along = 0;
    memset(to.query, 0, (size_t)a * sizeof(float));
    memset(to.before, 0, (size_t)w * sizeof(float));
    for (int64_t i = 0; i < w; i++) {
        int64_t place = window.low + i;
        if (alignment[i] == 0 || place < 0 || place >= shape->time)
            continue;
        const float *encoding = encodings + place * d;
        float *gradient = to.encodings + place * d, total = 0;
#pragma omp simd reduction(+ : total)
        for (int64_t j = 0; j < d; j++) {
            total += dcontext[j] * encoding[j];
            gradient[j] += alignment[i] * dcontext[j];
        }
        dalignment[i] += total;
        along += alignment[i] * dalignment[i];
    }
    memset(to.inner, 0, (size_t)(w * a) * sizeof(float));
    for (int64_t i = window.first; i < window.end; i++) {
        float denergy = alignment[i] * (dalignment[i] - along), *inner = to.inner + i * a;
        float *dkey = to.keys + (window.low + i) * a;
#pragma omp simd
        for (int64_t j = 0; j < a; j++) {
            float tangent = active[i * a + j];
            float g = denergy * energy[j] * (1.0f - tangent * tangent);
            to.energy[j] += denergy * tangent;
            inner[j] = g;
            dkey[j] += g;
            to.query[j] += g;
        }
    }
    if (!follows)
        return;
    small_product(w, a, w, moved, 1, 1, to.inner, a, 1, to.folded, a);
    small_product(w, w, a, to.inner, a, 1, turned, w, 0, to.along, w);
    for (int64_t i = window.first; i < window.end; i++)
        for (int64_t tap = 0; tap < shape->taps; tap++)
            if (from + i + tap >= 0 && from + i + tap < w)
                to.before[from + i + tap] += to.along[i * w + tap];
}

/* dout [batch, steps, l + d].  Written: dbefore [batch, steps, 4 l], dencodings [batch, time, d],
 * dkeys [batch, time, a], dp. */
void decoder_backward(const struct decoder *shape, float *const *p, const float *encodings,
    float *memory, const float *dout, float *scratch, float *const *dp, float *dbefore,
    float *dencodings, float *dkeys)
{
    int64_t l = shape->lstm, d = shape->dimension, a = shape->attention, w = shape->window;
    int64_t rows = recordings(shape), steps = shape->steps, time = shape->time;
    struct kept kept = kept_of(shape, memory);
    float *folded = scratch, *turned = folded + w * a, *dfolded = turned + w * a;
    float *inner = dfolded + w * a, *along = inner + w * a;
    float *dhidden = along + w * w, *dcell = dhidden + rows * l;
    float *dalignment = dcell + rows * l, *next = dalignment + rows * w;
    float *dinputs = next + rows * w, *dgates = dinputs + rows * (d + l);
    float *dqueries = dgates + steps * rows * 4 * l;
    pad_folded(shape, p[FOLDED], folded);
    transpose(w, a, folded, turned);
    memset(dfolded, 0, (size_t)(w * a) * sizeof(float));
    memset(dhidden, 0, (size_t)(2 * rows * l + rows * w) * sizeof(float));
    memset(dp[ENERGY], 0, (size_t)a * sizeof(float));
    memset(dencodings, 0, (size_t)(shape->batch * time * d) * sizeof(float));
    memset(dkeys, 0, (size_t)(shape->batch * time * a) * sizeof(float));
    for (int64_t step = steps - 1; step >= 0; step--) {
        int64_t at = step * rows;
        float *sums = dgates + at * 4 * l, *dquery = dqueries + at * a;
        memset(sums, 0, (size_t)(rows * 4 * l) * sizeof(float));
        memset(dquery, 0, (size_t)(rows * a) * sizeof(float));
        for (int64_t b = 0; b < shape->batch; b++) {
            const float *from = dout + (b * steps + step) * (l + d);
            int follows = step > 0 && goes_on(shape, b, step);
            for (int64_t j = 0; j < l; j++)
                dhidden[b * l + j] += from[j];
            lstm_back(l, kept.gates + (at + b) * 4 * l, kept.cells + (at + b) * l,
                follows ? kept.cells + (at - rows + b) * l : NULL, dhidden + b * l, dcell + b * l,
                sums + b * 4 * l);
            memcpy(dbefore + (b * steps + step) * 4 * l, sums + b * 4 * l,
                (size_t)(4 * l) * sizeof(float));
        }
        small_product(rows, d + l, 4 * l, sums, 4 * l, 1, p[MATRIX], d + l, 0, dinputs, d + l);
        for (int64_t b = 0; b < shape->batch; b++) {
            const float *from = dout + (b * steps + step) * (l + d) + l;
            float *dcontext = dinputs + b * (d + l);
            int follows = step > 0 && goes_on(shape, b, step);
            struct attention_gradients to = {dfolded, dp[ENERGY], dkeys + b * time * a,
                dencodings + b * time * d, dquery + b * a, next + b * w, inner, along};
            for (int64_t j = 0; j < d; j++)
                dcontext[j] += from[j];
            attend_back(shape, window_at(shape, b, step), follows ? source(shape, b, step) : 0,
                follows, p[ENERGY], turned, encodings + b * time * d, kept.moved + (at + b) * 2 * w,
                kept.active + (at + b) * w * a, kept.alignment + (at + b) * w, dcontext,
                dalignment + b * w, to);
            memcpy(dalignment + b * w, next + b * w, (size_t)w * sizeof(float));
        }
        small_product(rows, l, a, dquery, a, 1, p[QUERY], l, 0, dhidden, l);
        for (int64_t b = 0; b < shape->batch; b++)
            for (int64_t j = 0; j < l; j++)
                dhidden[b * l + j] = step > 0 && goes_on(shape, b, step)
                                         ? dhidden[b * l + j] + dinputs[b * (d + l) + d + j]
                                         : 0.0f;
    }
    memcpy(dp[FOLDED], dfolded, (size_t)(shape->taps * a) * sizeof(float));
    product(4 * l, d + l, steps * rows, dgates, 1, kept.inputs, 0, 0, dp[MATRIX]);
    product(a, l, steps * rows, dqueries, 1, kept.hidden, 0, 0, dp[QUERY]);
}
