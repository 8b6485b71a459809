/*
 * A stream: audio goes into a ring (history.h), from which the call takes messages whenever the
 * network has room; replies wait in the call's inbox until the owner asks for results.
 *
 *     feed --> [ history ] --pull--> call --> server --> call [ inbox ] --next--> results
 *
 * A full ring is STENO_FULL; an unread inbox is not read into: so either side holds the other back.
 *
 * Moving to another server.  What is kept of the audio begins where the last final result of every
 * channel ends, or so long before what is recognised that anything said there has become final: no
 * utterance is longer than max_utterance_ms.  When a call ends in a way that another server might
 * do better, what is kept is sent to the next one, whose times are then shifted by where that audio
 * begins.  All replies of the old call are read first: finals that have come count.  An interim is
 * not sent again but follows from the audio, and a flush that was not answered goes again.
 *
 * Locking: `lock` guards what the network's thread uses as well, in pull and in the call itself;
 * the rest is the owner's.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "client_private.h"
#include "flushes.h"
#include "history.h"
#include "samples.h"
#include "status.h"
#include "stream_options.h"
#include "wire.h"

enum {
    MESSAGE_BYTES = 32 << 10, /* of audio, at most */
    RING_MIN_BYTES = 64 << 10,
    RING_MIN_MS = 500,
    /* Beyond that a stream of many channels stays where it is. */
    RING_MAX_BYTES = 64 << 20,
    /* What is kept beyond the longest utterance: the server's backlog, the network's, and how late
     * it says how far it is. */
    KEEP_MORE_MS = 20000,
    /* How much later than its words a final may come, beside its length. */
    FINAL_DELAY_MS = 5000,
    /* Silence after an endpoint that belongs to what came before. */
    ENDPOINT_TAIL_MS = 200,
    PIECE_SAMPLES = 1024,
};

struct steno_client_stream {
    /* Constant. */
    steno_client *client;
    steno_client_stream_options options; /* without what it points to */
    size_t frame_bytes;                  /* of RAW; otherwise 1 */
    bool keeps;                          /* audio, to move with */
    uint8_t *config;                     /* the first message */
    size_t config_size;

    /* With the lock. */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool has_lock;
    history history;
    flushes flushes;
    bool config_sent, finished, full_told;
    uint8_t *message; /* [MESSAGE_BYTES + WIRE_AUDIO_HEAD] */

    /* The owner's. */
    call *call;
    size_t server;   /* which one it is with */
    size_t failures; /* of servers in a row, without a reply between */
    uint32_t moves;
    uint64_t begin_ms; /* where the audio of this call begins */
    uint64_t done_ms;
    uint64_t settled_ms[STENO_CHANNELS_MAX]; /* by channel: all before is final */
    message_memory memory;
    wire_reply reply;
    uint64_t events; /* given so far: begin and end take turns */
    bool ended;
    steno_error failure; /* what sticks */
};

/* ---- Positions ---- */

static uint64_t ms_of(const steno_client_stream *s, uint64_t position)
{
    uint64_t frames = position / s->frame_bytes, rate = s->options.rate_hz;
    return frames / rate * 1000 + frames % rate * 1000 / rate;
}

static uint64_t position_of(const steno_client_stream *s, uint64_t ms)
{
    uint64_t rate = s->options.rate_hz;
    return (ms / 1000 * rate + ms % 1000 * rate / 1000) * s->frame_bytes;
}

/* ---- The call's side ---- */

static call_pulled pull_flush(steno_client_stream *s, const uint8_t **out_bytes, size_t *out_size)
{
    flushes_pass(&s->flushes);
    *out_bytes = s->message;
    *out_size = wire_write_flush(s->message);
    return CALL_MESSAGE;
}

static call_pulled pull_audio(
    steno_client_stream *s, size_t most, const uint8_t **out_bytes, size_t *out_size)
{
    const uint8_t *audio;
    size_t size = history_peek(&s->history, most, &audio);
    if (size == 0)
        return s->finished ? CALL_CLOSE : CALL_NOTHING;
    *out_bytes = s->message;
    *out_size = wire_write_audio(audio, size, s->message);
    history_pass(&s->history, size);
    if (!s->keeps) {
        history_forget(&s->history, s->history.sent);
        flushes_forget(&s->flushes, s->history.begin);
    }
    return CALL_MESSAGE;
}

/* With the lock, on either thread. */
static call_pulled pull(void *context, const uint8_t **out_bytes, size_t *out_size)
{
    steno_client_stream *s = context;
    if (!s->config_sent) {
        s->config_sent = true;
        *out_bytes = s->config;
        *out_size = s->config_size;
        return CALL_MESSAGE;
    }
    size_t most = MESSAGE_BYTES;
    uint64_t flush_at;
    if (flushes_next(&s->flushes, &flush_at)) {
        uint64_t before = flush_at - s->history.sent;
        if (before == 0)
            return pull_flush(s, out_bytes, out_size);
        if (before < most)
            most = (size_t)before;
    }
    return pull_audio(s, most, out_bytes, out_size);
}

static void changed(void *context)
{
    steno_client_stream *s = context;
    if (s->options.ready != NULL)
        s->options.ready(s->options.ready_context);
}

/* ---- Creation ---- */

static steno_status create_ring(steno_client_stream *s, steno_error *error)
{
    const steno_client_stream_options *o = &s->options;
    uint64_t second_bytes =
        stream_options_has_samples(o) ? (uint64_t)o->rate_hz * s->frame_bytes : 0;
    uint64_t size = second_bytes * RING_MIN_MS / 1000;
    uint64_t kept = second_bytes * ((uint64_t)o->max_utterance_ms + KEEP_MORE_MS) / 1000;
    s->keeps = s->client->server_count > 1 && o->kind == STENO_AUDIO_RAW && kept <= RING_MAX_BYTES;
    if (s->keeps)
        size = kept;
    if (size < RING_MIN_BYTES)
        size = RING_MIN_BYTES;
    s->message = memory_allocate(MESSAGE_BYTES + WIRE_AUDIO_HEAD, 1);
    /* Whole frames, so that what is fed in frames fits or does not. */
    size = (size + s->frame_bytes - 1) / s->frame_bytes * s->frame_bytes;
    if (s->message == NULL || !history_init(&s->history, (size_t)size))
        return error_memory(error);
    return STENO_OK;
}

static steno_status begin_call(steno_client_stream *s, steno_error *error)
{
    call_owner owner = {
        .lock = &s->lock, .cond = &s->cond, .pull = pull, .changed = changed, .context = s};
    return call_create(
        s->client->servers[s->server].connection, WIRE_STREAMING, 0, &owner, &s->call, error);
}

steno_status steno_client_stream_open(steno_client *client,
    const steno_client_stream_options *options, steno_client_stream **out_stream,
    steno_error *error)
{
    if (client == NULL || out_stream == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "no client, or no place for the stream");
    steno_client_stream_options defaults;
    steno_client_stream_options_init(&defaults);
    if (options == NULL)
        options = &defaults;
    steno_status status = stream_options_check(options, error);
    if (status < 0)
        return status;
    steno_client_stream *s = memory_allocate(1, sizeof *s);
    if (s == NULL)
        return error_memory(error);
    atomic_fetch_add(&client->streams, 1);
    s->client = client;
    s->options = *options;
    s->frame_bytes = stream_options_has_samples(options)
                         ? options->channels * samples_size(options->encoding)
                         : 1;
    s->server = atomic_fetch_add(&client->next, 1) % client->server_count;
    message_memory_init(&s->memory, 0);
    status = client_init_lock(&s->lock, &s->cond, error);
    s->has_lock = status == STENO_OK;
    if (status == STENO_OK)
        status = create_ring(s, error);
    if (status == STENO_OK)
        status = wire_write_config(options, &s->config, &s->config_size, error);
    /* What these point to is the caller's, and not needed again. */
    s->options.phrases = NULL;
    s->options.language = NULL;
    if (status == STENO_OK)
        status = begin_call(s, error);
    if (status != STENO_OK) {
        steno_client_stream_destroy(s);
        return status;
    }
    *out_stream = s;
    return STENO_OK;
}

void steno_client_stream_destroy(steno_client_stream *s)
{
    if (s == NULL)
        return;
    call_destroy(s->call);
    if (s->has_lock) {
        pthread_cond_destroy(&s->cond);
        pthread_mutex_destroy(&s->lock);
    }
    message_memory_finish(&s->memory);
    history_finish(&s->history);
    memory_free(s->message);
    memory_free(s->config);
    atomic_fetch_sub(&s->client->streams, 1);
    memory_free(s);
}

/* ---- Failing, and moving to another server ---- */

static steno_status fail(steno_client_stream *s, const steno_error *cause, steno_error *error)
{
    s->failure = *cause;
    if (error != NULL)
        *error = *cause;
    return cause->status;
}

/* Adds why this server failed to why those before it did. */
static void add_failure(steno_client_stream *s, const steno_error *cause)
{
    if (s->failures == 0) {
        s->failure = *cause;
        return;
    }
    size_t used = strlen(s->failure.message);
    size_t room = sizeof s->failure.message - used;
    size_t size = strlen(cause->message);
    if (room > 3 && size + 3 <= room) {
        memcpy(s->failure.message + used, "; ", 2);
        memcpy(s->failure.message + used + 2, cause->message, size + 1);
    }
    s->failure.status = cause->status;
}

/* Whether all the audio that would have to be sent again is still there. */
static bool can_move(const steno_client_stream *s)
{
    return s->keeps || s->history.begin == 0;
}

static steno_status move(steno_client_stream *s, steno_error *error)
{
    call_destroy(s->call);
    s->call = NULL;
    s->server = (s->server + 1) % s->client->server_count;
    history_rewind(&s->history);
    s->config_sent = false;
    flushes_rewind(&s->flushes);
    s->begin_ms = s->history.begin > 0 ? ms_of(s, s->history.begin) : 0;
    return begin_call(s, error);
}

/* The call is over before the stream is: STENO_OK if another server has it now. */
static steno_status recover(steno_client_stream *s, steno_error *error)
{
    int code = call_code(s->call);
    const char *name = s->client->servers[s->server].address.text;
    steno_error cause;
    status_explain(name, code, call_details(s->call), call_was_opened(s->call), &cause);
    add_failure(s, &cause);
    s->failures++;
    if (!status_is_worth_another(code) || !can_move(s) || s->failures >= s->client->server_count) {
        steno_error all = s->failure;
        return fail(s, &all, error);
    }
    /* Not a failure of the stream unless the next one fails, too: what was noted is kept for that.
     */
    steno_error noted = s->failure;
    steno_status status = move(s, &cause);
    if (status < 0)
        return fail(s, &cause, error);
    s->moves++;
    s->failure = noted;
    s->failure.status = STENO_OK;
    return STENO_OK;
}

static bool has_failed(const steno_client_stream *s)
{
    return s->failure.status < 0;
}

/* ---- Audio in ---- */

/* Room for whole frames, in bytes. */
static steno_status ask_room(steno_client_stream *s, size_t *out_room, steno_error *error)
{
    for (;;) {
        if (has_failed(s)) {
            if (error != NULL)
                *error = s->failure;
            return s->failure.status;
        }
        pthread_mutex_lock(&s->lock);
        bool finished = s->finished;
        bool over = call_is_over(s->call);
        size_t room = history_room(&s->history) / s->frame_bytes * s->frame_bytes;
        pthread_mutex_unlock(&s->lock);
        if (finished)
            return error_set(error, STENO_ERROR_STATE, "audio after the end of the audio");
        *out_room = room;
        if (!over)
            return STENO_OK;
        steno_status status = recover(s, error);
        if (status < 0)
            return status;
    }
}

static void hand_over(steno_client_stream *s, const void *bytes, size_t size)
{
    pthread_mutex_lock(&s->lock);
    history_add(&s->history, bytes, size);
    call_push(s->call);
    pthread_mutex_unlock(&s->lock);
}

static void tell_full(steno_client_stream *s, bool is_full)
{
    pthread_mutex_lock(&s->lock);
    s->full_told = is_full;
    pthread_mutex_unlock(&s->lock);
}

steno_status steno_client_stream_feed(steno_client_stream *s, const float *samples, size_t frames,
    size_t *out_taken, steno_error *error)
{
    if (s == NULL || out_taken == NULL || (samples == NULL && frames > 0))
        return error_set(
            error, STENO_ERROR_ARGUMENT, "no stream, samples or place for their number");
    const steno_client_stream_options *o = &s->options;
    if (o->kind != STENO_AUDIO_RAW ||
        (o->encoding != STENO_ENCODING_F32 && o->encoding != STENO_ENCODING_S16))
        return error_set(error, STENO_ERROR_ARGUMENT, "this stream takes bytes, not samples");
    uint8_t piece[PIECE_SAMPLES * 4];
    size_t taken = 0, room;
    steno_status status = ask_room(s, &room, error);
    while (status == STENO_OK && taken < frames) {
        size_t count = room / s->frame_bytes, most = PIECE_SAMPLES / o->channels;
        if (count > most)
            count = most;
        if (count > frames - taken)
            count = frames - taken;
        if (count == 0)
            break;
        samples_encode(o->encoding, samples + taken * o->channels, count * o->channels, piece);
        hand_over(s, piece, count * s->frame_bytes);
        taken += count;
        status = ask_room(s, &room, error);
    }
    *out_taken = taken;
    if (status < 0)
        return status;
    tell_full(s, taken < frames);
    return taken < frames ? STENO_FULL : STENO_OK;
}

steno_status steno_client_stream_write(
    steno_client_stream *s, const void *bytes, size_t size, size_t *out_taken, steno_error *error)
{
    if (s == NULL || out_taken == NULL || (bytes == NULL && size > 0))
        return error_set(error, STENO_ERROR_ARGUMENT, "no stream, bytes or place for their number");
    size_t room;
    steno_status status = ask_room(s, &room, error);
    if (status < 0)
        return status;
    size_t taken = size < room ? size : room;
    hand_over(s, bytes, taken);
    *out_taken = taken;
    tell_full(s, taken < size);
    return taken < size ? STENO_FULL : STENO_OK;
}

steno_status steno_client_stream_flush(steno_client_stream *s)
{
    if (s == NULL)
        return STENO_ERROR_ARGUMENT;
    steno_status status = STENO_OK;
    pthread_mutex_lock(&s->lock);
    flushes_forget(&s->flushes, s->history.begin);
    if (s->finished)
        status = STENO_ERROR_STATE;
    else if (!flushes_add(&s->flushes, s->history.end))
        status = STENO_FULL;
    if (status == STENO_OK && s->call != NULL)
        call_push(s->call);
    pthread_mutex_unlock(&s->lock);
    return status;
}

steno_status steno_client_stream_finish(steno_client_stream *s)
{
    if (s == NULL)
        return STENO_ERROR_ARGUMENT;
    pthread_mutex_lock(&s->lock);
    steno_status status = s->finished ? STENO_ERROR_STATE : STENO_OK;
    s->finished = true;
    if (s->call != NULL)
        call_push(s->call);
    pthread_mutex_unlock(&s->lock);
    return status;
}

/* ---- Results out ---- */

/* What need not be kept any more: all before the last final of each channel, and all that lies so
 * far back that it would have become final. */
static void settle(steno_client_stream *s)
{
    uint64_t settled_ms = UINT64_MAX;
    unsigned channels = s->options.per_channel ? s->options.channels : 1;
    for (unsigned i = 0; i < channels; i++)
        settled_ms = s->settled_ms[i] < settled_ms ? s->settled_ms[i] : settled_ms;
    uint64_t oldest_ms = (uint64_t)s->options.max_utterance_ms + FINAL_DELAY_MS;
    if (s->done_ms > oldest_ms && s->done_ms - oldest_ms > settled_ms)
        settled_ms = s->done_ms - oldest_ms;
    pthread_mutex_lock(&s->lock);
    history_forget(&s->history, position_of(s, settled_ms));
    flushes_forget(&s->flushes, s->history.begin);
    pthread_mutex_unlock(&s->lock);
}

/* Whether a result after a move was given before: with channels apart the audio begins where the
 * slowest channel's last final ends. */
static bool is_repeated(const steno_client_stream *s, const wire_reply *reply)
{
    unsigned index = reply->channel > 0 ? reply->channel - 1 : 0;
    return reply->result.end_ms <= s->settled_ms[index] && s->begin_ms > 0;
}

static bool takes_result(steno_client_stream *s, const wire_reply *reply)
{
    const steno_result *result = &reply->result;
    if (result->event != STENO_EVENT_NONE) {
        /* A server that takes over in the middle of speech says again that it begins. */
        bool is_begin = result->event == STENO_EVENT_SPEECH_BEGIN;
        if (is_begin != (s->events % 2 == 0))
            return false;
        s->events++;
        return true;
    }
    if (is_repeated(s, reply))
        return false;
    if (result->is_final) {
        unsigned index = reply->channel > 0 ? reply->channel - 1 : 0;
        uint64_t tail_ms = result->endpoint ? ENDPOINT_TAIL_MS : 0;
        s->settled_ms[index] = result->end_ms + tail_ms;
    }
    return true;
}

/* A reply of the server: STENO_OK if it has a result for the owner, STENO_AGAIN if not. */
static steno_status read_reply(
    steno_client_stream *s, const uint8_t *bytes, size_t size, steno_error *error)
{
    steno_error cause;
    steno_status status = wire_read_reply(&s->memory, bytes, size, s->begin_ms, &s->reply, &cause);
    if (status < 0)
        return fail(s, &cause, error);
    s->failures = 0;
    if (s->reply.audio_ms > s->done_ms)
        s->done_ms = s->reply.audio_ms;
    s->reply.result.audio_ms = s->done_ms;
    bool takes = s->reply.has_result && takes_result(s, &s->reply);
    if (s->keeps)
        settle(s);
    return takes ? STENO_OK : STENO_AGAIN;
}

steno_status steno_client_stream_next(steno_client_stream *s, const steno_result **out_result,
    unsigned *out_channel, steno_error *error)
{
    if (s == NULL || out_result == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "no stream, or no place for a result");
    for (;;) {
        if (has_failed(s)) {
            if (error != NULL)
                *error = s->failure;
            return s->failure.status;
        }
        if (s->ended)
            return STENO_END;
        const uint8_t *bytes;
        size_t size;
        pthread_mutex_lock(&s->lock);
        bool has_message = call_take(s->call, &bytes, &size);
        bool over = !has_message && call_is_over(s->call);
        bool all_sent = s->finished && s->history.sent == s->history.end;
        pthread_mutex_unlock(&s->lock);
        steno_status status = STENO_OK;
        if (has_message) {
            status = read_reply(s, bytes, size, error);
            if (status == STENO_OK) {
                *out_result = &s->reply.result;
                if (out_channel != NULL)
                    *out_channel = s->reply.channel;
                return STENO_OK;
            }
        } else if (!over) {
            return STENO_AGAIN;
        } else if (call_code(s->call) == STATUS_OK && all_sent) {
            s->ended = true;
            s->done_ms = steno_client_stream_fed_ms(s);
        } else {
            status = recover(s, error);
        }
        if (status < 0)
            return status;
    }
}

/* ---- Waiting ---- */

static struct timespec deadline_after(int timeout_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

steno_status steno_client_stream_wait(steno_client_stream *s, int timeout_ms)
{
    if (s == NULL)
        return STENO_ERROR_ARGUMENT;
    if (has_failed(s) || s->ended)
        return STENO_OK;
    struct timespec deadline = deadline_after(timeout_ms > 0 ? timeout_ms : 0);
    int code = 0;
    pthread_mutex_lock(&s->lock);
    while (code != ETIMEDOUT && !call_has_message(s->call) && !call_is_over(s->call) &&
           !(s->full_told && history_room(&s->history) >= s->frame_bytes))
        code = timeout_ms < 0 ? pthread_cond_wait(&s->cond, &s->lock)
                              : pthread_cond_timedwait(&s->cond, &s->lock, &deadline);
    pthread_mutex_unlock(&s->lock);
    return code == ETIMEDOUT ? STENO_AGAIN : STENO_OK;
}

/* ---- About it ---- */

uint64_t steno_client_stream_fed_ms(const steno_client_stream *s)
{
    /* Only the owner moves the end. */
    return stream_options_has_samples(&s->options) ? ms_of(s, s->history.end) : 0;
}

uint64_t steno_client_stream_done_ms(const steno_client_stream *s)
{
    return s->done_ms;
}

const char *steno_client_stream_address(const steno_client_stream *s)
{
    return s->client->servers[s->server].address.text;
}

uint32_t steno_client_stream_moves(const steno_client_stream *s)
{
    return s->moves;
}
