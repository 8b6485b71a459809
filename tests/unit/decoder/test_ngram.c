/* The n-gram language model: by hand, against the plain recursion, and in files that are wrong. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decoder/ngram.h"
#include "support/suite.h"
#include "support/tiny_ngram.h"

/* An n-gram and what it is a view of. */
typedef struct opened {
    void *bytes;
    nn_weights *weights;
    ngram *ngram;
} opened;

static void close_all(opened *o)
{
    ngram_destroy(o->ngram);
    nn_weights_close(o->weights);
    free(o->bytes);
}

static opened open_trie(const tiny_ngram *t)
{
    opened o = {.ngram = NULL};
    size_t size;
    steno_error error = {0};
    o.bytes = tiny_ngram_write(t, &size);
    ck_assert_msg(
        nn_weights_open(o.bytes, size, &o.weights, &error) == STENO_OK, "%s", error.message);
    const ngram_config config = {t->order, t->probability_scale, t->backoff_scale};
    ck_assert_msg(ngram_create(&config, t->tokens, o.weights, &o.ngram, &error) == STENO_OK, "%s",
        error.message);
    return o;
}

/* --- By hand --- */

/* Tokens 0..3.  Order 2: (0 1), (0 2), (1 2), (3 0); order 3: (0 1 2), (0 1 3), (1 2 0). */
typedef struct hand {
    uint16_t token_1[4], token_2[4], token_3[3];
    uint8_t probability_1[4], probability_2[4], probability_3[3];
    uint8_t backoff_1[4], backoff_2[4];
    int32_t child_1[5], child_2[5];
    tiny_ngram trie;
} hand;

static void make_hand(hand *h)
{
    *h = (hand){
        .token_1 = {0, 1, 2, 3},
        .probability_1 = {10, 20, 30, 40},
        .backoff_1 = {1, 2, 3, 4},
        .child_1 = {0, 2, 3, 3, 4},
        .token_2 = {1, 2, 2, 0},
        .probability_2 = {11, 12, 13, 255},
        .backoff_2 = {5, 6, 7, 8},
        .child_2 = {0, 2, 2, 3, 3},
        .token_3 = {2, 3, 0},
        .probability_3 = {50, 0, 52},
    };
    h->trie = (tiny_ngram){.tokens = 4,
        .order = 3,
        .probability_scale = 0.5,
        .backoff_scale = 0.25,
        .count = {4, 4, 3},
        .token = {h->token_1, h->token_2, h->token_3},
        .probability = {h->probability_1, h->probability_2, h->probability_3},
        .backoff = {h->backoff_1, h->backoff_2},
        .child = {h->child_1, h->child_2}};
}

/* All numbers have few bits, so that sums are exact. */
static void check_scores(const ngram *g, const ngram_state *state, const double expected[4])
{
    for (uint32_t token = 0; token < 4; token++)
        ck_assert_double_eq(ngram_score(g, state, token), expected[token]);
}

/* Plain, and packed with tokens of two bytes. */
START_TEST(by_hand)
{
    hand h;
    make_hand(&h);
    if (_i == 1)
        tiny_ngram_pack(&h.trie, false);
    opened o = open_trie(&h.trie);
    const ngram *g = o.ngram;
    ck_assert_uint_eq(ngram_count(g), 11);
    ngram_state state = ngram_start(g);
    /* After (0): two are there, the others back off once. */
    check_scores(g, &state, (const double[]){-0.25 - 5, -5.5, -6, -0.25 - 20});
    ngram_next(g, &state, 1);
    /* After (0 1): in order 3; else back off over (1), which has none of these. */
    check_scores(g, &state,
        (const double[]){-0.25 * 5 - 0.25 * 2 - 5, -0.25 * 5 - 0.25 * 2 - 10, -25, -0.0});
    ngram_next(g, &state, 2);
    /* After (1 2): the end of (0 1 2), which is too long to count; (2) has no children, and so no
     * back-off where it is packed. */
    double back = -0.25 * 7 - (_i == 1 ? 0 : 0.25 * 3);
    check_scores(g, &state, (const double[]){-26, back - 10, back - 15, back - 20});
    ngram_next(g, &state, 3);
    /* After (2 3), which is not there and costs nothing, and (3). */
    check_scores(g, &state, (const double[]){-127.5, -1 - 10, -1 - 15, -1 - 20});
    ngram_next(g, &state, 3);
    ngram_next(g, &state, 1);
    /* After (3 1): not there; (1) has 2. */
    check_scores(g, &state, (const double[]){-0.5 - 5, -0.5 - 10, -6.5, -0.5 - 20});
    close_all(&o);
    tiny_ngram_unpack(&h.trie);
}
END_TEST

/* --- Against the recursion --- */

/* All orders, plain, packed with tokens of two bytes and of one. */
START_TEST(equals_recursion)
{
    enum { LENGTH = 400, TOKENS = 9 };
    size_t order = (size_t)_i % NGRAM_MAX_ORDER + 1, layout = (size_t)_i / NGRAM_MAX_ORDER;
    uint64_t seed = order + 4;
    /* A packed file has two orders at least. */
    tiny_ngram *t = layout == 0 || order == 1
                        ? tiny_ngram_random(TOKENS, order, seed)
                        : tiny_ngram_random_packed(TOKENS, order, seed, layout == 2);
    opened o = open_trie(t);
    uint32_t text[LENGTH + 1] = {0};
    uint64_t random = 3;
    uint64_t attempts = memory_attempts();
    ngram_state state = ngram_start(o.ngram);
    for (size_t i = 1; i <= LENGTH; i++) {
        for (uint32_t token = 0; token < TOKENS; token++) {
            double expected = tiny_ngram_score(t, text, i, token);
            /* The same terms in another order. */
            ck_assert_double_eq_tol(ngram_score(o.ngram, &state, token), expected, 1e-12);
        }
        random = random * 6364136223846793005u + 1442695040888963407u;
        text[i] = (uint32_t)(random >> 33) % TOKENS;
        ngram_next(o.ngram, &state, text[i]);
    }
    ck_assert_uint_eq(memory_attempts(), attempts);
    close_all(&o);
    tiny_ngram_destroy(t);
}
END_TEST

/* With every token as a child of each, tokens of one byte at the ends of their range, and bitmaps
 * whose words are full. */
START_TEST(dense)
{
    enum { TOKENS = 257 };
    tiny_ngram *t = tiny_ngram_random_packed(TOKENS, 2, 1, true);
    tiny_ngram_unpack(t);
    free(t->token[1]);
    free(t->probability[1]);
    t->count[1] = TOKENS * (TOKENS - 1);
    t->token[1] = calloc(t->count[1], sizeof *t->token[1]);
    t->probability[1] = calloc(t->count[1], 1);
    for (size_t i = 0; i < t->count[1]; i++) {
        t->token[1][i] = (uint16_t)(i % (TOKENS - 1) + 1);
        t->probability[1][i] = (uint8_t)(i * 7 % 251);
    }
    for (int32_t i = 0; i <= TOKENS; i++)
        t->child[0][i] = i * (TOKENS - 1);
    tiny_ngram_pack(t, true);
    opened o = open_trie(t);
    ck_assert_uint_eq(ngram_count(o.ngram), TOKENS + t->count[1]);
    for (uint32_t before = 0; before < TOKENS; before++) {
        ngram_state state = ngram_start(o.ngram);
        ngram_next(o.ngram, &state, before);
        for (uint32_t token = 0; token < TOKENS; token++)
            ck_assert_double_eq_tol(
                ngram_score(o.ngram, &state, token), tiny_ngram_score(t, &before, 1, token), 1e-12);
    }
    close_all(&o);
    tiny_ngram_destroy(t);
}
END_TEST

/* --- Files that are wrong --- */

static void refuse(const tiny_ngram *t, const ngram_config *config, size_t tokens, const char *from,
    const char *to, const char *reason)
{
    size_t size, alive = memory_alive();
    char *bytes = tiny_ngram_write(t, &size);
    if (from) {
        char *at = memmem(bytes + 8, size - 8, from, strlen(from));
        ck_assert_ptr_nonnull(at);
        ck_assert_uint_eq(strlen(from), strlen(to));
        memcpy(at, to, strlen(to));
    }
    nn_weights *weights = NULL;
    ngram *g = NULL;
    steno_error error = {0};
    ck_assert_msg(nn_weights_open(bytes, size, &weights, &error) == STENO_OK, "%s", error.message);
    ck_assert_int_eq(ngram_create(config, tokens, weights, &g, &error), STENO_ERROR_FORMAT);
    ck_assert_str_eq(error.message, reason);
    ck_assert_ptr_null(g);
    nn_weights_close(weights);
    free(bytes);
    ck_assert_uint_eq(memory_alive(), alive);
}

static void refuse_hand(const hand *h, const char *reason)
{
    refuse(&h->trie, &(ngram_config){3, 0.5, 0.25}, 4, NULL, NULL, reason);
}

/* One number in each array that is wrong. */
START_TEST(wrong_numbers)
{
    hand h;
#define WITH(change, reason)                                                                       \
    do {                                                                                           \
        make_hand(&h);                                                                             \
        h.change;                                                                                  \
        refuse_hand(&h, reason);                                                                   \
    } while (0)
    WITH(token_1[2] = 1, "tensor lm.1.token: 1 at 2");
    WITH(token_2[1] = 1, "tensor lm.2.token: 1 at 1 is out of order");
    WITH(token_2[0] = 3, "tensor lm.2.token: 2 at 1 is out of order");
    WITH(token_2[3] = 4, "tensor lm.2.token: 4 at 3 is no token");
    WITH(token_3[2] = 65535, "tensor lm.3.token: 65535 at 2 is no token");
    WITH(child_1[0] = 1, "tensor lm.1.child: runs from 1 to 4, should from 0 to 4");
    WITH(child_1[4] = 5, "tensor lm.1.child: runs from 0 to 5, should from 0 to 4");
    WITH(child_1[4] = -1, "tensor lm.1.child: runs from 0 to -1, should from 0 to 4");
    WITH(child_2[4] = 2, "tensor lm.2.child: runs from 0 to 2, should from 0 to 3");
    WITH(child_1[2] = 1, "tensor lm.1.child: falls after 1");
    WITH(child_1[1] = INT32_MAX, "tensor lm.1.child: falls after 1");
    WITH(child_2[2] = INT32_MIN, "tensor lm.2.child: falls after 1");
    WITH(trie.count[2] = 2, "tensor lm.2.child: runs from 0 to 3, should from 0 to 2");
    WITH(trie.count[0] = 3, "tensor lm.1.token: 3 elements, should be 4");
#undef WITH
}
END_TEST

/* The same of the packed layout: what is wrong is in what the file has. */
START_TEST(wrong_packed_numbers)
{
    hand h;
#define WITH(narrow, change, reason)                                                               \
    do {                                                                                           \
        make_hand(&h);                                                                             \
        tiny_ngram_pack(&h.trie, narrow);                                                          \
        h.trie.change;                                                                             \
        refuse_hand(&h, reason);                                                                   \
        tiny_ngram_unpack(&h.trie);                                                                \
    } while (0)
    WITH(false, token[1][1] = 1, "tensor lm.2.token: 1 at 1 is out of order");
    WITH(false, token[1][3] = 4, "tensor lm.2.token: 4 at 3 is no token");
    WITH(false, token[2][2] = 65535, "tensor lm.3.token: 65535 at 2 is no token");
    /* The hand's token 0 became 255, which stands for 256. */
    WITH(true, count[2] = 3, "tensor lm.2.token: 256 at 3 is no token");
    WITH(false, pack.inner[0][0] = 0x1b, "tensor lm.1.inner: bits beyond its 4 entries");
    WITH(false, pack.inner[0][0] = 0xf, "tensor lm.1.backoff: 3 elements, should be 4");
    WITH(false, pack.first[1][0] = 0x5,
        "tensor lm.2.first: 2 runs of siblings, the first at 0, for 3 parents");
    WITH(false, pack.first[1][0] = 0xe,
        "tensor lm.2.first: 3 runs of siblings, the first not at 0, for 3 parents");
    WITH(false, pack.first[1][0] = 0,
        "tensor lm.2.first: 0 runs of siblings, the first not at 0, for 3 parents");
    WITH(false, pack.first[1][0] |= UINT64_C(1) << 63,
        "tensor lm.2.first: bits beyond its 4 entries");
    WITH(false, pack.first[2][0] = 0x7,
        "tensor lm.3.first: 3 runs of siblings, the first at 0, for 2 parents");
    WITH(false, count[1] = 2, "tensor lm.2.first: bits beyond its 2 entries");
    WITH(false, count[1] = 0, "tensor lm.2.backoff: 2 elements, should be 0");
#undef WITH
}
END_TEST

START_TEST(wrong_packed_tensors)
{
    static const struct {
        const char *from, *to, *reason;
    } changes[] = {
        {"lm.2.first", "lm.2.farst", "tensor lm.2.first is not in the file"},
        {"lm.2.inner", "lm.2.innet", "tensor lm.2.inner is not in the file"},
        {"lm.2.token", "lm.2.tokem", "tensor lm.2.token is not in the file"},
        {"lm.1.probability", "lm.1.probabilitx", "tensor lm.1.probability is not in the file"},
        /* Without it the file is taken for a plain one. */
        {"lm.1.inner", "lm.1.innet", "tensor lm.1.token is not in the file"},
        {"token\":{\"dtype\":\"U16\"", "token\":{\"dtype\":\"F16\"",
            "tensor lm.2.token: should be U8 or U16 of one dimension"},
    };
    hand h;
    make_hand(&h);
    tiny_ngram_pack(&h.trie, false);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        refuse(&h.trie, &(ngram_config){3, 0.5, 0.25}, 4, changes[i].from, changes[i].to,
            changes[i].reason);
    refuse(&h.trie, &(ngram_config){3, 0.5, 0.25}, 5, NULL, NULL,
        "tensor lm.1.probability: 4 elements, should be 5");
    refuse(&h.trie, &(ngram_config){4, 0.5, 0.25}, 4, NULL, NULL,
        "tensor lm.3.inner is not in the file");
    tiny_ngram_unpack(&h.trie);
}
END_TEST

START_TEST(wrong_tensors)
{
    static const struct {
        const char *from, *to, *reason;
    } changes[] = {
        {"lm.1.token", "lm.1.tokem", "tensor lm.1.token is not in the file"},
        {"lm.3.probability", "lm.3.probabilitx", "tensor lm.3.probability is not in the file"},
        {"lm.2.backoff", "lm.2.backofg", "tensor lm.2.backoff is not in the file"},
        {"lm.2.child", "lm.3.child", "tensor lm.2.child is not in the file"},
        {"token\":{\"dtype\":\"U16\"", "token\":{\"dtype\":\"F16\"",
            "tensor lm.1.token: should be U16 of one dimension"},
        {"child\":{\"dtype\":\"I32\"", "child\":{\"dtype\":\"F32\"",
            "tensor lm.1.child: should be I32 of one dimension"},
    };
    hand h;
    make_hand(&h);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        refuse(&h.trie, &(ngram_config){3, 0.5, 0.25}, 4, changes[i].from, changes[i].to,
            changes[i].reason);
    refuse(&h.trie, &(ngram_config){3, 0.5, 0.25}, 5, NULL, NULL,
        "tensor lm.1.token: 4 elements, should be 5");
    refuse(&h.trie, &(ngram_config){4, 0.5, 0.25}, 4, NULL, NULL,
        "tensor lm.3.backoff is not in the file");
    refuse(&h.trie, &(ngram_config){0, 0.5, 0.25}, 4, NULL, NULL,
        "lm: the order is 0, allowed are 1..8");
    refuse(&h.trie, &(ngram_config){SIZE_MAX, 0.5, 0.25}, 4, NULL, NULL,
        "lm: the order is 18446744073709551615, allowed are 1..8");
    static const double scales[] = {0, -1, INFINITY, NAN};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        refuse(&h.trie, &(ngram_config){3, scales[i], 0.25}, 4, NULL, NULL,
            "lm: a scale is not positive");
        refuse(&h.trie, &(ngram_config){3, 0.5, scales[i]}, 4, NULL, NULL,
            "lm: a scale is not positive");
    }
}
END_TEST

/* Arrays of lengths that do not fit each other, and of two dimensions. */
START_TEST(wrong_shapes)
{
    static const struct {
        const char *header, *reason;
        size_t bytes;
    } files[] = {
        {"{\"lm.1.token\":{\"dtype\":\"U16\",\"shape\":[2],\"data_offsets\":[0,4]},"
         "\"lm.1.probability\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[4,7]}}",
            "tensor lm.1.probability: 3 elements, should be 2", 7},
        {"{\"lm.1.token\":{\"dtype\":\"U16\",\"shape\":[2,1],\"data_offsets\":[0,4]}}",
            "tensor lm.1.token: should be U16 of one dimension", 4},
        {"{\"lm.1.token\":{\"dtype\":\"U16\",\"shape\":[2],\"data_offsets\":[0,4]},"
         "\"lm.1.probability\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[4,5]}}",
            "tensor lm.1.probability: should be U8 of one dimension", 5},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        unsigned char file[512] = {0};
        size_t length = strlen(files[i].header);
        file[0] = (unsigned char)length;
        ck_assert_uint_lt(length, 256);
        memcpy(file + 8, files[i].header, length);
        nn_weights *weights = NULL;
        ngram *g = NULL;
        steno_error error = {0};
        ck_assert_msg(
            nn_weights_open(file, 8 + length + files[i].bytes, &weights, &error) == STENO_OK, "%s",
            error.message);
        ck_assert_int_eq(
            ngram_create(&(ngram_config){1, 1, 1}, 2, weights, &g, &error), STENO_ERROR_FORMAT);
        ck_assert_str_eq(error.message, files[i].reason);
        nn_weights_close(weights);
    }
}
END_TEST

/* Any bit of the arrays changed gives an n-gram or an error, and what is accepted can be asked
 * anything: under the sanitizers this shows a bound that was not checked. */
static void damage(const tiny_ngram *t, size_t *out_accepted, size_t *out_refused)
{
    size_t size;
    unsigned char *bytes = tiny_ngram_write(t, &size);
    uint64_t header;
    *out_accepted = *out_refused = 0;
    memcpy(&header, bytes, sizeof header);
    for (size_t bit = 8 * (8 + (size_t)header); bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        nn_weights *weights = NULL;
        ngram *g = NULL;
        ck_assert_int_eq(nn_weights_open(bytes, size, &weights, NULL), STENO_OK);
        if (ngram_create(&(ngram_config){3, 0.5, 0.25}, 4, weights, &g, NULL) == STENO_OK) {
            ++*out_accepted;
            ngram_state state = ngram_start(g);
            for (uint32_t i = 0; i < 64; i++) {
                ck_assert(ngram_score(g, &state, i / 16) <= 0);
                ck_assert(ngram_score(g, &state, i / 4 % 4) <= 0);
                ngram_next(g, &state, i * 7 / 3 % 4);
            }
        } else {
            ++*out_refused;
        }
        ngram_destroy(g);
        nn_weights_close(weights);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    free(bytes);
}

START_TEST(damaged_bits)
{
    hand h;
    make_hand(&h);
    size_t accepted, refused;
    damage(&h.trie, &accepted, &refused);
    /* All codes are fine; nearly all changes of the rest are not. */
    ck_assert_uint_ge(accepted, 8 * 19);
    ck_assert_uint_ge(refused, 300);
    tiny_ngram_pack(&h.trie, false);
    damage(&h.trie, &accepted, &refused);
    ck_assert_uint_ge(accepted, 8 * 16);
    ck_assert_uint_ge(refused, 300);
    tiny_ngram_unpack(&h.trie);
}
END_TEST

/* Each in turn, plain and packed. */
START_TEST(allocation_that_fails)
{
    hand h;
    make_hand(&h);
    if (_i == 1)
        tiny_ngram_pack(&h.trie, false);
    opened o = open_trie(&h.trie);
    size_t failures = 0;
    for (size_t at = 1;; at++) {
        ngram *g = NULL;
        steno_error error = {0};
        size_t alive = memory_alive();
        memory_fail_at(memory_attempts() + at);
        steno_status status = ngram_create(&(ngram_config){3, 0.5, 0.25}, 4, o.weights, &g, &error);
        memory_fail_at(0);
        if (status == STENO_OK) {
            ngram_destroy(g);
            ck_assert_uint_eq(memory_alive(), alive);
            break;
        }
        failures++;
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
        ck_assert_ptr_null(g);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_uint_eq(failures, _i == 1 ? 7 : 3);
    ngram_destroy(NULL);
    close_all(&o);
    tiny_ngram_unpack(&h.trie);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("ngram");
    tcase_add_loop_test(tcase, by_hand, 0, 2);
    tcase_add_loop_test(tcase, equals_recursion, 0, 3 * NGRAM_MAX_ORDER);
    tcase_add_test(tcase, dense);
    tcase_add_test(tcase, wrong_numbers);
    tcase_add_test(tcase, wrong_packed_numbers);
    tcase_add_test(tcase, wrong_packed_tensors);
    tcase_add_test(tcase, wrong_tensors);
    tcase_add_test(tcase, wrong_shapes);
    tcase_add_test(tcase, damaged_bits);
    tcase_add_loop_test(tcase, allocation_that_fails, 0, 2);
    Suite *suite = suite_create("ngram");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
