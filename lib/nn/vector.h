/*
 * Help for loops that the compiler turns into vector code.
 *
 * VECTOR_CLONES before a function compiles it once per instruction set; the loader picks the best
 * that the processor has.  Reductions name themselves with "#pragma omp simd reduction" (which is
 * -fopenmp-simd, no threads): it allows that one sum to be reordered without -ffast-math for all.
 */
#ifndef NN_VECTOR_H
#define NN_VECTOR_H

#include <stddef.h>
#include <string.h>

/* Not clang: its 14 gives the clones another name than callers in other files expect.  Not under
 * the thread sanitizer: the loader asks which clone to use before the sanitizer is ready. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 &&           \
    !defined(__SANITIZE_THREAD__)
#define VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VECTOR_CLONES
#endif

/* For helpers whose constant arguments must become part of the loop they are used in. */
#define VECTOR_INLINE static inline __attribute__((always_inline))

/*
 * Sixteen floats at once for the few loops whose sums must stay in registers; the compiler splits
 * them where registers are smaller.  Any alignment, and it may look at any array of floats.  Pass
 * them by pointer: how they travel by value differs between instruction sets.
 */
typedef float lanes __attribute__((vector_size(64), aligned(4), may_alias));

enum { LANES = 16 };

VECTOR_INLINE void lanes_load(lanes *out, const float *in)
{
    *out = *(const lanes *)in;
}

VECTOR_INLINE void lanes_store(float *out, const lanes *in)
{
    *(lanes *)out = *in;
}

/* The first `count` (<= LANES) floats, the rest zeros; and only those back. */
VECTOR_INLINE void lanes_load_some(lanes *out, const float *in, size_t count)
{
    *out = (lanes){0};
    memcpy(out, in, count * sizeof *in);
}

VECTOR_INLINE void lanes_store_some(float *out, const lanes *in, size_t count)
{
    memcpy(out, in, count * sizeof *out);
}

/* To the nearest integer, ties to even, for |x| < 2^22: adding 1.5 * 2^23 leaves no fraction
 * bits.  Unlike rintf it is two additions on every instruction set. */
VECTOR_INLINE float vector_round(float x)
{
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

#endif
