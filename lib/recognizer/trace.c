#include "recognizer/trace.h"

#include "base/error.h"
#include "base/memory.h"

struct trace {
    const steno_model *model;
    steno_trace functions;
    search_observer observer;
    steno_trace_token *tokens; /* [segment_tokens] */

    uint64_t sample_count, frame_count, encoding_count; /* told so far */
};

static void observe_ctc(void *context, uint64_t frame, const float *log_probabilities)
{
    trace *t = context;
    steno_trace_ctc told = {
        .frame = frame,
        .tokens = t->model->config.decoder.tokens,
        .log_probabilities = log_probabilities,
    };
    t->functions.ctc(t->functions.context, &told);
}

static void observe_segment(void *context, const search_token *tokens,
    const search_alignment *alignments, size_t count, uint64_t end_frame)
{
    trace *t = context;
    for (size_t i = 0; i < count; i++) {
        t->tokens[i] = (steno_trace_token){
            .text = vocabulary_text(t->model->vocabulary, tokens[i].token),
            .token = tokens[i].token,
            .probability = tokens[i].probability,
            .frame = tokens[i].frame,
            .trigger = tokens[i].frame / t->model->config.decoder.ctc_frames,
        };
        if (!alignments)
            continue;
        t->tokens[i].trigger = alignments[i].trigger;
        t->tokens[i].first = alignments[i].first;
        t->tokens[i].count = alignments[i].count;
        t->tokens[i].weights = alignments[i].weights;
    }
    steno_trace_segment told = {.tokens = t->tokens, .count = count, .end = end_frame};
    t->functions.segment(t->functions.context, &told);
}

steno_status trace_create(const steno_model *model, const steno_trace *functions,
    size_t segment_tokens, trace **out_trace, steno_error *error)
{
    trace *t = memory_allocate(1, sizeof *t);
    if (!t)
        return error_memory(error);
    t->model = model;
    t->functions = *functions;
    t->observer = (search_observer){
        .ctc = functions->ctc ? observe_ctc : NULL,
        .segment = functions->segment ? observe_segment : NULL,
        .context = t,
    };
    t->tokens = memory_allocate(segment_tokens, sizeof *t->tokens);
    if (!t->tokens) {
        trace_destroy(t);
        return error_memory(error);
    }
    *out_trace = t;
    return STENO_OK;
}

void trace_destroy(trace *t)
{
    if (!t)
        return;
    memory_free(t->tokens);
    memory_free(t);
}

const search_observer *trace_observer(const trace *t)
{
    return &t->observer;
}

void trace_samples(trace *t, const float *samples, size_t count)
{
    steno_trace_samples told = {
        .first = t->sample_count,
        .count = count,
        .rate_hz = t->model->config.frontend.rate_hz,
        .values = samples,
    };
    t->sample_count += count;
    if (t->functions.samples && count > 0)
        t->functions.samples(t->functions.context, &told);
}

void trace_frames(trace *t, const float *frames, size_t count)
{
    const frontend_config *c = &t->model->config.frontend;
    steno_trace_frames told = {
        .first = t->frame_count,
        .count = count,
        .bins = c->mel_bins,
        .hop_samples = c->hop_samples,
        .window_samples = c->window_samples,
        .values = frames,
    };
    t->frame_count += count;
    if (t->functions.frames && count > 0)
        t->functions.frames(t->functions.context, &told);
}

void trace_turn(
    trace *t, size_t encodings, size_t chunk, size_t streams, const steno_engine_times *spent)
{
    steno_trace_turn told = {
        .first = t->encoding_count,
        .count = encodings,
        .chunk = chunk,
        .streams = streams,
        .feature_ns = spent->feature_ns,
        .encoder_ns = spent->encoder_ns,
        .decoder_ns = spent->decoder_ns,
        .transcript_ns = spent->transcript_ns,
    };
    t->encoding_count += encodings;
    if (t->functions.turn)
        t->functions.turn(t->functions.context, &told);
}
