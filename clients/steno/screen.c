/*
 * The cursor always rests where the lines that may change begin.  So they are redrawn by writing
 * from there and erasing what is left below, without going up first: how many rows up that would
 * be, nobody knows once the terminal was made narrower and has broken the lines anew (or has not,
 * as some don't).  Going up happens only at the end of a drawing, within the same write.
 *
 * What is typed would move the cursor, so it is not echoed as long as lines may change.
 */
#include "screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS_DEFAULT = 80, ROWS_DEFAULT = 24 };

/* Before a line is written, not behind it: only so do terminals that break lines anew (tmux) forget
 * how long the line was that stood there, and whether it went on below.  Else they would join it
 * with the next one when they are made wider, and the cursor with it. */
static const char erase_line[] = "\r\033[2K";

/* From the cursor's line on.  Not from its first column, since some terminals (tmux) take erasing
 * all of the screen for the wish to keep what stood there. */
static const char erase_below[] = "\r\033[K \033[J\r\033[K";

static int descriptor_of(const screen *self)
{
    return self->kind == SCREEN_LIVE ? STDOUT_FILENO : fileno(self->console->errors);
}

static layout_shape shape_of(const screen *self)
{
    layout_shape shape = {.columns = COLUMNS_DEFAULT,
        .rows = ROWS_DEFAULT,
        .styles = self->styles,
        .colors = self->colors,
        .status = self->status};
    struct winsize size;
    if (ioctl(descriptor_of(self), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        shape.columns = size.ws_col;
        shape.rows = size.ws_row;
    }
    return shape;
}

/* Not from the background, where changing the terminal would stop the program. */
static void silence_keyboard(screen *self)
{
    if (self->kind != SCREEN_LIVE || self->silent || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
        tcgetattr(STDIN_FILENO, &self->before) != 0)
        return;
    struct termios silent = self->before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    self->silent = tcsetattr(STDIN_FILENO, TCSANOW, &silent) == 0;
}

static void release_keyboard(screen *self)
{
    if (self->silent)
        tcsetattr(STDIN_FILENO, TCSANOW, &self->before);
    self->silent = false;
}

void screen_init(screen *self, console *terminal, screen_kind kind, bool status)
{
    const char *no_color = getenv("NO_COLOR");
    *self = (struct screen){
        .console = terminal,
        .kind = kind,
        .status = status,
        .styles = kind == SCREEN_LIVE,
        .colors = no_color == NULL || *no_color == '\0',
        .state = {.mark = LAYOUT_OPENING, .level_db = METER_FLOOR_DB, .peak_db = METER_FLOOR_DB},
    };
    pthread_mutex_init(&self->lock, NULL);
    silence_keyboard(self);
}

/* Under the lock: a text of the state's own. */
static void keep(growing *kept, const char *text)
{
    growing_clear(kept);
    /* Without memory the old text is gone and the new one not shown. */
    (void)growing_add(kept, text, strlen(text));
}

static const char *text_of(const growing *kept)
{
    return kept->size > 0 ? kept->bytes : "";
}

void screen_set_text(screen *self, const char *text, size_t settled_bytes)
{
    pthread_mutex_lock(&self->lock);
    keep(&self->text, text);
    self->state.settled_bytes = settled_bytes;
    pthread_mutex_unlock(&self->lock);
}

void screen_set_mark(screen *self, layout_mark mark)
{
    pthread_mutex_lock(&self->lock);
    self->state.mark = mark;
    pthread_mutex_unlock(&self->lock);
}

void screen_set_note(screen *self, const char *note)
{
    pthread_mutex_lock(&self->lock);
    keep(&self->note, note);
    pthread_mutex_unlock(&self->lock);
}

void screen_set_device(screen *self, const char *name)
{
    pthread_mutex_lock(&self->lock);
    keep(&self->device, name);
    pthread_mutex_unlock(&self->lock);
}

void screen_set_heard(screen *self, uint64_t heard_ms)
{
    pthread_mutex_lock(&self->lock);
    self->state.no_level = true;
    self->state.heard_ms = heard_ms;
    pthread_mutex_unlock(&self->lock);
}

void screen_set_level(screen *self, const meter *level, uint64_t heard_ms)
{
    pthread_mutex_lock(&self->lock);
    self->state.level_db = level->level_db;
    self->state.peak_db = level->peak_db;
    self->state.too_loud = meter_is_too_loud(level);
    self->state.heard_ms = heard_ms;
    pthread_mutex_unlock(&self->lock);
}

/* Appends lines, in place of what stands where they go: "\n" between them, or behind each. */
static steno_status draw_lines(const growing *lines, growing *out)
{
    steno_status status = STENO_OK;
    for (size_t at = 0; at < lines->size && status == STENO_OK;) {
        const char *end = memchr(lines->bytes + at, '\n', lines->size - at);
        size_t size = end != NULL ? (size_t)(end - lines->bytes) - at : lines->size - at;
        status = growing_add(out, erase_line, sizeof erase_line - 1);
        if (status == STENO_OK)
            status = growing_add(out, lines->bytes + at, size);
        if (status == STENO_OK && end != NULL)
            status = growing_add(out, "\r\n", 2);
        at += size + (end != NULL);
    }
    return status;
}

/* Appends what draws `rows` lines from the cursor on, nothing else below it, and leaves it there.
 */
static steno_status make_drawing(const growing *lines, size_t rows, growing *out)
{
    if (rows == 0)
        return growing_add(out, erase_below, sizeof erase_below - 1);
    steno_status status = draw_lines(lines, out);
    char back[32];
    int size = rows > 1 ? snprintf(back, sizeof back, "\033[J\033[%zuA\r", rows - 1)
                        : snprintf(back, sizeof back, "\033[J\r");
    return status == STENO_OK ? growing_add(out, back, (size_t)size) : status;
}

/* Under the lock; above: lines to stay above what may change, each with "\n", or NULL; anew: draw
 * also what stands there already. */
static steno_status draw(screen *self, const growing *above, bool anew)
{
    if (self->kind == SCREEN_PLAIN || self->suspended)
        return STENO_OK;
    layout_shape shape = shape_of(self);
    self->state.text = text_of(&self->text);
    self->state.note = text_of(&self->note);
    self->state.device = text_of(&self->device);
    if (self->kind == SCREEN_STATUS)
        self->state.text = "";
    growing lines = {0}, bytes = {0};
    size_t rows;
    steno_status status = layout_live(&self->state, &shape, &lines, &rows);
    bool same = shape.columns == self->columns && lines.size == self->drawn.size &&
                (lines.size == 0 || memcmp(lines.bytes, self->drawn.bytes, lines.size) == 0);
    if (status == STENO_OK && (anew || !same)) {
        if (self->kind == SCREEN_STATUS) {
            console_progress(self->console, lines.size > 0 ? lines.bytes : "");
        } else {
            if (above != NULL)
                status = draw_lines(above, &bytes);
            if (status == STENO_OK)
                status = make_drawing(&lines, rows, &bytes);
            if (status == STENO_OK)
                status = console_write(self->console, bytes.bytes, bytes.size);
        }
        growing_finish(&self->drawn);
        self->drawn = lines;
        lines = (growing){0};
        self->columns = shape.columns;
    }
    growing_finish(&lines);
    growing_finish(&bytes);
    return status;
}

/* Under the lock. */
static void erase(screen *self)
{
    if (self->kind == SCREEN_LIVE && self->drawn.size > 0)
        console_write(self->console, erase_below, sizeof erase_below - 1);
    else if (self->kind == SCREEN_STATUS)
        console_progress(self->console, "");
    growing_clear(&self->drawn);
}

steno_status screen_draw(screen *self)
{
    pthread_mutex_lock(&self->lock);
    steno_status status = draw(self, NULL, false);
    pthread_mutex_unlock(&self->lock);
    return status;
}

steno_status screen_add_final(screen *self, const char *text)
{
    pthread_mutex_lock(&self->lock);
    keep(&self->text, "");
    layout_shape shape = shape_of(self);
    growing lines = {0};
    steno_status status = layout_final(text, &shape, &lines);
    /* One write: where the forming text stood, the final one, and the rest below it. */
    if (status == STENO_OK && self->suspended)
        status = console_write(self->console, lines.bytes, lines.size);
    else if (status == STENO_OK)
        status = draw(self, &lines, true);
    growing_finish(&lines);
    pthread_mutex_unlock(&self->lock);
    return status;
}

void screen_say(screen *self, const char *message)
{
    pthread_mutex_lock(&self->lock);
    erase(self);
    console_error(self->console, NULL, message);
    (void)draw(self, NULL, true); /* the next drawing tells if it failed */
    pthread_mutex_unlock(&self->lock);
}

void screen_suspend(screen *self)
{
    pthread_mutex_lock(&self->lock);
    erase(self);
    self->suspended = true;
    release_keyboard(self);
    pthread_mutex_unlock(&self->lock);
}

void screen_resume(screen *self)
{
    pthread_mutex_lock(&self->lock);
    self->suspended = false;
    silence_keyboard(self);
    (void)draw(self, NULL, true);
    pthread_mutex_unlock(&self->lock);
}

void screen_release_keyboard(screen *self)
{
    pthread_mutex_lock(&self->lock);
    release_keyboard(self);
    pthread_mutex_unlock(&self->lock);
}

void screen_finish(screen *self)
{
    erase(self);
    release_keyboard(self);
    growing_finish(&self->text);
    growing_finish(&self->note);
    growing_finish(&self->device);
    growing_finish(&self->drawn);
    pthread_mutex_destroy(&self->lock);
}
