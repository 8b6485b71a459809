/*
 *     bytes -> audio stream (containers, samples) -> piece -> one engine stream per channel
 *
 * Audio goes through one piece of PIECE_FRAMES frames at a time: each engine stream takes of it
 * what it has room for, and the next is decoded when all have taken the whole.  The first decoded
 * frames tell what the audio is; only then are the engine streams made.
 *
 * Of several channels the finals come as they are made, each channel in its own order.
 */
#include "speech/session.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "speech/heard.h"
#include "steno/stream.h"

enum {
    PIECE_FRAMES = 4096,
    WAITING = 4,   /* outputs that one result may lead to, and more */
    WAV_HEAD = 22, /* bytes up to the encoding, as nearly all WAV files are written */
    /* Words are heard a little after they begin: a timeout waits so much longer. */
    HEARING_MS = 1000,
};

typedef struct channel {
    steno_stream *stream;
    size_t taken;  /* frames of the piece */
    size_t finals; /* given so far */
    bool ended;    /* its results are */
} channel;

struct session {
    session_setting setting;
    wire_config config;
    steno_phrase *phrases; /* [config.phrase_count]: copies, as are their texts */
    char *phrase_text;

    /* Bytes to frames. */
    steno_audio_stream *audio;
    const uint8_t *bytes; /* offered, borrowed */
    size_t size;
    uint8_t head[WAV_HEAD]; /* the audio's first bytes */
    size_t head_size;
    bool finishing, flushing;
    bool audio_finished; /* the decoder knows that no more comes */
    bool deaf;           /* what comes is dropped: the audio is over, or nobody wants more */

    /* Frames to results.  No channels until the audio has begun. */
    float *piece; /* [piece_frames, format.channels] */
    size_t piece_frames;
    steno_audio_info format;
    uint64_t frames; /* decoded so far */
    channel channels[STENO_CHANNELS_MAX];
    uint32_t channel_count;
    uint32_t next_channel;

    /* Results. */
    session_output waiting[WAITING]; /* to be given before anything else */
    size_t waiting_count;
    steno_error failure; /* to be told after the last result */
    uint32_t speaking;   /* channels in which somebody speaks */
    bool spoken;
    uint64_t silent_since_ms;
    bool over; /* no more results are wanted */
};

/* Creation. */

static steno_status copy_phrases(session *s, steno_error *error)
{
    size_t count = s->config.phrase_count, bytes = 0;
    const steno_phrase *from = s->config.phrases;
    s->config.phrases = NULL;
    if (count == 0)
        return STENO_OK;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(from[i].text) + 1;
    s->phrases = memory_allocate(count, sizeof *s->phrases);
    s->phrase_text = memory_allocate(bytes, 1);
    if (s->phrases == NULL || s->phrase_text == NULL)
        return error_memory(error);
    char *text = s->phrase_text;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(from[i].text) + 1;
        memcpy(text, from[i].text, size);
        s->phrases[i] = (steno_phrase){.text = text, .boost = from[i].boost};
        text += size;
    }
    s->config.phrases = s->phrases;
    return STENO_OK;
}

static steno_status create_audio(session *s, steno_error *error)
{
    steno_raw_format raw = s->config.raw;
    if (raw.channels == 0)
        raw.channels = 1;
    return steno_audio_stream_create(s->config.kind, &raw, &s->audio, error);
}

static void fill_options(const session *s, uint32_t rate_hz, uint32_t channels,
    uint32_t channel_tag, steno_stream_options *options)
{
    const wire_config *c = &s->config;
    steno_stream_options_init(options);
    options->rate_hz = rate_hz;
    options->channels = channels;
    options->channel = channel_tag;
    if (!c->per_channel && (c->mix_channels || c->channel > 0))
        options->channel = c->channel;
    options->chunk_ms = c->chunk_ms ? c->chunk_ms : s->setting.chunk_ms;
    options->beam = s->setting.beam;
    options->interim = c->interim;
    options->endpointing = !c->no_endpointing;
    if (c->endpoint_ms != 0)
        options->endpoint_ms = c->endpoint_ms;
    if (c->max_utterance_ms != 0)
        options->max_utterance_ms = c->max_utterance_ms;
    options->max_alternatives = c->max_alternatives;
    options->phrases = c->phrases;
    options->phrase_count = c->phrase_count;
    options->activity = c->activity;
    options->backlog_ms = s->setting.backlog_ms;
    if (options->backlog_ms < 2 * options->chunk_ms)
        options->backlog_ms = 2 * options->chunk_ms;
    options->ready = s->setting.ready;
    options->ready_context = s->setting.context;
}

static steno_status create_stream(
    const session *s, const steno_stream_options *options, steno_stream **out, steno_error *error)
{
    steno_status status =
        steno_stream_create(s->setting.engine, s->setting.model, options, out, error);
    /* Here a limit is one that the request did not keep, of phrases. */
    if (status == STENO_ERROR_LIMIT)
        status = error->status = STENO_ERROR_ARGUMENT;
    return status;
}

/* The audio is known: a stream for each channel that is recognised. */
static steno_status open_channels(session *s, steno_error *error)
{
    uint32_t count = s->config.per_channel ? s->format.channels : 1;
    for (uint32_t i = 0; i < count; i++) {
        steno_stream_options options;
        fill_options(s, s->format.rate_hz, s->format.channels, i + 1, &options);
        steno_status status = create_stream(s, &options, &s->channels[i].stream, error);
        if (status != STENO_OK)
            return status;
        s->channel_count = i + 1;
    }
    return STENO_OK;
}

/* Options that do not depend on the audio are better refused before it comes. */
static steno_status try_options(session *s, steno_error *error)
{
    if (s->config.kind == STENO_AUDIO_RAW) {
        s->format = (steno_audio_info){.rate_hz = s->config.raw.rate_hz,
            .channels = s->config.raw.channels ? s->config.raw.channels : 1};
        return open_channels(s, error);
    }
    steno_stream_options options;
    steno_stream *stream;
    fill_options(s, 16000, STENO_CHANNELS_MAX, 1, &options);
    steno_status status = create_stream(s, &options, &stream, error);
    if (status == STENO_OK)
        steno_stream_destroy(stream);
    return status;
}

steno_status session_create(const session_setting *setting, const wire_config *config,
    session **out_session, steno_error *error)
{
    session *s = memory_allocate(1, sizeof *s);
    if (s == NULL)
        return error_memory(error);
    s->setting = *setting;
    steno_model_ref(s->setting.model);
    s->config = *config;
    s->piece = memory_allocate(PIECE_FRAMES * STENO_CHANNELS_MAX, sizeof *s->piece);
    steno_status status = s->piece != NULL ? copy_phrases(s, error) : error_memory(error);
    if (status == STENO_OK)
        status = create_audio(s, error);
    if (status == STENO_OK)
        status = try_options(s, error);
    if (status != STENO_OK) {
        session_destroy(s);
        return status;
    }
    *out_session = s;
    return STENO_OK;
}

void session_destroy(session *s)
{
    if (s == NULL)
        return;
    for (uint32_t i = 0; i < s->channel_count; i++)
        steno_stream_destroy(s->channels[i].stream);
    steno_audio_stream_destroy(s->audio);
    steno_model_unref(s->setting.model);
    memory_free(s->piece);
    memory_free(s->phrase_text);
    memory_free(s->phrases);
    memory_free(s);
}

/* Audio. */

void session_offer(session *s, const uint8_t *bytes, size_t size)
{
    assert(s->size == 0);
    s->bytes = bytes;
    s->size = s->deaf ? 0 : size;
}

void session_finish(session *s)
{
    s->finishing = true;
}

void session_flush(session *s)
{
    s->flushing = true;
}

size_t session_left(const session *s)
{
    return s->size;
}

/* What is still to come is dropped; what is there becomes final. */
static void end_audio(session *s)
{
    s->deaf = true;
    s->size = 0;
    s->piece_frames = 0;
    for (uint32_t i = 0; i < s->channel_count; i++)
        steno_stream_finish(s->channels[i].stream);
}

static void keep_head(session *s, const uint8_t *bytes, size_t size)
{
    size_t room = WAV_HEAD - s->head_size, count = size < room ? size : room;
    memcpy(s->head + s->head_size, bytes, count);
    s->head_size += count;
}

/* A WAV file's samples must be what the request says. */
static steno_status check_wav(const session *s, steno_error *error)
{
    enum { WAV_ALAW = 6, WAV_MULAW = 7 };
    bool declared = s->config.kind == STENO_AUDIO_RAW_OR_WAV || s->config.kind == STENO_AUDIO_WAV;
    const uint8_t *head = s->head;
    if (!declared || s->head_size < WAV_HEAD || memcmp(head, "RIFF", 4) != 0 ||
        memcmp(head + 8, "WAVEfmt ", 8) != 0)
        return STENO_OK;
    unsigned code = head[20] | (unsigned)head[21] << 8;
    steno_encoding said = s->config.raw.encoding;
    bool agrees = code == WAV_MULAW  ? said == STENO_ENCODING_MULAW
                  : code == WAV_ALAW ? said == STENO_ENCODING_ALAW
                                     : said == STENO_ENCODING_S16;
    if (agrees)
        return STENO_OK;
    return error_set(error, STENO_ERROR_ARGUMENT,
        "encoding: not that of the audio's WAV header, which says %s",
        code == WAV_MULAW  ? "MULAW"
        : code == WAV_ALAW ? "ALAW"
                           : "linear samples");
}

/* The request and the audio's own header must agree. */
static steno_status check_format(const session *s, steno_error *error)
{
    const wire_config *c = &s->config;
    const steno_audio_info *f = &s->format;
    /* Opus always gives 16 kHz, whatever was recorded. */
    if (c->kind != STENO_AUDIO_OGG_OPUS && strcmp(f->format, "Ogg Opus") != 0 &&
        c->raw.rate_hz != 0 && c->raw.rate_hz != f->rate_hz)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "sample_rate_hertz: %u, but the audio's %s header says %u", (unsigned)c->raw.rate_hz,
            f->format, (unsigned)f->rate_hz);
    if (c->raw.channels != 0 && c->raw.channels != f->channels)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "audio_channel_count: %u, but the audio's %s header says %u", (unsigned)c->raw.channels,
            f->format, (unsigned)f->channels);
    return check_wav(s, error);
}

static steno_status begin_audio(session *s, steno_error *error)
{
    steno_status status = steno_audio_stream_get_info(s->audio, &s->format);
    if (status != STENO_OK)
        return error_set(error, STENO_ERROR_INTERNAL, "audio without a format");
    status = check_format(s, error);
    return status == STENO_OK ? open_channels(s, error) : status;
}

/* Offers the piece: STENO_OK once all streams have the whole of it. */
static steno_status feed_piece(session *s, steno_error *error)
{
    bool full = false;
    for (uint32_t i = 0; i < s->channel_count; i++) {
        channel *c = &s->channels[i];
        size_t taken = 0;
        steno_status status = steno_stream_feed(c->stream, s->piece + c->taken * s->format.channels,
            s->piece_frames - c->taken, &taken);
        if (status < 0)
            return error_set(error, status, "recognition failed: %s", steno_status_name(status));
        c->taken += taken;
        full |= status == STENO_FULL;
    }
    if (full)
        return STENO_FULL;
    for (uint32_t i = 0; i < s->channel_count; i++)
        s->channels[i].taken = 0;
    s->piece_frames = 0;
    return STENO_OK;
}

/* Gives the decoder bytes, or says that there are no more: false if it has been told all. */
static bool write_bytes(session *s)
{
    if (s->size > 0) {
        size_t taken = 0;
        steno_audio_stream_write(s->audio, s->bytes, s->size, &taken);
        assert(taken > 0);
        keep_head(s, s->bytes, taken);
        s->bytes += taken;
        s->size -= taken;
        return true;
    }
    if (s->flushing) {
        s->flushing = false;
        for (uint32_t i = 0; i < s->channel_count; i++)
            steno_stream_flush(s->channels[i].stream);
    }
    if (!s->finishing || s->audio_finished)
        return false;
    s->audio_finished = true;
    steno_audio_stream_finish(s->audio);
    return true;
}

/* The decoder cannot go on.  Without a frame so far that is an error of the whole request. */
static steno_status fail_audio(session *s, steno_status status, steno_error *error)
{
    steno_error cause = *error;
    if (s->config.kind == STENO_AUDIO_AUTO && s->frames == 0)
        error_set(error, status, "encoding: not given, and %s", cause.message);
    else if (s->config.kind == STENO_AUDIO_WAV && s->frames == 0)
        error_set(error, status, "sample_rate_hertz: not given, and %s", cause.message);
    else
        error_set(error, status, "audio: %s", cause.message);
    if (s->frames == 0 || s->failure.status < 0)
        return status;
    s->failure = *error;
    end_audio(s);
    return STENO_OK;
}

steno_status session_advance(session *s, steno_error *error)
{
    while (!s->deaf) {
        if (s->piece_frames > 0) {
            steno_status fed = feed_piece(s, error);
            if (fed != STENO_OK)
                return fed;
        }
        size_t count = 0;
        steno_status status =
            steno_audio_stream_read(s->audio, s->piece, PIECE_FRAMES, &count, error);
        if (status == STENO_AGAIN) {
            if (!write_bytes(s))
                return STENO_OK;
        } else if (status == STENO_END) {
            end_audio(s);
        } else if (status < 0) {
            return fail_audio(s, status, error);
        } else {
            if (s->frames == 0) {
                bool open = s->channel_count > 0;
                status = open ? STENO_OK : begin_audio(s, error);
                if (status != STENO_OK)
                    return status;
            }
            s->piece_frames = count;
            s->frames += count;
        }
    }
    s->size = 0;
    return STENO_OK;
}

/* Results. */

static void wait_event(session *s, wire_event event, uint64_t time_ms)
{
    assert(s->waiting_count < WAITING);
    s->waiting[s->waiting_count++] =
        (session_output){.is_event = true, .event = event, .event_ms = time_ms};
}

static void wait_result(session *s, uint32_t index, const steno_result *result)
{
    assert(s->waiting_count < WAITING);
    channel *c = &s->channels[index];
    s->waiting[s->waiting_count++] = (session_output){
        .result = {.result = result,
            .channel_tag = s->config.per_channel ? index + 1 : 0,
            .continues = c->finals > 0,
            .done_ms = steno_stream_done_ms(c->stream)},
    };
    c->finals += result->is_final;
}

/* When silence becomes too long, in audio; UINT64_MAX: never. */
static uint64_t silence_limit_ms(const session *s)
{
    uint64_t limit_ms =
        s->spoken ? s->config.speech_end_timeout_ms : s->config.speech_start_timeout_ms;
    if (limit_ms == 0 || s->speaking > 0 || s->over)
        return UINT64_MAX;
    return s->silent_since_ms + limit_ms;
}

/* Nothing more is wanted, neither audio nor results. */
static void stop(session *s)
{
    s->over = s->deaf = true;
    s->size = s->piece_frames = 0;
}

/* Silence has lasted until `ms` at least: true if that was too long.  Whether words or the clock of
 * the audio tell does not matter, so that the same audio always times out or never. */
static bool check_silence(session *s, uint64_t ms)
{
    uint64_t limit_ms = silence_limit_ms(s);
    if (limit_ms == UINT64_MAX || ms < limit_ms + HEARING_MS)
        return false;
    wait_event(s, WIRE_SPEECH_TIMEOUT, limit_ms);
    stop(s);
    return true;
}

/* Speech begins with the first channel to begin and ends with the last to end. */
static void note_activity(session *s, const steno_result *result)
{
    if (result->event == STENO_EVENT_SPEECH_BEGIN) {
        if (check_silence(s, result->event_ms))
            return;
        s->spoken = true;
        if (s->speaking++ == 0)
            wait_event(s, WIRE_SPEECH_BEGIN, result->event_ms);
    } else if (s->speaking > 0 && --s->speaking == 0) {
        s->silent_since_ms = result->event_ms;
        wait_event(s, WIRE_SPEECH_END, result->event_ms);
    }
}

static void note_result(session *s, uint32_t index, const steno_result *result)
{
    if (result->event != STENO_EVENT_NONE) {
        note_activity(s, result);
    } else if (!s->config.single_utterance || !result->is_final) {
        wait_result(s, index, result);
    } else {
        if (result->endpoint || !s->finishing)
            wait_event(s, WIRE_END_OF_SINGLE_UTTERANCE, result->end_ms);
        wait_result(s, index, result);
        stop(s);
    }
}

/* Asks the channels in turn: STENO_OK if something is waiting now. */
static steno_status ask_channels(session *s, steno_error *error)
{
    bool all_ended = s->deaf;
    for (uint32_t i = 0; i < s->channel_count; i++) {
        uint32_t index = (s->next_channel + i) % s->channel_count;
        channel *c = &s->channels[index];
        while (!c->ended && s->waiting_count == 0) {
            const steno_result *result;
            steno_status status = steno_stream_next(c->stream, &result, error);
            if (status < 0)
                return status;
            c->ended = status == STENO_END;
            if (status != STENO_OK)
                break;
            note_result(s, index, result);
        }
        if (s->waiting_count > 0) {
            s->next_channel = index;
            return STENO_OK;
        }
        all_ended &= c->ended;
    }
    s->next_channel++;
    return all_ended ? STENO_END : STENO_AGAIN;
}

uint64_t session_done_ms(const session *s)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < s->channel_count; i++) {
        uint64_t done = steno_stream_done_ms(s->channels[i].stream);
        least = done < least ? done : least;
    }
    return s->channel_count > 0 ? least : 0;
}

bool session_is_timed(const session *s)
{
    return silence_limit_ms(s) != UINT64_MAX;
}

steno_status session_next(session *s, session_output *out, steno_error *error)
{
    if (s->waiting_count == 0) {
        if (s->over)
            return STENO_END;
        steno_status status = ask_channels(s, error);
        if (status >= 0 && status != STENO_OK && check_silence(s, session_done_ms(s)))
            status = STENO_OK;
        if (status == STENO_END && s->failure.status < 0) {
            *error = s->failure;
            return s->failure.status;
        }
        if (status != STENO_OK)
            return status;
    }
    *out = s->waiting[0];
    if (s->setting.log != NULL && !out->is_event && out->result.result->is_final)
        heard_final(s->setting.log, "request_id", s->config.log_id, &out->result);
    s->waiting_count--;
    memmove(s->waiting, s->waiting + 1, s->waiting_count * sizeof *s->waiting);
    return STENO_OK;
}

uint64_t session_audio_ms(const session *s)
{
    return s->format.rate_hz ? s->frames * 1000 / s->format.rate_hz : 0;
}

const wire_config *session_get_config(const session *s)
{
    return &s->config;
}
