/*
 * Responses of google.cloud.speech.v1, which are steno.v1's as well.
 *
 * A transcript's words, their lists of pointers and times are cut from the output's scratch memory
 * in one piece each, packed, and forgotten.
 */
#include "wire/google.h"

#include <string.h>

#include "base/error.h"
#include "google/cloud/speech/v1/cloud_speech.pb-c.h"
#include "steno/v1/speech.pb-c.h"

typedef Google__Cloud__Speech__V1__SpeechRecognitionAlternative google_alternative;
typedef Google__Cloud__Speech__V1__WordInfo google_word;
typedef Google__Cloud__Speech__V1__StreamingRecognizeResponse google_streaming;
typedef Google__Protobuf__Duration google_duration;

/* Of an interim result with no settled words: 0 would mean that it was not set. */
#define LEAST_STABILITY 0.01f

static google_duration duration_of(uint64_t ms)
{
    google_duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    duration.seconds = (int64_t)(ms / 1000);
    duration.nanos = (int32_t)(ms % 1000) * 1000000;
    return duration;
}

/* Audio is reckoned in whole seconds. */
static google_duration billed(uint64_t audio_ms)
{
    return duration_of((audio_ms + 999) / 1000 * 1000);
}

/* Alternatives. */

static google_word **make_words(
    wire_output *output, const wire_config *config, const steno_alternative *from)
{
    google_word **list = wire_take(output, from->word_count, sizeof *list);
    google_word *words = wire_take(output, from->word_count, sizeof *words);
    google_duration *times = wire_take(output, from->word_count, 2 * sizeof *times);
    if (list == NULL || words == NULL || times == NULL)
        return NULL;
    for (size_t i = 0; i < from->word_count; i++) {
        list[i] = &words[i];
        google__cloud__speech__v1__word_info__init(&words[i]);
        words[i].word = (char *)from->words[i].text;
        if (config->word_times) {
            times[2 * i] = duration_of(from->words[i].start_ms);
            times[2 * i + 1] = duration_of(from->words[i].end_ms);
            words[i].start_time = &times[2 * i];
            words[i].end_time = &times[2 * i + 1];
        }
        if (config->word_confidence)
            words[i].confidence = from->words[i].confidence;
    }
    return list;
}

/* NULL if memory is out.  Confidence and words are the first alternative's alone unless asked for
 * otherwise. */
static google_alternative **make_alternatives(
    wire_output *output, const wire_config *config, const wire_result *from)
{
    const steno_result *result = from->result;
    bool all = config->alternative_words;
    bool words_wanted =
        result->is_final ? config->word_times || config->word_confidence : config->interim_words;
    /* Interim words were asked for with their times. */
    wire_config chosen = *config;
    chosen.word_times |= !result->is_final;
    google_alternative **list = wire_take(output, result->alternative_count, sizeof *list);
    google_alternative *made = wire_take(output, result->alternative_count, sizeof *made);
    if (list == NULL || made == NULL)
        return NULL;
    for (size_t i = 0; i < result->alternative_count; i++) {
        const steno_alternative *alternative = &result->alternatives[i];
        list[i] = &made[i];
        google__cloud__speech__v1__speech_recognition_alternative__init(&made[i]);
        made[i].transcript = wire_text(output, alternative->text, from->continues);
        if (all || (i == 0 && result->is_final))
            made[i].confidence = alternative->confidence;
        if ((all || i == 0) && words_wanted) {
            made[i].words = make_words(output, &chosen, alternative);
            made[i].n_words = alternative->word_count;
        }
    }
    return output->failed ? NULL : list;
}

/* Streaming. */

static void write_result(wire_output *output, const wire_config *config, const wire_result *from)
{
    const steno_result *result = from->result;
    google_alternative **alternatives = make_alternatives(output, config, from);
    if (alternatives == NULL)
        return;
    Google__Cloud__Speech__V1__StreamingRecognitionResult made =
        GOOGLE__CLOUD__SPEECH__V1__STREAMING_RECOGNITION_RESULT__INIT;
    Google__Cloud__Speech__V1__StreamingRecognitionResult *list[] = {&made};
    google_duration end = duration_of(result->end_ms);
    made.n_alternatives = result->alternative_count;
    made.alternatives = alternatives;
    made.is_final = result->is_final;
    if (!result->is_final)
        made.stability = result->stability > LEAST_STABILITY ? result->stability : LEAST_STABILITY;
    made.result_end_time = &end;
    made.channel_tag = (int32_t)from->channel_tag;
    made.language_code = (char *)config->language;
    google_streaming response = GOOGLE__CLOUD__SPEECH__V1__STREAMING_RECOGNIZE_RESPONSE__INIT;
    response.n_results = 1;
    response.results = list;
    response.request_id = config->request_id;
    wire_pack(output, &response.base);
}

#define EVENT(name)                                                                                \
    GOOGLE__CLOUD__SPEECH__V1__STREAMING_RECOGNIZE_RESPONSE__SPEECH_EVENT_TYPE__##name

static void write_event(
    wire_output *output, const wire_config *config, wire_event event, uint64_t time_ms)
{
    static const Google__Cloud__Speech__V1__StreamingRecognizeResponse__SpeechEventType types[] = {
        [WIRE_END_OF_SINGLE_UTTERANCE] = EVENT(END_OF_SINGLE_UTTERANCE),
        [WIRE_SPEECH_BEGIN] = EVENT(SPEECH_ACTIVITY_BEGIN),
        [WIRE_SPEECH_END] = EVENT(SPEECH_ACTIVITY_END),
        [WIRE_SPEECH_TIMEOUT] = EVENT(SPEECH_ACTIVITY_TIMEOUT),
    };
    google_streaming response = GOOGLE__CLOUD__SPEECH__V1__STREAMING_RECOGNIZE_RESPONSE__INIT;
    google_duration time = duration_of(time_ms);
    response.speech_event_type = types[event];
    response.speech_event_time = &time;
    response.request_id = config->request_id;
    wire_pack(output, &response.base);
}

static void write_last(wire_output *output, uint64_t audio_ms)
{
    google_streaming response = GOOGLE__CLOUD__SPEECH__V1__STREAMING_RECOGNIZE_RESPONSE__INIT;
    google_duration time = billed(audio_ms);
    response.total_billed_time = &time;
    wire_pack(output, &response.base);
}

/* A message behind another is one with it: what Google's cannot say is added to what it can. */
static void write_steno_result(
    wire_output *output, const wire_config *config, const wire_result *from)
{
    write_result(output, config, from);
    const steno_result *result = from->result;
    Steno__V1__StreamingRecognizeResponse more = STENO__V1__STREAMING_RECOGNIZE_RESPONSE__INIT;
    more.audio_ms = result->audio_ms;
    more.stable_words = result->is_final ? 0 : (uint32_t)result->stable_words;
    more.endpoint = result->endpoint;
    wire_pack(output, &more.base);
}

static void write_progress(wire_output *output, uint64_t done_ms)
{
    Steno__V1__StreamingRecognizeResponse response = STENO__V1__STREAMING_RECOGNIZE_RESPONSE__INIT;
    response.audio_ms = done_ms;
    wire_pack(output, &response.base);
}

/* Whole recordings. */

/* `made` is filled in but for what it points to, which is `end` and memory of the output: false if
 * that is out. */
static bool make_whole(wire_output *output, const wire_config *config, const wire_result *from,
    google_duration *end, Google__Cloud__Speech__V1__SpeechRecognitionResult *made)
{
    google__cloud__speech__v1__speech_recognition_result__init(made);
    *end = duration_of(from->result->end_ms);
    made->alternatives = make_alternatives(output, config, from);
    made->n_alternatives = from->result->alternative_count;
    made->channel_tag = (int32_t)from->channel_tag;
    made->result_end_time = end;
    made->language_code = (char *)config->language;
    return made->alternatives != NULL;
}

static void write_whole(wire_output *output, const wire_config *config, const wire_result *from)
{
    google_duration end;
    Google__Cloud__Speech__V1__SpeechRecognitionResult made, *list[] = {&made};
    if (!make_whole(output, config, from, &end, &made))
        return;
    Google__Cloud__Speech__V1__RecognizeResponse response =
        GOOGLE__CLOUD__SPEECH__V1__RECOGNIZE_RESPONSE__INIT;
    response.n_results = 1;
    response.results = list;
    wire_pack(output, &response.base);
}

static void write_whole_end(wire_output *output, const wire_config *config, uint64_t audio_ms)
{
    Google__Cloud__Speech__V1__RecognizeResponse response =
        GOOGLE__CLOUD__SPEECH__V1__RECOGNIZE_RESPONSE__INIT;
    google_duration time = billed(audio_ms);
    response.total_billed_time = &time;
    response.request_id = config->request_id;
    wire_pack(output, &response.base);
}

void wire_google_write_long(wire_output *output, const wire_config *config, const wire_result *from)
{
    google_duration end;
    Google__Cloud__Speech__V1__SpeechRecognitionResult made, *list[] = {&made};
    if (!make_whole(output, config, from, &end, &made))
        return;
    Google__Cloud__Speech__V1__LongRunningRecognizeResponse response =
        GOOGLE__CLOUD__SPEECH__V1__LONG_RUNNING_RECOGNIZE_RESPONSE__INIT;
    response.n_results = 1;
    response.results = list;
    wire_pack(output, &response.base);
}

void wire_google_write_long_end(wire_output *output, const wire_config *config, uint64_t audio_ms)
{
    Google__Cloud__Speech__V1__LongRunningRecognizeResponse response =
        GOOGLE__CLOUD__SPEECH__V1__LONG_RUNNING_RECOGNIZE_RESPONSE__INIT;
    google_duration time = billed(audio_ms);
    response.total_billed_time = &time;
    response.request_id = config->request_id;
    wire_pack(output, &response.base);
}

/* The model. */

steno_status wire_steno_get_model(const steno_model_info *info, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    message_memory memory;
    message_memory_init(&memory, WIRE_MEMORY_BYTES);
    bool understood =
        wire_unpack(&memory, &steno__v1__get_model_request__descriptor, bytes, size, error) != NULL;
    message_memory_finish(&memory);
    if (!understood)
        return STENO_ERROR_ARGUMENT;
    Steno__V1__Model model = STENO__V1__MODEL__INIT;
    model.name = (char *)info->name;
    model.language = (char *)info->language;
    model.licence = (char *)info->licence;
    model.training_data = (char *)info->training_data;
    model.trained_with = (char *)info->trained_with;
    model.word_error_rate = (char *)info->word_error_rate;
    model.parameters = info->parameters;
    model.file_bytes = info->file_bytes;
    model.tokens = info->tokens;
    model.sample_rate_hertz = info->rate_hz;
    model.max_chunk_ms = info->max_chunk_ms;
    model.precision = (char *)steno_precision_name(info->precision);
    model.operators = (char *)info->operators;
    model.lm_ngrams = info->lm_ngrams;
    model.encoding_ms = info->encoding_ms;
    wire_pack(output, &model.base);
    return STENO_OK;
}

const wire_protocol wire_google = {
    .read_streaming = wire_google_read_streaming,
    .read_whole = wire_google_read_whole,
    .write_result = write_result,
    .write_event = write_event,
    .write_last = write_last,
    .write_whole = write_whole,
    .write_whole_end = write_whole_end,
};

const wire_protocol wire_steno = {
    .read_streaming = wire_steno_read_streaming,
    .read_whole = wire_steno_read_whole,
    .write_result = write_steno_result,
    .write_event = write_event,
    .write_last = write_last,
    .write_progress = write_progress,
    .write_whole = write_whole,
    .write_whole_end = write_whole_end,
};
