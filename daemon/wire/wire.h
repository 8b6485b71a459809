/*
 * The wire: what the speech protocols say, as plain structs.  google.c, google_request.c, riva.c,
 * vosk.c and operations.c are the only code of speech that sees generated protobuf; everything
 * above them is the same for all protocols.
 *
 *     wire_request_init(&request);
 *     status = protocol->read_streaming(&request, bytes, size, &error);   for each message
 *     ... request.part says what came: request.config or request.audio ...
 *     wire_request_finish(&request);
 *
 *     protocol->write_result(&output, &config, &result);
 *     ... call_write(call, output.bytes, output.size), unless output.failed ...
 *     wire_output_clear(&output);
 *
 * Errors of the read functions are STENO_ERROR_ARGUMENT and name the field as the protocol does;
 * STENO_ERROR_LIMIT for a message that would take too much memory.  `error` is never NULL.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/message_memory.h"
#include "steno/audio_stream.h"
#include "steno/model.h"
#include "steno/result.h"
#include "steno/stream.h"

/* What parsing a message may take beside its own size. */
#define WIRE_MEMORY_BYTES ((size_t)1 << 20)

/* Requests. */

/* Bytes of the id of a call, terminated. */
enum { WIRE_LOG_ID = 65 };

typedef struct wire_config {
    /* The audio.  raw.rate_hz and raw.channels: 0 where the request leaves them to the header. */
    steno_audio_kind kind;
    steno_raw_format raw;
    bool per_channel;  /* each channel on its own; otherwise the first alone is recognised */
    bool mix_channels; /* instead of the first the mean of all, */
    uint32_t channel;  /* or this one, from 1; 0: the first */

    /* The results. */
    char language[16];         /* as results carry it: lower case */
    uint32_t max_alternatives; /* 1 to 10 */
    bool word_times, word_confidence;
    bool interim, interim_words;
    bool alternative_words; /* words and confidence on all alternatives, of interims too */
    uint32_t progress_ms;   /* how often to tell what was recognised, in audio; 0: never */
    bool single_utterance;
    bool activity;
    uint64_t speech_start_timeout_ms, speech_end_timeout_ms; /* of audio; 0: none */

    /* The recogniser; 0: the default. */
    uint32_t chunk_ms, endpoint_ms, max_utterance_ms;
    bool no_endpointing;
    const steno_phrase *phrases; /* borrowed from the request */
    size_t phrase_count;

    /* What responses repeat. */
    char id[128];       /* the client's name for its request; "": none */
    int64_t request_id; /* ours; set by the service */

    char log_id[WIRE_LOG_ID]; /* what the log knows the call by; set by the service */
} wire_config;

typedef enum wire_part {
    WIRE_NOTHING, /* an empty message */
    WIRE_CONFIG,
    WIRE_AUDIO,
    WIRE_FLUSH,
} wire_part;

/* One message.  Must not move between init and finish. */
typedef struct wire_request {
    wire_part part;
    wire_config config;   /* of WIRE_CONFIG */
    const uint8_t *audio; /* of WIRE_AUDIO, and of a whole request; until the next read */
    size_t audio_size;
    message_memory memory;
} wire_request;

void wire_request_init(wire_request *request);
void wire_request_finish(wire_request *request);

/* Responses. */

/* Bytes of one or more messages.  Messages put one after the other are one message with the fields
 * of all of them: that is how a long response grows without being held in any other form. */
typedef struct wire_output {
    uint8_t *bytes;
    size_t size, capacity;
    bool failed; /* memory was out: what is there is not whole */
    message_memory scratch;
} wire_output;

void wire_output_init(wire_output *output);
void wire_output_finish(wire_output *output);
/* Empties it and keeps its room. */
void wire_output_clear(wire_output *output);

/* A result of the recogniser with its place in the response. */
typedef struct wire_result {
    const steno_result *result;
    uint32_t channel_tag; /* from 1; 0: channels are not told apart */
    bool continues;       /* a final of this channel came before: texts begin with a space */
    uint64_t done_ms;     /* audio recognised */
} wire_result;

typedef enum wire_event {
    WIRE_END_OF_SINGLE_UTTERANCE,
    WIRE_SPEECH_BEGIN,
    WIRE_SPEECH_END,
    WIRE_SPEECH_TIMEOUT,
} wire_event;

/* A speech protocol. */
typedef struct wire_protocol {
    /* A message of the streaming call; the whole request of the unary one (NULL: it has none),
     * which gives both config and audio. */
    steno_status (*read_streaming)(
        wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);
    steno_status (*read_whole)(
        wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);

    /* One response of the streaming call each.  write_event and write_last may be NULL; write_last
     * adds to a response that it is the last, of audio so many milliseconds long. */
    void (*write_result)(wire_output *output, const wire_config *config, const wire_result *result);
    void (*write_event)(
        wire_output *output, const wire_config *config, wire_event event, uint64_t time_ms);
    void (*write_last)(wire_output *output, uint64_t audio_ms);
    /* One that tells how much is recognised.  NULL where the configuration cannot ask for it. */
    void (*write_progress)(wire_output *output, uint64_t done_ms);

    /* Add a final result to the response of the unary call, and what closes it. */
    void (*write_whole)(wire_output *output, const wire_config *config, const wire_result *result);
    void (*write_whole_end)(wire_output *output, const wire_config *config, uint64_t audio_ms);

    /* With interim results each audio message is answered by exactly one response, and the last
     * response is a final one, if need be an empty one (write_empty). */
    bool answers_each_message;
    void (*write_empty)(wire_output *output, bool is_final);
} wire_protocol;

extern const wire_protocol wire_google, wire_steno, wire_riva, wire_vosk;

/* google.cloud.speech.v1.LongRunningRecognize: the request; the finished response as it goes into
 * the operation.  Steno's own takes the same response. */
steno_status wire_google_read_long(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);
steno_status wire_steno_read_long(
    wire_request *request, const uint8_t *bytes, size_t size, steno_error *error);
void wire_google_write_long(
    wire_output *output, const wire_config *config, const wire_result *result);
void wire_google_write_long_end(wire_output *output, const wire_config *config, uint64_t audio_ms);

/* What is recognised here: the answers to questions for it. */
steno_status wire_steno_get_model(const steno_model_info *info, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error);
/* STENO_ERROR_NOT_FOUND for a model_name that is another's. */
steno_status wire_riva_get_config(const steno_model_info *info, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error);
typedef struct wire_stats {
    uint32_t streams, streams_total;
    float real_time_factor; /* processor time per time of audio, of all streams together */
} wire_stats;
void wire_vosk_write_stats(wire_output *output, const wire_stats *stats);

/* google.longrunning. */

typedef struct wire_operation {
    const char *name;
    int progress_percent;
    int64_t started_us, updated_us; /* since 1970 */
    bool done;
    int error_code; /* of gRPC; 0: none */
    const char *error_message;
    const uint8_t *response; /* a google.cloud.speech.v1.LongRunningRecognizeResponse */
    size_t response_size;
} wire_operation;

void wire_operation_write(wire_output *output, const wire_operation *operation);
/* One of several; they go one after the other, then the token of the next page ("": none). */
void wire_operation_write_listed(wire_output *output, const wire_operation *operation);
void wire_operation_write_next_page(wire_output *output, const char *token);

enum { WIRE_OPERATION_NAME = 64 };

/* The name in a Get, Delete or Cancel request. */
steno_status wire_operation_read_name(
    const uint8_t *bytes, size_t size, char out_name[WIRE_OPERATION_NAME], steno_error *error);
/* timeout_ms: UINT64_MAX where there is none. */
steno_status wire_operation_read_wait(const uint8_t *bytes, size_t size,
    char out_name[WIRE_OPERATION_NAME], uint64_t *out_timeout_ms, steno_error *error);

typedef struct wire_list {
    char prefix[WIRE_OPERATION_NAME], page_token[WIRE_OPERATION_NAME];
    uint32_t page_size; /* 0: the server's choice */
} wire_list;
steno_status wire_operation_read_list(
    const uint8_t *bytes, size_t size, wire_list *out_list, steno_error *error);

/* Shared by the protocols' files. */

/* The message, or NULL and an error; unpacked into the request's memory. */
ProtobufCMessage *wire_unpack(message_memory *memory, const ProtobufCMessageDescriptor *descriptor,
    const uint8_t *bytes, size_t size, steno_error *error);
/* Appends a message's bytes. */
void wire_pack(wire_output *output, const ProtobufCMessage *message);
/* Memory for building a message, until the next wire_pack; NULL and output->failed if there is
 * none.  Not zeroed. */
void *wire_take(wire_output *output, size_t count, size_t size);
/* A result's text as a response has it. */
char *wire_text(wire_output *output, const char *text, bool continues);

/* A client's string made fit for an error message: cut, control characters replaced. */
typedef struct wire_quoted {
    char text[48];
} wire_quoted;
wire_quoted wire_quote(const char *string);

/* Checks of fields that the protocols share; `field` is the protocol's name for it. */
steno_status wire_check_language(
    const char *field, const char *code, wire_config *config, steno_error *error);
steno_status wire_check_rate(
    const char *field, int64_t rate_hz, int64_t most_hz, wire_config *config, steno_error *error);
steno_status wire_check_channels(
    const char *field, int32_t channels, int32_t most, wire_config *config, steno_error *error);
steno_status wire_check_alternatives(
    const char *field, int32_t alternatives, wire_config *config, steno_error *error);
/* Headerless samples need a rate that nothing else tells. */
steno_status wire_check_whole(
    const char *rate_field, const wire_config *config, steno_error *error);

/* Adds a phrase to config->phrases, which are made in `memory` with the first.  A boost of 0 is the
 * usual one; a phrase of negative boost, of class tokens or without words is left out. */
steno_status wire_add_phrase(const char *field, const char *text, float boost,
    message_memory *memory, wire_config *config, steno_error *error);

#endif
