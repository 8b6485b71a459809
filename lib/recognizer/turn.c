/*
 * One turn, stage by stage over all streams of the batch:
 *
 *     plan       how many whole chunks each stream has samples for, within its share of the rows
 *     features   exactly those samples -> exactly the frames of those chunks; the ring moves on
 *     encoder    all chunks of all streams in one forward call
 *     decoder    chunk by chunk, the streams side by side; then each one's transcript
 *     publish    results, positions, and whether another turn is due
 *
 * Chunk by chunk, because a transcript must not depend on how many chunks happened to be there at
 * once: pauses are judged at the same positions however the audio came.  Taking exactly the
 * samples of whole chunks leaves the remainder in the ring, so no frames are kept between turns.
 *
 * The end of the audio: zeros follow the last sample, TAIL_ENCODINGS encodings' worth, so that the
 * last word gets the pause and the look-ahead it would have had in a longer recording; then as many
 * more as complete the window of the last frame.  The last chunk is cut where that ends.
 *
 * A flush: whole chunks first, then one that is cut after as many encodings as there are samples
 * for; the search ends its segment there, and the next chunk begins with the next sample.  Nothing
 * is made up, so times go on as before.
 */
#include "recognizer/turn.h"

#include <assert.h>
#include <string.h>

#include "recognizer/stream.h"

enum { TAIL_ENCODINGS = 4 };

/* One stream's part of the turn. */
typedef struct part {
    steno_stream *stream;
    size_t samples; /* from the ring */
    size_t silence; /* zeros after them */
    size_t frame_count;
    float *frames; /* [frame_count, mel_bins] */
    size_t encoding_count;
    float *encodings; /* [encoding_count, dimension] */
    bool idle;        /* nothing to do after all */
    bool last;        /* the audio ends with this */
    bool flush;       /* what was said becomes final with this */
    uint64_t flush_at;
    bool room_came; /* feed said FULL and now has room */
} part;

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smallest(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t turn_scratch(const steno_model *model)
{
    const encoder_config *c = &model->config.encoder;
    return nn_scratch_round(MODEL_MAX_ROWS * sizeof(part)) +
           nn_scratch_round(MODEL_MAX_ROWS * c->subsampling * c->mel_bins * sizeof(float)) +
           nn_scratch_round(MODEL_MAX_ROWS * c->dimension * sizeof(float)) +
           nn_scratch_round(MODEL_MAX_ROWS * sizeof(encoder_item)) +
           nn_scratch_round(MODEL_MAX_ROWS * sizeof(decoder_item)) +
           largest(encoder_scratch(model->encoder), decoder_scratch(model->decoder));
}

/* Plan. */

static uint64_t samples_to_ms(const steno_model *model, uint64_t samples)
{
    return samples * 1000 / model->config.frontend.rate_hz;
}

/* The audio is `total` samples, or end_ms, long: settles the silence after it.  The zeros reach to
 * the end of the last frame's window, so that feeding them all leaves no frame half done. */
static void plan_tail(steno_stream *s, uint64_t total, uint64_t end_ms)
{
    const frontend_config *f = &s->model->config.frontend;
    s->tail_known = true;
    s->limit_ms = end_ms;
    if (total == 0)
        return;
    uint64_t padded =
        total + TAIL_ENCODINGS * s->model->config.encoder.subsampling * (uint64_t)f->hop_samples;
    uint64_t frames = (padded + f->hop_samples - 1) / f->hop_samples;
    uint64_t end = (frames - 1) * f->hop_samples + f->window_samples;
    s->silence = end > total ? (size_t)(end - total) : 0;
}

/* Samples that complete as many encodings, fewer than a chunk, as `available` samples can. */
static size_t plan_cut(const steno_stream *s, size_t available)
{
    const model_config *c = &s->model->config;
    size_t chunk_frames = encoder_frames_wanted(s->encoder_state, 1);
    for (size_t left_out = 1; left_out < s->chunk; left_out++) {
        size_t frames = chunk_frames - left_out * c->encoder.subsampling;
        size_t samples =
            frontend_samples_wanted(s->frontend) + (frames - 1) * c->frontend.hop_samples;
        if (samples <= available)
            return samples;
    }
    return 0;
}

/* extra_rows: encodings beyond the first chunk. */
static void plan(part *p, size_t extra_rows)
{
    steno_stream *s = p->stream;
    engine_task_lock(&s->task);
    bool flushing = s->flushing && !s->finishing;
    uint64_t flush_left = s->flush_at > s->read ? s->flush_at - s->read : 0;
    p->flush_at = s->flush_at;
    size_t queued = (size_t)(s->written - s->read);
    uint64_t written = s->written, end_ms = s->end_ms;
    bool finishing = s->finishing;
    p->idle = s->ended || s->failure.status < 0 || !outbox_has_room(s->outbox);
    engine_task_unlock(&s->task);
    if (p->idle)
        return;
    if (finishing && !s->tail_known)
        plan_tail(s, written, end_ms);

    size_t available = queued + (s->tail_known ? s->silence : 0);
    if (flushing && flush_left < available)
        available = (size_t)flush_left;
    size_t chunks = 1 + extra_rows / s->chunk;
    while (chunks > 0 && stream_samples_wanted(s, chunks) > available)
        chunks--;
    size_t taken = chunks ? stream_samples_wanted(s, chunks) : 0;
    if (s->tail_known) {
        if (chunks == 0)
            taken = available;
        p->last = taken == available;
    } else if (flushing && chunks == 0) {
        taken = plan_cut(s, available);
        p->flush = true;
    }
    p->idle = taken == 0 && !p->last && !p->flush;
    p->samples = smallest(taken, queued);
    p->silence = taken - p->samples;
    p->frame_count = taken ? frontend_frames_after(s->frontend, taken) : 0;
    p->encoding_count =
        p->frame_count ? encoder_encodings_after(s->encoder_state, p->frame_count) : 0;
}

/* Features. */

/* Returns the frames made of `count` samples more, after `frames` before. */
static size_t feed_frontend(const part *p, const float *samples, size_t count, size_t frames)
{
    const steno_stream *s = p->stream;
    if (s->trace)
        trace_samples(s->trace, samples, count);
    return frontend_feed(
        s->frontend, samples, count, p->frames + frames * s->model->config.frontend.mel_bins);
}

static void make_frames(part *p)
{
    static const float zeros[1024];
    steno_stream *s = p->stream;
    size_t place = (size_t)(s->read % s->ring_samples);
    size_t first = smallest(p->samples, s->ring_samples - place);
    size_t frames = feed_frontend(p, s->ring + place, first, 0);
    frames += feed_frontend(p, s->ring, p->samples - first, frames);
    for (size_t left = p->silence; left > 0;) {
        size_t count = smallest(left, sizeof zeros / sizeof *zeros);
        frames += feed_frontend(p, zeros, count, frames);
        left -= count;
    }
    assert(frames == p->frame_count);
    s->silence -= p->silence;
    if (s->trace)
        trace_frames(s->trace, p->frames, frames);
}

static uint64_t release_samples(part *p)
{
    steno_stream *s = p->stream;
    uint64_t before = samples_to_ms(s->model, s->read);
    engine_task_lock(&s->task);
    bool was_full = s->written - s->read >= s->backlog_samples;
    s->read += p->samples;
    p->room_came = s->full_told && was_full && s->written - s->read < s->backlog_samples;
    if (p->room_came)
        engine_task_notify(&s->task);
    engine_task_unlock(&s->task);
    return samples_to_ms(s->model, s->read) - before;
}

/* Decoder and transcript. */

static size_t map_hypotheses(steno_stream *s, const search_hypothesis *from, size_t count)
{
    count = smallest(count, s->beam);
    for (size_t i = 0; i < count; i++) {
        transcript_token *tokens = s->tokens + i * s->segment_tokens;
        assert(from[i].token_count <= s->segment_tokens);
        for (size_t j = 0; j < from[i].token_count; j++) {
            const search_token *token = &from[i].tokens[j];
            tokens[j] = (transcript_token){
                .text = vocabulary_text(s->model->vocabulary, token->token),
                .frame = token->frame,
                .probability = token->probability,
            };
        }
        s->hypotheses[i] = (transcript_hypothesis){
            .tokens = tokens,
            .token_count = from[i].token_count,
            .posterior = from[i].posterior,
            .is_variation = from[i].is_variation,
        };
    }
    return count;
}

/* lasting: a final or an event. */
static void put(steno_stream *s, bool lasting, const steno_result *result)
{
    uint64_t limit_ms = s->tail_known ? s->limit_ms : UINT64_MAX;
    steno_status status = lasting ? outbox_put_final(s->outbox, result, limit_ms)
                                  : outbox_put_interim(s->outbox, result, limit_ms);
    if (status != STENO_OK)
        error_set(&s->turn_error, STENO_ERROR_INTERNAL,
            "a result of %zu alternatives is larger than it can be", result->alternative_count);
}

static void put_final(steno_stream *s)
{
    const steno_result *result;
    if (transcript_take_final(s->transcript, &result) == STENO_OK)
        put(s, true, result);
}

static void put_events(steno_stream *s, const activity_event *events, size_t count)
{
    uint64_t audio_ms = search_position(s->search) * s->model->config.frame_ms;
    for (size_t i = 0; i < count && s->options.activity; i++)
        put(s, true,
            &(steno_result){
                .event = events[i].event, .event_ms = events[i].event_ms, .audio_ms = audio_ms});
}

void turn_segment(
    void *context, const search_hypothesis *hypotheses, size_t count, uint64_t end_frame)
{
    steno_stream *s = context;
    const search_hypothesis *best = &hypotheses[0];
    uint64_t first = best->tokens[0].frame, last = best->tokens[best->token_count - 1].frame;
    activity_event events[ACTIVITY_MAX_EVENTS];
    size_t event_count = activity_segment(&s->activity, first, last, events);
    count = map_hypotheses(s, hypotheses, count);
    transcript_segment(s->transcript, s->hypotheses, count, end_frame);

    /* A final of earlier words goes before the events, one with this segment's words after. */
    const steno_result *final = NULL;
    bool has_final = transcript_take_final(s->transcript, &final) == STENO_OK;
    bool earlier = has_final && final->end_ms <= first * s->model->config.frame_ms;
    if (earlier)
        put(s, true, final);
    put_events(s, events, event_count);
    if (has_final && !earlier)
        put(s, true, final);
}

/* finish: what was said becomes final; last: because the audio is over. */
static void advance_transcript(steno_stream *s, bool finish, bool last)
{
    search_hypothesis running[SEARCH_MAX_BEAM];
    size_t count = search_hypotheses(s->search, s->beam, running);
    map_hypotheses(s, running, count);
    transcript_advance(s->transcript, s->hypotheses, count, search_stable(s->search),
        search_position(s->search), search_trailing(s->search));
    put_final(s);
    activity_event events[ACTIVITY_MAX_EVENTS];
    if (running[0].token_count > 0)
        put_events(s, events, activity_running(&s->activity, running[0].tokens[0].frame, events));
    else
        put_events(s, events, activity_silence(&s->activity, search_trailing(s->search), events));
    if (finish) {
        transcript_finish(s->transcript);
        put_final(s);
    }
    if (last)
        put_events(s, events, activity_finish(&s->activity, events));
}

/* Decodes chunk number `step` of each part that has one: false if none has. */
static bool decode_step(part *parts, size_t count, size_t step, decoder_item *items,
    nn_scratch *scratch, steno_engine_times *times)
{
    part *active[MODEL_MAX_ROWS];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        part *p = &parts[i];
        size_t done = step * p->stream->chunk;
        bool ends = p->last || p->flush;
        bool only_end = ends && p->encoding_count == 0 && step == 0;
        if (p->idle || (done >= p->encoding_count && !only_end))
            continue;
        size_t rows = smallest(p->stream->chunk, p->encoding_count - done);
        items[n] = (decoder_item){
            .search = p->stream->search,
            .encodings = p->encodings + done * p->stream->model->config.encoder.dimension,
            .count = rows,
            .finish = ends && done + rows == p->encoding_count,
        };
        active[n++] = p;
    }
    if (n == 0)
        return false;

    uint64_t start = engine_now_ns();
    decoder_advance(active[0]->stream->model->decoder, scratch, items, n);
    uint64_t decoded = engine_now_ns();
    for (size_t i = 0; i < n; i++)
        advance_transcript(active[i]->stream, items[i].finish, items[i].finish && active[i]->last);
    times->decoder_ns += decoded - start;
    times->transcript_ns += engine_now_ns() - decoded;
    return true;
}

/* Publish. */

static uint64_t done_ms(const part *p)
{
    const steno_stream *s = p->stream;
    uint64_t decoded = search_position(s->search) * s->model->config.frame_ms;
    return p->last || (s->tail_known && decoded > s->limit_ms) ? s->limit_ms : decoded;
}

static void publish(part *p)
{
    steno_stream *s = p->stream;
    const steno_result *interim;
    if (!p->idle && s->options.interim && !p->last &&
        transcript_take_interim(s->transcript, &interim) == STENO_OK)
        put(s, false, interim);
    size_t wanted = stream_samples_wanted(s, 1);

    engine_task_lock(&s->task);
    bool news = outbox_publish(s->outbox);
    if (!p->idle) {
        s->done_ms = done_ms(p);
        s->wanted = wanted;
        s->ended = p->last;
        s->failure = s->turn_error;
        if (p->flush && s->flush_at == p->flush_at)
            s->flushing = false;
        news |= s->ended || s->failure.status < 0;
    }
    if (news)
        engine_task_notify(&s->task);
    s->scheduled = false;
    bool again = stream_claim_turn(s);
    engine_task_unlock(&s->task);

    if (again)
        engine_task_schedule(&s->task);
    if (s->options.ready && (news || p->room_came))
        s->options.ready(s->options.ready_context);
}

/* The turn. */

/* Plans all parts and lays out their frames and encodings one after the other. */
static void plan_all(part *parts, size_t count, float *frames, float *encodings)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += parts[i].stream->task.rows;
    size_t extra_rows = (MODEL_MAX_ROWS - rows) / count;
    for (size_t i = 0; i < count; i++) {
        part *p = &parts[i];
        const encoder_config *c = &p->stream->model->config.encoder;
        plan(p, extra_rows);
        p->frames = frames;
        p->encodings = encodings;
        frames += p->frame_count * c->mel_bins;
        encodings += p->encoding_count * c->dimension;
    }
}

static void run_encoder(part *parts, size_t count, nn_scratch *scratch, steno_engine_times *times)
{
    encoder_item *items = nn_scratch_take(scratch, MODEL_MAX_ROWS * sizeof *items);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].encoding_count == 0)
            continue;
        items[n++] = (encoder_item){
            .state = parts[i].stream->encoder_state,
            .frames = parts[i].frames,
            .frame_count = parts[i].frame_count,
            .out = parts[i].encodings,
        };
    }
    if (n == 0)
        return;
    encoder_forward(parts[0].stream->model->encoder, scratch, items, n);
    times->batches++;
    times->items += n;
}

/* Tells those who look on what the turn was; before: *times at its beginning. */
static void trace_parts(const part *parts, size_t count, const steno_engine_times *before,
    const steno_engine_times *times)
{
    const steno_engine_times spent = {
        .feature_ns = times->feature_ns - before->feature_ns,
        .encoder_ns = times->encoder_ns - before->encoder_ns,
        .decoder_ns = times->decoder_ns - before->decoder_ns,
        .transcript_ns = times->transcript_ns - before->transcript_ns,
    };
    size_t streams = 0;
    for (size_t i = 0; i < count; i++)
        streams += !parts[i].idle;
    for (size_t i = 0; i < count; i++)
        if (parts[i].stream->trace && !parts[i].idle)
            trace_turn(parts[i].stream->trace, parts[i].encoding_count, parts[i].stream->chunk,
                streams, &spent);
}

void turn_run(engine_task **tasks, size_t count, nn_scratch *scratch, steno_engine_times *times)
{
    const encoder_config *c = &tasks[0]->model->config.encoder;
    size_t mark = nn_scratch_mark(scratch);
    part *parts = nn_scratch_take(scratch, MODEL_MAX_ROWS * sizeof *parts);
    float *frames =
        nn_scratch_take(scratch, MODEL_MAX_ROWS * c->subsampling * c->mel_bins * sizeof *frames);
    float *encodings = nn_scratch_take(scratch, MODEL_MAX_ROWS * c->dimension * sizeof *encodings);
    decoder_item *items = nn_scratch_take(scratch, MODEL_MAX_ROWS * sizeof *items);
    for (size_t i = 0; i < count; i++)
        parts[i] = (part){.stream = (steno_stream *)tasks[i]};
    plan_all(parts, count, frames, encodings);

    const steno_engine_times before = *times;
    uint64_t start = engine_now_ns();
    for (size_t i = 0; i < count; i++) {
        if (parts[i].idle)
            continue;
        make_frames(&parts[i]);
        times->audio_ms += release_samples(&parts[i]);
    }
    uint64_t featured = engine_now_ns();
    run_encoder(parts, count, scratch, times);
    times->feature_ns += featured - start;
    times->encoder_ns += engine_now_ns() - featured;

    for (size_t step = 0; decode_step(parts, count, step, items, scratch, times); step++)
        ;
    trace_parts(parts, count, &before, times);
    for (size_t i = 0; i < count; i++)
        publish(&parts[i]);
    nn_scratch_release(scratch, mark);
}
