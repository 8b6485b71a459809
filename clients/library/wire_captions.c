#include "wire_captions.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "steno/v1/captions.pb-c.h"

/* What an answer may take beside its own size. */
#define ANSWER_MEMORY_BYTES ((size_t)8 << 20)

/* ---- The request ---- */

steno_status wire_write_watch(const steno_client_watch_options *options, uint8_t **out_bytes,
    size_t *out_size, steno_error *error)
{
    Steno__V1__WatchRequest request = STENO__V1__WATCH_REQUEST__INIT;
    request.capture = (char *)options->capture;
    request.after_id = options->after_id;
    request.only_new = options->only_new;
    request.recent = options->recent;
    request.interim_results = options->interim;
    size_t size = steno__v1__watch_request__get_packed_size(&request);
    uint8_t *bytes = memory_allocate(size, 1);
    if (bytes == NULL)
        return error_memory(error);
    *out_size = steno__v1__watch_request__pack(&request, bytes);
    *out_bytes = bytes;
    return STENO_OK;
}

/* ---- Answers ---- */

static steno_status refuse(const message_memory *memory, steno_error *error)
{
    return message_memory_is_exceeded(memory)
               ? error_memory(error)
               : error_set(error, STENO_ERROR_FORMAT, "the server's answer is damaged");
}

/* A state that is not known here is one of waiting. */
static steno_client_capture_status read_status(const Steno__V1__CaptureStatus *from)
{
    static const Steno__V1__CaptureStatus nothing = STENO__V1__CAPTURE_STATUS__INIT;
    if (from == NULL)
        from = &nothing;
    bool is_known = (int)from->state >= 0 && (int)from->state <= STENO_CAPTURE_ENDED;
    return (steno_client_capture_status){
        .state = is_known ? (steno_client_capture_state)from->state : STENO_CAPTURE_WAITING,
        .device = from->device,
        .reason = from->reason,
        .heard_ms = from->heard_ms,
        .lost_ms = from->lost_ms,
        .gaps = from->gaps,
        .device_overruns = from->device_overruns,
    };
}

/* The alternative of a result, with its words, in memory of the parse. */
typedef struct made_result {
    steno_alternative alternative;
    steno_word words[];
} made_result;

static bool read_result(message_memory *memory, const Steno__V1__Caption *from, bool is_final,
    steno_client_caption *out)
{
    made_result *made = memory->allocator.alloc(
        memory->allocator.allocator_data, sizeof *made + from->n_words * sizeof made->words[0]);
    if (made == NULL)
        return false;
    for (size_t i = 0; i < from->n_words; i++) {
        const Steno__V1__CaptionWord *word = from->words[i];
        made->words[i] = (steno_word){word->text, word->start_ms, word->end_ms, word->confidence};
    }
    made->alternative =
        (steno_alternative){from->text, made->words, from->n_words, from->confidence};
    size_t stable = from->stable_words < from->n_words ? from->stable_words : from->n_words;
    out->sequence = from->sequence;
    out->result = (steno_result){
        .is_final = is_final,
        .endpoint = from->endpoint,
        .stability = is_final || from->n_words == 0 ? 1 : (float)stable / (float)from->n_words,
        .stable_words = stable,
        .start_ms = from->start_ms,
        .end_ms = from->end_ms,
        .audio_ms = from->end_ms,
        .alternatives = &made->alternative,
        .alternative_count = 1,
    };
    return true;
}

steno_status wire_read_caption(message_memory *memory, const uint8_t *bytes, size_t size,
    steno_client_caption *out_caption, steno_error *error)
{
    message_memory_reset(memory);
    memory->limit_bytes = size + ANSWER_MEMORY_BYTES;
    const Steno__V1__CaptionEvent *event =
        steno__v1__caption_event__unpack(&memory->allocator, size, bytes);
    if (event == NULL)
        return refuse(memory, error);
    steno_client_caption caption = {.id = event->id, .unix_ms = event->unix_ms};
    bool has_memory = true;
    switch (event->event_case) {
    case STENO__V1__CAPTION_EVENT__EVENT_FINAL:
        has_memory = read_result(memory, event->final, true, &caption);
        break;
    case STENO__V1__CAPTION_EVENT__EVENT_INTERIM:
        has_memory = read_result(memory, event->interim, false, &caption);
        break;
    case STENO__V1__CAPTION_EVENT__EVENT_STATUS:
        caption.kind = STENO_CAPTION_STATUS;
        caption.status = read_status(event->status);
        break;
    case STENO__V1__CAPTION_EVENT__EVENT_GAP:
        caption.kind = STENO_CAPTION_GAP;
        caption.first_missed = event->gap->first_sequence;
        caption.last_missed = event->gap->last_sequence;
        break;
    default:
        return error_set(error, STENO_ERROR_FORMAT, "the server's answer makes no sense");
    }
    if (!has_memory)
        return error_memory(error);
    *out_caption = caption;
    return STENO_OK;
}

/* ---- The list ---- */

static const char *put(char **end, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*end, text, size);
    *end += size;
    return copy;
}

/* Their texts, with ends. */
static size_t text_bytes(const steno_client_capture *capture)
{
    return strlen(capture->name) + strlen(capture->about) + strlen(capture->status.device) +
           strlen(capture->status.reason) + 4;
}

static steno_client_capture view(const Steno__V1__Capture *from)
{
    return (steno_client_capture){
        .name = from->name,
        .about = from->about,
        .status = read_status(from->status),
        .finals = from->finals,
        .watchers = from->watchers,
    };
}

static steno_client_captures *copy_list(
    const char *address, const Steno__V1__ListCapturesResponse *from)
{
    size_t bytes = strlen(address) + 1, count = from->n_captures;
    for (size_t i = 0; i < count; i++) {
        steno_client_capture capture = view(from->captures[i]);
        bytes += text_bytes(&capture);
    }
    steno_client_captures *made =
        memory_allocate(1, sizeof *made + count * sizeof(steno_client_capture) + bytes);
    if (made == NULL)
        return NULL;
    steno_client_capture *items = (steno_client_capture *)(made + 1);
    char *end = (char *)(items + count);
    for (size_t i = 0; i < count; i++) {
        items[i] = view(from->captures[i]);
        items[i].name = put(&end, items[i].name);
        items[i].about = put(&end, items[i].about);
        items[i].status.device = put(&end, items[i].status.device);
        items[i].status.reason = put(&end, items[i].status.reason);
    }
    *made = (steno_client_captures){put(&end, address), count, items};
    return made;
}

steno_status wire_read_captures(const char *address, const uint8_t *bytes, size_t size,
    steno_client_captures **out_captures, steno_error *error)
{
    message_memory memory;
    message_memory_init(&memory, size + ANSWER_MEMORY_BYTES);
    steno_client_captures *made = NULL;
    const Steno__V1__ListCapturesResponse *response =
        steno__v1__list_captures_response__unpack(&memory.allocator, size, bytes);
    steno_status status = response != NULL ? STENO_OK : refuse(&memory, error);
    if (response != NULL && (made = copy_list(address, response)) == NULL)
        status = error_memory(error);
    message_memory_finish(&memory);
    if (status == STENO_OK)
        *out_captures = made;
    return status;
}
