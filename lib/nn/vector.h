/*
 * Help for loops that the compiler turns into vector code.
 *
 * VECTOR_CLONES before a function compiles it once per instruction set; the loader picks the best
 * that the processor has.  Reductions name themselves with "#pragma omp simd reduction" (which is
 * -fopenmp-simd, no threads): it allows that one sum to be reordered without -ffast-math for all.
 */
#ifndef NN_VECTOR_H
#define NN_VECTOR_H

/* The sanitizers' start-up and the resolvers of cloned functions run in the wrong order. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define VECTOR_CLONES __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define VECTOR_CLONES
#endif

/* To the nearest integer, ties to even, for |x| < 2^22: adding 1.5 * 2^23 leaves no fraction
 * bits.  Unlike rintf it is two additions on every instruction set. */
static inline float vector_round(float x)
{
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

#endif
