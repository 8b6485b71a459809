/* What the protocols share: memory for messages in and out, and checks of common fields. */
#include "wire/wire.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { FIRST_CAPACITY = 1024, MAX_ALTERNATIVES = 10, ASKED_ALTERNATIVES = 30 };

/* What makes a phrase likelier that comes without a boost of its own. */
#define USUAL_BOOST 5.0f
#define MAX_BOOST 20.0f

/* Requests. */

void wire_request_init(wire_request *request)
{
    *request = (wire_request){.part = WIRE_NOTHING};
    message_memory_init(&request->memory, WIRE_MEMORY_BYTES);
}

void wire_request_finish(wire_request *request)
{
    message_memory_finish(&request->memory);
}

ProtobufCMessage *wire_unpack(message_memory *memory, const ProtobufCMessageDescriptor *descriptor,
    const uint8_t *bytes, size_t size, steno_error *error)
{
    message_memory_reset(memory);
    memory->limit_bytes = size + WIRE_MEMORY_BYTES;
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &memory->allocator, size, bytes);
    if (message == NULL && message_memory_is_exceeded(memory))
        error_set(error, STENO_ERROR_LIMIT, "%s: the message takes too much memory",
            descriptor->short_name);
    else if (message == NULL)
        error_set(
            error, STENO_ERROR_ARGUMENT, "%s: the message is damaged", descriptor->short_name);
    return message;
}

/* Responses. */

void wire_output_init(wire_output *output)
{
    *output = (wire_output){.size = 0};
    message_memory_init(&output->scratch, SIZE_MAX / 2);
}

void wire_output_finish(wire_output *output)
{
    memory_free(output->bytes);
    message_memory_finish(&output->scratch);
    output->bytes = NULL;
    output->size = output->capacity = 0;
}

void wire_output_clear(wire_output *output)
{
    output->size = 0;
    output->failed = false;
    message_memory_reset(&output->scratch);
}

static bool make_room(wire_output *output, size_t more)
{
    size_t needed = output->size + more;
    if (needed <= output->capacity)
        return true;
    size_t capacity = output->capacity ? output->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    uint8_t *bytes = memory_allocate(capacity, 1);
    if (bytes == NULL)
        return false;
    if (output->size > 0)
        memcpy(bytes, output->bytes, output->size);
    memory_free(output->bytes);
    output->bytes = bytes;
    output->capacity = capacity;
    return true;
}

void wire_pack(wire_output *output, const ProtobufCMessage *message)
{
    if (!output->failed) {
        size_t size = protobuf_c_message_get_packed_size(message);
        if (make_room(output, size))
            output->size += protobuf_c_message_pack(message, output->bytes + output->size);
        else
            output->failed = true;
    }
    message_memory_reset(&output->scratch);
}

void *wire_take(wire_output *output, size_t count, size_t size)
{
    ProtobufCAllocator *allocator = &output->scratch.allocator;
    void *block = NULL;
    if (!output->failed && (count == 0 || size <= SIZE_MAX / 4 / count))
        block = allocator->alloc(allocator->allocator_data, count * size);
    if (block == NULL)
        output->failed = true;
    return block;
}

char *wire_text(wire_output *output, const char *text, bool continues)
{
    size_t length = strlen(text);
    char *copy = wire_take(output, length + 2, 1);
    if (copy == NULL)
        return NULL;
    copy[0] = ' ';
    memcpy(copy + continues, text, length + 1);
    return copy;
}

/* Checks. */

wire_quoted wire_quote(const char *string)
{
    wire_quoted quoted;
    size_t length = 0;
    for (; string[length] != '\0' && length < sizeof quoted.text - 4; length++) {
        unsigned char c = (unsigned char)string[length];
        quoted.text[length] = c < 0x20 || c >= 0x7f ? '?' : string[length];
    }
    strcpy(quoted.text + length, string[length] != '\0' ? "..." : "");
    return quoted;
}

steno_status wire_check_language(
    const char *field, const char *code, wire_config *config, steno_error *error)
{
    if (code[0] == '\0')
        code = "en";
    size_t length = strlen(code);
    bool english = length < sizeof config->language && tolower((unsigned char)code[0]) == 'e' &&
                   tolower((unsigned char)code[1]) == 'n' &&
                   (code[2] == '\0' || code[2] == '-' || code[2] == '_');
    for (size_t i = 2; english && i < length; i++)
        english = isalnum((unsigned char)code[i]) || code[i] == '-' || code[i] == '_';
    if (!english)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "%s: \"%s\", but only English is recognised here", field, wire_quote(code).text);
    for (size_t i = 0; i <= length; i++)
        config->language[i] = code[i] == '_' ? '-' : (char)tolower((unsigned char)code[i]);
    return STENO_OK;
}

steno_status wire_check_rate(
    const char *field, int64_t rate_hz, int64_t most_hz, wire_config *config, steno_error *error)
{
    if (rate_hz != 0 && (rate_hz < STENO_RATE_MIN_HZ || rate_hz > most_hz))
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: %lld, should be %d to %lld", field,
            (long long)rate_hz, STENO_RATE_MIN_HZ, (long long)most_hz);
    config->raw.rate_hz = (uint32_t)rate_hz;
    return STENO_OK;
}

steno_status wire_check_channels(
    const char *field, int32_t channels, int32_t most, wire_config *config, steno_error *error)
{
    if (channels < 0 || channels > most)
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: %d, should be 0 to %d in this encoding",
            field, channels, most);
    config->raw.channels = (uint32_t)channels;
    return STENO_OK;
}

steno_status wire_check_alternatives(
    const char *field, int32_t alternatives, wire_config *config, steno_error *error)
{
    if (alternatives < 0 || alternatives > ASKED_ALTERNATIVES)
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: %d, should be 0 to %d", field,
            alternatives, ASKED_ALTERNATIVES);
    config->max_alternatives = alternatives == 0                 ? 1
                               : alternatives > MAX_ALTERNATIVES ? MAX_ALTERNATIVES
                                                                 : (uint32_t)alternatives;
    return STENO_OK;
}

steno_status wire_check_whole(const char *rate_field, const wire_config *config, steno_error *error)
{
    if (config->kind == STENO_AUDIO_RAW && config->raw.rate_hz == 0)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "%s: not given, but this encoding has no header that tells it", rate_field);
    return STENO_OK;
}

steno_status wire_add_phrase(const char *field, const char *text, float boost,
    message_memory *memory, wire_config *config, steno_error *error)
{
    if (!isfinite(boost))
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: a boost is no number", field);
    bool empty = text[strspn(text, " \t\r\n")] == '\0';
    if (boost < 0 || empty || strchr(text, '$') != NULL)
        return STENO_OK;
    if (config->phrase_count == STENO_PHRASES_MAX)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "%s: more than %d phrases", field, STENO_PHRASES_MAX);
    steno_phrase *phrases = (steno_phrase *)config->phrases;
    if (phrases == NULL) {
        phrases = memory->allocator.alloc(
            memory->allocator.allocator_data, STENO_PHRASES_MAX * sizeof *phrases);
        if (phrases == NULL)
            return error_set(
                error, STENO_ERROR_LIMIT, "%s: the message takes too much memory", field);
        config->phrases = phrases;
    }
    phrases[config->phrase_count++] = (steno_phrase){.text = text,
        .boost = boost == 0          ? USUAL_BOOST
                 : boost > MAX_BOOST ? MAX_BOOST
                                     : boost};
    return STENO_OK;
}
