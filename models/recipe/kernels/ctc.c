/* CTC: the loss with its gradient, and the best path, which says when each token of a transcript is
 * said.
 *
 * The states of a transcript of U tokens are blank, token 1, blank, ..., token U, blank.  Sums over
 * paths are taken in logarithms, for all states of a frame at once: what a state is reached from is
 * moved by one or two places.  With alpha the sum over the beginnings of paths up to a frame, that
 * frame included, and beta over their ends, that frame left out, a state's share of all paths is
 * exp(alpha + beta - sum over all paths), and the gradient of what goes into the softmax is the
 * probability of a class less the shares of its states (Graves et al. 2006). */
#include "kernels.h"

#define NEVER -1e30f

/* Twice 16 floats of room around rows of states, so that what is moved is there. */
enum { ROOM = 16 };

static int64_t width_of(int64_t longest)
{
    return (2 * longest + 1 + 15) / 16 * 16 + 2 * ROOM;
}

int64_t ctc_scratch(int64_t time, int64_t longest)
{
    return (2 * time + 4) * width_of(longest);
}

static void log_softmax(int64_t rows, int64_t classes, const float *in, float *out)
{
    for (int64_t row = 0; row < rows; row++, in += classes, out += classes) {
        float most = -3e38f, sum = 0;
#pragma omp simd reduction(max : most)
        for (int64_t i = 0; i < classes; i++)
            most = in[i] > most ? in[i] : most;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < classes; i++)
            sum += exponential(in[i] - most);
        most += logf(sum);
#pragma omp simd
        for (int64_t i = 0; i < classes; i++)
            out[i] = in[i] - most;
    }
}

/* log(e^a + e^b + e^c) */
static inline float log_sum(float a, float b, float c)
{
    float most = a > b ? a : b;
    most = c > most ? c : most;
    return most + logarithm(exponential(a - most) + exponential(b - most) + exponential(c - most));
}

/* One recording: probabilities [count, classes], logarithms; states of its tokens.  Writes gradient
 * [count, classes]; returns the loss, infinity where no path exists.  Where a
 * frame is NaN, all is. */
static float recording_loss(int64_t count, int64_t classes, int64_t length, int64_t width,
    const float *probabilities, const int64_t *tokens, float *scratch, float *gradient)
{
    int64_t states = 2 * length + 1;
    float *skip = scratch + ROOM; /* 0 where a state may be reached from two before, or NEVER */
    float *skipped = skip + width, *beta = skipped + width, *next = beta + width;
    float *emissions = next + width, *alphas = emissions + count * width;
    for (int64_t i = 0; i < (2 * count + 4) * width; i++)
        scratch[i] = NEVER;
    for (int64_t s = 3; s < states; s += 2)
        skip[s] = skipped[s - 2] = tokens[s / 2] != tokens[s / 2 - 1] ? 0 : NEVER;
    int bad = 0;
    for (int64_t t = 0; t < count; t++) {
        bad |= isnan(probabilities[t * classes]);
        for (int64_t s = 0; s < states; s++)
            emissions[t * width + s] = probabilities[t * classes + (s % 2 ? tokens[s / 2] : 0)];
    }
    alphas[0] = emissions[0];
    if (states > 1)
        alphas[1] = emissions[1];
    for (int64_t t = 1; t < count; t++) {
        const float *emission = emissions + t * width;
        float *alpha = alphas + t * width, *before = alpha - width;
#pragma omp simd
        for (int64_t s = 0; s < states; s++)
            alpha[s] = emission[s] + log_sum(before[s], before[s - 1], before[s - 2] + skip[s]);
    }
    const float *last = alphas + (count - 1) * width + states - 1;
    float all = log_sum(last[0], last[-1], NEVER);
    if (bad || all < 0.5f * NEVER) {
        for (int64_t i = 0; i < count * classes; i++)
            gradient[i] = bad ? NAN : 0;
        return bad ? NAN : INFINITY;
    }
    beta[states - 1] = 0;
    if (states > 1)
        beta[states - 2] = 0;
    for (int64_t t = count - 1; t >= 0; t--) {
        float *alpha = alphas + t * width, *to = gradient + t * classes;
#pragma omp simd
        for (int64_t i = 0; i < classes; i++)
            to[i] = exponential(probabilities[t * classes + i]);
#pragma omp simd
        for (int64_t s = 0; s < states; s++)
            alpha[s] = exponential(alpha[s] + beta[s] - all);
        for (int64_t s = 0; s < states; s++)
            to[s % 2 ? tokens[s / 2] : 0] -= alpha[s];
        for (int64_t s = 0; s < states; s++)
            next[s] = beta[s] + emissions[t * width + s];
#pragma omp simd
        for (int64_t s = 0; s < states; s++)
            beta[s] = log_sum(next[s], next[s + 1], next[s + 2] + skipped[s]);
    }
    return -all;
}

/* logits [batch, time, classes]; tokens [batch, longest]; lengths, counts [batch], of at least one
 * frame.  Written: probabilities [batch, time, classes], logarithms; losses [batch], infinite where
 * no path exists; gradient [batch, time, classes] of each recording's loss in its logits, 0 where
 * it is infinite and beyond its end. */
void ctc_loss(int64_t batch, int64_t time, int64_t classes, int64_t longest, const float *logits,
    const int64_t *tokens, const int64_t *lengths, const int64_t *counts, float *scratch,
    float *probabilities, float *losses, float *gradient)
{
    log_softmax(batch * time, classes, logits, probabilities);
    for (int64_t b = 0; b < batch; b++) {
        int64_t begin = b * time * classes, count = counts[b];
        losses[b] = recording_loss(count, classes, lengths[b], width_of(longest),
            probabilities + begin, tokens + b * longest, scratch, gradient + begin);
        memset(gradient + begin + count * classes, 0,
            (size_t)((time - count) * classes) * sizeof(float));
    }
}

/* As losses.ctc_triggers.  probabilities [batch, time,
 * classes], logarithms; tokens [batch, longest]; lengths, counts [batch]; scores [2 longest + 1]
 * and back [time, 2 longest + 1]: scratch; triggers [batch, longest] are written. */
void ctc_triggers(int64_t batch, int64_t time, int64_t classes, int64_t longest,
    const float *probabilities, const int64_t *tokens, const int64_t *lengths,
    const int64_t *counts, float *scores, uint8_t *back, int64_t *triggers)
{
    int64_t width = 2 * longest + 1;
    memset(triggers, 0, (size_t)(batch * longest) * sizeof(int64_t));
    for (int64_t b = 0; b < batch; b++) {
        const float *rows = probabilities + b * time * classes;
        const int64_t *own = tokens + b * longest;
        int64_t states = 2 * lengths[b] + 1;
        for (int64_t s = 0; s < states; s++)
            scores[s] = s == 0 ? rows[0] : s == 1 ? rows[own[0]] : -1e9f;
        for (int64_t t = 1; t < counts[b]; t++)
            for (int64_t s = states - 1; s >= 0; s--) {
                float best = scores[s];
                uint8_t step = 0;
                if (s >= 1 && scores[s - 1] > best) {
                    best = scores[s - 1];
                    step = 1;
                }
                if (s % 2 && s >= 3 && own[s / 2] != own[s / 2 - 1] && scores[s - 2] > best) {
                    best = scores[s - 2];
                    step = 2;
                }
                scores[s] = best + rows[t * classes + (s % 2 ? own[s / 2] : 0)];
                back[t * width + s] = step;
            }
        int64_t state = states - 1, place = -1;
        if (state > 0 && scores[state - 1] > scores[state])
            state--;
        float best = 0;
        for (int64_t t = counts[b] - 1; t >= 0; t--) {
            float value = state % 2 ? rows[t * classes + own[state / 2]] : 0;
            if (state % 2 && (place != state / 2 || value > best)) {
                place = state / 2;
                best = value;
                triggers[b * longest + place] = t;
            }
            if (t > 0)
                state -= back[t * width + state];
        }
    }
}
