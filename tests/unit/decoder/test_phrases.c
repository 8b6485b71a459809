/* Phrases: the automaton against a plain reading of its formula, and what it does to a search. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decoder/beam.h"
#include "decoder/phrases.h"
#include "fixture.h"
#include "support/suite.h"

/* Tokens 1..11, for the fixture's 'a'..'k'. */
static const char token_list[] = "[\"▁new\", \"▁knew\", \"▁york\", \"▁n\", \"e\", \"w\", "
                                 "\"▁yo\", \"rk\", \"▁\", \"s\", \"▁a\"]";

enum { NEW = 1, KNEW, YORK, N, E, W, YO, RK, MARK, S, A };

static vocabulary *tokens;

static void setup(void)
{
    steno_error error;
    ck_assert_int_eq(vocabulary_create(token_list, FIXTURE_TOKENS, &tokens, &error), STENO_OK);
}

static void teardown(void)
{
    vocabulary_destroy(tokens);
}

static phrases *new_phrases(const steno_phrase *list, size_t count)
{
    phrases *p = NULL;
    steno_error error = {0};
    ck_assert_msg(phrases_create(tokens, list, count, &p, &error) == STENO_OK, "%s", error.message);
    return p;
}

/* Credit after these tokens (up to a 0), and if they are all. */
static double credit_of(const phrases *p, const uint32_t *text, double *out_end)
{
    phrase_state state = {0};
    for (size_t i = 0; text[i]; i++)
        state = phrases_step(p, state, text[i], i == 0);
    if (out_end)
        *out_end = phrases_end_credit(p, state);
    return phrases_credit(p, state);
}

#define TOKENS(...) ((const uint32_t[]){__VA_ARGS__, 0})

/* All numbers here are sums of a few doubles. */
static const double EXACT = 1e-12;

START_TEST(credit_by_hand)
{
    phrases *p = new_phrases((steno_phrase[]){{"new york", 8}, {"york s", 6}}, 2);
    double end;
    /* "new york" has 8 characters, "york s" 6. */
    ck_assert_double_eq_tol(credit_of(p, TOKENS(NEW), &end), 3, EXACT);
    ck_assert_double_eq_tol(end, 0, EXACT);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(N), NULL), 1, EXACT);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(NEW, YO), NULL), 6, EXACT);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(NEW, YORK), &end), 8, EXACT);
    ck_assert_double_eq_tol(end, 8, EXACT);
    /* Broken off: another word, a longer word. */
    ck_assert_double_eq_tol(credit_of(p, TOKENS(NEW, A), &end), 0, EXACT);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(NEW, YORK, S), &end), 0, EXACT);
    ck_assert_double_eq_tol(end, 0, EXACT);
    /* Not at a word's beginning. */
    ck_assert_double_eq_tol(credit_of(p, TOKENS(KNEW, YORK), NULL), 4, EXACT);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(KNEW, A), NULL), 0, EXACT);
    /* Complete for good, and the second begun within the first. */
    ck_assert_double_eq_tol(credit_of(p, TOKENS(NEW, YORK, A), NULL), 8, EXACT);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(NEW, YORK, MARK), &end), 8 + 5, EXACT);
    ck_assert_double_eq_tol(end, 8, EXACT);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(NEW, YORK, MARK, S), &end), 8 + 6, EXACT);
    ck_assert_double_eq_tol(end, 14, EXACT);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(NEW, YORK, NEW, YORK, A), NULL), 16, EXACT);
    /* The first token begins a word also without its mark. */
    ck_assert_double_eq_tol(credit_of(p, TOKENS(E), NULL), 0, EXACT);
    phrases_destroy(p);
    p = new_phrases((steno_phrase[]){{"ew", 3}}, 1);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(E, W), &end), 3, EXACT);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(N, E, W), &end), 0, EXACT);
    phrases_destroy(p);
}
END_TEST

START_TEST(any_spelling)
{
    phrases *p = new_phrases((steno_phrase[]){{"new york", 5}}, 1);
    const uint32_t *spellings[] = {TOKENS(NEW, YORK), TOKENS(N, E, W, YO, RK),
        TOKENS(MARK, NEW, MARK, YORK), TOKENS(N, E, W, YORK), TOKENS(NEW, YO, RK)};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        double end, expected = i == 2 ? 0 : 5; /* two spaces are spelled by no phrase */
        credit_of(p, spellings[i], &end);
        ck_assert_msg(fabs(end - expected) < EXACT, "spelling %zu: %g", i, end);
    }
    phrases_destroy(p);
}
END_TEST

START_TEST(texts_are_normalised)
{
    static const char *const same[] = {"new york", "New York", "  NEW\tYORK\n", "new-york!",
        "\"New\" (York)", "new\xe2\x80\x94york"};
    double end;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        phrases *p = new_phrases(&(steno_phrase){same[i], 6}, 1);
        credit_of(p, TOKENS(NEW, YORK), &end);
        ck_assert_msg(fabs(end - 6) < EXACT, "\"%s\": %g", same[i], end);
        phrases_destroy(p);
    }
    vocabulary *other;
    ck_assert_int_eq(vocabulary_create("[\"▁d'é\", \"ß𝄞\"]", 3, &other, NULL), STENO_OK);
    phrases *p;
    ck_assert_int_eq(
        phrases_create(other, &(steno_phrase){"D\xe2\x80\x99Éß𝄞", 5}, 1, &p, NULL), STENO_OK);
    /* "d'éß𝄞": 3 of 5 characters, 4 bytes of 10. */
    ck_assert_double_eq_tol(credit_of(p, TOKENS(1), NULL), 3, EXACT);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(1, 2), &end), 5, EXACT);
    ck_assert_double_eq_tol(end, 5, EXACT);
    phrases_destroy(p);
    vocabulary_destroy(other);
}
END_TEST

START_TEST(repeated_and_idle_phrases)
{
    phrases *p = new_phrases(
        (steno_phrase[]){{"new", 3}, {"New!", 5}, {"new", 1}, {"", 9}, {"...", 9}, {"a", 0}}, 6);
    double end;
    credit_of(p, TOKENS(NEW), &end);
    ck_assert_double_eq_tol(end, 5, EXACT);
    credit_of(p, TOKENS(A), &end);
    ck_assert_double_eq_tol(end, 0, EXACT);
    ck_assert_double_eq_tol(phrases_largest(p), 5, EXACT);
    phrases_destroy(p);
    p = new_phrases(NULL, 0);
    ck_assert_double_eq_tol(credit_of(p, TOKENS(NEW, YORK), NULL), 0, EXACT);
    phrases_destroy(p);
}
END_TEST

/* --- Against the formula, read plainly --- */

/* text begins with a space.  As the header says it, phrase by phrase and place by place. */
static double plain_credit(
    const char *text, char list[][16], const double *boosts, size_t count, double *out_end)
{
    double kept = 0, ending = 0, under_way = 0;
    size_t length = strlen(text);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(list[i]);
        for (size_t at = 0; at < length; at++) {
            size_t left = length - at;
            if (left > size && memcmp(text + at, list[i], size) == 0 && text[at + size] == ' ')
                kept += boosts[i];
            if (left == size && memcmp(text + at, list[i], size) == 0)
                ending += boosts[i];
            if (left <= size && memcmp(text + at, list[i], left) == 0)
                under_way = fmax(under_way, boosts[i] * (double)(left - 1) / (double)(size - 1));
        }
    }
    *out_end = kept + ending;
    return kept + fmax(under_way, ending);
}

static uint32_t random_number(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

START_TEST(random_texts)
{
    enum { PHRASES = 6, LENGTH = 60 };
    vocabulary *letters;
    ck_assert_int_eq(
        vocabulary_create("[\"▁\", \"a\", \"b\", \"▁a\", \"ab\", \"a▁b\"]", 7, &letters, NULL),
        STENO_OK);
    uint32_t seed = (uint32_t)_i + 1;
    char list[PHRASES][16];
    double boosts[PHRASES];
    steno_phrase given[PHRASES];
    size_t count = 0;
    while (count < PHRASES) {
        char *text = list[count];
        size_t words = 1 + random_number(&seed) % 3, size = 0;
        while (words-- > 0) {
            text[size++] = ' ';
            for (size_t n = 1 + random_number(&seed) % 3; n > 0; n--)
                text[size++] = "ab"[random_number(&seed) % 2];
        }
        text[size] = 0;
        boosts[count] = 1 + (double)(random_number(&seed) % 10);
        given[count] = (steno_phrase){text, (float)boosts[count]};
        size_t same = 0;
        while (strcmp(list[same], text) != 0)
            same++;
        count += same == count;
    }
    phrases *p;
    ck_assert_int_eq(phrases_create(letters, given, PHRASES, &p, NULL), STENO_OK);
    char text[4 * LENGTH] = " ";
    phrase_state state = {0};
    for (int i = 0; i < LENGTH; i++) {
        uint32_t token = 1 + random_number(&seed) % 6;
        if (i == 0 && vocabulary_text(letters, token)[0] == ' ')
            text[0] = 0;
        strcat(text, vocabulary_text(letters, token));
        state = phrases_step(p, state, token, i == 0);
        double end, expected = plain_credit(text, list, boosts, PHRASES, &end);
        ck_assert_msg(fabs(phrases_credit(p, state) - expected) < 1e-9, "\"%s\": %g, plain %g",
            text, phrases_credit(p, state), expected);
        ck_assert_double_eq_tol(phrases_end_credit(p, state), end, 1e-9);
    }
    phrases_destroy(p);
    vocabulary_destroy(letters);
}
END_TEST

/* --- Limits --- */

static void check_refused(
    const steno_phrase *list, size_t count, steno_status status, const char *reason)
{
    phrases *p = NULL;
    steno_error error = {0};
    size_t alive = memory_alive();
    ck_assert_msg(phrases_create(tokens, list, count, &p, &error) == status, "%s", reason);
    ck_assert_msg(strstr(error.message, reason), "%s: %s", reason, error.message);
    ck_assert_ptr_null(p);
    ck_assert_uint_eq(memory_alive(), alive);
}

START_TEST(limits)
{
    static steno_phrase list[STENO_PHRASES_MAX + 1];
    char longest[2 * STENO_PHRASE_MAX_CHARACTERS + 3] = "";
    for (size_t i = 0; i < STENO_PHRASE_MAX_CHARACTERS; i++)
        strcat(longest, "é");
    for (size_t i = 0; i < STENO_PHRASES_MAX + 1; i++)
        list[i] = (steno_phrase){"a", 20};
    phrases_destroy(new_phrases(list, STENO_PHRASES_MAX));
    check_refused(list, STENO_PHRASES_MAX + 1, STENO_ERROR_LIMIT, "501");
    for (size_t i = 0; i < 200; i++)
        list[i].text = longest;
    phrases_destroy(new_phrases(list, 200));
    check_refused(list, 201, STENO_ERROR_LIMIT, "20000");
    strcat(longest, "e");
    check_refused(list, 1, STENO_ERROR_LIMIT, "phrase 1: longer than 100");

    static const char *const bad[] = {"\x80", "\xc3", "a\xe2\x80", "\xff", "\xc0\x80",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x80\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused((steno_phrase[]){{"a", 1}, {bad[i], 1}}, 2, STENO_ERROR_ARGUMENT,
            "phrase 2: not UTF-8");
    check_refused(&(steno_phrase){NULL, 1}, 1, STENO_ERROR_ARGUMENT, "no text");
    check_refused(&(steno_phrase){"a", -1}, 1, STENO_ERROR_ARGUMENT, "boost -1");
    check_refused(&(steno_phrase){"a", 20.5f}, 1, STENO_ERROR_ARGUMENT, "boost 20.5");
    check_refused(&(steno_phrase){"a", NAN}, 1, STENO_ERROR_ARGUMENT, "boost");
}
END_TEST

START_TEST(allocations_that_fail)
{
    for (uint64_t failing = 1;; failing++) {
        phrases *p = NULL;
        size_t alive = memory_alive();
        memory_fail_at(memory_attempts() + failing);
        steno_status status = phrases_create(tokens, &(steno_phrase){"new", 1}, 1, &p, NULL);
        memory_fail_at(0);
        phrases_destroy(p);
        ck_assert_uint_eq(memory_alive(), alive);
        if (status == STENO_OK) {
            ck_assert_uint_gt(failing, 3);
            break;
        }
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
    }
}
END_TEST

/* --- In a beam --- */

static beam *new_beam(const phrases *p)
{
    beam *b = NULL;
    ck_assert_int_eq(beam_create(&(beam_options){.width = 8,
                                     .tokens = FIXTURE_TOKENS,
                                     .max_length = 40,
                                     .ctc_weight = 1,
                                     .margin = 40,
                                     .phrases = p},
                         &b, NULL),
        STENO_OK);
    return b;
}

/* One encoding at which token x has probability px, y has py, the others next to none and blank
 * what is left. */
static void hear(beam *b, uint64_t encoding, uint32_t x, double px, uint32_t y, double py)
{
    const double others = 1e-6;
    float ctc[FIXTURE_TOKENS];
    for (uint32_t i = 1; i < FIXTURE_TOKENS; i++)
        ctc[i] = (float)log(i == x ? px : i == y ? py : others);
    ctc[0] = (float)log(1 - px - py - others * FIXTURE_TOKENS);
    beam_propose(b, ctc, encoding);
    beam_commit(b);
}

static void check_best(const beam *b, const uint32_t *expected)
{
    const hypothesis *best = beam_get(b, 0);
    size_t count = 0;
    while (expected[count])
        count++;
    ck_assert_uint_eq(best->length, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(best->tokens[i].token, expected[i]);
}

START_TEST(an_unseen_spelling_wins_only_with_a_boost)
{
    /* "knew" is heard a hundred times as clearly as "new", which here is spelled n-e-w. */
    for (int boosted = 0; boosted < 2; boosted++) {
        phrases *p = new_phrases(&(steno_phrase){"new", boosted ? 8 : 0}, 1);
        beam *b = new_beam(p);
        hear(b, 0, KNEW, 0.9, N, 0.009);
        hear(b, 1, 0, 0, E, 0.6);
        hear(b, 2, 0, 0, W, 0.6);
        hear(b, 3, A, 0.8, S, 0.01);
        beam_end(b);
        check_best(b, boosted ? TOKENS(N, E, W, A) : TOKENS(KNEW, E, W, A));
        beam_destroy(b);
        phrases_destroy(p);
    }
}
END_TEST

START_TEST(credit_is_taken_back)
{
    /* The phrase begins well, and then another word comes. */
    phrases *p = new_phrases(&(steno_phrase){"new york", 8}, 1);
    beam *with = new_beam(p), *without = new_beam(NULL);
    for (int i = 0; i < 2; i++) {
        beam *b = i ? with : without;
        hear(b, 0, KNEW, 0.6, NEW, 0.3);
        check_best(b, i ? TOKENS(NEW) : TOKENS(KNEW));
        hear(b, 1, A, 0.9, 0, 0);
        hear(b, 2, S, 0.9, 0, 0);
        check_best(b, TOKENS(KNEW, A, S));
    }
    ck_assert_double_eq_tol(beam_get(with, 0)->score, beam_get(without, 0)->score, 1e-9);
    /* What ends under way is taken back at the end. */
    for (int i = 0; i < 2; i++) {
        beam *b = i ? with : without;
        beam_restart(b);
        hear(b, 0, KNEW, 0.6, NEW, 0.3);
        beam_end(b);
        check_best(b, TOKENS(KNEW));
    }
    ck_assert_double_eq_tol(beam_get(with, 0)->score, beam_get(without, 0)->score, 1e-9);
    beam_destroy(with);
    beam_destroy(without);
    phrases_destroy(p);
}
END_TEST

START_TEST(a_cut_keeps_what_is_under_way)
{
    phrases *p = new_phrases(&(steno_phrase){"new york", 8}, 1);
    beam *b = new_beam(p);
    hear(b, 0, A, 0.9, 0, 0);
    hear(b, 1, NEW, 0.9, 0, 0);
    hear(b, 2, 0, 0, 0, 0);
    hear(b, 3, NEW, 0.3, KNEW, 0.5);
    check_best(b, TOKENS(A, NEW, NEW));
    beam_cut(b, 2, 3);
    ck_assert_uint_eq(beam_get(b, 0)->length, 1);
    double before = beam_get(b, 0)->credit;
    ck_assert_double_eq_tol(before, 8 * 3 / 8.0, EXACT);
    hear(b, 4, YO, 0.5, A, 0.1);
    hear(b, 5, RK, 0.5, A, 0.1);
    check_best(b, TOKENS(NEW, YO, RK));
    ck_assert_double_eq_tol(beam_get(b, 0)->credit, 8, EXACT);
    beam_destroy(b);
    phrases_destroy(p);
}
END_TEST

/* --- In a search --- */

typedef struct listener {
    char log[16384];
    size_t length;
    char text[256];
} listener;

static void listen(
    void *context, const search_hypothesis *hypotheses, size_t count, uint64_t end_frame)
{
    listener *l = context;
    for (size_t i = 0; i < hypotheses[0].token_count; i++)
        strcat(l->text, vocabulary_text(tokens, hypotheses[0].tokens[i].token));
    strcat(l->text, "|");
    for (size_t i = 0; i < count; i++) {
        l->length += (size_t)snprintf(l->log + l->length, sizeof l->log - l->length,
            "%llu %a %a:", (unsigned long long)end_frame, (double)hypotheses[i].score,
            (double)hypotheses[i].posterior);
        for (size_t k = 0; k < hypotheses[i].token_count; k++)
            l->length += (size_t)snprintf(l->log + l->length, sizeof l->log - l->length, " %u@%llu",
                hypotheses[i].tokens[k].token, (unsigned long long)hypotheses[i].tokens[k].frame);
        ck_assert_uint_lt(l->length, sizeof l->log - 1000);
    }
}

static void search_script(const char *script, const phrases *p, size_t piece, listener *l)
{
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options();
    options.phrases = p;
    *l = (listener){.length = 0};
    search *s = NULL;
    ck_assert_int_eq(
        search_create(f.decoder, &options, (search_sink){listen, l}, &s, NULL), STENO_OK);
    float *encodings = fixture_encodings(script, 3);
    size_t count = strlen(script);
    for (size_t done = 0; done < count; done += piece) {
        size_t rows = piece < count - done ? piece : count - done;
        decoder_item item = {s, encodings + done * FIXTURE_DIMENSION, rows, done + rows == count};
        decoder_advance(f.decoder, f.scratch, &item, 1);
    }
    free(encodings);
    search_destroy(s);
    fixture_close(&f);
}

/* new knew | knew york | n-e-w | ...: with what is less sure in capitals. */
static const char script[] = ",,a,B,,,,,,B,c,,,,,,d,E,f,,,,,k,a,,,,g,h,,,,,,b";

START_TEST(no_boost_changes_nothing)
{
    listener plain, idle;
    phrases *p = new_phrases((steno_phrase[]){{"new york", 0}, {"york", 0}}, 2);
    search_script(script, NULL, sizeof script, &plain);
    search_script(script, p, sizeof script, &idle);
    ck_assert_str_eq(plain.log, idle.log);
    ck_assert_uint_gt(plain.length, 100);
    phrases_destroy(p);
    /* Nor do phrases that are never said, to the words. */
    p = new_phrases((steno_phrase[]){{"quartz", 10}}, 1);
    search_script(script, p, sizeof script, &idle);
    ck_assert_str_eq(plain.text, idle.text);
    phrases_destroy(p);
}
END_TEST

START_TEST(segments_and_chunks)
{
    listener plain, boosted, pieces;
    phrases *p = new_phrases((steno_phrase[]){{"new york", 7}}, 1);
    search_script(script, NULL, sizeof script, &plain);
    search_script(script, p, sizeof script, &boosted);
    ck_assert_ptr_nonnull(strstr(plain.text, " knew york|"));
    ck_assert_ptr_nonnull(strstr(boosted.text, " new york|"));
    ck_assert_ptr_null(strstr(boosted.text, " knew york|"));
    /* Each segment begins anew. */
    size_t segments = 0;
    for (const char *c = plain.text; (c = strchr(c, '|')); c++)
        segments++;
    for (const char *c = boosted.text; (c = strchr(c, '|')); c++)
        segments--;
    ck_assert_uint_eq(segments, 0);
    for (size_t piece = 1; piece < 12; piece += 5) {
        search_script(script, p, piece, &pieces);
        ck_assert_str_eq(boosted.log, pieces.log);
    }
    phrases_destroy(p);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("phrases");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, credit_by_hand);
    tcase_add_test(tcase, any_spelling);
    tcase_add_test(tcase, texts_are_normalised);
    tcase_add_test(tcase, repeated_and_idle_phrases);
    tcase_add_loop_test(tcase, random_texts, 0, 40);
    tcase_add_test(tcase, limits);
    tcase_add_test(tcase, allocations_that_fail);
    tcase_add_test(tcase, an_unseen_spelling_wins_only_with_a_boost);
    tcase_add_test(tcase, credit_is_taken_back);
    tcase_add_test(tcase, a_cut_keeps_what_is_under_way);
    tcase_add_test(tcase, no_boost_changes_nothing);
    tcase_add_test(tcase, segments_and_chunks);
    Suite *suite = suite_create("phrases");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
