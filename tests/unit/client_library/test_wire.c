/* Messages of the client: requests as a server reads them, replies as it writes them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "steno/v1/speech.pb-c.h"
#include "support/suite.h"
#include "wire.h"

typedef Steno__V1__StreamingRecognizeRequest request_message;
typedef Steno__V1__StreamingRecognizeResponse response_message;

static steno_client_stream_options options;
static steno_error error;
static message_memory memory;

static void setup(void)
{
    steno_client_stream_options_init(&options);
    message_memory_init(&memory, 0);
}

static void teardown(void)
{
    message_memory_finish(&memory);
    ck_assert_uint_eq(memory_alive(), 0);
}

static request_message *written_config(void)
{
    uint8_t *bytes;
    size_t size;
    ck_assert_int_eq(wire_write_config(&options, &bytes, &size, &error), STENO_OK);
    request_message *request = steno__v1__streaming_recognize_request__unpack(NULL, size, bytes);
    memory_free(bytes);
    ck_assert_ptr_nonnull(request);
    return request;
}

START_TEST(a_configuration)
{
    steno_phrase phrases[] = {{"liked", 4.5f}, {"not at all", 0}, {"loved", 20}};
    options.rate_hz = 44100;
    options.channels = 2;
    options.encoding = STENO_ENCODING_S16;
    options.language = "en-GB";
    options.chunk_ms = 320;
    options.interim = true;
    options.endpointing = false;
    options.max_alternatives = 3;
    options.phrases = phrases;
    options.phrase_count = 3;
    request_message *request = written_config();
    const Steno__V1__StreamingRecognitionConfig *streaming = request->streaming_config;
    const Google__Cloud__Speech__V1__RecognitionConfig *config = streaming->config;
    ck_assert_int_eq(config->sample_rate_hertz, 44100);
    ck_assert_int_eq(config->audio_channel_count, 2);
    ck_assert_str_eq(config->language_code, "en-GB");
    ck_assert_int_eq(config->max_alternatives, 3);
    ck_assert_int_eq(streaming->options->sample_encoding,
        STENO__V1__RECOGNITION_OPTIONS__SAMPLE_ENCODING__INT16);
    ck_assert_uint_eq(streaming->options->chunk_ms, 320);
    ck_assert(streaming->options->disable_endpointing && streaming->options->mix_channels);
    ck_assert(streaming->interim_results);
    const Google__Cloud__Speech__V1__PhraseSet *set = config->adaptation->phrase_sets[0];
    ck_assert_uint_eq(set->n_phrases, 2);
    ck_assert_str_eq(set->phrases[1]->value, "loved");
    ck_assert_float_eq(set->phrases[0]->boost, 4.5f);
    steno__v1__streaming_recognize_request__free_unpacked(request, NULL);
}
END_TEST

START_TEST(kinds_of_audio)
{
    static const struct {
        steno_audio_kind kind;
        int encoding;
    } kinds[] = {{STENO_AUDIO_AUTO, 0}, {STENO_AUDIO_WAV, 0}, {STENO_AUDIO_FLAC, 2},
        {STENO_AUDIO_OGG_OPUS, 6}, {STENO_AUDIO_MP3, 8}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        options.kind = kinds[i].kind;
        request_message *request = written_config();
        const Google__Cloud__Speech__V1__RecognitionConfig *config =
            request->streaming_config->config;
        ck_assert_int_eq(config->encoding, kinds[i].encoding);
        ck_assert_int_eq(config->sample_rate_hertz, 0);
        ck_assert_int_eq(request->streaming_config->options->sample_encoding, 0);
        steno__v1__streaming_recognize_request__free_unpacked(request, NULL);
    }
}
END_TEST

START_TEST(audio_and_flush)
{
    uint8_t audio[3000], bytes[sizeof audio + WIRE_AUDIO_HEAD];
    memset(audio, 0x5a, sizeof audio);
    size_t size = wire_write_audio(audio, sizeof audio, bytes);
    ck_assert_uint_le(size, sizeof bytes);
    request_message *request = steno__v1__streaming_recognize_request__unpack(NULL, size, bytes);
    ck_assert_uint_eq(request->audio_content.len, sizeof audio);
    ck_assert_mem_eq(request->audio_content.data, audio, sizeof audio);
    steno__v1__streaming_recognize_request__free_unpacked(request, NULL);

    size = wire_write_flush(bytes);
    request = steno__v1__streaming_recognize_request__unpack(NULL, size, bytes);
    ck_assert_int_eq(request->streaming_request_case,
        STENO__V1__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_FLUSH);
    steno__v1__streaming_recognize_request__free_unpacked(request, NULL);
}
END_TEST

/* A final with two alternatives of one word, as a server writes it. */
static size_t write_final(uint8_t *out)
{
    Google__Protobuf__Duration start = GOOGLE__PROTOBUF__DURATION__INIT,
                               end = GOOGLE__PROTOBUF__DURATION__INIT;
    start.seconds = 1;
    start.nanos = 250000000;
    end.seconds = 2;
    Google__Cloud__Speech__V1__WordInfo word = GOOGLE__CLOUD__SPEECH__V1__WORD_INFO__INIT,
                                        *words[] = {&word};
    word.word = (char *)"hello";
    word.start_time = &start;
    word.end_time = &end;
    word.confidence = 0.5f;
    Google__Cloud__Speech__V1__SpeechRecognitionAlternative
        one = GOOGLE__CLOUD__SPEECH__V1__SPEECH_RECOGNITION_ALTERNATIVE__INIT,
        two = one, *alternatives[] = {&one, &two};
    one.transcript = (char *)" hello";
    one.confidence = 0.75f;
    one.words = words;
    one.n_words = 1;
    two.transcript = (char *)"hullo";
    Google__Cloud__Speech__V1__StreamingRecognitionResult
        result = GOOGLE__CLOUD__SPEECH__V1__STREAMING_RECOGNITION_RESULT__INIT,
        *results[] = {&result};
    result.alternatives = alternatives;
    result.n_alternatives = 2;
    result.is_final = true;
    result.result_end_time = &end;
    result.channel_tag = 2;
    response_message response = STENO__V1__STREAMING_RECOGNIZE_RESPONSE__INIT;
    response.results = results;
    response.n_results = 1;
    response.audio_ms = 3000;
    response.endpoint = true;
    return steno__v1__streaming_recognize_response__pack(&response, out);
}

START_TEST(a_result)
{
    uint8_t bytes[512];
    wire_reply reply;
    ck_assert_int_eq(
        wire_read_reply(&memory, bytes, write_final(bytes), 10000, &reply, &error), STENO_OK);
    const steno_result *result = &reply.result;
    ck_assert(reply.has_result && result->is_final && result->endpoint);
    ck_assert_uint_eq(reply.channel, 2);
    ck_assert_uint_eq(result->alternative_count, 2);
    ck_assert_str_eq(result->alternatives[0].text, "hello");
    ck_assert_str_eq(result->alternatives[1].text, "hullo");
    ck_assert_uint_eq(result->alternatives[0].word_count, 1);
    ck_assert_str_eq(result->alternatives[0].words[0].text, "hello");
    ck_assert_uint_eq(result->alternatives[0].words[0].start_ms, 11250);
    ck_assert_float_eq(result->alternatives[0].confidence, 0.75f);
    ck_assert_uint_eq(result->start_ms, 11250);
    ck_assert_uint_eq(result->end_ms, 12000);
    ck_assert_uint_eq(result->audio_ms, 13000);
    ck_assert_float_eq(result->stability, 1);
}
END_TEST

/* Cut anywhere, or with any byte changed, a reply is refused or says something else: no more. */
START_TEST(damaged_replies)
{
    uint8_t bytes[512], damaged[512];
    size_t size = write_final(bytes);
    wire_reply reply;
    for (size_t cut = 0; cut < size; cut++)
        wire_read_reply(&memory, bytes, cut, 0, &reply, &error);
    for (size_t i = 0; i < size; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(damaged, bytes, size);
            damaged[i] ^= (uint8_t)(1 << bit);
            if (wire_read_reply(&memory, damaged, size, 0, &reply, &error) != STENO_OK ||
                !reply.has_result || reply.result.event != STENO_EVENT_NONE)
                continue;
            ck_assert_uint_ge(reply.result.alternative_count, 1);
            ck_assert_uint_le(reply.channel, STENO_CHANNELS_MAX);
            ck_assert_uint_lt(strlen(reply.result.alternatives[0].text), size);
        }
    ck_assert_int_eq(wire_read_reply(&memory, (const uint8_t *)"\xff", 1, 0, &reply, &error),
        STENO_ERROR_FORMAT);
}
END_TEST

START_TEST(progress_and_nothing)
{
    response_message response = STENO__V1__STREAMING_RECOGNIZE_RESPONSE__INIT;
    uint8_t bytes[64];
    wire_reply reply;
    response.audio_ms = 500;
    size_t size = steno__v1__streaming_recognize_response__pack(&response, bytes);
    ck_assert_int_eq(wire_read_reply(&memory, bytes, size, 100, &reply, &error), STENO_OK);
    ck_assert(!reply.has_result);
    ck_assert_uint_eq(reply.audio_ms, 600);
    ck_assert_int_eq(wire_read_reply(&memory, bytes, 0, 100, &reply, &error), STENO_OK);
    ck_assert(!reply.has_result);
    ck_assert_uint_eq(reply.audio_ms, 0);
}
END_TEST

START_TEST(damaged_answers)
{
    static const uint8_t bytes[] = {0xff};
    steno_client_model *told = NULL;
    wire_reply reply;
    ck_assert_int_eq(
        wire_read_model("HOST:1", bytes, sizeof bytes, &told, &error), STENO_ERROR_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "damaged"));
    /* Whoever asks for the model need not want to know why not. */
    ck_assert_int_eq(
        wire_read_model("HOST:1", bytes, sizeof bytes, &told, NULL), STENO_ERROR_FORMAT);
    ck_assert_ptr_null(told);
    ck_assert_int_eq(
        wire_read_reply(&memory, bytes, sizeof bytes, 0, &reply, &error), STENO_ERROR_FORMAT);
}
END_TEST

START_TEST(without_memory)
{
    uint8_t bytes[512], *config;
    size_t size = write_final(bytes), config_size;
    wire_reply reply;
    steno_phrase phrase = {"word", 5};
    options.phrases = &phrase;
    options.phrase_count = 1;
    for (int i = 1; i <= 2; i++) {
        memory_fail_at(memory_attempts() + (uint64_t)i);
        ck_assert_int_eq(
            wire_write_config(&options, &config, &config_size, &error), STENO_ERROR_MEMORY);
    }
    memory_fail_at(memory_attempts() + 1);
    ck_assert_int_eq(wire_read_reply(&memory, bytes, size, 0, &reply, &error), STENO_ERROR_MEMORY);
    Steno__V1__Model model = STENO__V1__MODEL__INIT;
    size = steno__v1__model__pack(&model, bytes);
    steno_client_model *told;
    memory_fail_at(memory_attempts() + 1);
    steno_status first = wire_read_model("HOST:1", bytes, size, &told, &error);
    memory_fail_at(memory_attempts() + 2);
    steno_status second = wire_read_model("HOST:1", bytes, size, &told, &error);
    memory_fail_at(0);
    ck_assert_int_eq(first, STENO_ERROR_MEMORY);
    ck_assert_int_eq(second, STENO_ERROR_MEMORY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client wire");
    TCase *tests = tcase_create("wire");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_configuration);
    tcase_add_test(tests, kinds_of_audio);
    tcase_add_test(tests, audio_and_flush);
    tcase_add_test(tests, a_result);
    tcase_add_test(tests, damaged_replies);
    tcase_add_test(tests, progress_and_nothing);
    tcase_add_test(tests, damaged_answers);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
