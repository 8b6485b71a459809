/* Prefixes with the same ending: which survive, and what is remembered of the others. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/alternatives.h"
#include "decoder/ranking.h"
#include "support/suite.h"

/* --- The ranking --- */

static ranking ranked(const place *places, size_t count)
{
    ranking r;
    ck_assert_int_eq(ranking_create(count, &r, NULL), STENO_OK);
    for (size_t i = 0; i < count; i++)
        ranking_add(&r, places[i]);
    return r;
}

START_TEST(one_of_each_ending)
{
    const place places[] = {
        {-3, 0, 7}, {-1, 1, 5}, {-2, 2, 5}, {-4, 3, 9}, {-3, 4, 8}, {-3.5, 5, 8}, {-9, 6, 5}};
    ranking r = ranked(places, 7);
    ranking_select(&r, 3, 5);
    static const size_t survivors[] = {1, 0, 4}; /* of equals the one that came first */
    ck_assert_uint_eq(r.count, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(r.places[i].index, survivors[i]);
    ck_assert_uint_eq(r.merge_count, 1); /* the beam is full before place 5, and 6 too far below */
    ck_assert_uint_eq(r.merges[0].survivor, 0);
    ck_assert_uint_eq(r.merges[0].lost.index, 2);
    ranking_destroy(&r);
}
END_TEST

START_TEST(margin_and_width)
{
    const place places[] = {{-1, 0, 1}, {-2, 1, 2}, {-3, 2, 3}, {-6.1, 3, 4}};
    ranking r = ranked(places, 4);
    ranking_select(&r, 10, 5);
    ck_assert_uint_eq(r.count, 3);
    ranking_select(&r, 2, 5);
    ck_assert_uint_eq(r.count, 2);
    ranking_select(&r, 1, 0);
    ck_assert_uint_eq(r.count, 1);
    ranking_clear(&r);
    ranking_add(&r, (place){-INFINITY, 0, 1}); /* the best survives whatever it is worth */
    ranking_select(&r, 1, 5);
    ck_assert_uint_eq(r.count, 1);
    ranking_destroy(&r);
}
END_TEST

/* --- Variations --- */

/* The tokens named by letters, at frames 10, 20, ... */
static const search_token *text(const char *letters)
{
    static search_token tokens[4][32];
    static size_t next;
    search_token *written = tokens[next++ % 4];
    for (size_t i = 0; letters[i]; i++)
        written[i] = (search_token){(uint32_t)(letters[i] - 'a' + 1), 0.5f, 10 * i + 10};
    return written;
}

static uint32_t add(variations *v, uint32_t list, const char *kept, const char *lost, double odds)
{
    return variations_add(v, list, text(kept), strlen(kept), text(lost), strlen(lost), odds);
}

static void check_variation(
    const variations *v, uint32_t list, size_t first, size_t end, const char *letters, double odds)
{
    const variation *one = variations_first(v, list);
    ck_assert_uint_eq(one->first, first);
    ck_assert_uint_eq(one->end, end);
    ck_assert_uint_eq(one->count, strlen(letters));
    for (size_t i = 0; i < one->count; i++)
        ck_assert_uint_eq(one->tokens[i].token, (uint32_t)(letters[i] - 'a' + 1));
    ck_assert_double_eq(one->log_odds, odds);
}

START_TEST(where_texts_differ)
{
    static const struct {
        const char *kept, *lost;
        size_t first, end;
        const char *letters;
    } cases[] = {
        {"abcd", "axcd", 1, 2, "x"},
        {"abcd", "acd", 1, 2, ""},
        {"acd", "abcd", 1, 1, "b"},
        {"abcd", "xbyd", 0, 3, "xby"},
        {"aab", "ab", 1, 2, ""},
        {"ab", "aab", 1, 1, "a"},
        {"abc", "abcc", 3, 3, "c"},
        {"", "a", 0, 0, "a"},
        {"a", "", 0, 1, ""},
    };
    variations *v = NULL;
    ck_assert_int_eq(variations_create(1, &v, NULL), STENO_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t list = add(v, VARIATIONS_NONE, cases[i].kept, cases[i].lost, -1);
        ck_assert_uint_ne(list, VARIATIONS_NONE);
        check_variation(v, list, cases[i].first, cases[i].end, cases[i].letters, -1);
        ck_assert_uint_eq(variations_rest(v, list), VARIATIONS_NONE);
        variations_release(v, list);
    }
    /* Too long to remember. */
    ck_assert_uint_eq(add(v, VARIATIONS_NONE, "az", "abcdefghijklmnz", -1), VARIATIONS_NONE);
    variations_destroy(v);
}
END_TEST

START_TEST(lists_share_their_ends)
{
    variations *v = NULL;
    ck_assert_int_eq(variations_create(3, &v, NULL), STENO_OK);
    uint32_t mine = add(v, VARIATIONS_NONE, "abcd", "xbcd", -1);
    uint32_t yours = mine;
    variations_hold(v, yours);
    mine = add(v, mine, "abcd", "aycd", -2);
    yours = add(v, yours, "abcd", "abzd", -3);
    check_variation(v, mine, 1, 2, "y", -2);
    check_variation(v, yours, 2, 3, "z", -3);
    ck_assert_uint_eq(variations_rest(v, mine), variations_rest(v, yours));
    check_variation(v, variations_rest(v, mine), 0, 1, "x", -1);
    /* The same again keeps the larger odds; there is no memory for another. */
    ck_assert_uint_eq(add(v, mine, "abcd", "aycd", -1.5), mine);
    check_variation(v, mine, 1, 2, "y", -1.5);
    ck_assert_uint_eq(add(v, mine, "abcd", "aycd", -4), mine);
    check_variation(v, mine, 1, 2, "y", -1.5);
    ck_assert_uint_eq(add(v, mine, "abcd", "abcz", -1), mine);
    /* What only mine had is free again, what it shared is not. */
    variations_release(v, mine);
    check_variation(v, variations_rest(v, yours), 0, 1, "x", -1);
    yours = add(v, yours, "abcd", "abcz", -1);
    check_variation(v, yours, 3, 4, "z", -1);
    ck_assert_uint_eq(add(v, yours, "abcde", "abcdz", -1), yours);
    /* A cut takes the variation of what is cut. */
    variations_cut(v, 1);
    check_variation(v, yours, 2, 3, "z", -1);
    uint32_t rest = variations_rest(v, yours);
    check_variation(v, rest, 1, 2, "z", -3);
    check_variation(v, variations_rest(v, rest), 0, 0, "", -INFINITY);
    variations_clear(v);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_ne(add(v, VARIATIONS_NONE, "a", "b", -1), VARIATIONS_NONE);
    variations_destroy(v);
}
END_TEST

/* --- The beam --- */

enum { TOKENS = 20, LENGTH = 40 };

static beam *new_beam(size_t width)
{
    beam *b = NULL;
    ck_assert_int_eq(beam_create(&(beam_options){.width = width,
                                     .tokens = TOKENS,
                                     .max_length = LENGTH,
                                     .ctc_weight = 1,
                                     .margin = 20},
                         &b, NULL),
        STENO_OK);
    return b;
}

/* A frame in which the letters (or '.', the blank) have these probabilities and all others next to
 * none. */
static void feed(beam *b, uint64_t frame, const char *letters, const double *probabilities)
{
    float ctc[TOKENS];
    for (size_t i = 0; i < TOKENS; i++)
        ctc[i] = -60;
    for (size_t i = 0; letters[i]; i++)
        ctc[letters[i] == '.' ? 0 : letters[i] - 'a' + 1] = (float)log(probabilities[i]);
    beam_propose(b, ctc, frame);
    beam_commit(b);
}

/* Letters of which each is certain. */
static void feed_certain(beam *b, uint64_t frame, const char *letters)
{
    for (size_t i = 0; letters[i]; i++)
        feed(b, frame + i, (char[]){letters[i], 0}, (double[]){1});
}

static const char *letters_of(const search_hypothesis *h)
{
    static char letters[LENGTH + 1];
    for (size_t i = 0; i < h->token_count; i++)
        letters[i] = (char)('a' + h->tokens[i].token - 1);
    letters[h->token_count] = '\0';
    return letters;
}

/* The list of what the beam says before frame `end` begins with these texts [count]. */
static void check_list(
    const beam *b, uint64_t end, size_t count, const char *const *texts, const double *posteriors)
{
    static search_token room[ALTERNATIVES_VARIED * LENGTH];
    search_hypothesis list[64];
    ck_assert_uint_ge(alternatives_list(b, end, room, LENGTH, 64, list), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(letters_of(&list[i]), texts[i]);
        /* The first one's holds those of its variations. */
        bool merged = beam_count(b) == 1;
        ck_assert_double_eq_tol(
            (double)list[i].posterior, merged && i == 0 ? 1 : posteriors[i], 1e-6);
        ck_assert_int_eq(list[i].is_variation, merged && i > 0);
        for (size_t k = 1; k < list[i].token_count; k++)
            ck_assert_uint_gt(list[i].tokens[k].frame, list[i].tokens[k - 1].frame);
    }
    ck_assert_uint_eq(alternatives_list(b, end, room, LENGTH, 2, list), 2);
    ck_assert_str_eq(letters_of(&list[1]), texts[1]);
}

/* Doubt in the first letter is three prefixes until the last seven letters are the same, and
 * two variations from then on; the list of texts does not change by it. */
START_TEST(merged_by_their_ending)
{
    static const char *const texts[] = {"acdefghi", "bcdefghi", "cdefghi"};
    static const double posteriors[] = {0.6, 0.3, 0.1};
    beam *b = new_beam(3);
    feed(b, 0, "ab.", (double[]){0.6, 0.3, 0.1});
    feed_certain(b, 1, "cdefgh");
    ck_assert_uint_eq(beam_count(b), 3);
    feed_certain(b, 7, "i");
    ck_assert_uint_eq(beam_count(b), 1);
    check_list(b, UINT64_MAX, 3, texts, posteriors);
    feed_certain(b, 8, "jklm");
    static const char *const longer[] = {"acdefghijklm", "bcdefghijklm", "cdefghijklm"};
    check_list(b, UINT64_MAX, 3, longer, posteriors);
    check_list(b, 8, 3, texts, posteriors);
    /* What is cut off is no longer in doubt. */
    beam_cut(b, 1, 1);
    search_token room[ALTERNATIVES_VARIED * LENGTH];
    search_hypothesis list[8];
    ck_assert_uint_eq(alternatives_list(b, UINT64_MAX, room, LENGTH, 8, list), 1);
    ck_assert_str_eq(letters_of(&list[0]), "cdefghijklm");
    beam_destroy(b);
}
END_TEST

/* Doubt at two places: each variation has the share that it has of its place. */
START_TEST(places_are_independent)
{
    static const char *const texts[] = {
        "acdefghijklmno", "acdefghbjklmno", "bcdefghijklmno", "cdefghijklmno"};
    static const double posteriors[] = {1, 0.4, 0.3, 0.1};
    beam *b = new_beam(8);
    feed(b, 0, "ab.", (double[]){0.6, 0.3, 0.1});
    feed_certain(b, 1, "cdefgh");
    feed(b, 7, "ib", (double[]){0.6, 0.4});
    feed_certain(b, 8, "jklmno");
    ck_assert_uint_eq(beam_count(b), 2);
    feed_certain(b, 14, ".p");
    ck_assert_uint_eq(beam_count(b), 1);
    search_token room[ALTERNATIVES_VARIED * LENGTH];
    search_hypothesis list[8];
    ck_assert_uint_eq(alternatives_list(b, 15, room, LENGTH, 8, list), 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(letters_of(&list[i]), texts[i]);
        ck_assert_double_eq_tol((double)list[i].posterior, posteriors[i], 1e-6);
    }
    beam_destroy(b);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("merging");
    tcase_add_test(tcase, one_of_each_ending);
    tcase_add_test(tcase, margin_and_width);
    tcase_add_test(tcase, where_texts_differ);
    tcase_add_test(tcase, lists_share_their_ends);
    tcase_add_test(tcase, merged_by_their_ending);
    tcase_add_test(tcase, places_are_independent);
    Suite *suite = suite_create("merging");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
