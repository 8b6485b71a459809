/* Products of 16-bit whole numbers, for processors that have them (AVX512_VNNI): twice as many
 * multiplications an instruction as in f32, and half the memory.
 *
 * Each line (row of a, column of b) of a block of at most K_MOST numbers is scaled so that its
 * largest becomes STEPS, and rounded to the nearest whole number.  The sums of the products are
 * exact in 32 bits: K_MOST * STEPS^2 < 2^31.  Multiplied by the two lines' scales they are added in
 * f32.  A number is off by at most half of 1 / STEPS of its line's largest.  That is less than what
 * rounding to bf16 does where the largest is less than about 8 times the usual, as it is in weights
 * and in what comes out of a LayerNorm; and unlike bf16, whose products (vdpbf16ps) some processors
 * take at half the speed of f32, it is fast wherever it exists.
 *
 * The instruction, vpdpwssd, adds to each of 16 sums two products: of a pair of neighbours in k.
 * So both operands are packed in strips of lines in which the pairs of one place in k lie side by
 * side:
 *
 *     packed[strip][pair][line in the strip], 32 bits each
 *
 * A strip of b, 48 lines wide, is what the inner loop loads, and stays in the first cache while the
 * strips of a, 8 lines wide, pass by; each pair of those is broadcast.  8 x 3 vectors of sums stay
 * in registers meanwhile.
 *
 * A line with something NaN or infinite gives NaN; one of nothing but what is below TINY gives 0.
 */
#include "kernels.h"

#ifdef __AVX512VNNI__
#include <immintrin.h>

enum {
    A_WIDTH = 8,
    B_VECTORS = 3,
    B_WIDTH = 16 * B_VECTORS,
    K_MOST = 256, /* even */
    STEPS = 2890,
    N_MOST = 32 * A_WIDTH,
    M_MOST = 16 * B_WIDTH,
};
#define TINY 1e-30f

_Static_assert((int64_t)K_MOST *STEPS *STEPS < INT32_MAX, "sums fit");

/* What is packed of a and of b at a time: 192 KiB and 576 KiB, together in the second cache. */
static _Thread_local struct packed {
    _Alignas(64) uint32_t a[N_MOST * K_MOST / 2], b[M_MOST * K_MOST / 2];
    _Alignas(64) float a_scale[N_MOST], b_scale[M_MOST]; /* of a step, by line */
} thread_packed;

/* The lanes of 16 vectors become vectors. */
static inline void turn16(__m512i v[16])
{
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            v[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + 2 + j]);
            v[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + 2 + j]);
        }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(v[i], v[4 + i], 0x88);
        t[4 + i] = _mm512_shuffle_i32x4(v[i], v[4 + i], 0xdd);
        t[8 + i] = _mm512_shuffle_i32x4(v[8 + i], v[12 + i], 0x88);
        t[12 + i] = _mm512_shuffle_i32x4(v[8 + i], v[12 + i], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        v[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
        v[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
    }
}

/* Writes the pairs of 16 lines from `line` on, of one place in k. */
static inline void put(
    uint32_t *to, int64_t width, int64_t pairs, int64_t line, int64_t pair, __m512i value)
{
    if (width == A_WIDTH) {
        to += line * pairs + pair * A_WIDTH;
        _mm256_store_si256((__m256i *)to, _mm512_castsi512_si256(value));
        _mm256_store_si256((__m256i *)(to + pairs * A_WIDTH), _mm512_extracti64x4_epi64(value, 1));
    } else {
        to += line / B_WIDTH * B_WIDTH * pairs + pair * B_WIDTH + line % B_WIDTH;
        _mm512_store_si512(to, value);
    }
}

static inline __mmask16 up_to(int64_t count)
{
    return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

/* The larger of the magnitudes; as bits, so that NaN is the largest of all. */
static inline __m512i larger(__m512i most, __m512 x)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    return _mm512_max_epi32(most, _mm512_and_si512(_mm512_castps_si512(x), magnitude));
}

/* Steps per unit for 16 lines whose largest magnitudes have these bits; and units per step. */
static inline __m512 steps_of(__m512i most, float *scale)
{
    __m512 largest = _mm512_castsi512_ps(most), steps = _mm512_set1_ps(STEPS);
    __mmask16 finite = _mm512_cmplt_epi32_mask(most, _mm512_set1_epi32(0x7f800000));
    __mmask16 usual = finite & _mm512_cmp_ps_mask(largest, _mm512_set1_ps(TINY), _CMP_GE_OQ);
    __m512 units = _mm512_maskz_div_ps(usual, largest, steps);
    _mm512_store_ps(scale, _mm512_castsi512_ps(_mm512_mask_mov_epi32(
                               _mm512_set1_epi32(0x7fc00000), finite, _mm512_castps_si512(units))));
    return _mm512_maskz_div_ps(usual, steps, largest);
}

static inline __m512i whole(__m512 x, __m512 steps)
{
    return _mm512_cvtps_epi32(_mm512_mul_ps(x, steps));
}

/* Packs lines of k numbers, from[line * stride + i]. */
static inline __attribute__((always_inline)) void pack_lines(const float *from, int64_t stride,
    int64_t lines, int64_t k, int64_t width, uint32_t *to, float *scale)
{
    int64_t pairs = (k + 1) / 2;
    for (int64_t line = 0; line < lines; line += 16) {
        _Alignas(64) int32_t most[16] = {0};
        _Alignas(64) float steps[16];
        for (int64_t r = 0; r < 16 && line + r < lines; r++) {
            const float *at = from + (line + r) * stride;
            __m512i m = _mm512_setzero_si512();
            for (int64_t i = 0; i < k; i += 16)
                m = larger(m, _mm512_maskz_loadu_ps(up_to(k - i), at + i));
            most[r] = _mm512_reduce_max_epi32(m);
        }
        _mm512_store_ps(steps, steps_of(_mm512_load_si512(most), scale + line));
        for (int64_t i = 0; i < k; i += 32) {
            __mmask16 first = up_to(k - i), second = up_to(k - i - 16);
            __m512i v[16];
            for (int64_t r = 0; r < 16; r++) {
                const float *at = from + (line + r) * stride + i;
                /* The lines after these, which lie too far apart for the processor to guess. */
                _mm_prefetch((const char *)(at + 16 * stride), _MM_HINT_T0);
                _mm_prefetch((const char *)(at + 16 * stride + 16), _MM_HINT_T0);
                __m512 by = _mm512_set1_ps(steps[r]);
                v[r] = line + r < lines
                           ? _mm512_packs_epi32(whole(_mm512_maskz_loadu_ps(first, at), by),
                                 whole(_mm512_maskz_loadu_ps(second, at + 16), by))
                           : _mm512_setzero_si512();
            }
            turn16(v);
            for (int64_t r = 0; r < 16; r++) {
                /* In each quarter, packs puts two pairs of its first operand before two of the
                 * second. */
                int64_t pair = i / 2 + r / 4 * 2 + r % 2 + (r & 2) * 4;
                if (pair < pairs)
                    put(to, width, pairs, line, pair, v[r]);
            }
        }
    }
}

/* Packs lines of k numbers that lie side by side, from[i * stride + line]. */
static inline __attribute__((always_inline)) void pack_columns(const float *from, int64_t stride,
    int64_t lines, int64_t k, int64_t width, uint32_t *to, float *scale)
{
    const __m512i low_half = _mm512_set1_epi32(0xffff);
    int64_t pairs = (k + 1) / 2;
    _Alignas(64) int32_t most[M_MOST];
    _Alignas(64) float steps[M_MOST];
    memset(most, 0, (size_t)((lines + 15) / 16 * 16) * sizeof(int32_t));
    for (int64_t i = 0; i < k; i++)
        for (int64_t line = 0; line < lines; line += 16) {
            __m512 x = _mm512_maskz_loadu_ps(up_to(lines - line), from + i * stride + line);
            _mm512_store_si512(most + line, larger(_mm512_load_si512(most + line), x));
        }
    for (int64_t line = 0; line < lines; line += 16)
        _mm512_store_ps(steps + line, steps_of(_mm512_load_si512(most + line), scale + line));
    for (int64_t pair = 0; pair < pairs; pair++) {
        const float *at = from + 2 * pair * stride;
        int two = 2 * pair + 1 < k;
        for (int64_t line = 0; line < lines; line += 16) {
            __mmask16 there = up_to(lines - line);
            __m512 by = _mm512_load_ps(steps + line);
            __m512i low = whole(_mm512_maskz_loadu_ps(there, at + line), by);
            __m512i high = whole(_mm512_maskz_loadu_ps(two ? there : 0, at + stride + line), by);
            put(to, width, pairs, line, pair,
                _mm512_or_si512(_mm512_slli_epi32(high, 16), _mm512_and_si512(low, low_half)));
        }
    }
}

/* sum += left right, pairs of whole numbers.  Not the compiler's own function: around that gcc 12
 * keeps half of the sums in memory. */
static inline void add_pairs(__m512i *sum, __m512i left, __m512i right)
{
    __asm__("vpdpwssd %2, %1, %0" : "+v"(*sum) : "v"(left), "v"(right));
}

/* out [rows, 16 vectors] = a b (+ out): one strip of a, `vectors` of a strip of b, which is a
 * constant to the compiler.  last: the columns of the last vector that are there. */
static inline __attribute__((always_inline)) void inner(int vectors, int64_t rows, int64_t pairs,
    const uint32_t *a, const uint32_t *b, const float *a_scale, const float *b_scale,
    __mmask16 last, int add, float *out, int64_t stride)
{
    __m512i sum[A_WIDTH][B_VECTORS];
#pragma GCC unroll 8
    for (int r = 0; r < A_WIDTH; r++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            sum[r][v] = _mm512_setzero_si512();
    for (int64_t pair = 0; pair < pairs; pair++, a += A_WIDTH, b += B_WIDTH) {
        __m512i right[B_VECTORS];
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            right[v] = _mm512_load_si512(b + 16 * v);
#pragma GCC unroll 8
        for (int r = 0; r < A_WIDTH; r++) {
            __m512i left = _mm512_set1_epi32((int)a[r]);
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++)
                add_pairs(&sum[r][v], left, right[v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < A_WIDTH; r++) {
        __m512 scale = _mm512_set1_ps(a_scale[r]);
        __mmask16 there = r < rows ? 0xffff : 0; /* what isn't, isn't touched */
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) {
            float *to = out + r * stride + 16 * v;
            __mmask16 mask = v == vectors - 1 ? there & last : there;
            __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][v]),
                _mm512_mul_ps(scale, _mm512_load_ps(b_scale + 16 * v)));
            if (add)
                value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, to));
            _mm512_mask_storeu_ps(to, mask, value);
        }
    }
}

/* Functions of their own, for the compiler to find registers for all sums. */
#define INNER(vectors)                                                                             \
    static __attribute__((noinline)) void inner##vectors(int64_t rows, int64_t pairs,              \
        const uint32_t *a, const uint32_t *b, const float *a_scale, const float *b_scale,          \
        __mmask16 last, int add, float *out, int64_t stride)                                       \
    {                                                                                              \
        inner(vectors, rows, pairs, a, b, a_scale, b_scale, last, add, out, stride);               \
    }
INNER(1)
INNER(2)
INNER(3)

/* All of what is packed: out [n, m], rows as far apart as stride says. */
static void packed_product(const struct packed *packed, int64_t n, int64_t m, int64_t k, int add,
    float *out, int64_t stride)
{
    int64_t pairs = (k + 1) / 2;
    for (int64_t column = 0; column < m; column += B_WIDTH) {
        const uint32_t *b = packed->b + column * pairs;
        const float *b_scale = packed->b_scale + column;
        int64_t vectors = m - column < B_WIDTH ? (m - column + 15) / 16 : B_VECTORS;
        __mmask16 last = up_to(m - column - 16 * (vectors - 1));
        for (int64_t row = 0; row < n; row += A_WIDTH) {
            const uint32_t *a = packed->a + row * pairs;
            const float *a_scale = packed->a_scale + row;
            float *to = out + row * stride + column;
            if (vectors == 3)
                inner3(n - row, pairs, a, b, a_scale, b_scale, last, add, to, stride);
            else if (vectors == 2)
                inner2(n - row, pairs, a, b, a_scale, b_scale, last, add, to, stride);
            else
                inner1(n - row, pairs, a, b, a_scale, b_scale, last, add, to, stride);
        }
    }
}

static int64_t least(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

int product_fixed(int64_t n, int64_t m, int64_t k, const float *a, int a_transposed, const float *b,
    int b_transposed, int add, float *out)
{
    if (k == 0 && !add)
        memset(out, 0, (size_t)(n * m) * sizeof(float));
    struct packed *packed = &thread_packed;
    __asm__("" : "+r"(packed)); /* or gcc asks for this thread's again at each use */
    int64_t blocks = (k + K_MOST - 1) / K_MOST, deep = blocks ? (k + blocks - 1) / blocks : 0;
    deep += deep % 2;
    for (int64_t i = 0; i < k; i += deep)
        for (int64_t column = 0; column < m; column += M_MOST) {
            int64_t count = least(deep, k - i), wide = least(M_MOST, m - column);
            if (b_transposed)
                pack_lines(b + column * k + i, k, wide, count, B_WIDTH, packed->b, packed->b_scale);
            else
                pack_columns(
                    b + i * m + column, m, wide, count, B_WIDTH, packed->b, packed->b_scale);
            for (int64_t row = 0; row < n; row += N_MOST) {
                int64_t high = least(N_MOST, n - row);
                if (a_transposed)
                    pack_columns(
                        a + i * n + row, n, high, count, A_WIDTH, packed->a, packed->a_scale);
                else
                    pack_lines(
                        a + row * k + i, k, high, count, A_WIDTH, packed->a, packed->a_scale);
                packed_product(packed, high, wide, count, add || i > 0, out + row * m + column, m);
            }
        }
    return 1;
}

#else

int product_fixed(int64_t n, int64_t m, int64_t k, const float *a, int a_transposed, const float *b,
    int b_transposed, int add, float *out)
{
    (void)n, (void)m, (void)k, (void)a, (void)a_transposed, (void)b, (void)b_transposed;
    (void)add, (void)out;
    return 0;
}

#endif
