/* The segments of a search: where they end, what is cut, what goes on from one to the next, and the
 * running one. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "listener.h"
#include "plain_decoder.h"
#include "support/suite.h"

/* --- Segments --- */

START_TEST(segments_at_pauses)
{
    listener l;
    search_options options = fixture_options();
    listener_check(&options, "..a.b.....c.d......", "ab|cd|", &l);
    /* The 4th blank after the token ends the segment, and the next one begins there. */
    ck_assert_ptr_nonnull(strstr(l.log, "segment to 9\n"));
    ck_assert_ptr_nonnull(strstr(l.log, "segment to 17\n"));
    /* Blanks of either probability count, three are not enough. */
    listener_check(&options, "a...b,,,c.,,.d", "abc|d|", &l);
    listener_check(&options, "aaa...bb", "ab|", &l);
    options.attention_weight = 0;
    listener_check(&options, "..a.b.....c.d......", "ab|cd|", &l);
}
END_TEST

/* Pauses are given in encodings, of two frames here, and end at any frame. */
START_TEST(segments_of_several_frames)
{
    listener l;
    search_options options = fixture_options();
    options.segment_blanks = 2;
    listener_check_frames(2, &options, "..a.b.....c.d.......", "ab|cd|", &l);
    ck_assert_ptr_nonnull(strstr(l.log, "segment to 9\n"));
    ck_assert_ptr_nonnull(strstr(l.log, "segment to 17\n"));
    listener_check_frames(
        2, &options, "ab...a,,,abb", "abaab|", &l); /* both frames of an encoding */
    options.attention_weight = 0;
    listener_check_frames(2, &options, "..a.b.....c.d.......", "ab|cd|", &l);
}
END_TEST

/* The scores in a log, in order, after the n-th "segment". */
static size_t scores_of_segment(const listener *l, size_t segment, double *out)
{
    size_t seen = 0, count = 0;
    for (const char *line = l->log; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "segment", 7) == 0)
            seen++;
        else if (seen == segment)
            out[count++] = strtod(line, NULL);
    }
    return count;
}

/* What is decoded after a pause is what a new stream would say to it, to the last bit: attention
 * does not see past the pause. */
START_TEST(segments_start_afresh)
{
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options();
    listener all = {.length = 0}, second = {.length = 0};
    search *s = listener_search(&f, &options, &all), *t = listener_search(&f, &options, &second);
    static const char script[] = "aB....cD.AeF";
    float *encodings = fixture_encodings(script, 21);
    listener_advance(&f, s, encodings, sizeof script - 1, true);
    listener_advance(&f, t, encodings + 6 * FIXTURE_DIMENSION, sizeof script - 1 - 6, true);
    ck_assert_ptr_nonnull(strstr(all.log, "segment to 6\n"));
    ck_assert_uint_eq(all.segments, 2);
    ck_assert_uint_eq(second.segments, 1);
    double scores[2][SEARCH_MAX_BEAM];
    size_t count = scores_of_segment(&all, 2, scores[0]);
    ck_assert_uint_ge(count, 2);
    ck_assert_uint_eq(scores_of_segment(&second, 1, scores[1]), count);
    ck_assert_mem_eq(scores[0], scores[1], count * sizeof(double));
    free(encodings);
    search_destroy(s);
    search_destroy(t);
    fixture_close(&f);
}
END_TEST

START_TEST(nothing_said)
{
    listener l;
    search_options options = fixture_options();
    listener_check(&options, "", "", &l);
    listener_check(&options, ".", "", &l);
    listener_check(&options, ",,,,,,,,,,", "", &l);
    char silence[600];
    memset(silence, '.', sizeof silence - 1);
    silence[sizeof silence - 1] = '\0';
    listener_check(&options, silence, "", &l);
    /* Speech right after segment_max encodings of silence, and across its border. */
    memcpy(silence + 60, "abc", 3);
    memcpy(silence + 178, "defg", 4);
    listener_check(&options, silence, "abc|defg|", &l);
    ck_assert_uint_eq(l.segments, 2);
}
END_TEST

START_TEST(finish_waives_look_ahead)
{
    listener l;
    search_options options = fixture_options();
    listener_check(&options, "a", "a|", &l);
    listener_check(&options, "ab", "ab|", &l);
    listener_check(&options, "....abc", "abc|", &l);
    fixture f;
    fixture_open(&f);
    l = (listener){.length = 0};
    search *s = listener_search(&f, &options, &l);
    listener_decode(&f, s, "ab", 3, false);
    ck_assert_uint_eq(search_position(s), 0);
    search_hypothesis h;
    ck_assert_uint_eq(search_hypotheses(s, 1, &h), 1);
    ck_assert_uint_eq(h.token_count, 0);
    listener_decode(&f, s, "c", 4, false);
    ck_assert_uint_eq(search_position(s), 1);
    listener_decode(&f, s, "", 4, true);
    ck_assert_str_eq(l.text, "abc|");
    listener_decode(&f, s, "", 4, true);
    ck_assert_str_eq(l.text, "abc|");
    /* And after a flush it goes on. */
    listener_decode(&f, s, ".de", 4, true);
    ck_assert_str_eq(l.text, "abc|de|");
    ck_assert_uint_eq(l.last_frame, 5);
    search_destroy(s);
    fixture_close(&f);
}
END_TEST

/* Removes '|'. */
static void join(const char *text, char *out)
{
    for (; *text; text++)
        if (*text != '|')
            *out++ = *text;
    *out = '\0';
}

/* Speech without a pause: every segment is cut in its longest run of blanks, and the tokens are
 * those of the same speech in one segment. */
START_TEST(cut_loses_nothing)
{
    static const char script[] =
        "a.b..c.d.e.f..g.h.ij.k.a..b.c.d..e.f.g.hi..j.k.a.b.c.d.e..fgh.ijk"
        "ab.cd.ef.gh..ij.ka.b...c.de.fg..hi.j.kk.a.a.b.b.cc.dd.e..e.fghij.";
    listener whole, cut;
    char whole_text[1024], cut_text[1024];
    search_options options = fixture_options();
    options.segment_max = 200;
    listener_check(&options, script,
        "abcdefghijkabcdefghijkabcdefghijkabcdefghijkabcdefghijkaabbcd"
        "eefghij|",
        &whole);
    join(whole.text, whole_text);
    static const size_t sizes[] = {4, 5, 7, 10, 16, 33, 60};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        options.segment_max = sizes[i];
        options.attention_weight = _i ? 0.3f : 0;
        fixture f;
        fixture_open(&f);
        cut = (listener){.length = 0};
        search *s = listener_search(&f, &options, &cut);
        listener_decode(&f, s, script, 3, true);
        join(cut.text, cut_text);
        ck_assert_str_eq(cut_text, whole_text);
        ck_assert_uint_le(cut.longest, sizes[i]);
        ck_assert_uint_ge(cut.segments, sizeof script / sizes[i]);
        search_destroy(s);
        fixture_close(&f);
    }
}
END_TEST

/* Behind a cut the prefixes go on as if there had been none: their scores keep their distances. */
START_TEST(cut_keeps_scores)
{
    static const char script[] = "a.b.cd..e.f...Gh.iJ.kA";
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options();
    options.beam = 16;
    listener whole = {.length = 0}, cut = {.length = 0};
    search *s = listener_search(&f, &options, &whole);
    options.segment_max = 15; /* up to 'G', so that the pause is still in the window at 'h' */
    search *t = listener_search(&f, &options, &cut);
    listener_decode(&f, s, script, 14, false);
    listener_decode(&f, t, script, 14, false);
    ck_assert_str_eq(whole.text, "");
    ck_assert_str_eq(cut.text, "abcdef|");
    search_hypothesis all[SEARCH_MAX_BEAM], rest[SEARCH_MAX_BEAM];
    size_t all_count = search_hypotheses(s, SEARCH_MAX_BEAM, all);
    size_t rest_count = search_hypotheses(t, SEARCH_MAX_BEAM, rest), met = 0;
    for (size_t i = 0; i < rest_count; i++)
        for (size_t k = 0; k < all_count; k++) {
            bool same = all[k].token_count == 6 + rest[i].token_count;
            for (size_t n = 0; same && n < all[k].token_count; n++)
                same = all[k].tokens[n].token == (n < 6 ? n + 1 : rest[i].tokens[n - 6].token);
            if (!same)
                continue;
            met++;
            /* The same sums but for where they begin; scores are given as floats. */
            ck_assert_float_eq_tol(
                rest[i].score - rest[0].score, all[k].score - all[0].score, 1e-5f);
        }
    ck_assert_uint_ge(met, 4);
    search_destroy(s);
    search_destroy(t);
    fixture_close(&f);
}
END_TEST

/* A token at every encoding, in segments of one, two and three encodings. */
START_TEST(cut_without_blanks)
{
    for (size_t size = 1; size < 4; size++) {
        listener l;
        search_options options = fixture_options();
        options.segment_max = size;
        options.segment_blanks = 1;
        listener_check(&options, "abcdefghijkabcdefghijk",
            size == 1   ? "a|b|c|d|e|f|g|h|i|j|k|a|b|c|d|e|f|g|h|i|j|k|"
            : size == 2 ? "a|b|c|d|e|f|g|h|i|j|k|a|b|c|d|e|f|g|h|i|j|k|"
                        : "ab|cd|ef|gh|ij|ka|bc|de|fg|hi|jk|",
            &l);
    }
}
END_TEST

START_TEST(cut_takes_the_best_pause)
{
    listener l;
    search_options options = fixture_options();
    options.segment_max = 20;
    /* The last of two equal pauses; the cut is in its middle. */
    listener_check(&options, "a...b.c...d.e.f..g.h.ij", "abc|defghij|", &l);
    ck_assert_ptr_nonnull(strstr(l.log, "segment to 9\n"));
    /* Silence before speech is a pause too: nothing is reported there. */
    listener_check(&options, "...........a.bc.def..ghi", "abcdefghi|", &l);
    /* The pause at the end only if it is the longest. */
    listener_check(&options, "a.b.c.d.e.f.g.h.ab...c", "abcdefghab|c|", &l);
    listener_check(&options, "a.b.c.d...ef.gh.abc...c", "abcd|efghabcc|", &l);
}
END_TEST

/* --- The language model over segments --- */

/* The language model goes on from what was reported: the second segment scores as the plain search
 * does with that history, and otherwise than it would at a stream's start. */
START_TEST(lm_knows_the_segment_before)
{
    static const char script[] = "aB....cD.AeF";
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options_lm(&f, 1);
    options.token_threshold = 0.02f;
    plain *p = plain_create(&f.config, f.weights);
    plain_prefix *expected = calloc(PLAIN_MAX_PREFIXES, sizeof *expected);
    float *encodings = fixture_encodings(script, 21);
    listener l = {.length = 0};
    search *s = listener_search(&f, &options, &l);
    listener_advance(&f, s, encodings, sizeof script - 1, true);
    plain_lm lm = {.trie = f.trie, .length = 1};
    for (const char *letter = l.text; *letter != '|'; letter++)
        lm.history[lm.length++] = (uint32_t)(*letter - 'a' + 1);
    ck_assert_uint_ge(lm.length, 2);
    size_t end = (size_t)strtoul(strstr(l.log, "segment to ") + strlen("segment to "), NULL, 10);
    double scores[SEARCH_MAX_BEAM];
    size_t count = scores_of_segment(&l, 2, scores);
    ck_assert_uint_ge(count, 2);
    ck_assert_uint_eq(plain_search(p, &options, &lm, encodings + end * FIXTURE_DIMENSION,
                          sizeof script - 1 - end, expected),
        count);
    for (size_t i = 0; i < count; i++)
        ck_assert_double_eq_tol(scores[i], expected[i].score, LISTENER_TOLERANCE);
    lm.length = 1;
    plain_search(
        p, &options, &lm, encodings + end * FIXTURE_DIMENSION, sizeof script - 1 - end, expected);
    ck_assert_double_gt(fabs(scores[0] - expected[0].score), 100 * LISTENER_TOLERANCE);
    free(encodings);
    free(expected);
    search_destroy(s);
    plain_destroy(p);
    fixture_close(&f);
}
END_TEST

/* --- The running segment --- */

START_TEST(running_segment)
{
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options();
    listener l = {.length = 0};
    search *s = listener_search(&f, &options, &l);
    ck_assert_uint_eq(search_stable(s), 0);
    listener_decode(&f, s, "......", 3, false);
    ck_assert_uint_eq(search_position(s), 4);
    ck_assert_uint_eq(search_trailing(s), 4);
    listener_decode(&f, s, "a.b..Ck", 3, false);
    /* Decoded up to 'b', '.', '.': encodings 0 .. 10. */
    ck_assert_uint_eq(search_position(s), 11);
    ck_assert_uint_eq(search_trailing(s), 2);
    search_hypothesis h[SEARCH_MAX_BEAM];
    size_t count = search_hypotheses(s, SEARCH_MAX_BEAM, h);
    ck_assert_uint_ge(count, 2);
    ck_assert_uint_le(count, options.beam);
    ck_assert_uint_eq(h[0].token_count, 2);
    ck_assert_uint_eq(h[0].tokens[0].frame, 6);
    ck_assert_uint_eq(h[0].tokens[1].frame, 8);
    ck_assert_uint_eq(search_hypotheses(s, 1, h), 1);
    count = search_hypotheses(s, SEARCH_MAX_BEAM, h);
    double posteriors = 0;
    size_t stable = search_stable(s);
    ck_assert_uint_le(stable, h[0].token_count);
    for (size_t i = 0; i < count; i++) {
        posteriors += (double)h[i].posterior;
        ck_assert(i == 0 || h[i].score <= h[i - 1].score);
        ck_assert_uint_ge(h[i].token_count, stable);
        for (size_t k = 0; k < stable; k++)
            ck_assert_uint_eq(h[i].tokens[k].token, h[0].tokens[k].token);
    }
    ck_assert_double_eq_tol(posteriors, 1, 1e-5);
    listener_decode(&f, s, ".......", 3, false);
    ck_assert_uint_eq(l.segments, 1);
    /* 'k' was encoding 12; the last two of 20 wait. */
    ck_assert_uint_eq(search_position(s), 18);
    ck_assert_uint_eq(search_trailing(s), 5);
    ck_assert_uint_eq(search_stable(s), 0);
    search_destroy(s);
    fixture_close(&f);
}
END_TEST

/* One hypothesis is all stable. */
START_TEST(stable_alone)
{
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options();
    options.beam = 1;
    listener l = {.length = 0};
    search *s = listener_search(&f, &options, &l);
    listener_decode(&f, s, "a.b.cd..", 3, false);
    ck_assert_uint_eq(search_stable(s), 4);
    search_destroy(s);
    fixture_close(&f);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("search_segments");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, lm_knows_the_segment_before);
    tcase_add_test(tcase, segments_at_pauses);
    tcase_add_test(tcase, segments_of_several_frames);
    tcase_add_test(tcase, segments_start_afresh);
    tcase_add_test(tcase, nothing_said);
    tcase_add_test(tcase, finish_waives_look_ahead);
    tcase_add_loop_test(tcase, cut_loses_nothing, 0, 2);
    tcase_add_test(tcase, cut_keeps_scores);
    tcase_add_test(tcase, cut_without_blanks);
    tcase_add_test(tcase, cut_takes_the_best_pause);
    tcase_add_test(tcase, running_segment);
    tcase_add_test(tcase, stable_alone);
    Suite *suite = suite_create("search_segments");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
