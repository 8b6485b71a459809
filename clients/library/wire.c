/*
 * Results are built in the memory of the parse, beside the message, to whose texts they point; both
 * live until the next.
 */
#include "wire.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "steno/v1/speech.pb-c.h"

typedef Google__Cloud__Speech__V1__RecognitionConfig google_config;
typedef Google__Cloud__Speech__V1__SpeechRecognitionAlternative google_alternative;
typedef Google__Cloud__Speech__V1__StreamingRecognitionResult google_result;
typedef Google__Cloud__Speech__V1__PhraseSet google_phrase_set;
typedef Google__Cloud__Speech__V1__PhraseSet__Phrase google_phrase;
typedef Google__Protobuf__Duration google_duration;
typedef Steno__V1__StreamingRecognizeRequest steno_request;
typedef Steno__V1__StreamingRecognizeResponse steno_response;

/* What a reply may take beside its own size: alternatives and words as two sets of structs. */
#define REPLY_MEMORY_BYTES ((size_t)8 << 20)
#define CONFIG_MEMORY_BYTES ((size_t)1 << 20)

static void *take(message_memory *memory, size_t count, size_t size)
{
    if (count > SIZE_MAX / 2 / (size > 0 ? size : 1))
        return NULL;
    return memory->allocator.alloc(memory->allocator.allocator_data, count * size);
}

/* ---- The configuration ---- */

#define ENCODING(name) GOOGLE__CLOUD__SPEECH__V1__RECOGNITION_CONFIG__AUDIO_ENCODING__##name
#define SAMPLES(name) STENO__V1__RECOGNITION_OPTIONS__SAMPLE_ENCODING__##name

static void set_format(const steno_client_stream_options *options, google_config *config,
    Steno__V1__RecognitionOptions *more)
{
    static const Steno__V1__RecognitionOptions__SampleEncoding samples[] = {
        [STENO_ENCODING_S16] = SAMPLES(INT16),
        [STENO_ENCODING_F32] = SAMPLES(FLOAT32),
        [STENO_ENCODING_MULAW] = SAMPLES(ULAW),
        [STENO_ENCODING_ALAW] = SAMPLES(ALAW),
    };
    switch (options->kind) {
    case STENO_AUDIO_RAW:
        more->sample_encoding = samples[options->encoding];
        break;
    case STENO_AUDIO_RAW_OR_WAV:
        config->encoding =
            options->encoding == STENO_ENCODING_MULAW ? ENCODING(MULAW) : ENCODING(LINEAR16);
        break;
    case STENO_AUDIO_FLAC:
        config->encoding = ENCODING(FLAC);
        return;
    case STENO_AUDIO_OGG_OPUS:
        config->encoding = ENCODING(OGG_OPUS);
        return;
    case STENO_AUDIO_MP3:
        config->encoding = ENCODING(MP3);
        return;
    default:
        return; /* its header says */
    }
    config->sample_rate_hertz = (int32_t)options->rate_hz;
    config->audio_channel_count = (int32_t)options->channels;
}

/* The phrases as one set; false: no memory.  What is not to be preferred is not sent, since 0 would
 * mean the server's usual boost. */
static bool make_phrases(
    message_memory *memory, const steno_client_stream_options *options, google_phrase_set *set)
{
    google_phrase *made = take(memory, options->phrase_count, sizeof *made);
    set->phrases = take(memory, options->phrase_count, sizeof(google_phrase *));
    if (made == NULL || set->phrases == NULL)
        return false;
    for (size_t i = 0; i < options->phrase_count; i++) {
        if (options->phrases[i].boost <= 0)
            continue;
        google__cloud__speech__v1__phrase_set__phrase__init(&made[i]);
        made[i].value = (char *)options->phrases[i].text;
        made[i].boost = options->phrases[i].boost;
        set->phrases[set->n_phrases++] = &made[i];
    }
    return true;
}

static steno_status pack_block(
    const ProtobufCMessage *message, uint8_t **out_bytes, size_t *out_size, steno_error *error)
{
    *out_size = protobuf_c_message_get_packed_size(message);
    *out_bytes = memory_allocate(*out_size, 1);
    if (*out_bytes == NULL)
        return error_memory(error);
    protobuf_c_message_pack(message, *out_bytes);
    return STENO_OK;
}

steno_status wire_write_config(const steno_client_stream_options *options, uint8_t **out_bytes,
    size_t *out_size, steno_error *error)
{
    Steno__V1__RecognitionOptions more = STENO__V1__RECOGNITION_OPTIONS__INIT;
    more.chunk_ms = options->chunk_ms;
    more.endpoint_ms = options->endpoint_ms;
    more.max_utterance_ms = options->max_utterance_ms;
    more.disable_endpointing = !options->endpointing;
    more.interim_word_times = options->interim_word_times;
    more.mix_channels = !options->per_channel && options->channel == 0;
    more.channel = options->per_channel ? 0 : options->channel;
    more.alternative_words = true;
    more.progress_ms = WIRE_PROGRESS_MS;

    google_config config = GOOGLE__CLOUD__SPEECH__V1__RECOGNITION_CONFIG__INIT;
    set_format(options, &config, &more);
    config.language_code = (char *)(options->language != NULL ? options->language : "");
    config.max_alternatives = (int32_t)options->max_alternatives;
    config.enable_separate_recognition_per_channel = options->per_channel;
    config.enable_word_time_offsets = true;
    config.enable_word_confidence = true;

    message_memory memory;
    message_memory_init(&memory, CONFIG_MEMORY_BYTES);
    google_phrase_set set = GOOGLE__CLOUD__SPEECH__V1__PHRASE_SET__INIT, *sets[] = {&set};
    Google__Cloud__Speech__V1__SpeechAdaptation adaptation =
        GOOGLE__CLOUD__SPEECH__V1__SPEECH_ADAPTATION__INIT;
    adaptation.phrase_sets = sets;
    adaptation.n_phrase_sets = 1;
    steno_status status = STENO_OK;
    if (options->phrase_count > 0) {
        if (!make_phrases(&memory, options, &set))
            status = error_memory(error);
        config.adaptation = &adaptation;
    }

    Steno__V1__StreamingRecognitionConfig streaming = STENO__V1__STREAMING_RECOGNITION_CONFIG__INIT;
    streaming.config = &config;
    streaming.options = &more;
    streaming.interim_results = options->interim;
    streaming.enable_voice_activity_events = options->activity;
    steno_request request = STENO__V1__STREAMING_RECOGNIZE_REQUEST__INIT;
    request.streaming_request_case =
        STENO__V1__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_STREAMING_CONFIG;
    request.streaming_config = &streaming;
    if (status == STENO_OK)
        status = pack_block(&request.base, out_bytes, out_size, error);
    message_memory_finish(&memory);
    return status;
}

/* ---- The other requests ---- */

size_t wire_write_audio(const uint8_t *audio, size_t size, uint8_t *out)
{
    steno_request request = STENO__V1__STREAMING_RECOGNIZE_REQUEST__INIT;
    request.streaming_request_case =
        STENO__V1__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_AUDIO_CONTENT;
    request.audio_content = (ProtobufCBinaryData){.len = size, .data = (uint8_t *)audio};
    return steno__v1__streaming_recognize_request__pack(&request, out);
}

size_t wire_write_flush(uint8_t *out)
{
    Steno__V1__Flush flush = STENO__V1__FLUSH__INIT;
    steno_request request = STENO__V1__STREAMING_RECOGNIZE_REQUEST__INIT;
    request.streaming_request_case =
        STENO__V1__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_FLUSH;
    request.flush = &flush;
    return steno__v1__streaming_recognize_request__pack(&request, out);
}

/* ---- Replies ---- */

static uint64_t ms_of(const google_duration *duration, uint64_t more_ms)
{
    if (duration == NULL || duration->seconds < 0 || duration->nanos < 0)
        return more_ms;
    return (uint64_t)duration->seconds * 1000 + (uint64_t)duration->nanos / 1000000 + more_ms;
}

static const steno_word *read_words(
    message_memory *memory, const google_alternative *from, uint64_t more_ms)
{
    steno_word *words = take(memory, from->n_words, sizeof *words);
    for (size_t i = 0; words != NULL && i < from->n_words; i++)
        words[i] = (steno_word){
            .text = from->words[i]->word,
            .start_ms = ms_of(from->words[i]->start_time, more_ms),
            .end_ms = ms_of(from->words[i]->end_time, more_ms),
            .confidence = from->words[i]->confidence,
        };
    return words;
}

static bool read_alternatives(
    message_memory *memory, const google_result *from, uint64_t more_ms, steno_result *result)
{
    steno_alternative *made = take(memory, from->n_alternatives, sizeof *made);
    if (made == NULL)
        return false;
    for (size_t i = 0; i < from->n_alternatives; i++) {
        const google_alternative *one = from->alternatives[i];
        /* Texts are given so that they can be joined as they are: not our way. */
        made[i] = (steno_alternative){
            .text = one->transcript + (one->transcript[0] == ' '),
            .words = read_words(memory, one, more_ms),
            .word_count = one->n_words,
            .confidence = one->confidence,
        };
        if (made[i].words == NULL)
            return false;
    }
    result->alternatives = made;
    result->alternative_count = from->n_alternatives;
    return true;
}

/* False: no memory. */
static bool read_result(
    message_memory *memory, const steno_response *response, uint64_t more_ms, wire_reply *reply)
{
    const google_result *from = response->results[0];
    steno_result *result = &reply->result;
    if (!read_alternatives(memory, from, more_ms, result))
        return false;
    const steno_alternative *best = result->alternatives;
    result->is_final = from->is_final;
    result->endpoint = response->endpoint;
    result->stable_words = response->stable_words;
    /* Without a settled word the wire has a small number, as 0 means nothing there. */
    result->stability = from->is_final ? 1 : response->stable_words > 0 ? from->stability : 0;
    result->end_ms = ms_of(from->result_end_time, more_ms);
    result->start_ms = best->word_count > 0 ? best->words[0].start_ms : more_ms;
    reply->channel = from->channel_tag > 0 ? (unsigned)from->channel_tag : 0;
    reply->has_result = true;
    return true;
}

#define EVENT(name)                                                                                \
    GOOGLE__CLOUD__SPEECH__V1__STREAMING_RECOGNIZE_RESPONSE__SPEECH_EVENT_TYPE__##name

static void read_event(const steno_response *response, uint64_t more_ms, wire_reply *reply)
{
    switch ((int)response->speech_event_type) {
    case EVENT(SPEECH_ACTIVITY_BEGIN):
        reply->result.event = STENO_EVENT_SPEECH_BEGIN;
        break;
    case EVENT(SPEECH_ACTIVITY_END):
        reply->result.event = STENO_EVENT_SPEECH_END;
        break;
    default:
        return;
    }
    reply->result.event_ms = ms_of(response->speech_event_time, more_ms);
    reply->has_result = true;
}

static steno_status unpack(message_memory *memory, const ProtobufCMessageDescriptor *descriptor,
    const uint8_t *bytes, size_t size, const ProtobufCMessage **out_message, steno_error *error)
{
    message_memory_reset(memory);
    memory->limit_bytes = size + REPLY_MEMORY_BYTES;
    *out_message = protobuf_c_message_unpack(descriptor, &memory->allocator, size, bytes);
    if (*out_message != NULL)
        return STENO_OK;
    return message_memory_is_exceeded(memory)
               ? error_memory(error)
               : error_set(error, STENO_ERROR_FORMAT, "the server's answer is damaged");
}

steno_status wire_read_reply(message_memory *memory, const uint8_t *bytes, size_t size,
    uint64_t more_ms, wire_reply *out_reply, steno_error *error)
{
    const ProtobufCMessage *message;
    steno_status status = unpack(
        memory, &steno__v1__streaming_recognize_response__descriptor, bytes, size, &message, error);
    if (status < 0)
        return status;
    const steno_response *response = (const steno_response *)message;
    *out_reply = (wire_reply){.has_result = false};
    if (response->audio_ms > 0)
        out_reply->audio_ms = response->audio_ms + more_ms;
    out_reply->result.audio_ms = out_reply->audio_ms;
    if (response->n_results > 1 ||
        (response->n_results == 1 && response->results[0]->n_alternatives == 0) ||
        (response->n_results == 1 && response->results[0]->channel_tag > STENO_CHANNELS_MAX))
        return error_set(error, STENO_ERROR_FORMAT, "the server's answer makes no sense");
    if (response->n_results == 1) {
        if (!read_result(memory, response, more_ms, out_reply))
            return error_memory(error);
    } else {
        read_event(response, more_ms, out_reply);
    }
    return STENO_OK;
}

/* ---- The model ---- */

static const char *put(char **end, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*end, text, size);
    *end += size;
    return copy;
}

static steno_client_model *copy_model(const char *address, const Steno__V1__Model *from)
{
    const char *const texts[] = {address, from->name, from->language, from->licence,
        from->training_data, from->trained_with, from->word_error_rate, from->precision,
        from->operators};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        bytes += strlen(texts[i]) + 1;
    steno_client_model *model = memory_allocate(1, sizeof *model + bytes);
    if (model == NULL)
        return NULL;
    char *end = (char *)(model + 1);
    *model = (steno_client_model){
        .address = put(&end, address),
        .name = put(&end, from->name),
        .language = put(&end, from->language),
        .licence = put(&end, from->licence),
        .training_data = put(&end, from->training_data),
        .trained_with = put(&end, from->trained_with),
        .word_error_rate = put(&end, from->word_error_rate),
        .file_bytes = from->file_bytes,
        .parameters = from->parameters,
        .lm_ngrams = from->lm_ngrams,
        .tokens = from->tokens,
        .rate_hz = from->sample_rate_hertz,
        .encoding_ms = from->encoding_ms,
        .max_chunk_ms = from->max_chunk_ms,
        .precision = put(&end, from->precision),
        .operators = put(&end, from->operators),
    };
    return model;
}

steno_status wire_read_model(const char *address, const uint8_t *bytes, size_t size,
    steno_client_model **out_model, steno_error *error)
{
    message_memory memory;
    message_memory_init(&memory, REPLY_MEMORY_BYTES);
    const ProtobufCMessage *message;
    steno_status status =
        unpack(&memory, &steno__v1__model__descriptor, bytes, size, &message, error);
    if (status == STENO_OK) {
        steno_client_model *model = copy_model(address, (const Steno__V1__Model *)message);
        if (model != NULL)
            *out_model = model;
        else
            status = error_memory(error);
    }
    message_memory_finish(&memory);
    return status;
}
