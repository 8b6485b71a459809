/* NVIDIA Riva: like Google's in shape, with other numbers, times in milliseconds and confidences as
 * logarithms. */
#include "wire/wire.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "nvidia/riva/riva_asr.pb-c.h"

typedef Nvidia__Riva__Asr__RecognitionConfig riva_config;
typedef Nvidia__Riva__Asr__SpeechRecognitionAlternative riva_alternative;
typedef Nvidia__Riva__Asr__WordInfo riva_word;

enum { ENDPOINT_MIN_MS = 400, ENDPOINT_MAX_MS = 10000 };

/* Below this a confidence's logarithm says nothing more. */
#define LEAST_CONFIDENCE 1e-4f
#define LEAST_STABILITY 0.01f

/* Requests. */

static steno_status read_encoding(const riva_config *riva, wire_config *config, steno_error *error)
{
    bool has_rate = riva->sample_rate_hertz != 0;
    config->raw.encoding = STENO_ENCODING_S16;
    switch ((int)riva->encoding) {
    case NVIDIA__RIVA__AUDIO_ENCODING__ENCODING_UNSPECIFIED:
        config->kind = STENO_AUDIO_AUTO;
        return STENO_OK;
    case NVIDIA__RIVA__AUDIO_ENCODING__LINEAR_PCM:
        /* Without a rate it can only be a WAV file. */
        config->kind = has_rate ? STENO_AUDIO_RAW_OR_WAV : STENO_AUDIO_WAV;
        return STENO_OK;
    case NVIDIA__RIVA__AUDIO_ENCODING__FLAC:
        config->kind = STENO_AUDIO_FLAC;
        return STENO_OK;
    case NVIDIA__RIVA__AUDIO_ENCODING__MULAW:
        config->raw.encoding = STENO_ENCODING_MULAW;
        config->kind = has_rate ? STENO_AUDIO_RAW_OR_WAV : STENO_AUDIO_WAV;
        return STENO_OK;
    case NVIDIA__RIVA__AUDIO_ENCODING__ALAW:
        config->raw.encoding = STENO_ENCODING_ALAW;
        config->kind = has_rate ? STENO_AUDIO_RAW_OR_WAV : STENO_AUDIO_WAV;
        return STENO_OK;
    case NVIDIA__RIVA__AUDIO_ENCODING__OGGOPUS:
        config->kind = STENO_AUDIO_OGG_OPUS;
        return STENO_OK;
    default:
        return error_set(
            error, STENO_ERROR_ARGUMENT, "encoding: %d is unknown", (int)riva->encoding);
    }
}

/* The pause that ends an utterance is the one that Riva calls stop_history. */
static void read_endpointing(const Nvidia__Riva__Asr__EndpointingConfig *from, wire_config *config)
{
    if (from == NULL ||
        from->optional_stop_history_case !=
            NVIDIA__RIVA__ASR__ENDPOINTING_CONFIG__OPTIONAL_STOP_HISTORY_STOP_HISTORY)
        return;
    int32_t ms = from->stop_history;
    config->endpoint_ms = (uint32_t)(ms < ENDPOINT_MIN_MS   ? ENDPOINT_MIN_MS
                                     : ms > ENDPOINT_MAX_MS ? ENDPOINT_MAX_MS
                                                            : ms);
}

/* Too long a name is cut, between characters. */
static void copy_id(const char *from, char *to, size_t room)
{
    size_t length = strlen(from);
    if (length >= room) {
        length = room - 1;
        while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(to, from, length);
    to[length] = '\0';
}

static steno_status read_config(const riva_config *riva, const Nvidia__Riva__RequestId *id,
    wire_request *request, steno_error *error)
{
    wire_config *config = &request->config;
    *config = (wire_config){.word_times = false};
    if (riva == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "config: not given");
    config->word_times = config->word_confidence = riva->enable_word_time_offsets;
    config->per_channel = riva->enable_separate_recognition_per_channel;
    if (id != NULL)
        copy_id(id->value, config->id, sizeof config->id);
    read_endpointing(riva->endpointing_config, config);
    steno_status status = read_encoding(riva, config, error);
    if (status == STENO_OK)
        status = wire_check_rate(
            "sample_rate_hertz", riva->sample_rate_hertz, STENO_RATE_MAX_HZ, config, error);
    if (status == STENO_OK)
        status = wire_check_channels(
            "audio_channel_count", riva->audio_channel_count, STENO_CHANNELS_MAX, config, error);
    if (status == STENO_OK)
        status = wire_check_language("language_code", riva->language_code, config, error);
    if (status == STENO_OK)
        status = wire_check_alternatives("max_alternatives", riva->max_alternatives, config, error);
    for (size_t i = 0; i < riva->n_speech_contexts; i++) {
        const Nvidia__Riva__Asr__SpeechContext *context = riva->speech_contexts[i];
        for (size_t j = 0; j < context->n_phrases && status == STENO_OK; j++)
            status = wire_add_phrase("speech_contexts", context->phrases[j], context->boost,
                &request->memory, config, error);
    }
    return status;
}

static steno_status read_streaming(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error)
{
    const Nvidia__Riva__Asr__StreamingRecognizeRequest *riva =
        (const Nvidia__Riva__Asr__StreamingRecognizeRequest *)wire_unpack(&request->memory,
            &nvidia__riva__asr__streaming_recognize_request__descriptor, bytes, size, error);
    if (riva == NULL)
        return error->status;
    request->part = WIRE_NOTHING;
    if (riva->streaming_request_case ==
        NVIDIA__RIVA__ASR__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_AUDIO_CONTENT) {
        request->part = WIRE_AUDIO;
        request->audio = riva->audio_content.data;
        request->audio_size = riva->audio_content.len;
    } else if (riva->streaming_request_case ==
               NVIDIA__RIVA__ASR__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_STREAMING_CONFIG) {
        request->part = WIRE_CONFIG;
        steno_status status = read_config(riva->streaming_config->config, riva->id, request, error);
        request->config.interim = riva->streaming_config->interim_results;
        return status;
    }
    return STENO_OK;
}

static steno_status read_whole(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error)
{
    const Nvidia__Riva__Asr__RecognizeRequest *riva =
        (const Nvidia__Riva__Asr__RecognizeRequest *)wire_unpack(&request->memory,
            &nvidia__riva__asr__recognize_request__descriptor, bytes, size, error);
    if (riva == NULL)
        return error->status;
    steno_status status = read_config(riva->config, riva->id, request, error);
    if (status != STENO_OK)
        return status;
    if (riva->audio.len == 0)
        return error_set(error, STENO_ERROR_ARGUMENT, "audio: empty");
    request->part = WIRE_CONFIG;
    request->audio = riva->audio.data;
    request->audio_size = riva->audio.len;
    return STENO_OK;
}

/* Responses. */

static float log_confidence(float confidence)
{
    return logf(confidence > LEAST_CONFIDENCE ? confidence : LEAST_CONFIDENCE);
}

static riva_word **make_words(
    wire_output *output, const wire_config *config, const steno_alternative *from)
{
    riva_word **list = wire_take(output, from->word_count, sizeof *list);
    riva_word *words = wire_take(output, from->word_count, sizeof *words);
    if (list == NULL || words == NULL)
        return NULL;
    for (size_t i = 0; i < from->word_count; i++) {
        list[i] = &words[i];
        nvidia__riva__asr__word_info__init(&words[i]);
        words[i].word = (char *)from->words[i].text;
        words[i].start_time = (int32_t)from->words[i].start_ms;
        words[i].end_time = (int32_t)from->words[i].end_ms;
        words[i].confidence = log_confidence(from->words[i].confidence);
        words[i].language_code = (char *)config->language;
    }
    return list;
}

static riva_alternative **make_alternatives(
    wire_output *output, const wire_config *config, const wire_result *from)
{
    const steno_result *result = from->result;
    riva_alternative **list = wire_take(output, result->alternative_count, sizeof *list);
    riva_alternative *made = wire_take(output, result->alternative_count, sizeof *made);
    char **language = wire_take(output, 1, sizeof *language);
    if (list == NULL || made == NULL || language == NULL)
        return NULL;
    *language = (char *)config->language;
    for (size_t i = 0; i < result->alternative_count; i++) {
        const steno_alternative *alternative = &result->alternatives[i];
        list[i] = &made[i];
        nvidia__riva__asr__speech_recognition_alternative__init(&made[i]);
        made[i].transcript = wire_text(output, alternative->text, from->continues);
        made[i].language_code = language;
        made[i].n_language_code = 1;
        if (result->is_final)
            made[i].confidence = log_confidence(alternative->confidence);
        if (i == 0 && config->word_times) {
            made[i].words = make_words(output, config, alternative);
            made[i].n_words = alternative->word_count;
        }
    }
    return output->failed ? NULL : list;
}

static void write_result(wire_output *output, const wire_config *config, const wire_result *from)
{
    Nvidia__Riva__Asr__StreamingRecognitionResult made =
        NVIDIA__RIVA__ASR__STREAMING_RECOGNITION_RESULT__INIT;
    Nvidia__Riva__Asr__StreamingRecognitionResult *list[] = {&made};
    made.alternatives = make_alternatives(output, config, from);
    if (made.alternatives == NULL)
        return;
    float stability = from->result->stability;
    made.n_alternatives = from->result->alternative_count;
    made.is_final = from->result->is_final;
    made.stability = stability > LEAST_STABILITY ? stability : LEAST_STABILITY;
    made.channel_tag = (int32_t)from->channel_tag;
    made.audio_processed = (float)from->done_ms / 1000;
    Nvidia__Riva__Asr__StreamingRecognizeResponse response =
        NVIDIA__RIVA__ASR__STREAMING_RECOGNIZE_RESPONSE__INIT;
    Nvidia__Riva__RequestId id = NVIDIA__RIVA__REQUEST_ID__INIT;
    response.n_results = 1;
    response.results = list;
    id.value = (char *)config->id;
    response.id = config->id[0] != '\0' ? &id : NULL;
    wire_pack(output, &response.base);
}

static void write_whole(wire_output *output, const wire_config *config, const wire_result *from)
{
    Nvidia__Riva__Asr__SpeechRecognitionResult made =
        NVIDIA__RIVA__ASR__SPEECH_RECOGNITION_RESULT__INIT;
    Nvidia__Riva__Asr__SpeechRecognitionResult *list[] = {&made};
    made.alternatives = make_alternatives(output, config, from);
    if (made.alternatives == NULL)
        return;
    made.n_alternatives = from->result->alternative_count;
    made.channel_tag = (int32_t)from->channel_tag;
    made.audio_processed = (float)from->done_ms / 1000;
    Nvidia__Riva__Asr__RecognizeResponse response = NVIDIA__RIVA__ASR__RECOGNIZE_RESPONSE__INIT;
    response.n_results = 1;
    response.results = list;
    wire_pack(output, &response.base);
}

static void write_whole_end(wire_output *output, const wire_config *config, uint64_t audio_ms)
{
    Nvidia__Riva__Asr__RecognizeResponse response = NVIDIA__RIVA__ASR__RECOGNIZE_RESPONSE__INIT;
    Nvidia__Riva__RequestId id = NVIDIA__RIVA__REQUEST_ID__INIT;
    id.value = (char *)config->id;
    response.id = config->id[0] != '\0' ? &id : NULL;
    wire_pack(output, &response.base);
}

/* The configuration: the model twice, as Riva has one for streams and one for recordings. */

typedef Nvidia__Riva__Asr__RivaSpeechRecognitionConfigResponse__Config riva_model;
typedef Nvidia__Riva__Asr__RivaSpeechRecognitionConfigResponse__Config__ParametersEntry
    riva_parameter;

enum { PARAMETERS = 5 };

static void write_model(wire_output *output, const steno_model_info *info, const char *type)
{
    char rate[16], chunk[16];
    snprintf(rate, sizeof rate, "%u", (unsigned)info->rate_hz);
    snprintf(chunk, sizeof chunk, "%.2f", info->max_chunk_ms / 1000.0);
    const char *values[PARAMETERS][2] = {
        {"type", type},
        {"language_code", "en-US"},
        {"sample_rate", rate},
        {"max_chunk_duration", chunk},
        {"decoder_type", "joint"},
    };
    riva_parameter parameters[PARAMETERS], *list[PARAMETERS];
    for (size_t i = 0; i < PARAMETERS; i++) {
        list[i] = &parameters[i];
        nvidia__riva__asr__riva_speech_recognition_config_response__config__parameters_entry__init(
            &parameters[i]);
        parameters[i].key = (char *)values[i][0];
        parameters[i].value = (char *)values[i][1];
    }
    riva_model model = NVIDIA__RIVA__ASR__RIVA_SPEECH_RECOGNITION_CONFIG_RESPONSE__CONFIG__INIT;
    riva_model *models[] = {&model};
    model.model_name = (char *)info->name;
    model.n_parameters = PARAMETERS;
    model.parameters = list;
    Nvidia__Riva__Asr__RivaSpeechRecognitionConfigResponse response =
        NVIDIA__RIVA__ASR__RIVA_SPEECH_RECOGNITION_CONFIG_RESPONSE__INIT;
    response.n_model_config = 1;
    response.model_config = models;
    wire_pack(output, &response.base);
}

steno_status wire_riva_get_config(const steno_model_info *info, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    message_memory memory;
    message_memory_init(&memory, WIRE_MEMORY_BYTES);
    const Nvidia__Riva__Asr__RivaSpeechRecognitionConfigRequest *riva =
        (const Nvidia__Riva__Asr__RivaSpeechRecognitionConfigRequest *)wire_unpack(&memory,
            &nvidia__riva__asr__riva_speech_recognition_config_request__descriptor, bytes, size,
            error);
    steno_status status = STENO_OK;
    if (riva == NULL)
        status = error->status;
    else if (riva->model_name[0] != '\0' && strcmp(riva->model_name, info->name) != 0)
        status = error_set(error, STENO_ERROR_NOT_FOUND, "model_name: \"%s\", but here is \"%s\"",
            wire_quote(riva->model_name).text, info->name);
    message_memory_finish(&memory);
    if (status == STENO_OK) {
        write_model(output, info, "online");
        write_model(output, info, "offline");
    }
    return status;
}

const wire_protocol wire_riva = {
    .read_streaming = read_streaming,
    .read_whole = read_whole,
    .write_result = write_result,
    .write_whole = write_whole,
    .write_whole_end = write_whole_end,
};
