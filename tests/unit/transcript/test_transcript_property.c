/*
 * What must hold for any speech and any settings.  A seeded generator makes up what a search would
 * say of a stream: tokens at rising frames, segments closed at a fixed pause, and while a
 * segment runs a growing best hypothesis whose last tokens may still change, with competitors.
 * The expected words are put together here by simpler means: all best texts in a row, split at
 * spaces.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/suite.h"
#include "transcript/transcript.h"

enum {
    SEEDS = 60,
    TOKENS = 40, /* of a hypothesis */
    HYPOTHESES = 4,
    SEGMENTS = 40,
    PAUSE = 5, /* frames: the search's own */
    WORDS = SEGMENTS * TOKENS,
};

typedef struct segment {
    transcript_token tokens[HYPOTHESES][TOKENS];
    transcript_hypothesis hypotheses[HYPOTHESES];
    size_t count;
    uint64_t end_frame;
} segment;

typedef struct speech {
    segment segments[SEGMENTS];
    size_t count;
    uint64_t end_frame;
    char text[1 << 14]; /* all best hypotheses, spaces made single */
    size_t word_count;
    bool ends_segment[WORDS]; /* a segment ends with this word */
} speech;

/* ck_assert tells the test's parent of every check that holds: too slow for millions of them. */
#define require(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s", #condition);                                                        \
    } while (0)

static uint64_t state;

/* splitmix64 (Steele, Lea, Flood 2014); below `bound`. */
static size_t draw(size_t bound)
{
    uint64_t x = state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (size_t)((x ^ x >> 31) % bound);
}

static transcript_token draw_token(uint64_t frame)
{
    static const char *const texts[] = {
        " a", " b", " the", " ", "s", "ing", " \xC3\xA9t", "'", " in", "er"};
    return (transcript_token){
        texts[draw(sizeof texts / sizeof *texts)], frame, (float)draw(1001) / 1000};
}

/* Adds a hypothesis' text to the expected text. */
static void expect(speech *said, const transcript_hypothesis *best)
{
    char *at = said->text + strlen(said->text);
    bool space = true; /* a hypothesis begins a word in any case */
    for (size_t i = 0; i < best->token_count; i++) {
        for (const char *from = best->tokens[i].text; *from; from++) {
            if (*from == ' ') {
                space = true;
                continue;
            }
            if (space && at > said->text)
                *at++ = ' ';
            said->word_count += space;
            space = false;
            *at++ = *from;
        }
    }
    *at = '\0';
    if (said->word_count > 0)
        said->ends_segment[said->word_count - 1] = true;
}

static void draw_segment(speech *said, segment *part, uint64_t begin)
{
    size_t tokens = 1 + draw(TOKENS);
    uint64_t frame = begin;
    for (size_t i = 0; i < tokens; i++) {
        part->tokens[0][i] = draw_token(frame);
        frame += 1 + draw(PAUSE - 1);
    }
    uint64_t last = part->tokens[0][tokens - 1].frame;
    part->end_frame = last + 1 + PAUSE;
    part->count = 1 + draw(HYPOTHESES);
    for (size_t h = 0; h < part->count; h++) {
        size_t count = tokens;
        if (h > 0) { /* like the best, some tokens exchanged or left out at the end */
            memcpy(part->tokens[h], part->tokens[0], tokens * sizeof(transcript_token));
            for (size_t changes = draw(3); changes > 0; changes--) {
                size_t i = draw(tokens);
                part->tokens[h][i] = draw_token(part->tokens[h][i].frame);
            }
            count -= draw(2);
        }
        part->hypotheses[h] =
            (transcript_hypothesis){part->tokens[h], count, 1.0f / (float)(2 << h), false};
    }
    expect(said, part->hypotheses);
}

static speech *draw_speech(uint64_t seed)
{
    speech *said = calloc(1, sizeof *said);
    ck_assert_ptr_nonnull(said);
    state = seed;
    said->count = draw(SEGMENTS + 1);
    uint64_t frame = draw(20);
    for (size_t i = 0; i < said->count; i++) {
        draw_segment(said, said->segments + i, frame);
        frame = said->segments[i].end_frame + draw(i % 3 ? 4 : 25);
    }
    said->end_frame = frame + draw(30);
    return said;
}

/* What came out of a run. */
typedef struct heard {
    char text[1 << 14];      /* finals joined by single spaces */
    steno_word words[WORDS]; /* without texts */
    size_t word_count;
    bool last_of_final[WORDS];  /* a final ends with this word ... */
    bool endpoint_after[WORDS]; /* ... as an endpoint */
    size_t finals, interims;
    uint64_t audio_ms;
} heard;

/* Appends a word at the end `at` of a text, which it returns anew. */
static char *append_word(const char *text, char *at, const char *word)
{
    if (at > text)
        *at++ = ' ';
    return stpcpy(at, word);
}

static void check_alternative(const steno_alternative *alternative, uint64_t floor_ms)
{
    char joined[1 << 14], *end = joined;
    double confidence = 0;
    require(alternative->word_count > 0);
    for (size_t i = 0; i < alternative->word_count; i++) {
        const steno_word *word = alternative->words + i;
        require(word->text[0] != '\0');
        require(!strchr(word->text, ' '));
        require(word->confidence >= 0 && word->confidence <= 1);
        require(word->start_ms >= floor_ms);
        require(word->end_ms >= word->start_ms);
        floor_ms = word->end_ms;
        confidence += word->confidence;
        end = append_word(joined, end, word->text);
    }
    require(strcmp(alternative->text, joined) == 0);
    /* a mean in floats against one in doubles */
    require(fabs(alternative->confidence - confidence / (double)alternative->word_count) < 1e-6);
}

static uint64_t floor_of(const heard *out)
{
    return out->word_count > 0 ? out->words[out->word_count - 1].end_ms : 0;
}

static void hear_final(transcript *self, heard *out, const transcript_options *options)
{
    const steno_result *result;
    if (transcript_take_final(self, &result) == STENO_AGAIN)
        return;
    const steno_alternative *best = result->alternatives;
    require(result->is_final);
    require(result->audio_ms >= out->audio_ms);
    require(result->audio_ms >= result->end_ms);
    out->audio_ms = result->audio_ms;
    require(result->alternative_count <= options->max_alternatives);
    for (size_t i = 0; i < result->alternative_count; i++) {
        check_alternative(result->alternatives + i, floor_of(out));
        for (size_t j = 0; j < i; j++)
            require(strcmp(result->alternatives[i].text, result->alternatives[j].text) != 0);
    }
    require(result->start_ms == best->words[0].start_ms);
    require(result->end_ms == best->words[best->word_count - 1].end_ms);
    append_word(out->text, out->text + strlen(out->text), best->text);
    for (size_t i = 0; i < best->word_count; i++) {
        require(out->word_count < WORDS);
        out->words[out->word_count++] = best->words[i];
    }
    out->last_of_final[out->word_count - 1] = true;
    out->endpoint_after[out->word_count - 1] = result->endpoint;
    out->finals++;
}

static void hear_interim(transcript *self, heard *out, const speech *said)
{
    const steno_result *result;
    if (transcript_take_interim(self, &result) == STENO_AGAIN)
        return;
    require(!result->is_final);
    require(result->alternative_count == 1);
    const steno_alternative *best = result->alternatives;
    check_alternative(best, floor_of(out));
    require(result->stable_words <= best->word_count);
    require(result->stability == (float)result->stable_words / (float)best->word_count);
    char settled[1 << 14], *end = stpcpy(settled, out->text);
    for (size_t i = 0; i < result->stable_words; i++)
        end = append_word(settled, end, best->words[i].text);
    /* What is settled is what becomes final, whole words of it. */
    size_t length = (size_t)(end - settled);
    require(strncmp(settled, said->text, length) == 0);
    require(length == 0 || said->text[length] == ' ' || said->text[length] == '\0');
    out->interims++;
    require(transcript_take_interim(self, &result) == STENO_AGAIN);
}

/* An advance at `position` into a segment: those of the best tokens that have come, the last of
 * them perhaps not what it will be. */
static void advance_within(
    transcript *self, const segment *part, uint64_t position, uint64_t last_end)
{
    transcript_token running[TOKENS];
    size_t count = 0, stable = 0;
    const transcript_hypothesis *best = part->hypotheses;
    while (count < best->token_count && best->tokens[count].frame < position) {
        running[count] = best->tokens[count];
        count++;
    }
    if (count > 0) {
        stable = draw(count + 1);
        if (stable < count && draw(2))
            running[count - 1] = draw_token(running[count - 1].frame);
        last_end = running[count - 1].frame + 1;
    }
    transcript_hypothesis hypotheses[2] = {
        {running, count, 0.75f, false}, {running, stable, 0.25f, false}};
    uint64_t trailing = position > last_end ? position - last_end : 0;
    transcript_advance(self, hypotheses, draw(2) ? 2 : 1, stable, position, trailing);
}

/* Plays the speech in steps of `step` frames. */
static heard *play(
    transcript *self, const speech *said, const transcript_options *options, uint64_t step)
{
    heard *out = calloc(1, sizeof *out);
    require(out);
    size_t next = 0;
    uint64_t last_end = 0;
    for (uint64_t position = step; position < said->end_frame + step; position += step) {
        for (; next < said->count && said->segments[next].end_frame <= position; next++) {
            const segment *part = said->segments + next;
            transcript_segment(self, part->hypotheses, part->count, part->end_frame);
            hear_final(self, out, options);
            last_end = part->end_frame - PAUSE;
        }
        if (next < said->count)
            advance_within(self, said->segments + next, position, last_end);
        else
            transcript_advance(self, NULL, 0, 0, position, position - last_end);
        hear_final(self, out, options);
        hear_interim(self, out, said);
    }
    transcript_finish(self);
    hear_final(self, out, options);
    return out;
}

static void same_words(const heard *a, const heard *b)
{
    require(strcmp(a->text, b->text) == 0);
    require(a->word_count == b->word_count);
    for (size_t i = 0; i < a->word_count; i++) {
        require(a->words[i].start_ms == b->words[i].start_ms);
        require(a->words[i].end_ms == b->words[i].end_ms);
        require(a->words[i].confidence == b->words[i].confidence);
    }
}

/* Where finals end.  Each pause of endpoint_ms between segments does end one; as an endpoint,
 * unless a limit had ended it already; and no endpoint is said at a shorter one. */
static void check_endpoints(const heard *out, const speech *said, const transcript_options *options)
{
    for (size_t i = 0; i + 1 < out->word_count; i++) {
        uint64_t pause_ms = out->words[i + 1].start_ms - out->words[i].end_ms;
        require(said->ends_segment[i] || !out->last_of_final[i]);
        if (options->endpointing && said->ends_segment[i] && pause_ms >= options->endpoint_ms)
            require(out->last_of_final[i]);
        if (out->endpoint_after[i])
            require(options->endpointing && pause_ms >= options->endpoint_ms);
    }
}

START_TEST(test_any_settings)
{
    static const uint32_t endpoints_ms[] = {0, 200, 400, 800, 1600};
    static const uint32_t utterances_ms[] = {1000, 5000, 20000, 60000};
    speech *said = draw_speech((uint64_t)_i);
    heard *first = NULL;
    for (size_t i = 0; i < 12; i++) {
        transcript_options options = {
            .endpointing = i % 3 != 0,
            .endpoint_ms = endpoints_ms[draw(5)],
            .max_utterance_ms = utterances_ms[draw(4)],
            .max_alternatives = 1 + (uint32_t)draw(6),
            .frame_ms = 80,
        };
        transcript *self;
        ck_assert_int_eq(transcript_create(&options, TOKENS, HYPOTHESES, &self, NULL), STENO_OK);
        heard *out = play(self, said, &options, 1 + draw(20));
        ck_assert_str_eq(out->text, said->text);
        check_endpoints(out, said, &options);
        if (first)
            same_words(out, first);
        /* Reset equals new. */
        transcript_reset(self);
        heard *again = play(self, said, &options, 1 + draw(20));
        same_words(again, out);
        free(again);
        if (first)
            free(out);
        else
            first = out;
        transcript_destroy(self);
    }
    free(first);
    free(said);
}
END_TEST

/* A reading of a whole utterance. */
typedef struct reading {
    char text[64];
    double posterior;
} reading;

static int by_posterior(const void *a, const void *b)
{
    double x = ((const reading *)a)->posterior, y = ((const reading *)b)->posterior;
    return (x < y) - (x > y);
}

/* The first of a text among all, which are sorted: its best; ALL_READINGS if there is none. */
enum { ALL_READINGS = 81 };
static size_t find_reading(const reading *readings, const char *text)
{
    size_t i = 0;
    while (i < ALL_READINGS && strcmp(readings[i].text, text) != 0)
        i++;
    return i;
}

/* The best alternatives against every choice of hypotheses tried out. */
START_TEST(test_alternatives_against_all)
{
    enum { PARTS = 4, CHOICES = 3 };
    /* Of one and two words, so that many choices read the same: "a" "a a", "a a" "a". */
    static const char *const texts[][2] = {{" a", ""}, {" a", " a"}, {" b", ""}, {" b", " a"}};
    state = (uint64_t)_i;
    transcript_options options = {true, 800, 20000, 1 + (uint32_t)draw(10), 80};
    transcript *self;
    ck_assert_int_eq(transcript_create(&options, 2, CHOICES, &self, NULL), STENO_OK);
    reading readings[ALL_READINGS] = {{"", 1}};
    size_t count = 1;
    for (uint64_t part = 0; part < PARTS; part++) {
        /* Different ones, since those alike would be summed. */
        transcript_token tokens[CHOICES][2];
        transcript_hypothesis hypotheses[CHOICES];
        float posterior = 0.9f;
        size_t first = draw(4);
        for (size_t h = 0; h < CHOICES; h++) {
            tokens[h][0] = (transcript_token){texts[(first + h) % 4][0], 10 * part + 1, 1};
            tokens[h][1] = (transcript_token){texts[(first + h) % 4][1], 10 * part + 2, 1};
            hypotheses[h] = (transcript_hypothesis){tokens[h], 2, posterior, false};
            posterior *= (float)(100 + draw(899)) / 1000;
        }
        transcript_segment(self, hypotheses, CHOICES, 10 * part + 8);
        reading longer_readings[ALL_READINGS];
        for (size_t i = 0; i < count; i++) {
            for (size_t h = 0; h < CHOICES; h++) {
                reading *next = longer_readings + i * CHOICES + h;
                *next = readings[i];
                for (size_t t = 0; t < hypotheses[h].token_count; t++)
                    strcat(next->text, tokens[h][t].text + (*next->text == '\0'));
                next->posterior *= (double)hypotheses[h].posterior;
            }
        }
        count *= CHOICES;
        memcpy(readings, longer_readings, sizeof readings);
    }
    qsort(readings, count, sizeof *readings, by_posterior);
    transcript_finish(self);
    const steno_result *result;
    ck_assert_int_eq(transcript_take_final(self, &result), STENO_OK);
    size_t distinct = 0;
    for (size_t i = 0; i < count && distinct < options.max_alternatives; i++) {
        if (find_reading(readings, readings[i].text) < i)
            continue;
        ck_assert_uint_lt(distinct, result->alternative_count);
        /* Readings as probable as each other may come in any order: compare probabilities, which
         * differ by rounding as one is summed in logarithms. */
        const char *text = result->alternatives[distinct++].text;
        size_t same = find_reading(readings, text);
        ck_assert_uint_lt(same, count);
        ck_assert_double_eq_tol(readings[same].posterior, readings[i].posterior, 1e-12);
        for (size_t d = 0; d + 1 < distinct; d++)
            ck_assert_str_ne(result->alternatives[d].text, text);
    }
    ck_assert_uint_eq(result->alternative_count, distinct);
    transcript_destroy(self);
}
END_TEST

/* The generator itself: that the properties above are of something. */
START_TEST(test_generator)
{
    size_t words = 0, finals = 0, interims = 0, endpoints = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        transcript_options options = {true, 800, 5000, 3, 80};
        speech *said = draw_speech(seed);
        transcript *self;
        ck_assert_int_eq(transcript_create(&options, TOKENS, HYPOTHESES, &self, NULL), STENO_OK);
        heard *out = play(self, said, &options, 4);
        words += out->word_count;
        finals += out->finals;
        interims += out->interims;
        for (size_t i = 0; i < out->word_count; i++)
            endpoints += out->endpoint_after[i];
        free(out);
        free(said);
        transcript_destroy(self);
    }
    ck_assert_uint_gt(words, 6000);
    ck_assert_uint_gt(finals, 600);
    ck_assert_uint_gt(interims, finals);
    ck_assert_uint_gt(endpoints, 100);
    ck_assert_uint_lt(endpoints, finals);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transcript_property");
    TCase *tests = tcase_create("transcript_property");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, test_any_settings, 0, SEEDS);
    tcase_add_loop_test(tests, test_alternatives_against_all, 0, SEEDS);
    tcase_add_test(tests, test_generator);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
