/*
 * Each line begins and ends with no style in force, so any of them can be left out.  Words are
 * broken only where they are longer than a line.
 */
#include "layout.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "columns.h"

enum {
    INDENT = 2,          /* of the lines after the first of a text */
    INDENT_COLUMNS = 30, /* of terminals so wide; narrower ones have no room to give away */
    LABEL_COLUMNS = 11,  /* of a mark with its word */
    NOTE_COLUMNS = 8,    /* less of a note or a name is not worth showing */
};

#define METER_LOWEST_DB (-60.0f)

static const char dim[] = "\033[2m", plain[] = "\033[0m";

/* Output with the first failure kept, so that a line can be put together without a check at each
 * piece. */
typedef struct pen {
    growing *out;
    const layout_shape *shape;
    size_t column, rows;
    bool dimmed;
    steno_status status;
} pen;

static void put(pen *self, const char *bytes, size_t size)
{
    if (self->status == STENO_OK)
        self->status = growing_add(self->out, bytes, size);
}

static void put_text(pen *self, const char *text, size_t size)
{
    if (self->status == STENO_OK)
        self->status = columns_append(self->out, text, size);
    self->column += columns_of(text, size);
}

static void put_spaces(pen *self, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(self, " ", 1);
    self->column += count;
}

static size_t width_of(const layout_shape *shape)
{
    return shape->columns > 1 ? shape->columns - 1 : 1;
}

static void set_dim(pen *self, bool on)
{
    if (on == self->dimmed || !self->shape->styles)
        return;
    const char *code = on ? dim : plain;
    put(self, code, strlen(code));
    self->dimmed = on;
}

static void begin_line(pen *self)
{
    bool dimmed = self->dimmed;
    set_dim(self, false);
    put(self, "\n", 1);
    self->rows++;
    self->column = 0;
    if (self->shape->columns >= INDENT_COLUMNS)
        put_spaces(self, INDENT);
    set_dim(self, dimmed);
}

/* A word that no line has room for, in pieces. */
static void put_long_word(pen *self, const char *word, size_t size)
{
    size_t width = width_of(self->shape);
    while (size > 0) {
        size_t bytes = columns_fitting(word, size, width - self->column);
        if (bytes > 0) {
            put_text(self, word, bytes);
        } else { /* a wide character on a terminal of one column */
            bytes = columns_fitting(word, size, 2);
            put_text(self, "?", 1);
        }
        word += bytes;
        size -= bytes;
        if (size > 0)
            begin_line(self);
    }
}

/* The space before a word of so many columns, or the end of the line. */
static void put_gap(pen *self, size_t columns)
{
    if (self->column + 1 + columns > width_of(self->shape))
        begin_line(self);
    else
        put_spaces(self, 1);
}

/* Puts a text down word by word; from `settled` bytes on dimmed. */
static void put_words(pen *self, const char *text, size_t settled)
{
    bool first = true;
    for (size_t at = strspn(text, " "); text[at] != '\0'; at += strspn(text + at, " ")) {
        size_t size = strcspn(text + at, " "), columns = columns_of(text + at, size);
        if (!first)
            put_gap(self, columns);
        set_dim(self, at >= settled);
        if (columns > width_of(self->shape) - self->column)
            put_long_word(self, text + at, size);
        else
            put_text(self, text + at, size);
        at += size;
        first = false;
    }
    set_dim(self, false);
}

typedef struct mark_look {
    const char *label, *color;
} mark_look;

static const mark_look looks[] = {
    [LAYOUT_OPENING] = {". opening", ""},
    [LAYOUT_LISTENING] = {"- listening", ""},
    [LAYOUT_SPEECH] = {"* speech", "\033[32m"},
    [LAYOUT_ENDPOINT] = {"| endpoint", "\033[36m"},
    [LAYOUT_LOST] = {"! no device", "\033[31m"},
    [LAYOUT_OVER] = {". over", ""},
    [LAYOUT_AWAY] = {"! no server", "\033[31m"},
    [LAYOUT_FINISHING] = {". finishing", "\033[33m"},
};

static void put_mark(pen *self, layout_mark mark, size_t columns)
{
    const mark_look *look = &looks[mark];
    bool colored = self->shape->colors && look->color[0] != '\0';
    if (colored)
        put(self, look->color, strlen(look->color));
    size_t length = strlen(look->label);
    put_text(self, look->label, length < columns ? length : columns);
    if (colored)
        put(self, plain, strlen(plain));
}

/* How many of `cells` a level fills. */
static size_t cells_of(float level_db, size_t cells)
{
    float share = 1 - level_db / METER_LOWEST_DB;
    return share > 0 ? (size_t)lroundf(fminf(share, 1) * (float)cells) : 0;
}

/* "[=====  |  ]": the level, and the peak; "!" at the end: too loud. */
static void put_meter(pen *self, const layout_state *state, size_t cells)
{
    size_t level = cells_of(state->level_db, cells), peak = cells_of(state->peak_db, cells);
    put_text(self, "[", 1);
    for (size_t i = 0; i < cells; i++) {
        bool loud = state->too_loud && i + 1 == cells;
        bool red = loud && self->shape->colors;
        if (red)
            put(self, looks[LAYOUT_LOST].color, strlen(looks[LAYOUT_LOST].color));
        put_text(self, loud ? "!" : i < level ? "=" : i + 1 == peak ? "|" : " ", 1);
        if (red)
            put(self, plain, strlen(plain));
    }
    put_text(self, "]", 1);
}

static void format_time(uint64_t heard_ms, char *out, size_t size)
{
    uint64_t seconds = heard_ms / 1000;
    if (seconds < 3600)
        snprintf(out, size, "%" PRIu64 ":%02u", seconds / 60, (unsigned)(seconds % 60));
    else
        snprintf(out, size, "%" PRIu64 ":%02u:%02u", seconds / 3600, (unsigned)(seconds / 60 % 60),
            (unsigned)(seconds % 60));
}

/* As much of the text as there is room for, two spaces before it; nothing where that is little. */
static void put_part(pen *self, const char *text, size_t room)
{
    if (*text == '\0' || room < 2 + NOTE_COLUMNS)
        return;
    put_spaces(self, 2);
    put_text(self, text, columns_fitting(text, strlen(text), room - 2));
}

/* What is left out first where there is little room: the device, then the time, the note, the
 * meter. */
static void put_status(pen *self, const layout_state *state)
{
    size_t width = width_of(self->shape);
    put_mark(self, state->mark, width);
    size_t cells = state->no_level ? 0 : width >= 60 ? 20 : width >= 40 ? 12 : 6;
    if (width < LABEL_COLUMNS + 1 + cells + 2)
        return;
    put_spaces(self, LABEL_COLUMNS + 1 - self->column);
    if (!state->no_level)
        put_meter(self, state, cells);
    char time[32];
    format_time(state->heard_ms, time, sizeof time);
    size_t note = *state->note != '\0' ? 2 + columns_of(state->note, strlen(state->note)) : 0;
    if (self->column + 2 + strlen(time) + note <= width) {
        put_spaces(self, 2);
        put_text(self, time, strlen(time));
    }
    put_part(self, state->note, width - self->column);
    put_part(self, state->device, width - self->column);
}

/* Where the last `rows` of lines begin. */
static const char *last_lines(const growing *lines, size_t rows)
{
    const char *at = lines->bytes + lines->size;
    while (at > lines->bytes && (at[-1] != '\n' || --rows > 0))
        at--;
    return at;
}

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

steno_status layout_live(
    const layout_state *state, const layout_shape *shape, growing *out, size_t *out_rows)
{
    growing lines = {0};
    pen text = {.out = &lines, .shape = shape, .rows = 1};
    pen all = {.out = out, .shape = shape};
    put_words(&text, state->text, state->settled_bytes);
    all.status = text.status;
    size_t room = shape->rows, rows = 0;
    bool status = shape->status && (room > 1 || lines.size == 0);
    if (lines.size > 0) {
        rows = least(text.rows, status ? room - 1 : room);
        const char *shown = last_lines(&lines, rows);
        put(&all, shown, lines.size - (size_t)(shown - lines.bytes));
    }
    if (status) {
        if (rows > 0)
            put(&all, "\n", 1);
        put_status(&all, state);
        rows++;
    }
    growing_finish(&lines);
    *out_rows = rows;
    return all.status;
}

steno_status layout_final(const char *text, const layout_shape *shape, growing *out)
{
    pen self = {.out = out, .shape = shape};
    put_words(&self, text, strlen(text));
    put(&self, "\n", 1);
    return self.status;
}
