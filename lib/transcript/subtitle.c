#include "transcript/subtitle.h"

#include <assert.h>
#include <string.h>

#include "transcript/text.h"

/* A word, or, of one longer than a line, as much as fits in one. */
typedef struct piece {
    const char *text;
    size_t bytes, characters;
    uint64_t start_ms, end_ms;
    bool begins_word;
} piece;

/* Where in the words the reading is. */
typedef struct cursor {
    const steno_alternative *alternative;
    size_t word, at;          /* `at` bytes into it ... */
    size_t characters_before; /* ... which are so many characters */
    size_t width;             /* of a piece at the most, in characters */
} cursor;

/* Every piece takes at least a character and all but the first on a line a space. */
enum { MAX_PIECES = SUBTITLE_LINES * (SUBTITLE_LINE_CHARACTERS + 1) / 2 };

/* Reads the next piece; false at the end. */
static bool next_piece(cursor *reading, piece *out_piece)
{
    const steno_alternative *alternative = reading->alternative;
    while (reading->word < alternative->word_count &&
           alternative->words[reading->word].text[reading->at] == '\0') {
        reading->word++;
        reading->at = reading->characters_before = 0;
    }
    if (reading->word == alternative->word_count)
        return false;
    const steno_word *word = alternative->words + reading->word;
    const char *text = word->text + reading->at;
    size_t before = reading->characters_before, bytes = 0, characters = 0;
    for (bool valid; text[bytes] && characters < reading->width; characters++)
        bytes += text_character(text + bytes, &valid);
    size_t total = before + characters + text_count(text + bytes);
    uint64_t duration_ms = word->end_ms > word->start_ms ? word->end_ms - word->start_ms : 0;
    *out_piece = (piece){
        .text = text,
        .bytes = bytes,
        .characters = characters,
        .start_ms = word->start_ms + duration_ms * before / total,
        .end_ms = word->start_ms + duration_ms * (before + characters) / total,
        .begins_word = before == 0,
    };
    reading->at += bytes;
    reading->characters_before += characters;
    return true;
}

/* Characters that a piece adds to a line that holds `column` already. */
static size_t width_after(const piece *one, size_t column)
{
    return one->characters + (column > 0 && one->begins_word);
}

/* Whether pieces fit in the lines of a cue when each line takes as many as it can. */
static bool fits(const piece *pieces, size_t count, size_t prefix)
{
    size_t line = 1, column = 0, indent = prefix;
    for (size_t i = 0; i < count; i++) {
        size_t width = width_after(pieces + i, column);
        if (indent + column + width > SUBTITLE_LINE_CHARACTERS) {
            if (++line > SUBTITLE_LINES)
                return false;
            column = indent = 0;
            width = pieces[i].characters;
        }
        column += width;
    }
    return true;
}

static size_t line_width(const piece *pieces, size_t count)
{
    size_t column = 0;
    for (size_t i = 0; i < count; i++)
        column += width_after(pieces + i, column);
    return column;
}

/* How many pieces go on the first line: all if they fit, else so that the longer line is shortest.
 */
static size_t split_lines(const piece *pieces, size_t count, size_t prefix)
{
    if (prefix + line_width(pieces, count) <= SUBTITLE_LINE_CHARACTERS)
        return count;
    size_t best = 1, best_width = SIZE_MAX;
    for (size_t i = 1; i < count; i++) {
        size_t first = prefix + line_width(pieces, i);
        size_t second = line_width(pieces + i, count - i);
        size_t width = first > second ? first : second;
        if (width < best_width) {
            best = i;
            best_width = width;
        }
    }
    return best;
}

static uint64_t pause_before(const piece *pieces, size_t i)
{
    const piece *one = pieces + i, *before = one - 1;
    return one->start_ms > before->end_ms ? one->start_ms - before->end_ms : 0;
}

/* How many of the pieces make the next cue; `more`: the last of them didn't fit any more. */
static size_t cue_length(const piece *pieces, size_t count, bool more)
{
    for (size_t i = 1; i < count; i++)
        if (pause_before(pieces, i) >= SUBTITLE_PAUSE_MS)
            return i;
    if (!more)
        return count;
    size_t best = count - 1;
    for (size_t i = best; i > count / 2; i--)
        if (pause_before(pieces, i) > pause_before(pieces, best))
            best = i;
    return best;
}

/* Copies pieces with spaces between and U+FFFD for what can't be shown; returns the end. */
static char *write_line(char *at, const piece *pieces, size_t count)
{
    const char *begin = at;
    for (size_t i = 0; i < count; i++) {
        if (at > begin && pieces[i].begins_word)
            *at++ = ' ';
        for (size_t from = 0, length; from < pieces[i].bytes; from += length) {
            bool plain = text_is_plain(pieces[i].text + from, &length);
            const char *source = plain ? pieces[i].text + from : TEXT_REPLACEMENT;
            size_t size = plain ? length : strlen(TEXT_REPLACEMENT);
            memcpy(at, source, size);
            at += size;
        }
    }
    return at;
}

static subtitle_cue make_cue(const piece *pieces, size_t count, const char *prefix)
{
    size_t indent = strlen(prefix), first = split_lines(pieces, count, indent);
    subtitle_cue cue = {.start_ms = pieces[0].start_ms, .end_ms = pieces[count - 1].end_ms};
    memcpy(cue.text, prefix, indent);
    char *at = write_line(cue.text + indent, pieces, first);
    if (first < count) {
        *at++ = '\n';
        at = write_line(at, pieces + first, count - first);
    }
    *at = '\0';
    return cue;
}

/* The held cue is settled now that nothing comes before limit_ms. */
static void release(subtitle *self, uint64_t limit_ms, subtitle_sink sink, void *context)
{
    subtitle_cue *held = &self->held;
    uint64_t least_ms = held->start_ms + SUBTITLE_MIN_MS;
    if (least_ms > limit_ms)
        least_ms = limit_ms;
    if (held->end_ms < least_ms)
        held->end_ms = least_ms;
    self->holds = false;
    sink(context, held);
}

static void push(subtitle *self, subtitle_cue *cue, subtitle_sink sink, void *context)
{
    /* Words without duration, broken apart, could ask for cues at the same time. */
    if (self->holds && cue->start_ms < self->held.end_ms)
        cue->start_ms = self->held.end_ms;
    if (cue->end_ms <= cue->start_ms)
        cue->end_ms = cue->start_ms + 1;
    if (cue->end_ms - cue->start_ms > SUBTITLE_MAX_MS)
        cue->end_ms = cue->start_ms + SUBTITLE_MAX_MS;
    if (self->holds)
        release(self, cue->start_ms, sink, context);
    self->held = *cue;
    self->holds = true;
}

void subtitle_add(subtitle *self, const steno_alternative *alternative, const char *prefix,
    subtitle_sink sink, void *context)
{
    size_t indent = strlen(prefix);
    assert(indent <= 8);
    cursor reading = {.alternative = alternative, .width = SUBTITLE_LINE_CHARACTERS - indent};
    for (;;) {
        piece pieces[MAX_PIECES + 1];
        struct cursor after[MAX_PIECES + 1];
        size_t count = 0;
        bool more = false;
        while (!more && next_piece(&reading, pieces + count)) {
            after[count++] = reading;
            more = !fits(pieces, count, indent) ||
                   pieces[count - 1].end_ms > pieces[0].start_ms + SUBTITLE_MAX_MS;
        }
        if (count == 0)
            return;
        /* A piece alone always fits, but may take too long. */
        size_t length = count > 1 ? cue_length(pieces, count, more) : 1;
        reading = after[length - 1];
        subtitle_cue cue = make_cue(pieces, length, prefix);
        push(self, &cue, sink, context);
    }
}

void subtitle_finish(subtitle *self, uint64_t end_ms, subtitle_sink sink, void *context)
{
    if (self->holds)
        release(self, end_ms, sink, context);
}
