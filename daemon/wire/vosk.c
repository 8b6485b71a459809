/* vosk-server: one response per audio message where partial results are on, texts without the
 * leading space, and always a final response at the end. */
#include "wire/wire.h"

#include <string.h>

#include "base/error.h"
#include "vosk/stt/v1/stt_service.pb-c.h"

typedef Vosk__Stt__V1__SpeechRecognitionAlternative vosk_alternative;
typedef Vosk__Stt__V1__WordInfo vosk_word;
typedef Google__Protobuf__Duration vosk_duration;

/* Requests. */

static steno_status read_config(
    const Vosk__Stt__V1__RecognitionConfig *vosk, wire_request *request, steno_error *error)
{
    static const Vosk__Stt__V1__RecognitionSpec none = VOSK__STT__V1__RECOGNITION_SPEC__INIT;
    const Vosk__Stt__V1__RecognitionSpec *spec =
        vosk->specification != NULL ? vosk->specification : &none;
    wire_config *config = &request->config;
    *config = (wire_config){
        .kind = STENO_AUDIO_RAW,
        .raw.encoding = STENO_ENCODING_S16,
        .raw.channels = 1,
        .language = "en",
        .interim = spec->partial_results,
        .word_times = spec->enable_word_time_offsets,
    };
    request->part = WIRE_CONFIG;
    int encoding = (int)spec->audio_encoding;
    if (encoding != VOSK__STT__V1__RECOGNITION_SPEC__AUDIO_ENCODING__AUDIO_ENCODING_UNSPECIFIED &&
        encoding != VOSK__STT__V1__RECOGNITION_SPEC__AUDIO_ENCODING__LINEAR16_PCM)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "specification.audio_encoding: %d is unknown", encoding);
    steno_status status = wire_check_rate("specification.sample_rate_hertz",
        spec->sample_rate_hertz, STENO_RATE_MAX_HZ, config, error);
    if (status == STENO_OK)
        status = wire_check_whole("specification.sample_rate_hertz", config, error);
    if (status == STENO_OK)
        status = wire_check_alternatives(
            "specification.max_alternatives", spec->max_alternatives, config, error);
    return status;
}

static steno_status read_streaming(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error)
{
    const Vosk__Stt__V1__StreamingRecognitionRequest *vosk =
        (const Vosk__Stt__V1__StreamingRecognitionRequest *)wire_unpack(&request->memory,
            &vosk__stt__v1__streaming_recognition_request__descriptor, bytes, size, error);
    if (vosk == NULL)
        return error->status;
    request->part = WIRE_NOTHING;
    if (vosk->streaming_request_case ==
        VOSK__STT__V1__STREAMING_RECOGNITION_REQUEST__STREAMING_REQUEST_CONFIG)
        return read_config(vosk->config, request, error);
    if (vosk->streaming_request_case ==
        VOSK__STT__V1__STREAMING_RECOGNITION_REQUEST__STREAMING_REQUEST_AUDIO_CONTENT) {
        request->part = WIRE_AUDIO;
        request->audio = vosk->audio_content.data;
        request->audio_size = vosk->audio_content.len;
    }
    return STENO_OK;
}

/* Responses. */

static vosk_duration duration_of(uint64_t ms)
{
    vosk_duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    duration.seconds = (int64_t)(ms / 1000);
    duration.nanos = (int32_t)(ms % 1000) * 1000000;
    return duration;
}

static vosk_word **make_words(wire_output *output, const steno_alternative *from)
{
    vosk_word **list = wire_take(output, from->word_count, sizeof *list);
    vosk_word *words = wire_take(output, from->word_count, sizeof *words);
    vosk_duration *times = wire_take(output, from->word_count, 2 * sizeof *times);
    if (list == NULL || words == NULL || times == NULL)
        return NULL;
    for (size_t i = 0; i < from->word_count; i++) {
        list[i] = &words[i];
        vosk__stt__v1__word_info__init(&words[i]);
        times[2 * i] = duration_of(from->words[i].start_ms);
        times[2 * i + 1] = duration_of(from->words[i].end_ms);
        words[i].word = (char *)from->words[i].text;
        words[i].start_time = &times[2 * i];
        words[i].end_time = &times[2 * i + 1];
        words[i].confidence = from->words[i].confidence;
    }
    return list;
}

static void pack_chunk(
    wire_output *output, vosk_alternative **alternatives, size_t count, bool is_final)
{
    Vosk__Stt__V1__SpeechRecognitionChunk chunk = VOSK__STT__V1__SPEECH_RECOGNITION_CHUNK__INIT;
    Vosk__Stt__V1__SpeechRecognitionChunk *chunks[] = {&chunk};
    chunk.n_alternatives = count;
    chunk.alternatives = alternatives;
    chunk.final = chunk.end_of_utterance = is_final;
    Vosk__Stt__V1__StreamingRecognitionResponse response =
        VOSK__STT__V1__STREAMING_RECOGNITION_RESPONSE__INIT;
    response.n_chunks = 1;
    response.chunks = chunks;
    wire_pack(output, &response.base);
}

static void write_result(wire_output *output, const wire_config *config, const wire_result *from)
{
    const steno_result *result = from->result;
    vosk_alternative **list = wire_take(output, result->alternative_count, sizeof *list);
    vosk_alternative *made = wire_take(output, result->alternative_count, sizeof *made);
    if (list == NULL || made == NULL)
        return;
    for (size_t i = 0; i < result->alternative_count; i++) {
        const steno_alternative *alternative = &result->alternatives[i];
        list[i] = &made[i];
        vosk__stt__v1__speech_recognition_alternative__init(&made[i]);
        made[i].text = (char *)alternative->text;
        if (result->is_final)
            made[i].confidence = alternative->confidence;
        if (result->is_final && config->word_times) {
            made[i].words = make_words(output, alternative);
            made[i].n_words = alternative->word_count;
            if (made[i].words == NULL)
                return;
        }
    }
    pack_chunk(output, list, result->alternative_count, result->is_final);
}

static void write_empty(wire_output *output, bool is_final)
{
    vosk_alternative alternative = VOSK__STT__V1__SPEECH_RECOGNITION_ALTERNATIVE__INIT;
    vosk_alternative *list[] = {&alternative};
    pack_chunk(output, list, 1, is_final);
}

void wire_vosk_write_stats(wire_output *output, const wire_stats *stats)
{
    Vosk__Stt__V1__StatsResponse response = VOSK__STT__V1__STATS_RESPONSE__INIT;
    response.n_streams = (int32_t)stats->streams;
    response.n_total_streams = (int32_t)stats->streams_total;
    response.max_chunk_rtf = response.max_stream_rtf = stats->real_time_factor;
    wire_pack(output, &response.base);
}

const wire_protocol wire_vosk = {
    .read_streaming = read_streaming,
    .write_result = write_result,
    .answers_each_message = true,
    .write_empty = write_empty,
};
