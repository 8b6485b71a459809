#include "captions/feed.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "system/text.h"

static const char first_words[] = "retry: 2000\n\n", beat[] = "event: beat\ndata: {}\n\n";

struct captions_feed {
    captions_reader *reader;
    char *event; /* [size] being sent; NULL: none.  Of the C library's allocation. */
    size_t size, sent;
    uint64_t said_ms; /* when something was sent last */
    bool has_begun, has_caught_up, has_ended;
};

/* ---- One event ---- */

/* The words from `first` on, before `end`, joined by spaces. */
static void write_words(const captions_segment *segment, size_t first, size_t end, FILE *file)
{
    char *text = NULL;
    size_t size = 0;
    FILE *joined = open_memstream(&text, &size);
    if (joined == NULL) {
        fputs("\"\"", file);
        return;
    }
    for (size_t i = first; i < end && i < segment->word_count; i++)
        fprintf(joined, "%s%s", i > first ? " " : "", segment->words[i].text);
    text_write_json(file, fclose(joined) == 0 ? text : "");
    free(text);
}

static void write_interim(const captions_segment *segment, FILE *file)
{
    fprintf(
        file, "event: interim\ndata: {\"sequence\":%" PRIu64 ",\"settled\":", segment->sequence);
    write_words(segment, 0, segment->stable_words, file);
    fputs(",\"unsettled\":", file);
    write_words(segment, segment->stable_words, segment->word_count, file);
    fputs("}\n\n", file);
}

static void write_final(const captions_event *event, FILE *file)
{
    const captions_segment *segment = &event->segment;
    fprintf(file,
        "id: %" PRIu64 "\nevent: final\ndata: {\"sequence\":%" PRIu64 ",\"start_ms\":%" PRIu64
        ",\"end_ms\":%" PRIu64 ",\"unix_ms\":%" PRIu64 ",\"text\":",
        event->id, segment->sequence, segment->start_ms, segment->end_ms, event->unix_ms);
    text_write_json(file, segment->text);
    fputs("}\n\n", file);
}

static void write_status(const captions_event *event, FILE *file)
{
    const captions_status *status = &event->status;
    fprintf(file, "id: %" PRIu64 "\nevent: status\ndata: {\"state\":\"%s\",\"device\":", event->id,
        captions_state_name(status->state));
    text_write_json(file, status->device);
    fputs(",\"reason\":", file);
    text_write_json(file, status->reason);
    fprintf(file, ",\"heard_ms\":%" PRIu64 ",\"lost_ms\":%" PRIu64 ",\"gaps\":%" PRIu32 "}\n\n",
        status->heard_ms, status->lost_ms, status->gaps);
}

void captions_feed_write(const captions_event *event, FILE *file)
{
    switch (event->kind) {
    case CAPTIONS_FINAL:
        write_final(event, file);
        break;
    case CAPTIONS_INTERIM:
        write_interim(&event->segment, file);
        break;
    case CAPTIONS_STATUS:
        write_status(event, file);
        break;
    case CAPTIONS_GAP:
        fprintf(file,
            "id: %" PRIu64 "\nevent: gap\ndata: {\"first_sequence\":%" PRIu64
            ",\"last_sequence\":%" PRIu64 "}\n\n",
            event->id, event->gap.first_sequence, event->gap.last_sequence);
        break;
    }
}

/* ---- A reader's ---- */

steno_status captions_feed_create(captions_source *source, const captions_from *from,
    void (*wake)(void *context), void *context, captions_feed **out_feed, steno_error *error)
{
    captions_feed *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    steno_status status = captions_join(source, from, wake, context, &self->reader, error);
    if (status < 0) {
        memory_free(self);
        return status;
    }
    *out_feed = self;
    return STENO_OK;
}

void captions_feed_destroy(captions_feed *self)
{
    if (self == NULL)
        return;
    captions_leave(self->reader);
    free(self->event);
    memory_free(self);
}

/* Takes the next event, of which nothing is sent yet.  False: there is none now. */
static bool take(captions_feed *self)
{
    captions_event event;
    steno_status status = captions_next(self->reader, &event);
    if (status != STENO_OK) {
        self->has_ended = status != STENO_AGAIN;
        return false;
    }
    FILE *file = open_memstream(&self->event, &self->size);
    if (file != NULL) {
        captions_feed_write(&event, file);
        if (fclose(file) == 0)
            return true;
        free(self->event);
    }
    /* Better no reader, who comes back, than one that misses something. */
    self->event = NULL;
    self->has_ended = true;
    return false;
}

/* A part of the event, as far as there is room. */
static size_t send_some(captions_feed *self, char *bytes, size_t size)
{
    size_t left = self->size - self->sent, part = left < size ? left : size;
    memcpy(bytes, self->event + self->sent, part);
    self->sent += part;
    if (self->sent == self->size) {
        free(self->event);
        self->event = NULL;
        self->sent = 0;
    }
    return part;
}

/* Whole or, where there is no room, not at all. */
static size_t say(const char *text, char *bytes, size_t size)
{
    size_t length = strlen(text);
    if (length > size)
        return 0;
    memcpy(bytes, text, length);
    return length;
}

size_t captions_feed_fill(captions_feed *self, uint64_t now_ms, char *bytes, size_t size)
{
    size_t written = 0;
    if (!self->has_begun) {
        written = say(first_words, bytes, size);
        self->has_begun = written > 0;
    }
    while (written < size && !self->has_ended && (self->event != NULL || take(self)))
        written += send_some(self, bytes + written, size - written);
    if (written == 0 && self->has_ended)
        return CAPTIONS_FEED_END;
    if (self->event == NULL && !self->has_ended &&
        (!self->has_caught_up ||
            (written == 0 && now_ms - self->said_ms >= CAPTIONS_FEED_BEAT_MS))) {
        size_t size_of_beat = say(beat, bytes + written, size - written);
        self->has_caught_up |= size_of_beat > 0;
        written += size_of_beat;
    }
    if (written > 0)
        self->said_ms = now_ms;
    return written;
}
