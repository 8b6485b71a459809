/*
 * A whole stream against the PyTorch network: a recording goes in at one end, and what a trace
 * tells of the inside is what PyTorch computed for it.  Frames and CTC are compared as they are.
 * The search's tokens and triggers are its own, so alignments are compared with those that the
 * attention decoder (which golden_decoder compares with PyTorch's) gives for these on PyTorch's
 * encodings.
 *
 *     PROGRAM MODEL.safetensors NUMBERS.safetensors FOLDER      (of the recording)
 */
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decoder/attention.h"
#include "golden.h"
#include "recognizer/model.h"
#include "steno/steno.h"
#include "support/recognise.h"

static const char *model_path, *folder;

enum { MAX_TOKENS = 256, MAX_WINDOW = 64 };

/* Of the first segment. */
typedef struct seen_token {
    uint32_t token;
    uint64_t trigger, first;
    size_t count;
    float weights[MAX_WINDOW];
} seen_token;

typedef struct seen {
    float *frames, *ctc; /* [rows, columns]: as far as PyTorch has them */
    size_t frame_rows, frame_columns, ctc_rows, ctc_columns;
    size_t encodings; /* of ctc_rows / encodings frames of CTC each */
    seen_token tokens[MAX_TOKENS];
    size_t token_count;
} seen;

static void see_frames(void *context, const steno_trace_frames *told)
{
    seen *s = context;
    ck_assert_uint_eq(told->bins, s->frame_columns);
    for (size_t i = 0; i < told->count && told->first + i < s->frame_rows; i++)
        memcpy(s->frames + (told->first + i) * told->bins, told->values + i * told->bins,
            told->bins * sizeof(float));
}

static void see_ctc(void *context, const steno_trace_ctc *told)
{
    seen *s = context;
    ck_assert_uint_eq(told->tokens, s->ctc_columns);
    if (told->frame < s->ctc_rows)
        memcpy(s->ctc + told->frame * told->tokens, told->log_probabilities,
            told->tokens * sizeof(float));
}

static void see_segment(void *context, const steno_trace_segment *told)
{
    seen *s = context;
    if (s->token_count > 0)
        return; /* the search has begun afresh */
    ck_assert_uint_le(told->count, MAX_TOKENS);
    for (; s->token_count < told->count; s->token_count++) {
        const steno_trace_token *t = &told->tokens[s->token_count];
        seen_token *token = &s->tokens[s->token_count];
        ck_assert(t->count > 0 && t->count <= MAX_WINDOW);
        *token = (seen_token){t->token, t->trigger, t->first, t->count, {0}};
        memcpy(token->weights, t->weights, t->count * sizeof *t->weights);
    }
}

static void recognise_recording(const golden *g, steno_model *model, steno_trace *trace)
{
    char path[PATH_MAX];
    const char *name = nn_weights_metadata(g->numbers, "recording");
    ck_assert_ptr_nonnull(name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    size_t count;
    uint32_t rate_hz;
    float *samples = recognise_load(path, &count, &rate_hz);
    steno_engine *engine = NULL;
    ck_assert_int_eq(steno_engine_create(NULL, &engine, NULL), STENO_OK);
    steno_stream_options options;
    steno_stream_options_init(&options);
    options.rate_hz = rate_hz;
    options.chunk_ms = model->config.encoding_ms *
                       (uint32_t)strtoul(nn_weights_metadata(g->numbers, "golden_chunk"), NULL, 10);
    options.trace = trace;
    recognition r = recognise(engine, model, &options, samples, count, NULL);
    ck_assert_uint_gt(r.word_count, 0);
    recognition_free(&r);
    steno_engine_destroy(engine);
    free(samples);
}

static void compare_values(const golden *g, const seen *s, size_t whole)
{
    float *frames = golden_floats(g, "golden.frames", s->frame_rows, s->frame_columns);
    float *ctc = golden_floats(g, "golden.ctc", s->ctc_rows, s->ctc_columns);
    golden wider = *g;
    /* Log-mel values are about ten times as large as the network's, and their FFTs differ. */
    wider.tolerance = 2e-4f;
    golden_assert_close(
        &wider, "golden.frames", s->frames, frames, s->frame_rows, s->frame_columns);
    golden_assert_close(
        g, "golden.ctc", s->ctc, ctc, whole * (s->ctc_rows / s->encodings), s->ctc_columns);
    memory_free(ctc);
    memory_free(frames);
}

/* Returns how many alignments there were to compare: those that see whole chunks alone. */
static size_t compare_alignments(
    const golden *g, const steno_model *model, const seen *s, size_t whole)
{
    const decoder_config *c = &model->config.decoder;
    float *encodings = golden_floats(g, "golden.encodings", s->encodings, c->dimension);
    float *keys = memory_allocate(s->encodings * c->attention, sizeof *keys);
    float *out = memory_allocate(c->tokens, sizeof *out);
    attention *network = NULL;
    nn_scratch *scratch = NULL;
    ck_assert_int_eq(attention_create(c, model->weights, model->ops, NN_PRECISION_F32, s->encodings,
                         &network, NULL),
        STENO_OK);
    ck_assert_int_eq(nn_scratch_create((size_t)1 << 22, &scratch, NULL), STENO_OK);
    attention_keys(network, scratch, encodings, s->encodings, keys);
    attention_state states[2];
    for (size_t i = 0; i < 2; i++) {
        float *values = memory_allocate(2 * c->lstm + c->window, sizeof *values);
        states[i] = (attention_state){
            .hidden = values, .cell = values + c->lstm, .alignment = values + 2 * c->lstm};
    }
    size_t i = 0;
    for (; i < s->token_count && s->tokens[i].first + s->tokens[i].count <= whole; i++) {
        const seen_token *t = &s->tokens[i];
        attention_step step = {.before = &states[i % 2],
            .after = &states[(i + 1) % 2],
            .token = i > 0 ? s->tokens[i - 1].token : 0,
            .first = t->first,
            .visible = t->count,
            .encodings = encodings + t->first * c->dimension,
            .keys = keys + t->first * c->attention};
        ck_assert_uint_eq(t->first + t->count, t->trigger + c->look_ahead + 1);
        attention_advance(network, scratch, &step, 1, out);
        golden_assert_close(g, "alignment", t->weights, step.after->alignment, 1, t->count);
    }
    memory_free(states[0].hidden);
    memory_free(states[1].hidden);
    nn_scratch_destroy(scratch);
    attention_destroy(network);
    memory_free(out);
    memory_free(keys);
    memory_free(encodings);
    return i;
}

START_TEST(what_is_told_is_what_pytorch_computed)
{
    static seen s;
    golden g;
    golden_open(&g);
    steno_model *model = NULL;
    const steno_model_options how = {STENO_PRECISION_F32, golden_operators(_i) == nn_ops_reference()
                                                              ? STENO_OPERATORS_REFERENCE
                                                              : STENO_OPERATORS_ONEDNN};
    ck_assert_int_eq(steno_model_open(model_path, &how, &model, NULL), STENO_OK);
    s = (seen){.frame_rows = golden_find(&g, "golden.frames")->shape[0],
        .frame_columns = golden_config(&g, "mel_bins"),
        .ctc_rows = golden_find(&g, "golden.ctc")->shape[0],
        .ctc_columns = golden_config(&g, "tokens"),
        .encodings = golden_find(&g, "golden.encodings")->shape[0]};
    ck_assert_uint_eq(s.ctc_rows, s.encodings * golden_ctc_frames(&g));
    s.frames = memory_allocate(s.frame_rows * s.frame_columns, sizeof(float));
    s.ctc = memory_allocate(s.ctc_rows * s.ctc_columns, sizeof(float));
    steno_trace trace = {
        .frames = see_frames, .ctc = see_ctc, .segment = see_segment, .context = &s};
    recognise_recording(&g, model, &trace);

    /* The stream's last chunk also hears the silence behind the recording. */
    size_t chunk = strtoul(nn_weights_metadata(g.numbers, "golden_chunk"), NULL, 10);
    size_t whole = s.encodings / chunk * chunk;
    ck_assert_uint_gt(whole, chunk);
    compare_values(&g, &s, whole);
    ck_assert_uint_ge(compare_alignments(&g, model, &s, whole), 3);
    memory_free(s.ctc);
    memory_free(s.frames);
    steno_model_unref(model);
    golden_close(&g);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 4 || !golden_arguments(argc - 1, argv))
        return EXIT_FAILURE;
    model_path = argv[1];
    folder = argv[3];
    TCase *tests = tcase_create("trace");
    /* With every implementation of the operators. */
    tcase_add_loop_test(tests, what_is_told_is_what_pytorch_computed, 0, golden_operator_sets());
    return golden_run(tests, "trace golden");
}
