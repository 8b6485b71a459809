/*
 * Requests of google.cloud.speech.v1 and of steno.v1, whose messages are the same and have more
 * fields: both are read as steno.v1's, and what Google's do not have is dropped for them, like any
 * unknown field.
 */
#include "wire/google.h"

#include <string.h>

#include "base/error.h"
#include "steno/v1/speech.pb-c.h"
#include "wire/wire.h"

typedef Google__Cloud__Speech__V1__RecognitionConfig google_config;
typedef Google__Cloud__Speech__V1__RecognitionAudio google_audio;
typedef Google__Cloud__Speech__V1__SpeechAdaptation google_adaptation;
typedef Google__Protobuf__Duration google_duration;
typedef Steno__V1__RecognitionOptions steno_options;

enum { GOOGLE_MAX_RATE_HZ = 48000 };

#define ENCODING(name) GOOGLE__CLOUD__SPEECH__V1__RECOGNITION_CONFIG__AUDIO_ENCODING__##name

/* The audio. */

static steno_status refuse_encoding(const char *name, steno_error *error)
{
    return error_set(error, STENO_ERROR_ARGUMENT,
        "encoding: %s is not decoded here; LINEAR16, MULAW, FLAC, OGG_OPUS and MP3 are", name);
}

static steno_status read_encoding(
    const google_config *google, wire_config *config, steno_error *error)
{
    config->raw.encoding = STENO_ENCODING_S16;
    switch ((int)google->encoding) {
    case ENCODING(ENCODING_UNSPECIFIED):
        config->kind = STENO_AUDIO_AUTO;
        return STENO_OK;
    case ENCODING(MULAW):
        config->raw.encoding = STENO_ENCODING_MULAW;
        /* fall through */
    case ENCODING(LINEAR16):
        /* Without a rate it can only be a WAV file. */
        config->kind = google->sample_rate_hertz ? STENO_AUDIO_RAW_OR_WAV : STENO_AUDIO_WAV;
        return STENO_OK;
    case ENCODING(FLAC):
        config->kind = STENO_AUDIO_FLAC;
        return STENO_OK;
    case ENCODING(OGG_OPUS):
        config->kind = STENO_AUDIO_OGG_OPUS;
        return STENO_OK;
    case ENCODING(MP3):
        config->kind = STENO_AUDIO_MP3;
        return STENO_OK;
    case ENCODING(AMR):
        return refuse_encoding("AMR", error);
    case ENCODING(AMR_WB):
        return refuse_encoding("AMR_WB", error);
    case ENCODING(SPEEX_WITH_HEADER_BYTE):
        return refuse_encoding("SPEEX_WITH_HEADER_BYTE", error);
    case ENCODING(WEBM_OPUS):
        return refuse_encoding("WEBM_OPUS", error);
    default:
        return error_set(
            error, STENO_ERROR_ARGUMENT, "encoding: %d is unknown", (int)google->encoding);
    }
}

static steno_status check_opus_rate(const wire_config *config, steno_error *error)
{
    uint32_t rate_hz = config->raw.rate_hz;
    if (config->kind != STENO_AUDIO_OGG_OPUS || rate_hz == 0 || rate_hz == 8000 ||
        rate_hz == 12000 || rate_hz == 16000 || rate_hz == 24000 || rate_hz == 48000)
        return STENO_OK;
    return error_set(error, STENO_ERROR_ARGUMENT,
        "sample_rate_hertz: %u, but Opus has 8000, 12000, 16000, 24000 or 48000",
        (unsigned)rate_hz);
}

static steno_status read_sample_encoding(
    const steno_options *options, wire_config *config, steno_error *error)
{
    switch ((int)options->sample_encoding) {
    case STENO__V1__RECOGNITION_OPTIONS__SAMPLE_ENCODING__SAMPLE_ENCODING_UNSPECIFIED:
        return STENO_OK;
    case STENO__V1__RECOGNITION_OPTIONS__SAMPLE_ENCODING__FLOAT32:
        config->raw.encoding = STENO_ENCODING_F32;
        break;
    case STENO__V1__RECOGNITION_OPTIONS__SAMPLE_ENCODING__ALAW:
        config->raw.encoding = STENO_ENCODING_ALAW;
        break;
    case STENO__V1__RECOGNITION_OPTIONS__SAMPLE_ENCODING__INT16:
        config->raw.encoding = STENO_ENCODING_S16;
        break;
    case STENO__V1__RECOGNITION_OPTIONS__SAMPLE_ENCODING__ULAW:
        config->raw.encoding = STENO_ENCODING_MULAW;
        break;
    default:
        return error_set(error, STENO_ERROR_ARGUMENT, "options.sample_encoding: %d is unknown",
            (int)options->sample_encoding);
    }
    if (config->kind != STENO_AUDIO_AUTO)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "options.sample_encoding: given, but so is encoding, which says something else");
    config->kind = STENO_AUDIO_RAW;
    return STENO_OK;
}

static steno_status read_format(const google_config *google, const steno_options *options,
    wire_config *config, steno_error *error)
{
    bool is_steno = options != NULL;
    int most_channels = google->encoding == ENCODING(MULAW) && !is_steno ? 1 : STENO_CHANNELS_MAX;
    int most_hz = is_steno ? STENO_RATE_MAX_HZ : GOOGLE_MAX_RATE_HZ;
    steno_status status = read_encoding(google, config, error);
    if (status == STENO_OK)
        status =
            wire_check_rate("sample_rate_hertz", google->sample_rate_hertz, most_hz, config, error);
    if (status == STENO_OK)
        status = wire_check_channels(
            "audio_channel_count", google->audio_channel_count, most_channels, config, error);
    if (status == STENO_OK)
        status = check_opus_rate(config, error);
    if (status == STENO_OK && is_steno)
        status = read_sample_encoding(options, config, error);
    if (status == STENO_OK)
        status = wire_check_whole("sample_rate_hertz", config, error);
    config->per_channel = google->enable_separate_recognition_per_channel;
    return status;
}

/* Phrases. */

static steno_status read_adaptation(const google_adaptation *adaptation, message_memory *memory,
    wire_config *config, steno_error *error)
{
    if (adaptation->n_phrase_set_references > 0)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "adaptation.phrase_set_references: no phrase sets are stored here; send them as "
            "phrase_sets");
    if (adaptation->abnf_grammar != NULL && adaptation->abnf_grammar->n_abnf_strings > 0)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "adaptation.abnf_grammar: speech is not held to grammars here");
    steno_status status = STENO_OK;
    for (size_t i = 0; i < adaptation->n_phrase_sets; i++) {
        const Google__Cloud__Speech__V1__PhraseSet *set = adaptation->phrase_sets[i];
        for (size_t j = 0; j < set->n_phrases && status == STENO_OK; j++) {
            float boost = set->phrases[j]->boost != 0 ? set->phrases[j]->boost : set->boost;
            status = wire_add_phrase(
                "adaptation.phrase_sets", set->phrases[j]->value, boost, memory, config, error);
        }
    }
    return status;
}

static steno_status read_phrases(
    const google_config *google, message_memory *memory, wire_config *config, steno_error *error)
{
    if (google->adaptation != NULL)
        return read_adaptation(google->adaptation, memory, config, error);
    steno_status status = STENO_OK;
    for (size_t i = 0; i < google->n_speech_contexts; i++) {
        const Google__Cloud__Speech__V1__SpeechContext *context = google->speech_contexts[i];
        for (size_t j = 0; j < context->n_phrases && status == STENO_OK; j++)
            status = wire_add_phrase(
                "speech_contexts", context->phrases[j], context->boost, memory, config, error);
    }
    return status;
}

/* The rest of the configuration. */

static steno_status read_languages(
    const google_config *google, wire_config *config, steno_error *error)
{
    steno_status status = STENO_OK;
    for (size_t i = 0; i < google->n_alternative_language_codes && status == STENO_OK; i++)
        status = wire_check_language(
            "alternative_language_codes", google->alternative_language_codes[i], config, error);
    if (status == STENO_OK)
        status = wire_check_language("language_code", google->language_code, config, error);
    return status;
}

static steno_status read_options(
    const steno_options *options, wire_config *config, steno_error *error)
{
    const struct {
        const char *name;
        uint32_t value, low, high;
    } ranges[] = {
        {"chunk_ms", options->chunk_ms, 160, 1280},
        {"endpoint_ms", options->endpoint_ms, 400, 10000},
        {"max_utterance_ms", options->max_utterance_ms, 5000, 60000},
        {"progress_ms", options->progress_ms, 100, 60000},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].value != 0 &&
            (ranges[i].value < ranges[i].low || ranges[i].value > ranges[i].high))
            return error_set(error, STENO_ERROR_ARGUMENT, "options.%s: %u, should be %u to %u",
                ranges[i].name, (unsigned)ranges[i].value, (unsigned)ranges[i].low,
                (unsigned)ranges[i].high);
    if (options->channel > 0 && options->mix_channels)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "options.channel: given, but so is mix_channels, which asks for all");
    config->chunk_ms = options->chunk_ms;
    config->endpoint_ms = options->endpoint_ms;
    config->max_utterance_ms = options->max_utterance_ms;
    config->no_endpointing = options->disable_endpointing;
    config->interim_words = options->interim_word_times;
    config->mix_channels = options->mix_channels;
    config->channel = options->channel;
    config->alternative_words = options->alternative_words;
    config->progress_ms = options->progress_ms;
    return STENO_OK;
}

/* options: NULL for Google's own messages. */
static steno_status read_config(const google_config *google, const steno_options *options,
    wire_request *request, steno_error *error)
{
    wire_config *config = &request->config;
    *config = (wire_config){.word_times = false};
    if (google == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "config: not given");
    config->word_times = google->enable_word_time_offsets;
    config->word_confidence = google->enable_word_confidence;
    steno_status status = read_format(google, options, config, error);
    if (status == STENO_OK)
        status = read_languages(google, config, error);
    if (status == STENO_OK)
        status =
            wire_check_alternatives("max_alternatives", google->max_alternatives, config, error);
    if (status == STENO_OK)
        status = read_phrases(google, &request->memory, config, error);
    if (status == STENO_OK && options != NULL)
        status = read_options(options, config, error);
    return status;
}

/* Streaming. */

static steno_status read_timeout(
    const char *field, const google_duration *duration, uint64_t *out_ms, steno_error *error)
{
    *out_ms = 0;
    if (duration == NULL || (duration->seconds == 0 && duration->nanos == 0))
        return STENO_OK;
    if (duration->seconds < 0 || duration->nanos < 0 || duration->nanos > 999999999)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "voice_activity_timeout.%s: not a length of time", field);
    uint64_t seconds = duration->seconds < INT32_MAX ? (uint64_t)duration->seconds : INT32_MAX;
    uint64_t ms = seconds * 1000 + (uint64_t)duration->nanos / 1000000;
    *out_ms = ms > 0 ? ms : 1;
    return STENO_OK;
}

static steno_status read_activity(
    const Steno__V1__StreamingRecognitionConfig *steno, wire_config *config, steno_error *error)
{
    config->activity = steno->enable_voice_activity_events;
    if (steno->voice_activity_timeout == NULL)
        return STENO_OK;
    if (!config->activity)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "voice_activity_timeout: works with enable_voice_activity_events only");
    steno_status status =
        read_timeout("speech_start_timeout", steno->voice_activity_timeout->speech_start_timeout,
            &config->speech_start_timeout_ms, error);
    if (status == STENO_OK)
        status =
            read_timeout("speech_end_timeout", steno->voice_activity_timeout->speech_end_timeout,
                &config->speech_end_timeout_ms, error);
    return status;
}

static const steno_options no_options = STENO__V1__RECOGNITION_OPTIONS__INIT;

/* The options that hold: NULL where the service has none. */
static const steno_options *choose_options(bool is_steno, const steno_options *given)
{
    return !is_steno ? NULL : given != NULL ? given : &no_options;
}

static steno_status read_streaming_config(const Steno__V1__StreamingRecognitionConfig *steno,
    bool is_steno, wire_request *request, steno_error *error)
{
    request->part = WIRE_CONFIG;
    if (steno == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "streaming_config: not given");
    steno_status status =
        read_config(steno->config, choose_options(is_steno, steno->options), request, error);
    if (status != STENO_OK)
        return status;
    request->config.interim = steno->interim_results;
    request->config.single_utterance = steno->single_utterance;
    return read_activity(steno, &request->config, error);
}

static steno_status read_streaming(
    wire_request *request, const uint8_t *bytes, size_t size, bool is_steno, steno_error *error)
{
    const Steno__V1__StreamingRecognizeRequest *steno =
        (const Steno__V1__StreamingRecognizeRequest *)wire_unpack(&request->memory,
            &steno__v1__streaming_recognize_request__descriptor, bytes, size, error);
    if (steno == NULL)
        return error->status;
    request->part = WIRE_NOTHING;
    switch (steno->streaming_request_case) {
    case STENO__V1__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_STREAMING_CONFIG:
        return read_streaming_config(steno->streaming_config, is_steno, request, error);
    case STENO__V1__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_AUDIO_CONTENT:
        request->part = WIRE_AUDIO;
        request->audio = steno->audio_content.data;
        request->audio_size = steno->audio_content.len;
        return STENO_OK;
    case STENO__V1__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_FLUSH:
        if (is_steno)
            request->part = WIRE_FLUSH;
        return STENO_OK;
    default:
        return STENO_OK;
    }
}

steno_status wire_google_read_streaming(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error)
{
    return read_streaming(request, bytes, size, false, error);
}

steno_status wire_steno_read_streaming(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error)
{
    return read_streaming(request, bytes, size, true, error);
}

/* Whole recordings. */

static steno_status read_audio(const google_audio *audio, wire_request *request, steno_error *error)
{
    int source = audio != NULL
                     ? (int)audio->audio_source_case
                     : GOOGLE__CLOUD__SPEECH__V1__RECOGNITION_AUDIO__AUDIO_SOURCE__NOT_SET;
    if (source == GOOGLE__CLOUD__SPEECH__V1__RECOGNITION_AUDIO__AUDIO_SOURCE_URI)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "audio.uri: audio is not fetched from anywhere; send it as audio.content");
    if (source != GOOGLE__CLOUD__SPEECH__V1__RECOGNITION_AUDIO__AUDIO_SOURCE_CONTENT)
        return error_set(error, STENO_ERROR_ARGUMENT, "audio: has neither content nor uri");
    if (audio->content.len == 0)
        return error_set(error, STENO_ERROR_ARGUMENT, "audio.content: empty");
    request->part = WIRE_CONFIG;
    request->audio = audio->content.data;
    request->audio_size = audio->content.len;
    return STENO_OK;
}

/* RecognizeRequest has the fields of LongRunningRecognizeRequest but one. */
static steno_status read_long(
    wire_request *request, const uint8_t *bytes, size_t size, bool is_steno, steno_error *error)
{
    const Steno__V1__LongRunningRecognizeRequest *steno =
        (const Steno__V1__LongRunningRecognizeRequest *)wire_unpack(&request->memory,
            &steno__v1__long_running_recognize_request__descriptor, bytes, size, error);
    if (steno == NULL)
        return error->status;
    if (steno->output_config != NULL)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "output_config: results are not written anywhere; the operation has them");
    steno_status status =
        read_config(steno->config, choose_options(is_steno, steno->options), request, error);
    return status == STENO_OK ? read_audio(steno->audio, request, error) : status;
}

static steno_status read_whole(
    wire_request *request, const uint8_t *bytes, size_t size, bool is_steno, steno_error *error)
{
    const Steno__V1__RecognizeRequest *steno = (const Steno__V1__RecognizeRequest *)wire_unpack(
        &request->memory, &steno__v1__recognize_request__descriptor, bytes, size, error);
    if (steno == NULL)
        return error->status;
    steno_status status =
        read_config(steno->config, choose_options(is_steno, steno->options), request, error);
    return status == STENO_OK ? read_audio(steno->audio, request, error) : status;
}

steno_status wire_google_read_whole(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error)
{
    return read_whole(request, bytes, size, false, error);
}

steno_status wire_steno_read_whole(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error)
{
    return read_whole(request, bytes, size, true, error);
}

steno_status wire_google_read_long(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error)
{
    return read_long(request, bytes, size, false, error);
}

steno_status wire_steno_read_long(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error)
{
    return read_long(request, bytes, size, true, error);
}
