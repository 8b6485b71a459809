/* Looking on at a stream: the same results, and numbers that are those of the stages themselves. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decoder/ctc.h"
#include "encoder/encoder.h"
#include "feature/frontend.h"
#include "fixture.h"
#include "recognizer/model.h"
#include "support/recognise.h"
#include "support/suite.h"

enum { RATE = 16000, FRAMES = 9 * RATE + 77, MAX_TOKENS = 1000, MAX_ENCODINGS = 200, BINS = 80 };

static fixture f;

static void setup(void)
{
    fixture_open(&f, FRAMES);
}

static void teardown(void)
{
    fixture_close(&f);
}

/* All that is told, with the order checked on the way. */
typedef struct gathered {
    float samples[FRAMES + RATE];
    float frames[(MAX_ENCODINGS * 8) * BINS];
    float ctc[MAX_ENCODINGS * 12];
    size_t sample_count, frame_count, encoding_count;
    char words[8192]; /* of all segments */
    size_t token_count, segments;
    uint64_t end;
    uint64_t turn_encodings, turn_ns;
    size_t turns;
} gathered;

static void gather_samples(void *context, const steno_trace_samples *told)
{
    gathered *g = context;
    ck_assert_uint_eq(told->first, g->sample_count);
    ck_assert_uint_eq(told->rate_hz, RATE);
    ck_assert_uint_le(g->sample_count + told->count, FRAMES + RATE);
    memcpy(g->samples + told->first, told->values, told->count * sizeof(float));
    g->sample_count += told->count;
}

static void gather_frames(void *context, const steno_trace_frames *told)
{
    gathered *g = context;
    ck_assert_uint_eq(told->first, g->frame_count);
    ck_assert_uint_eq(told->bins, BINS);
    ck_assert_uint_eq(told->hop_samples, 160);
    ck_assert_uint_eq(told->window_samples, 400);
    ck_assert_uint_le(g->frame_count + told->count, MAX_ENCODINGS * 8);
    memcpy(g->frames + told->first * BINS, told->values, told->count * BINS * sizeof(float));
    g->frame_count += told->count;
}

static void gather_ctc(void *context, const steno_trace_ctc *told)
{
    gathered *g = context;
    ck_assert_uint_eq(told->frame, g->encoding_count);
    ck_assert_uint_eq(told->tokens, 12);
    ck_assert_uint_lt(g->encoding_count, MAX_ENCODINGS);
    memcpy(g->ctc + told->frame * 12, told->log_probabilities, 12 * sizeof(float));
    g->encoding_count++;
}

static void gather_segment(void *context, const steno_trace_segment *told)
{
    gathered *g = context;
    ck_assert_uint_gt(told->count, 0);
    ck_assert_uint_gt(told->end, g->end);
    for (size_t i = 0; i < told->count; i++) {
        const steno_trace_token *t = &told->tokens[i];
        double sum = 0;
        ck_assert_str_eq(t->text, steno_model_token(f.model, t->token));
        ck_assert(t->probability > 0 && t->probability <= 1);
        ck_assert_uint_le(t->trigger, t->frame);
        ck_assert_uint_lt(t->frame, told->end);
        if (t->count > 0)
            ck_assert(t->first <= t->trigger && t->trigger < t->first + t->count);
        for (size_t k = 0; k < t->count; k++)
            sum += (double)t->weights[k];
        if (t->count > 0)
            ck_assert_double_eq_tol(sum, 1, 1e-5); /* a sum of a few floats */
        size_t used = strlen(g->words);
        ck_assert_uint_lt(used + strlen(t->text) + 2, sizeof g->words);
        if (i == 0 && *t->text != ' ')
            strcat(g->words, " ");
        strcat(g->words, t->text);
    }
    g->token_count += told->count;
    g->segments++;
    g->end = told->end;
}

static void gather_turn(void *context, const steno_trace_turn *told)
{
    gathered *g = context;
    ck_assert_uint_eq(told->first, g->turn_encodings);
    ck_assert_uint_eq(told->streams, 1);
    ck_assert_uint_eq(told->chunk, 4);
    g->turn_encodings += told->count;
    g->turn_ns += told->feature_ns + told->encoder_ns + told->decoder_ns + told->transcript_ns;
    g->turns++;
}

static steno_trace trace_of(gathered *g)
{
    memset(g, 0, sizeof *g);
    return (steno_trace){.samples = gather_samples,
        .frames = gather_frames,
        .ctc = gather_ctc,
        .segment = gather_segment,
        .turn = gather_turn,
        .context = g};
}

static steno_stream_options options_of(const steno_trace *trace)
{
    steno_stream_options options = fixture_options();
    ck_assert_ptr_null(options.trace);
    options.chunk_ms = 320;
    options.interim = true;
    options.trace = trace;
    return options;
}

/* `words` without a space at its beginning, and one of those where there are several. */
static void tidy(char *words)
{
    size_t used = 0;
    for (const char *c = words; *c; c++)
        if (*c != ' ' || (used > 0 && words[used - 1] != ' '))
            words[used++] = *c;
    words[used] = '\0';
}

static size_t odd_pieces(size_t fed)
{
    return 1 + fed % 1931;
}

START_TEST(the_same_results)
{
    static gathered whole, pieces;
    steno_trace of_whole = trace_of(&whole), of_pieces = trace_of(&pieces),
                none = {.context = NULL};
    steno_stream_options plain = options_of(NULL), traced = options_of(&of_whole),
                         cut = options_of(&of_pieces), idle = options_of(&none);
    plain.search = traced.search = cut.search = idle.search = (steno_search)_i;
    recognition r[] = {recognise(f.engine, f.model, &plain, f.audio, FRAMES, NULL),
        recognise(f.engine, f.model, &traced, f.audio, FRAMES, NULL),
        recognise(f.engine, f.model, &cut, f.audio, FRAMES, odd_pieces),
        recognise(f.engine, f.model, &idle, f.audio, FRAMES, NULL)};
    ck_assert_uint_gt(r[0].word_count, 5);
    for (size_t i = 1; i < 4; i++)
        ck_assert_str_eq(r[0].report, r[i].report);
    tidy(whole.words);
    tidy(pieces.words);
    ck_assert_str_eq(whole.words, r[0].words);
    ck_assert_str_eq(pieces.words, r[0].words);
    ck_assert_uint_gt(whole.segments, 1);

    /* However it came, the same numbers are told. */
    ck_assert_uint_eq(whole.sample_count, pieces.sample_count);
    ck_assert_uint_eq(whole.frame_count, pieces.frame_count);
    ck_assert_uint_eq(whole.encoding_count, pieces.encoding_count);
    ck_assert_mem_eq(whole.frames, pieces.frames, whole.frame_count * BINS * sizeof(float));
    ck_assert_mem_eq(whole.ctc, pieces.ctc, whole.encoding_count * 12 * sizeof(float));
    ck_assert_uint_eq(whole.turn_encodings, whole.encoding_count);
    ck_assert_uint_eq(pieces.turn_encodings, whole.encoding_count);
    ck_assert_uint_gt(whole.turns, 1);
    ck_assert_uint_gt(whole.turn_ns, 0);
    for (size_t i = 0; i < 4; i++)
        recognition_free(&r[i]);
}
END_TEST

/* The stages by themselves on the samples that were told. */
START_TEST(the_numbers_of_the_stages)
{
    static gathered g;
    steno_trace trace = trace_of(&g);
    steno_stream_options options = options_of(&trace);
    recognition r = recognise(f.engine, f.model, &options, f.audio, FRAMES, NULL);
    recognition_free(&r);

    ck_assert_uint_gt(g.sample_count, FRAMES);
    ck_assert_mem_eq(g.samples, f.audio, FRAMES * sizeof(float));
    for (size_t i = FRAMES; i < g.sample_count; i++)
        ck_assert(g.samples[i] == 0);

    frontend *front = NULL;
    ck_assert_int_eq(frontend_create(&f.model->config.frontend, f.model->mean,
                         f.model->inverse_deviation, &front, NULL),
        STENO_OK);
    ck_assert_uint_eq(frontend_frames_after(front, g.sample_count), g.frame_count);
    float *frames = memory_allocate(g.frame_count * BINS, sizeof *frames);
    frontend_feed(front, g.samples, g.sample_count, frames);
    ck_assert_mem_eq(frames, g.frames, g.frame_count * BINS * sizeof(float));

    const model_config *c = &f.model->config;
    encoder_state *state = NULL;
    nn_scratch *scratch = NULL;
    ctc *head = NULL;
    ck_assert_int_eq(encoder_state_create(f.model->encoder, 4, &state, NULL), STENO_OK);
    ck_assert_int_eq(
        nn_scratch_create(encoder_scratch(f.model->encoder) + (1 << 20), &scratch, NULL), STENO_OK);
    ck_assert_int_eq(
        ctc_create(&c->decoder, f.model->weights, f.model->ops, NN_PRECISION_F32, 128, &head, NULL),
        STENO_OK);
    float *encodings = memory_allocate(g.encoding_count * c->encoder.dimension, sizeof(float));
    float *expected = memory_allocate(g.encoding_count * 12, sizeof(float));
    encoder_item item = {state, frames, g.frame_count, encodings};
    ck_assert_uint_eq(encoder_encodings_after(state, g.frame_count), g.encoding_count);
    encoder_forward(f.model->encoder, scratch, &item, 1);
    ctc_forward(head, scratch, encodings, g.encoding_count, expected);
    /* The reference operators do not care how rows are batched. */
    ck_assert_mem_eq(expected, g.ctc, g.encoding_count * 12 * sizeof(float));

    memory_free(expected);
    memory_free(encodings);
    memory_free(frames);
    ctc_destroy(head);
    nn_scratch_destroy(scratch);
    encoder_state_destroy(state);
    frontend_destroy(front);
}
END_TEST

START_TEST(mixed_and_resampled)
{
    static gathered g;
    steno_trace trace = trace_of(&g);
    steno_stream_options options = options_of(&trace);
    options.rate_hz = 8000;
    options.channels = 2;
    recognition r = recognise(f.engine, f.model, &options, f.audio, FRAMES / 2 / 2, NULL);
    recognition_free(&r);
    ck_assert_uint_ge(g.sample_count, FRAMES / 2 - 4);
    ck_assert_uint_gt(g.encoding_count, 40);
}
END_TEST

START_TEST(only_what_is_asked_for)
{
    static gathered g;
    steno_trace trace = trace_of(&g);
    trace = (steno_trace){.frames = trace.frames, .context = &g};
    steno_stream_options options = options_of(&trace);
    recognition r = recognise(f.engine, f.model, &options, f.audio, FRAMES, NULL);
    recognition_free(&r);
    ck_assert_uint_gt(g.frame_count, 100);
    ck_assert_uint_eq(g.sample_count + g.encoding_count + g.segments + g.turns, 0);
}
END_TEST

static steno_stream *create(const steno_trace *trace)
{
    steno_stream_options options = options_of(trace);
    return fixture_stream(&f, &options);
}

START_TEST(memory_is_taken_at_creation)
{
    static gathered g;
    steno_trace trace = trace_of(&g);
    steno_stream *plain = create(NULL), *traced = create(&trace);
    ck_assert_uint_gt(steno_stream_bytes(traced), steno_stream_bytes(plain));
    uint64_t attempts = memory_attempts();
    const steno_result *result;
    steno_status status;
    for (size_t fed = 0, taken; fed < FRAMES; fed += taken)
        if (steno_stream_feed(traced, f.audio + fed, FRAMES - fed, &taken) == STENO_FULL)
            steno_stream_wait(traced, -1);
    steno_stream_finish(traced);
    while ((status = steno_stream_next(traced, &result, NULL)) != STENO_END)
        if (status == STENO_AGAIN)
            steno_stream_wait(traced, -1);
    ck_assert_uint_eq(memory_attempts(), attempts);
    ck_assert_uint_gt(g.token_count, 5);
    steno_stream_destroy(traced);
    steno_stream_destroy(plain);
}
END_TEST

START_TEST(failing_allocations)
{
    static gathered g;
    steno_trace trace = trace_of(&g);
    steno_stream_options options = options_of(&trace);
    steno_status status = STENO_ERROR_MEMORY;
    steno_stream *stream = create(&trace); /* the workers' memory stays the engine's */
    steno_stream_destroy(stream);
    for (uint64_t failing = 1; status == STENO_ERROR_MEMORY; failing++) {
        size_t alive = memory_alive();
        memory_fail_at(memory_attempts() + failing);
        status = steno_stream_create(f.engine, f.model, &options, &stream, NULL);
        memory_fail_at(0);
        if (status != STENO_OK)
            ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_int_eq(status, STENO_OK);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(names_of_tokens)
{
    steno_model_info info;
    steno_model_get_info(f.model, &info);
    ck_assert_str_eq(steno_model_token(f.model, 0), "");
    ck_assert_str_eq(steno_model_token(f.model, 1), " b");
    ck_assert_str_eq(steno_model_token(f.model, 2), "c");
    ck_assert_str_ne(steno_model_token(f.model, info.tokens), "");
    ck_assert_str_eq(steno_model_token(f.model, info.tokens + 1), "");
    ck_assert_str_eq(steno_model_token(f.model, UINT32_MAX), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trace");
    TCase *tcase = tcase_create("trace");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, the_same_results, STENO_SEARCH_JOINT, STENO_SEARCH_CTC + 1);
    tcase_add_test(tcase, the_numbers_of_the_stages);
    tcase_add_test(tcase, mixed_and_resampled);
    tcase_add_test(tcase, only_what_is_asked_for);
    tcase_add_test(tcase, memory_is_taken_at_creation);
    tcase_add_test(tcase, failing_allocations);
    tcase_add_test(tcase, names_of_tokens);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
