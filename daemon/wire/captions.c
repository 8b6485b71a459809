#include "wire/captions.h"

#include <stdio.h>

#include "base/error.h"
#include "steno/v1/captions.pb-c.h"

/* ---- Requests ---- */

steno_status wire_captions_read_watch(
    const uint8_t *bytes, size_t size, wire_watch *out_watch, steno_error *error)
{
    message_memory memory;
    message_memory_init(&memory, WIRE_MEMORY_BYTES);
    Steno__V1__WatchRequest *request =
        steno__v1__watch_request__unpack(&memory.allocator, size, bytes);
    if (request != NULL) {
        size_t recent = request->recent == 0 ? SIZE_MAX : request->recent;
        *out_watch = (wire_watch){
            .from = {request->after_id, request->only_new ? 0 : recent},
            .interim = request->interim_results,
        };
        snprintf(out_watch->capture, sizeof(out_watch->capture), "%s", request->capture);
    }
    message_memory_finish(&memory);
    return request != NULL ? STENO_OK
                           : error_set(error, STENO_ERROR_ARGUMENT, "not a steno.v1.WatchRequest");
}

steno_status wire_captions_read_list(const uint8_t *bytes, size_t size, steno_error *error)
{
    message_memory memory;
    message_memory_init(&memory, WIRE_MEMORY_BYTES);
    bool is_one = steno__v1__list_captures_request__unpack(&memory.allocator, size, bytes) != NULL;
    message_memory_finish(&memory);
    return is_one ? STENO_OK
                  : error_set(error, STENO_ERROR_ARGUMENT, "not a steno.v1.ListCapturesRequest");
}

/* ---- Answers ---- */

static void fill_status(Steno__V1__CaptureStatus *made, const captions_status *status)
{
    steno__v1__capture_status__init(made);
    made->state = (Steno__V1__CaptureStatus__State)status->state;
    made->device = (char *)status->device;
    made->reason = (char *)status->reason;
    made->heard_ms = status->heard_ms;
    made->lost_ms = status->lost_ms;
    made->gaps = status->gaps;
    made->device_overruns = status->device_overruns;
}

/* With its words in memory of the output; without words where there is none. */
static void fill_caption(
    wire_output *output, Steno__V1__Caption *made, const captions_segment *segment)
{
    size_t count = segment->word_count;
    Steno__V1__CaptionWord *words = wire_take(output, count, sizeof(*words));
    Steno__V1__CaptionWord **pointers = wire_take(output, count, sizeof(*pointers));
    steno__v1__caption__init(made);
    made->sequence = segment->sequence;
    made->start_ms = segment->start_ms;
    made->end_ms = segment->end_ms;
    made->text = (char *)segment->text;
    made->stable_words = (uint32_t)segment->stable_words;
    made->confidence = segment->confidence;
    made->endpoint = segment->endpoint;
    if (words == NULL || pointers == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        steno__v1__caption_word__init(&words[i]);
        words[i].text = (char *)segment->words[i].text;
        words[i].start_ms = segment->words[i].start_ms;
        words[i].end_ms = segment->words[i].end_ms;
        words[i].confidence = segment->words[i].confidence;
        pointers[i] = &words[i];
    }
    made->words = pointers;
    made->n_words = count;
}

void wire_captions_write_event(wire_output *output, const captions_event *event)
{
    Steno__V1__CaptionEvent made = STENO__V1__CAPTION_EVENT__INIT;
    Steno__V1__Caption caption;
    Steno__V1__CaptureStatus status;
    Steno__V1__Gap gap = STENO__V1__GAP__INIT;
    made.id = event->id;
    made.unix_ms = event->unix_ms;
    switch (event->kind) {
    case CAPTIONS_FINAL:
        fill_caption(output, &caption, &event->segment);
        made.event_case = STENO__V1__CAPTION_EVENT__EVENT_FINAL;
        made.final = &caption;
        break;
    case CAPTIONS_INTERIM:
        fill_caption(output, &caption, &event->segment);
        made.event_case = STENO__V1__CAPTION_EVENT__EVENT_INTERIM;
        made.interim = &caption;
        break;
    case CAPTIONS_STATUS:
        fill_status(&status, &event->status);
        made.event_case = STENO__V1__CAPTION_EVENT__EVENT_STATUS;
        made.status = &status;
        break;
    case CAPTIONS_GAP:
        gap.first_sequence = event->gap.first_sequence;
        gap.last_sequence = event->gap.last_sequence;
        made.event_case = STENO__V1__CAPTION_EVENT__EVENT_GAP;
        made.gap = &gap;
        break;
    }
    wire_pack(output, &made.base);
}

void wire_captions_write_capture(wire_output *output, const captions_source *source,
    const captions_status *status, const captions_counts *counts)
{
    Steno__V1__CaptureStatus made_status;
    Steno__V1__Capture made = STENO__V1__CAPTURE__INIT, *list[] = {&made};
    Steno__V1__ListCapturesResponse response = STENO__V1__LIST_CAPTURES_RESPONSE__INIT;
    fill_status(&made_status, status);
    made_status.heard_ms = counts->heard_ms;
    made.name = (char *)captions_name(source);
    made.about = (char *)captions_about(source);
    made.status = &made_status;
    made.finals = counts->finals;
    made.watchers = counts->readers;
    response.captures = list;
    response.n_captures = 1;
    wire_pack(output, &response.base);
}
