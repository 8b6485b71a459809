/*
 * The owner's side of a stream: options, creation, feeding samples and reading results.
 *
 * Samples are converted on the owner's thread in small pieces and written to the ring unlocked;
 * each piece is then handed over by moving `written` on.  The ring is larger than the backlog by
 * what one piece and the resampler's tail can add, so that whatever is begun also fits.
 */
#include "recognizer/stream.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "recognizer/turn.h"
#include "steno/audio.h"

enum { PIECES_PER_SECOND = 100 };

/* Options. */

void steno_stream_options_init(steno_stream_options *options)
{
    *options = (steno_stream_options){
        .rate_hz = 16000,
        .channels = 1,
        .chunk_ms = 640,
        .endpointing = true,
        .endpoint_ms = 800,
        .max_utterance_ms = 20000,
        .max_alternatives = 1,
        .search = STENO_SEARCH_JOINT,
        .lm_weight = NAN,
        .attention_weight = NAN,
        .token_bonus = NAN,
        .backlog_ms = 5000,
    };
}

static steno_status check_range(
    const char *name, uint32_t value, uint32_t low, uint32_t high, steno_error *error)
{
    if (value >= low && value <= high)
        return STENO_OK;
    return error_set(error, STENO_ERROR_ARGUMENT, "%s: %u, should be %u to %u", name,
        (unsigned)value, (unsigned)low, (unsigned)high);
}

static steno_status check_chunk(
    const steno_model *model, const steno_stream_options *o, steno_error *error)
{
    uint32_t unit_ms = model->config.encoding_ms;
    uint32_t most_ms = (uint32_t)model->config.encoder.max_chunk * unit_ms;
    if (o->chunk_ms != 160 && o->chunk_ms != 320 && o->chunk_ms != 640 && o->chunk_ms != 1280)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "chunk_ms: %u, should be 160, 320, 640 or 1280", (unsigned)o->chunk_ms);
    if (o->chunk_ms > most_ms || o->chunk_ms % unit_ms != 0)
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "chunk_ms: %u, but this model has chunks of multiples of %u up to %u ms",
            (unsigned)o->chunk_ms, (unsigned)unit_ms, (unsigned)most_ms);
    return STENO_OK;
}

/* NAN is the model's own. */
static steno_status check_real(
    const char *name, float value, float low, float high, steno_error *error)
{
    if (isnan(value) || (value >= low && value <= high))
        return STENO_OK;
    return error_set(error, STENO_ERROR_ARGUMENT, "%s: %g, should be %g to %g", name, (double)value,
        (double)low, (double)high);
}

static steno_status check_weights(
    const steno_model *model, const steno_stream_options *o, steno_error *error)
{
    float most = o->search == STENO_SEARCH_CTC ? 0 : 100;
    steno_status status = check_real("lm_weight", o->lm_weight, 0, 100, error);
    if (status == STENO_OK)
        status = check_real("attention_weight", o->attention_weight, 0, most, error);
    if (status == STENO_OK)
        status = check_real("token_bonus", o->token_bonus, -100, 100, error);
    if (status == STENO_OK && o->lm_weight > 0 && !model->lm)
        status = error_set(error, STENO_ERROR_UNSUPPORTED,
            "lm_weight: %g, but this model has no language model", (double)o->lm_weight);
    return status;
}

static steno_status check_options(
    const steno_model *model, const steno_stream_options *o, steno_error *error)
{
    const struct {
        const char *name;
        uint32_t value, low, high;
    } ranges[] = {
        {"rate_hz", o->rate_hz, STENO_RATE_MIN_HZ, STENO_RATE_MAX_HZ},
        {"channels", o->channels, 1, STENO_CHANNELS_MAX},
        {"channel", o->channel, 0, o->channels},
        {"endpoint_ms", o->endpoint_ms, 400, 10000},
        {"max_utterance_ms", o->max_utterance_ms, 5000, 60000},
        {"max_alternatives", o->max_alternatives, 1, 10},
        {"search", (uint32_t)o->search, STENO_SEARCH_JOINT, STENO_SEARCH_CTC},
        {"beam", o->beam, 0, SEARCH_MAX_BEAM},
        {"backlog_ms", o->backlog_ms, 2 * o->chunk_ms, 60000},
    };
    if (o->phrase_count > 0 && !o->phrases)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "phrases: NULL, should be %zu of them", o->phrase_count);
    steno_status status = check_chunk(model, o, error);
    for (size_t i = 0; status == STENO_OK && i < sizeof ranges / sizeof *ranges; i++)
        status = check_range(ranges[i].name, ranges[i].value, ranges[i].low, ranges[i].high, error);
    if (status == STENO_OK)
        status = check_weights(model, o, error);
    return status;
}

static search_options choose_search(const steno_model *model, const steno_stream_options *o)
{
    search_options chosen = model->config.search;
    if (o->beam)
        chosen.beam = o->beam;
    if (o->search == STENO_SEARCH_CTC) {
        /* The weights and the bonus were balanced for the two together; alone CTC needs none. */
        chosen.attention_weight = 0;
        chosen.ctc_weight = 1;
        chosen.token_bonus = 0;
    }
    if (!isnan(o->lm_weight))
        chosen.lm_weight = o->lm_weight;
    if (!isnan(o->attention_weight))
        chosen.attention_weight = o->attention_weight;
    if (!isnan(o->token_bonus))
        chosen.token_bonus = o->token_bonus;
    chosen.lm = model->lm;
    return chosen;
}

/* Creation. */

static steno_status create_owner_side(steno_stream *s, steno_error *error)
{
    const steno_stream_options *o = &s->options;
    uint32_t model_rate_hz = s->model->config.frontend.rate_hz;
    steno_status status =
        converter_create(o->rate_hz, o->channels, o->channel, model_rate_hz, &s->converter, error);
    if (status != STENO_OK)
        return status;
    s->piece_frames = (o->rate_hz + PIECES_PER_SECOND - 1) / PIECES_PER_SECOND;
    s->backlog_samples = (size_t)((uint64_t)o->backlog_ms * model_rate_hz / 1000);
    size_t piece_bound = converter_bound(s->converter, s->piece_frames);
    size_t tail_bound = converter_bound(s->converter, 0);
    s->ring_samples = s->backlog_samples + piece_bound + tail_bound;
    s->piece = memory_allocate(s->piece_frames * o->channels, sizeof *s->piece);
    s->converted =
        memory_allocate(piece_bound > tail_bound ? piece_bound : tail_bound, sizeof *s->converted);
    s->ring = memory_allocate(s->ring_samples, sizeof *s->ring);
    return s->piece && s->converted && s->ring ? STENO_OK : error_memory(error);
}

/* The most that one turn says: a whole utterance that was gathered before, and a token with each
 * frame of CTC of the turn, in as many finals as a turn may hold (a segment has one token and an
 * encoding of blanks at least). */
static size_t turn_bytes(const steno_stream *s)
{
    size_t alternatives = s->options.max_alternatives;
    size_t tokens = s->options.max_utterance_ms / s->model->config.frame_ms + 1 +
                    s->segment_tokens + MODEL_MAX_ROWS * s->model->config.decoder.ctc_frames;
    size_t finals = MODEL_MAX_ROWS + 2;
    /* At each segment's and each chunk's end. */
    size_t events = s->options.activity ? ACTIVITY_MAX_EVENTS * (finals + MODEL_MAX_ROWS + 1) : 0;
    return outbox_result_bytes(alternatives, tokens, tokens * s->model->token_bytes) +
           finals * outbox_result_bytes(alternatives, 0, 0) + events * outbox_result_bytes(0, 0, 0);
}

static steno_status create_worker_side(steno_stream *s, steno_error *error)
{
    const steno_model *m = s->model;
    const steno_stream_options *o = &s->options;
    search_options chosen = choose_search(m, o);
    s->beam = chosen.beam;
    s->segment_tokens = chosen.segment_max * m->config.decoder.ctc_frames;
    steno_status status =
        frontend_create(&m->config.frontend, m->mean, m->inverse_deviation, &s->frontend, error);
    if (status == STENO_OK)
        status = encoder_state_create(m->encoder, s->chunk, &s->encoder_state, error);
    if (status == STENO_OK && o->phrase_count > 0)
        status = phrases_create(m->vocabulary, o->phrases, o->phrase_count, &s->phrases, error);
    chosen.phrases = s->phrases;
    if (status == STENO_OK && o->trace)
        status = trace_create(m, o->trace, s->segment_tokens, &s->trace, error);
    chosen.observer = s->trace ? trace_observer(s->trace) : NULL;
    s->activity = activity_begin(m->config.frame_ms, o->endpoint_ms);
    if (status == STENO_OK)
        status = search_create(m->decoder, &chosen,
            (search_sink){.segment = turn_segment, .context = s}, &s->search, error);
    if (status == STENO_OK)
        status = transcript_create(&(transcript_options){.endpointing = o->endpointing,
                                       .endpoint_ms = o->endpoint_ms,
                                       .max_utterance_ms = o->max_utterance_ms,
                                       .max_alternatives = o->max_alternatives,
                                       .frame_ms = m->config.frame_ms},
            s->segment_tokens, s->beam, &s->transcript, error);
    if (status == STENO_OK)
        status = outbox_create(turn_bytes(s), o->interim, &s->outbox, error);
    if (status != STENO_OK)
        return status;
    s->tokens = memory_allocate(s->beam * s->segment_tokens, sizeof *s->tokens);
    s->hypotheses = memory_allocate(s->beam, sizeof *s->hypotheses);
    if (!s->tokens || !s->hypotheses)
        return error_memory(error);
    s->wanted = stream_samples_wanted(s, 1);
    return STENO_OK;
}

/* All that steno_stream_create made but the engine's task. */
static void free_parts(steno_stream *s)
{
    memory_free(s->hypotheses);
    memory_free(s->tokens);
    outbox_destroy(s->outbox);
    transcript_destroy(s->transcript);
    search_destroy(s->search);
    trace_destroy(s->trace);
    phrases_destroy(s->phrases);
    encoder_state_destroy(s->encoder_state);
    frontend_destroy(s->frontend);
    memory_free(s->ring);
    memory_free(s->converted);
    memory_free(s->piece);
    converter_destroy(s->converter);
    steno_model_unref(s->model);
    memory_free(s);
}

steno_status steno_stream_create(steno_engine *engine, steno_model *model,
    const steno_stream_options *options, steno_stream **out_stream, steno_error *error)
{
    if (!engine || !model || !out_stream)
        return error_set(error, STENO_ERROR_ARGUMENT, "steno_stream_create: %s is NULL",
            !engine  ? "engine"
            : !model ? "model"
                     : "out_stream");
    steno_stream_options chosen;
    steno_stream_options_init(&chosen);
    if (options)
        chosen = *options;
    steno_status status = check_options(model, &chosen, error);
    if (status != STENO_OK)
        return status;

    uint64_t bytes_before = memory_thread_bytes();
    steno_stream *s = memory_allocate(1, sizeof *s);
    if (!s)
        return error_memory(error);
    s->model = steno_model_ref(model);
    s->options = chosen;
    s->chunk = chosen.chunk_ms / model->config.encoding_ms;
    status = create_owner_side(s, error);
    if (status == STENO_OK)
        status = create_worker_side(s, error);
    s->options.phrases = NULL;
    s->options.phrase_count = 0;
    s->options.trace = NULL;
    s->bytes = (size_t)(memory_thread_bytes() - bytes_before);
    if (status == STENO_OK)
        status = engine_task_init(&s->task, engine, model, s->chunk, turn_scratch(model), error);
    if (status != STENO_OK) {
        free_parts(s);
        return status;
    }
    *out_stream = s;
    return STENO_OK;
}

void steno_stream_destroy(steno_stream *stream)
{
    if (!stream)
        return;
    engine_task_finish(&stream->task);
    free_parts(stream);
}

/* What both sides share. */

size_t stream_samples_wanted(const steno_stream *s, size_t chunks)
{
    size_t frames = encoder_frames_wanted(s->encoder_state, chunks);
    return frontend_samples_wanted(s->frontend) +
           (frames - 1) * s->model->config.frontend.hop_samples;
}

bool stream_claim_turn(steno_stream *s)
{
    bool wants = s->finishing || s->flushing || s->written - s->read >= s->wanted;
    if (s->scheduled || s->ended || s->failure.status < 0 || !wants || !outbox_has_room(s->outbox))
        return false;
    s->scheduled = true;
    return true;
}

/* Every call of the owner gives back the result it read before, which may make room for a turn. */
static void owner_lock(steno_stream *s)
{
    engine_task_lock(&s->task);
    outbox_release(s->outbox);
}

static void owner_unlock(steno_stream *s)
{
    bool turn = stream_claim_turn(s);
    engine_task_unlock(&s->task);
    if (turn)
        engine_task_schedule(&s->task);
}

/* Feeding. */

/* What is no number or infinite would spread through the network's caches; what is far too loud
 * is clipped as a converter would have done. */
static void clean(const float *samples, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++) {
        float x = isfinite(samples[i]) ? samples[i] : 0.0f;
        out[i] = x < -1.0f ? -1.0f : x > 1.0f ? 1.0f : x;
    }
}

/* Copies samples behind `written`, which only this side moves: it is read here unlocked. */
static void write_ring(steno_stream *s, const float *samples, size_t count)
{
    size_t place = (size_t)(s->written % s->ring_samples);
    size_t first = count < s->ring_samples - place ? count : s->ring_samples - place;
    memcpy(s->ring + place, samples, first * sizeof *samples);
    memcpy(s->ring, samples + first, (count - first) * sizeof *samples);
}

static void hand_over(steno_stream *s, size_t count)
{
    write_ring(s, s->converted, count);
    owner_lock(s);
    s->written += count;
    owner_unlock(s);
}

/* STENO_OK if another piece fits. */
static steno_status ask_room(steno_stream *s)
{
    steno_status status = STENO_OK;
    owner_lock(s);
    if (s->finishing)
        status = STENO_ERROR_STATE;
    else if (s->failure.status < 0)
        status = s->failure.status;
    else if (s->written - s->read >= s->backlog_samples)
        status = STENO_FULL;
    s->full_told = status == STENO_FULL;
    owner_unlock(s);
    return status;
}

steno_status steno_stream_feed(
    steno_stream *stream, const float *samples, size_t frames, size_t *out_taken)
{
    if (!stream || (!samples && frames > 0) || !out_taken)
        return STENO_ERROR_ARGUMENT;
    uint32_t channels = stream->options.channels;
    *out_taken = 0;
    if (frames == 0) {
        steno_status status = ask_room(stream);
        return status == STENO_FULL ? STENO_OK : status;
    }
    while (*out_taken < frames) {
        steno_status status = ask_room(stream);
        if (status != STENO_OK)
            return status;
        size_t piece = frames - *out_taken;
        if (piece > stream->piece_frames)
            piece = stream->piece_frames;
        clean(samples + *out_taken * channels, piece * channels, stream->piece);
        size_t count;
        status = converter_feed(stream->converter, stream->piece, piece, stream->converted, &count);
        if (status != STENO_OK)
            return status;
        hand_over(stream, count);
        *out_taken += piece;
        stream->fed_frames += piece;
    }
    return STENO_OK;
}

steno_status steno_stream_finish(steno_stream *stream)
{
    if (!stream)
        return STENO_ERROR_ARGUMENT;
    owner_lock(stream);
    bool again = stream->finishing;
    owner_unlock(stream);
    if (again)
        return STENO_ERROR_STATE;
    size_t count = 0;
    steno_status status = converter_flush(stream->converter, stream->converted, &count);
    if (status != STENO_OK)
        count = 0; /* what came before is recognised all the same */
    write_ring(stream, stream->converted, count);
    owner_lock(stream);
    stream->written += count;
    stream->finishing = true;
    stream->full_told = false; /* room is of no use any more */
    stream->end_ms = steno_stream_fed_ms(stream);
    owner_unlock(stream);
    return status;
}

steno_status steno_stream_flush(steno_stream *stream)
{
    if (!stream)
        return STENO_ERROR_ARGUMENT;
    steno_status status = STENO_OK;
    owner_lock(stream);
    if (stream->finishing) {
        status = STENO_ERROR_STATE;
    } else {
        stream->flushing = true;
        stream->flush_at = stream->written;
    }
    owner_unlock(stream);
    return status;
}

/* Reading. */

steno_status steno_stream_next(
    steno_stream *stream, const steno_result **out_result, steno_error *error)
{
    if (!stream || !out_result)
        return error_set(error, STENO_ERROR_ARGUMENT, "steno_stream_next: %s is NULL",
            stream ? "out_result" : "stream");
    steno_status status = STENO_AGAIN;
    owner_lock(stream);
    const steno_result *result = outbox_take(stream->outbox);
    if (result)
        status = STENO_OK;
    else if (stream->failure.status < 0)
        status = error_set(error, stream->failure.status, "%s", stream->failure.message);
    else if (stream->ended)
        status = STENO_END;
    owner_unlock(stream);
    if (result)
        *out_result = result;
    return status;
}

static bool worth_waking(const steno_stream *s)
{
    bool room_came = s->full_told && s->written - s->read < s->backlog_samples;
    return outbox_has_result(s->outbox) || s->ended || s->failure.status < 0 || room_came;
}

steno_status steno_stream_wait(steno_stream *stream, int timeout_ms)
{
    if (!stream)
        return STENO_ERROR_ARGUMENT;
    uint64_t deadline_ns =
        timeout_ms < 0 ? UINT64_MAX : engine_now_ns() + (uint64_t)timeout_ms * 1000000u;
    owner_lock(stream);
    owner_unlock(stream);
    engine_task_lock(&stream->task);
    while (!worth_waking(stream) && engine_task_wait(&stream->task, deadline_ns))
        ;
    bool woken = worth_waking(stream);
    engine_task_unlock(&stream->task);
    return woken ? STENO_OK : STENO_AGAIN;
}

uint64_t steno_stream_fed_ms(const steno_stream *stream)
{
    return stream->fed_frames * 1000 / stream->options.rate_hz;
}

uint64_t steno_stream_done_ms(const steno_stream *stream)
{
    /* The mutex is no part of what the caller sees as constant. */
    engine_task *task = (engine_task *)&stream->task;
    engine_task_lock(task);
    uint64_t done_ms = stream->done_ms;
    engine_task_unlock(task);
    return done_ms;
}

size_t steno_stream_bytes(const steno_stream *stream)
{
    return stream->bytes;
}
