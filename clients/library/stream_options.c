#include "stream_options.h"

#include "base/error.h"

void steno_client_stream_options_init(steno_client_stream_options *options)
{
    *options = (steno_client_stream_options){
        .kind = STENO_AUDIO_RAW,
        .rate_hz = 16000,
        .channels = 1,
        .encoding = STENO_ENCODING_F32,
        .endpointing = true,
        .endpoint_ms = 800,
        .max_utterance_ms = 20000,
        .max_alternatives = 1,
    };
}

bool stream_options_has_samples(const steno_client_stream_options *options)
{
    return options->kind == STENO_AUDIO_RAW || options->kind == STENO_AUDIO_RAW_OR_WAV;
}

static steno_status refuse_number(
    const char *name, uint32_t value, uint32_t low, uint32_t high, steno_error *error)
{
    return error_set(error, STENO_ERROR_ARGUMENT, "%s: %u, should be %u to %u", name,
        (unsigned)value, (unsigned)low, (unsigned)high);
}

static steno_status check_audio(const steno_client_stream_options *o, steno_error *error)
{
    if ((int)o->kind < STENO_AUDIO_AUTO || o->kind > STENO_AUDIO_MP3)
        return error_set(error, STENO_ERROR_ARGUMENT, "kind: %d is unknown", (int)o->kind);
    if (o->channel > STENO_CHANNELS_MAX)
        return refuse_number("channel", o->channel, 0, STENO_CHANNELS_MAX, error);
    if (!stream_options_has_samples(o))
        return STENO_OK;
    if (o->rate_hz < STENO_RATE_MIN_HZ || o->rate_hz > STENO_RATE_MAX_HZ)
        return refuse_number("rate_hz", o->rate_hz, STENO_RATE_MIN_HZ, STENO_RATE_MAX_HZ, error);
    if (o->channels < 1 || o->channels > STENO_CHANNELS_MAX)
        return refuse_number("channels", o->channels, 1, STENO_CHANNELS_MAX, error);
    if (o->channel > o->channels)
        return refuse_number("channel", o->channel, 0, o->channels, error);
    bool both = o->encoding == STENO_ENCODING_S16 || o->encoding == STENO_ENCODING_MULAW;
    if ((int)o->encoding < STENO_ENCODING_S16 || o->encoding > STENO_ENCODING_ALAW ||
        (o->kind == STENO_AUDIO_RAW_OR_WAV && !both))
        return error_set(
            error, STENO_ERROR_ARGUMENT, "encoding: %d can't be here", (int)o->encoding);
    return STENO_OK;
}

static steno_status check_phrases(const steno_client_stream_options *o, steno_error *error)
{
    if (o->phrase_count > STENO_PHRASES_MAX)
        return error_set(error, STENO_ERROR_LIMIT, "phrases: more than %d", STENO_PHRASES_MAX);
    if (o->phrase_count > 0 && o->phrases == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "phrases: none where some should be");
    for (size_t i = 0; i < o->phrase_count; i++)
        if (o->phrases[i].text == NULL || !(o->phrases[i].boost >= 0 && o->phrases[i].boost <= 20))
            return error_set(error, STENO_ERROR_ARGUMENT,
                "phrases: number %zu has no text, or a boost that is none from 0 to 20", i + 1);
    return STENO_OK;
}

steno_status stream_options_check(const steno_client_stream_options *o, steno_error *error)
{
    if (o->chunk_ms != 0 && o->chunk_ms != 160 && o->chunk_ms != 320 && o->chunk_ms != 640 &&
        o->chunk_ms != 1280)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "chunk_ms: %u, should be 160, 320, 640 or 1280", (unsigned)o->chunk_ms);
    if (o->endpoint_ms < 400 || o->endpoint_ms > 10000)
        return refuse_number("endpoint_ms", o->endpoint_ms, 400, 10000, error);
    if (o->max_utterance_ms < 5000 || o->max_utterance_ms > 60000)
        return refuse_number("max_utterance_ms", o->max_utterance_ms, 5000, 60000, error);
    if (o->max_alternatives < 1 || o->max_alternatives > 10)
        return refuse_number("max_alternatives", o->max_alternatives, 1, 10, error);
    steno_status status = check_audio(o, error);
    return status == STENO_OK ? check_phrases(o, error) : status;
}
