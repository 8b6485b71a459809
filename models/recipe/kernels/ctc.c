/* The best CTC path, which says when each token of a transcript is said. */
#include "kernels.h"

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
