/* Whole searches: against the plain one, in any cutting and company, and their segments. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decoder/search.h"
#include "fixture.h"
#include "plain_decoder.h"

/* --- A search with a log of all it says --- */

typedef struct listener {
    char log[16384]; /* every segment in full, to the last bit */
    size_t length;
    char text[1024]; /* tokens of the best hypotheses as letters, a '|' after each segment */
    size_t segments;
    uint64_t last_frame; /* of the last token */
    uint64_t longest;    /* frames of a segment from its first token on */
} listener;

static void append(listener *l, const char *text)
{
    ck_assert_uint_lt(strlen(l->text) + strlen(text), sizeof l->text);
    strcat(l->text, text);
}

static void listen_hypothesis(listener *l, const search_hypothesis *h)
{
    l->length += (size_t)snprintf(l->log + l->length, sizeof l->log - l->length, "%a %a",
        (double)h->score, (double)h->posterior);
    for (size_t i = 0; i < h->token_count; i++) {
        const search_token *t = &h->tokens[i];
        l->length += (size_t)snprintf(l->log + l->length, sizeof l->log - l->length, " %u@%llu:%a",
            t->token, (unsigned long long)t->frame, (double)t->probability);
    }
    l->length += (size_t)snprintf(l->log + l->length, sizeof l->log - l->length, "\n");
    ck_assert_uint_lt(l->length, sizeof l->log);
}

static void listen(
    void *context, const search_hypothesis *hypotheses, size_t count, uint64_t end_frame)
{
    listener *l = context;
    const search_hypothesis *best = &hypotheses[0];
    double posteriors = 0;
    ck_assert_uint_ge(best->token_count, 1);
    for (size_t i = 0; i < best->token_count; i++) {
        ck_assert(best->tokens[i].frame > l->last_frame || (l->segments == 0 && i == 0));
        ck_assert_uint_lt(best->tokens[i].frame, end_frame);
        ck_assert(best->tokens[i].probability > 0 && best->tokens[i].probability <= 1);
        l->last_frame = best->tokens[i].frame;
        append(l, (char[]){(char)('a' + best->tokens[i].token - 1), 0});
    }
    append(l, "|");
    l->length += (size_t)snprintf(l->log + l->length, sizeof l->log - l->length,
        "segment to %llu\n", (unsigned long long)end_frame);
    for (size_t i = 0; i < count; i++) {
        listen_hypothesis(l, &hypotheses[i]);
        posteriors += (double)hypotheses[i].posterior;
    }
    ck_assert_double_eq_tol(posteriors, 1, 1e-5); /* a sum of a few floats */
    if (end_frame - best->tokens[0].frame > l->longest)
        l->longest = end_frame - best->tokens[0].frame;
    l->segments++;
}

static search *new_search(const fixture *f, const search_options *options, listener *l)
{
    search *s = NULL;
    steno_error error = {0};
    steno_status status = search_create(f->decoder, options, (search_sink){listen, l}, &s, &error);
    ck_assert_msg(status == STENO_OK, "%s", error.message);
    return s;
}

static void advance(const fixture *f, search *s, const float *encodings, size_t count, bool finish)
{
    decoder_item item = {s, encodings, count, finish};
    decoder_advance(f->decoder, f->scratch, &item, 1);
    ck_assert_uint_eq(nn_scratch_mark(f->scratch), 0);
}

/* Decodes a script whole, at most FIXTURE_MAX_ROWS at once. */
static void decode(const fixture *f, search *s, const char *script, uint64_t seed, bool finish)
{
    float *encodings = fixture_encodings(script, seed);
    ck_assert_uint_eq(strlen(script) % f->config.ctc_frames, 0);
    size_t count = strlen(script) / f->config.ctc_frames, done = 0;
    do {
        size_t part = count - done < FIXTURE_MAX_ROWS ? count - done : FIXTURE_MAX_ROWS;
        advance(f, s, encodings + done * f->config.dimension, part, finish && done + part == count);
        done += part;
    } while (done < count);
    free(encodings);
}

static void check_script_frames(size_t ctc_frames, const search_options *options,
    const char *script, const char *expected, listener *l)
{
    fixture f;
    fixture_open_frames(&f, ctc_frames);
    *l = (listener){.length = 0};
    search *s = new_search(&f, options, l);
    decode(&f, s, script, 3, true);
    ck_assert_str_eq(l->text, expected);
    ck_assert_uint_eq(search_position(s), strlen(script));
    search_destroy(s);
    fixture_close(&f);
}

static void check_script(
    const search_options *options, const char *script, const char *expected, listener *l)
{
    check_script_frames(1, options, script, expected, l);
}

/* --- Scores --- */

/* Scores are sums of some twenty terms that the f32 network gets right to about 1e-5 each. */
static const double SCORE_TOLERANCE = 3e-4;

static void compare_with_plain(
    const fixture *f, const search_options *options, const float *encodings, size_t count)
{
    plain *p = plain_create(&f->config, f->weights);
    plain_prefix *expected = calloc(PLAIN_MAX_PREFIXES, sizeof *expected);
    const plain_lm lm = {.trie = options->lm ? f->trie : NULL, .length = 1};
    size_t prefixes = plain_search(p, options, &lm, encodings, count, expected);
    listener l = {.length = 0};
    search *s = new_search(f, options, &l);
    /* All decoded, nothing reported: as finish does it, but for the report. */
    advance(f, s, encodings, count, false);
    for (size_t i = 0; i < f->config.look_ahead * f->config.ctc_frames; i++) {
        search_propose(s, true);
        attention_step steps[SEARCH_MAX_BEAM];
        size_t step_count = search_step_count(s);
        for (size_t k = 0; k < step_count; k++)
            steps[k] = search_get_step(s, k);
        attention *network = NULL;
        nn_scratch *scratch = NULL;
        float *out = calloc(SEARCH_MAX_BEAM * f->config.tokens, sizeof *out);
        ck_assert_int_eq(attention_create(&f->config, f->weights, nn_ops_reference(),
                             NN_PRECISION_F32, 1, &network, NULL),
            STENO_OK);
        ck_assert_int_eq(
            nn_scratch_create(attention_advance_scratch(network), &scratch, NULL), STENO_OK);
        attention_advance(network, scratch, steps, step_count, out);
        for (size_t k = 0; k < step_count; k++)
            search_answer(s, k, out + k * f->config.tokens);
        search_commit(s);
        free(out);
        nn_scratch_destroy(scratch);
        attention_destroy(network);
    }
    ck_assert_uint_eq(l.segments, 0);
    ck_assert_uint_eq(search_position(s), count * f->config.ctc_frames);

    search_hypothesis found[SEARCH_MAX_BEAM];
    size_t hypotheses = search_hypotheses(s, SEARCH_MAX_BEAM, found);
    ck_assert_uint_eq(hypotheses, prefixes);
    for (size_t i = 0; i < hypotheses; i++) {
        ck_assert_double_eq_tol((double)found[i].score, expected[i].score, SCORE_TOLERANCE);
        ck_assert_uint_eq(found[i].token_count, expected[i].length);
        for (size_t k = 0; k < expected[i].length; k++)
            ck_assert_uint_eq(found[i].tokens[k].token, expected[i].tokens[k]);
    }
    search_destroy(s);
    free(expected);
    plain_destroy(p);
}

/* Scripts full of doubt, as long as the beam's bound can't prune wrongly. */
START_TEST(scores_equal_plain)
{
    static const char *const scripts[] = {
        "A.B..CC.D.", "ABABAB", "..aA.aA..B", "K.JJ.K..KK.aab", "......", "AAAAAA"};
    static const float attention_weights[] = {0, 0.3f, 1};
    const size_t frames = 1 + (size_t)_i / 6;
    fixture f;
    fixture_open_frames(&f, frames);
    search_options options = fixture_options_lm(&f, _i / 3 % 2);
    options.token_threshold = 0.02f;
    options.segment_blanks = options.segment_max = 60;
    options.attention_weight = attention_weights[_i % 3];
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        for (uint64_t seed = 0; seed < 4; seed++) {
            float *encodings = fixture_encodings(scripts[i], 10 * i + seed + 1);
            options.beam = seed < 2 ? 4 : 12;
            compare_with_plain(&f, &options, encodings, strlen(scripts[i]) / frames);
            free(encodings);
        }
    fixture_close(&f);
}
END_TEST

/* With the end counted in, a hypothesis' score is what the plain network adds to it. */
START_TEST(score_of_end)
{
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options();
    options.beam = 1;
    plain *p = plain_create(&f.config, f.weights);
    listener without = {.length = 0}, with = {.length = 0};
    search *s = new_search(&f, &options, &without), *t = new_search(&f, &options, &with);
    search_set_score_end(t, true);
    decode(&f, s, ".a.", 5, true);
    decode(&f, t, ".a.", 5, true);
    float *encodings = fixture_encodings(".a.", 5);
    plain_state state = {0};
    double out[FIXTURE_TOKENS];
    plain_step(p, encodings, 3, 0, 2, 0, &state, &state, out);
    plain_step(p, encodings, 3, 0, 2, 1, &state, &state, out);
    double score = strtod(strchr(without.log, '\n') + 1, NULL);
    double score_with = strtod(strchr(with.log, '\n') + 1, NULL);
    ck_assert_double_eq_tol(
        score_with, score + (double)options.attention_weight * out[0], SCORE_TOLERANCE);
    free(encodings);
    search_destroy(s);
    search_destroy(t);
    plain_destroy(p);
    fixture_close(&f);
}
END_TEST

/* With more than one hypothesis the end may change their order: best first all the same. */
START_TEST(end_keeps_order)
{
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options();
    options.attention_weight = 0.7f;
    options.token_bonus = 3;
    listener l = {.length = 0};
    search *s = new_search(&f, &options, &l);
    search_set_score_end(s, true);
    decode(&f, s, "A.BC...D", 5, true);
    decode(&f, s, "D.CB.....AB.....C.....", 6, true);
    ck_assert_uint_ge(l.segments, 3);
    double previous = INFINITY;
    for (const char *line = l.log; *line; line = strchr(line, '\n') + 1) {
        double score = INFINITY;
        if (strncmp(line, "segment", 7) != 0)
            score = strtod(line, NULL);
        ck_assert(score <= previous || score == INFINITY);
        previous = score;
    }
    search_destroy(s);
    fixture_close(&f);
}
END_TEST

/* --- Cutting and company --- */

static const char long_script[] =
    "..a.bC..d.....,,,,A.b..cDe.f..g.....h.iJk.ab,,cd.efgh...i.....j...."
    ".k..ABC.d..e.F.g.h.i.j.k..a.b..c..d.e.f.g.h.i.j.k.a.b.c.d.e..";

static void log_running(listener *l, search *s)
{
    search_hypothesis running[SEARCH_MAX_BEAM];
    size_t count = search_hypotheses(s, SEARCH_MAX_BEAM, running);
    for (size_t i = 0; i < count; i++)
        listen_hypothesis(l, &running[i]);
}

/* The log of long_script fed in parts of 1 .. most encodings. */
static listener *decode_in_parts(const fixture *f, search *s, listener *l, size_t most)
{
    size_t count = (sizeof long_script - 1) / f->config.ctc_frames;
    float *encodings = fixture_encodings(long_script, 77);
    uint64_t random = most;
    for (size_t done = 0; done < count;) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t part = 1 + (size_t)(random >> 33) % most;
        part = part < count - done ? part : count - done;
        advance(f, s, encodings + done * f->config.dimension, part, false);
        done += part;
    }
    log_running(l, s);
    advance(f, s, NULL, 0, true);
    free(encodings);
    return l;
}

START_TEST(any_cutting_equals_one_call)
{
    fixture f;
    fixture_open_frames(&f, 1 + (size_t)_i / 2);
    search_options options = fixture_options_lm(&f, _i % 2);
    options.segment_max = 30 / f.config.ctc_frames;
    options.segment_blanks = 4 / f.config.ctc_frames;
    listener *one = calloc(1, sizeof *one), *parts = calloc(1, sizeof *parts);
    search *s = new_search(&f, &options, one);
    ck_assert_uint_le(sizeof long_script - 1, FIXTURE_MAX_ROWS);
    float *encodings = fixture_encodings(long_script, 77);
    advance(&f, s, encodings, (sizeof long_script - 1) / f.config.ctc_frames, false);
    log_running(one, s);
    advance(&f, s, NULL, 0, true);
    ck_assert_uint_ge(one->segments, 7);
    search_destroy(s);
    for (size_t most = 1; most < 12; most += 2) {
        *parts = (listener){.length = 0};
        s = new_search(&f, &options, parts);
        decode_in_parts(&f, s, parts, most);
        ck_assert_str_eq(parts->log, one->log);
        search_destroy(s);
    }
    free(encodings);
    free(one);
    free(parts);
    fixture_close(&f);
}
END_TEST

START_TEST(reset_equals_new)
{
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options_lm(&f, _i);
    listener *first = calloc(1, sizeof *first), *second = calloc(1, sizeof *second);
    search *s = new_search(&f, &options, first);
    decode_in_parts(&f, s, first, 4);
    search_destroy(s);
    s = new_search(&f, &options, second);
    decode(&f, s, "ab.cAA..bK.a", 8, false); /* left in the middle */
    *second = (listener){.length = 0};
    search_reset(s);
    ck_assert_uint_eq(search_position(s), 0);
    ck_assert_uint_eq(search_trailing(s), 0);
    decode_in_parts(&f, s, second, 4);
    ck_assert_str_eq(second->log, first->log);
    search_destroy(s);
    free(first);
    free(second);
    fixture_close(&f);
}
END_TEST

/* More searches than one batch of steps holds, of different options, beginnings and ends. */
START_TEST(batch_equals_alone)
{
    enum { SEARCHES = 9, ROUNDS = 6, PART = 11 };
    fixture f;
    fixture_open(&f);
    listener *alone = calloc(SEARCHES, sizeof *alone), *together = calloc(SEARCHES, sizeof *alone);
    float *encodings[SEARCHES];
    search *searches[SEARCHES];
    for (size_t i = 0; i < SEARCHES; i++) {
        search_options options = fixture_options();
        options.beam = 2 + i;
        options.attention_weight = i % 4 == 3 ? 0 : 0.5f;
        options.segment_max = 12 + i;
        encodings[i] = fixture_encodings(long_script, 100 + i);
        search *s = new_search(&f, &options, &alone[i]);
        for (size_t round = 0; round < ROUNDS; round++)
            advance(&f, s, encodings[i] + (round * PART + i) * FIXTURE_DIMENSION,
                PART - (round + i) % 3, round % 4 == i % 4);
        search_destroy(s);
        searches[i] = new_search(&f, &options, &together[i]);
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        decoder_item items[SEARCHES];
        for (size_t i = 0; i < SEARCHES; i++)
            items[i] =
                (decoder_item){searches[i], encodings[i] + (round * PART + i) * FIXTURE_DIMENSION,
                    PART - (round + i) % 3, round % 4 == i % 4};
        decoder_advance(f.decoder, f.scratch, items, SEARCHES);
    }
    for (size_t i = 0; i < SEARCHES; i++) {
        ck_assert_uint_ge(alone[i].segments, 2);
        ck_assert_str_eq(together[i].log, alone[i].log);
        search_destroy(searches[i]);
        free(encodings[i]);
    }
    free(alone);
    free(together);
    fixture_close(&f);
}
END_TEST

/* Every kind of operators and arithmetic hears the same clear tokens, in batches as large as the
 * scratch is sized for. */
START_TEST(all_precisions)
{
    enum { SEARCHES = 16, COUNT = FIXTURE_MAX_ROWS / SEARCHES };
    const nn_ops *ops = _i < 3 ? nn_ops_reference() : nn_ops_onednn();
    nn_precision precision = (nn_precision)(_i % 3);
    if (!ops || !ops->supports(precision))
        return;
    fixture f;
    fixture_open_with(&f, ops, precision);
    search_options options = fixture_options();
    options.beam = SEARCH_MAX_BEAM;
    options.attention_weight = 0.1f;
    listener *listeners = calloc(SEARCHES, sizeof *listeners);
    search *searches[SEARCHES];
    decoder_item items[SEARCHES];
    float *encodings = fixture_encodings("ab.cd.ef", 5);
    for (size_t i = 0; i < SEARCHES; i++) {
        searches[i] = new_search(&f, &options, &listeners[i]);
        items[i] = (decoder_item){searches[i], encodings, COUNT, true};
    }
    for (size_t round = 0; round < 3; round++)
        decoder_advance(f.decoder, f.scratch, items, SEARCHES);
    for (size_t i = 0; i < SEARCHES; i++) {
        ck_assert_str_eq(listeners[i].text, "abcdef|abcdef|abcdef|");
        search_destroy(searches[i]);
    }
    free(encodings);
    free(listeners);
    fixture_close(&f);
}
END_TEST

START_TEST(advance_allocates_nothing)
{
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options_lm(&f, _i);
    listener l = {.length = 0};
    search *s = new_search(&f, &options, &l);
    uint64_t attempts = memory_attempts();
    decode(&f, s, long_script, 4, true);
    search_reset(s);
    ck_assert_uint_eq(memory_attempts(), attempts);
    search_destroy(s);
    fixture_close(&f);
}
END_TEST

/* --- Segments --- */

START_TEST(segments_at_pauses)
{
    listener l;
    search_options options = fixture_options();
    check_script(&options, "..a.b.....c.d......", "ab|cd|", &l);
    /* The 4th blank after the token ends the segment, and the next one begins there. */
    ck_assert_ptr_nonnull(strstr(l.log, "segment to 9\n"));
    ck_assert_ptr_nonnull(strstr(l.log, "segment to 17\n"));
    /* Blanks of either probability count, three are not enough. */
    check_script(&options, "a...b,,,c.,,.d", "abc|d|", &l);
    check_script(&options, "aaa...bb", "ab|", &l);
    options.attention_weight = 0;
    check_script(&options, "..a.b.....c.d......", "ab|cd|", &l);
}
END_TEST

/* Pauses are given in encodings, of two frames here, and end at any frame. */
START_TEST(segments_of_several_frames)
{
    listener l;
    search_options options = fixture_options();
    options.segment_blanks = 2;
    check_script_frames(2, &options, "..a.b.....c.d.......", "ab|cd|", &l);
    ck_assert_ptr_nonnull(strstr(l.log, "segment to 9\n"));
    ck_assert_ptr_nonnull(strstr(l.log, "segment to 17\n"));
    check_script_frames(2, &options, "ab...a,,,abb", "abaab|", &l); /* both frames of an encoding */
    options.attention_weight = 0;
    check_script_frames(2, &options, "..a.b.....c.d.......", "ab|cd|", &l);
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
    search *s = new_search(&f, &options, &all), *t = new_search(&f, &options, &second);
    static const char script[] = "aB....cD.AeF";
    float *encodings = fixture_encodings(script, 21);
    advance(&f, s, encodings, sizeof script - 1, true);
    advance(&f, t, encodings + 6 * FIXTURE_DIMENSION, sizeof script - 1 - 6, true);
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
    check_script(&options, "", "", &l);
    check_script(&options, ".", "", &l);
    check_script(&options, ",,,,,,,,,,", "", &l);
    char silence[600];
    memset(silence, '.', sizeof silence - 1);
    silence[sizeof silence - 1] = '\0';
    check_script(&options, silence, "", &l);
    /* Speech right after segment_max encodings of silence, and across its border. */
    memcpy(silence + 60, "abc", 3);
    memcpy(silence + 178, "defg", 4);
    check_script(&options, silence, "abc|defg|", &l);
    ck_assert_uint_eq(l.segments, 2);
}
END_TEST

START_TEST(finish_waives_look_ahead)
{
    listener l;
    search_options options = fixture_options();
    check_script(&options, "a", "a|", &l);
    check_script(&options, "ab", "ab|", &l);
    check_script(&options, "....abc", "abc|", &l);
    fixture f;
    fixture_open(&f);
    l = (listener){.length = 0};
    search *s = new_search(&f, &options, &l);
    decode(&f, s, "ab", 3, false);
    ck_assert_uint_eq(search_position(s), 0);
    search_hypothesis h;
    ck_assert_uint_eq(search_hypotheses(s, 1, &h), 1);
    ck_assert_uint_eq(h.token_count, 0);
    decode(&f, s, "c", 4, false);
    ck_assert_uint_eq(search_position(s), 1);
    decode(&f, s, "", 4, true);
    ck_assert_str_eq(l.text, "abc|");
    decode(&f, s, "", 4, true);
    ck_assert_str_eq(l.text, "abc|");
    /* And after a flush it goes on. */
    decode(&f, s, ".de", 4, true);
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
    check_script(&options, script,
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
        search *s = new_search(&f, &options, &cut);
        decode(&f, s, script, 3, true);
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
    search *s = new_search(&f, &options, &whole);
    options.segment_max = 15; /* up to 'G', so that the pause is still in the window at 'h' */
    search *t = new_search(&f, &options, &cut);
    decode(&f, s, script, 14, false);
    decode(&f, t, script, 14, false);
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
        check_script(&options, "abcdefghijkabcdefghijk",
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
    check_script(&options, "a...b.c...d.e.f..g.h.ij", "abc|defghij|", &l);
    ck_assert_ptr_nonnull(strstr(l.log, "segment to 9\n"));
    /* Silence before speech is a pause too: nothing is reported there. */
    check_script(&options, "...........a.bc.def..ghi", "abcdefghi|", &l);
    /* The pause at the end only if it is the longest. */
    check_script(&options, "a.b.c.d.e.f.g.h.ab...c", "abcdefghab|c|", &l);
    check_script(&options, "a.b.c.d...ef.gh.abc...c", "abcd|efghabcc|", &l);
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
    search *s = new_search(&f, &options, &l);
    advance(&f, s, encodings, sizeof script - 1, true);
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
        ck_assert_double_eq_tol(scores[i], expected[i].score, SCORE_TOLERANCE);
    lm.length = 1;
    plain_search(
        p, &options, &lm, encodings + end * FIXTURE_DIMENSION, sizeof script - 1 - end, expected);
    ck_assert_double_gt(fabs(scores[0] - expected[0].score), 100 * SCORE_TOLERANCE);
    free(encodings);
    free(expected);
    search_destroy(s);
    plain_destroy(p);
    fixture_close(&f);
}
END_TEST

/* A language model of weight 0, and a weight without one, change nothing. */
START_TEST(no_lm_is_none)
{
    fixture f;
    fixture_open(&f);
    listener *logs = calloc(4, sizeof *logs);
    for (int i = 0; i < 4; i++) {
        search_options options = fixture_options();
        options.lm = i == 1 || i == 3 ? f.lm : NULL;
        options.lm_weight = i >= 2 ? 0.5f : 0;
        search *s = new_search(&f, &options, &logs[i]);
        decode_in_parts(&f, s, &logs[i], 5);
        search_destroy(s);
    }
    ck_assert_str_eq(logs[1].log, logs[0].log);
    ck_assert_str_eq(logs[2].log, logs[0].log);
    ck_assert_str_ne(logs[3].log, logs[0].log);
    free(logs);
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
    search *s = new_search(&f, &options, &l);
    ck_assert_uint_eq(search_stable(s), 0);
    decode(&f, s, "......", 3, false);
    ck_assert_uint_eq(search_position(s), 4);
    ck_assert_uint_eq(search_trailing(s), 4);
    decode(&f, s, "a.b..Ck", 3, false);
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
    decode(&f, s, ".......", 3, false);
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
    search *s = new_search(&f, &options, &l);
    decode(&f, s, "a.b.cd..", 3, false);
    ck_assert_uint_eq(search_stable(s), 4);
    search_destroy(s);
    fixture_close(&f);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("search");
    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, scores_equal_plain, 0, 12);
    tcase_add_test(tcase, lm_knows_the_segment_before);
    tcase_add_test(tcase, no_lm_is_none);
    tcase_add_test(tcase, score_of_end);
    tcase_add_test(tcase, end_keeps_order);
    tcase_add_loop_test(tcase, any_cutting_equals_one_call, 0, 4);
    tcase_add_loop_test(tcase, reset_equals_new, 0, 2);
    tcase_add_test(tcase, batch_equals_alone);
    tcase_add_loop_test(tcase, all_precisions, 0, 6);
    tcase_add_loop_test(tcase, advance_allocates_nothing, 0, 2);
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
    Suite *suite = suite_create("search");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
