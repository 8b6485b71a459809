/* AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) and the average of the weights, in one pass:
 * both are bound by memory. */
#include "kernels.h"

/* One parameter; fused.py has the same structure. */
struct weight {
    float *value, *gradient; /* gradient NULL: only the average moves */
    float *mean, *square;    /* the optimiser's state */
    float *average;          /* NULL: none is kept */
    int64_t count;
    float rate, decay;   /* decay: of the weight, times the rate */
    float first, second; /* 1 - beta^step of mean and square */
};

/* The sum of squares of all gradients. */
double gradient_square(int64_t weights, const struct weight *weight)
{
    double total = 0;
    for (int64_t w = 0; w < weights; w++) {
        const float *g = weight[w].gradient;
        for (int64_t begin = 0; g && begin < weight[w].count; begin += 4096) {
            int64_t end = begin + 4096 < weight[w].count ? begin + 4096 : weight[w].count;
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int64_t i = begin; i < end; i++)
                sum += g[i] * g[i];
            total += (double)sum;
        }
    }
    return total;
}

/* A step with the gradients times `scale`; then average += (1 - keep) (value - average). */
void optimiser_step(int64_t weights, const struct weight *weight, float scale, float beta1,
    float beta2, float epsilon, float keep)
{
    for (int64_t w = 0; w < weights; w++) {
        const struct weight *own = weight + w;
        float *restrict value = own->value, *restrict average = own->average;
        if (own->gradient) {
            const float *restrict gradient = own->gradient;
            float *restrict mean = own->mean, *restrict square = own->square;
            float step = own->rate / own->first, root = 1.0f / sqrtf(own->second);
            float shrink = 1.0f - own->rate * own->decay;
            if (average) {
#pragma omp simd
                for (int64_t i = 0; i < own->count; i++) {
                    float g = gradient[i] * scale;
                    float m = mean[i] = beta1 * mean[i] + (1.0f - beta1) * g;
                    float s = square[i] = beta2 * square[i] + (1.0f - beta2) * g * g;
                    float v = value[i] * shrink - step * m / (sqrtf(s) * root + epsilon);
                    value[i] = v;
                    average[i] += (1.0f - keep) * (v - average[i]);
                }
            } else {
#pragma omp simd
                for (int64_t i = 0; i < own->count; i++) {
                    float g = gradient[i] * scale;
                    float m = mean[i] = beta1 * mean[i] + (1.0f - beta1) * g;
                    float s = square[i] = beta2 * square[i] + (1.0f - beta2) * g * g;
                    value[i] = value[i] * shrink - step * m / (sqrtf(s) * root + epsilon);
                }
            }
        } else if (average) {
#pragma omp simd
            for (int64_t i = 0; i < own->count; i++)
                average[i] += (1.0f - keep) * (value[i] - average[i]);
        }
    }
}
