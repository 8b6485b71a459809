/* The sum over all texts that maximum mutual information divides by, with its gradient.
 *
 * A text's share is its probability by a bigram of the units times that of all of CTC's paths to
 * it. The states are, for each unit: it is being said, and a blank after it; and a blank before the
 * first. Sums over paths are taken in probabilities, which each frame scales anew.  Forward they
 * reach up to a frame, that frame included, backward that frame is left out: a state's share of all
 * paths is the product, over its sum over the states.  A frame costs two products of a vector with
 * the bigram. */
#include "kernels.h"

/* Sums over the beginnings of paths at a frame. */
struct sums {
    float *said;   /* [classes]: a path's last class is this unit; nothing at 0 */
    float *paused; /* [classes]: it is the blank, after this unit or, at 0, before all */
};

static struct sums at(float *memory, int64_t frame, int64_t classes)
{
    float *said = memory + 2 * frame * classes;
    return (struct sums){said, said + classes};
}

/* Floats of scratch; time: frames of the longest recording. */
int64_t mmi_scratch(int64_t time, int64_t classes)
{
    return (2 * time + 8) * classes;
}

static float scale(int64_t count, float *values)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += values[i];
    float factor = 1 / sum;
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        values[i] *= factor;
    return sum;
}

/* From the sums before a frame those with it.  y [classes]: its probabilities; before.said +
 * before.paused is left in all [classes]. */
static void forward(int64_t classes, const float *y, const float *bigram, struct sums before,
    struct sums after, float *all)
{
    for (int64_t u = 0; u < classes; u++) {
        all[u] = before.said[u] + before.paused[u];
        after.paused[u] = y[0] * all[u];
        after.said[u] = 0;
    }
    for (int64_t v = 0; v < classes; v++) {
        const float *row = bigram + v * classes;
        float weight = all[v];
#pragma omp simd
        for (int64_t u = 0; u < classes; u++)
            after.said[u] += weight * row[u];
    }
    for (int64_t u = 1; u < classes; u++) /* said on, and not said again without a blank between */
        after.said[u] = y[u] * (after.said[u] + before.said[u] * (1 - bigram[u * classes + u]));
    after.said[0] = 0;
}

/* From the ends of paths after a frame those with it.  next: scratch. */
static void backward(
    int64_t classes, const float *y, const float *bigram, struct sums ends, float *next)
{
    next[0] = 0;
    for (int64_t u = 1; u < classes; u++)
        next[u] = y[u] * ends.said[u];
    for (int64_t v = 0; v < classes; v++) {
        const float *row = bigram + v * classes;
        float said = 0;
#pragma omp simd reduction(+ : said)
        for (int64_t u = 0; u < classes; u++)
            said += row[u] * next[u];
        ends.paused[v] = y[0] * ends.paused[v] + said;
        ends.said[v] = ends.paused[v] + next[v] * (1 - row[v]);
    }
}

/* One recording.  probabilities [count, classes], logarithms.  Writes gradient [count, classes];
 * returns the logarithm of the sum.  Where a frame is NaN, all is. */
static float recording_sum(int64_t count, int64_t classes, const float *probabilities,
    const float *bigram, float *scratch, float *gradient)
{
    float *y = scratch, *work = y + classes;
    struct sums ends = at(work + classes, 0, classes);
    float *kept = ends.paused + classes;
    memset(kept, 0, (size_t)(2 * classes) * sizeof(float));
    at(kept, 0, classes).paused[0] = 1;
    double sum = 0;
    for (int64_t t = 0; t < count; t++) {
        for (int64_t i = 0; i < classes; i++)
            gradient[t * classes + i] = y[i] = exponential(probabilities[t * classes + i]);
        struct sums after = at(kept, t + 1, classes);
        forward(classes, y, bigram, at(kept, t, classes), after, work);
        sum += logf(scale(2 * classes, after.said));
    }
    if (isnan(sum)) {
        for (int64_t i = 0; i < count * classes; i++)
            gradient[i] = NAN;
        return NAN;
    }
    for (int64_t i = 0; i < 2 * classes; i++)
        ends.said[i] = 1;
    for (int64_t t = count - 1; t >= 0; t--) {
        struct sums begun = at(kept, t + 1, classes);
        float *to = gradient + t * classes;
        memcpy(y, to, (size_t)classes * sizeof(float));
        float blank = 0;
        for (int64_t i = 0; i < classes; i++) {
            work[i] = begun.said[i] * ends.said[i];
            blank += begun.paused[i] * ends.paused[i];
        }
        work[0] = blank;
        scale(classes, work);
        for (int64_t i = 0; i < classes; i++)
            to[i] = work[i] - to[i];
        backward(classes, y, bigram, ends, work);
        scale(2 * classes, ends.said);
    }
    return (float)sum;
}

/* probabilities [batch, time, classes], logarithms of softmax; bigram [classes, classes]: row v has
 * the probabilities of each unit after v, 0 for the blank, row 0 those of the first; counts
 * [batch], of at least one frame.  Written: sums [batch], logarithms; gradient [batch, time,
 * classes] of each in what goes into the softmax, 0 beyond its end. */
void mmi_sum(int64_t batch, int64_t time, int64_t classes, const float *probabilities,
    const float *bigram, const int64_t *counts, float *scratch, float *sums, float *gradient)
{
    for (int64_t b = 0; b < batch; b++) {
        int64_t begin = b * time * classes, count = counts[b];
        sums[b] =
            recording_sum(count, classes, probabilities + begin, bigram, scratch, gradient + begin);
        memset(gradient + begin + count * classes, 0,
            (size_t)((time - count) * classes) * sizeof(float));
    }
}
