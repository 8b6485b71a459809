/*
 * The terminal while someone speaks.  Final text is written once and stays, line by line; below it
 * stand, for as long as they hold, the text that forms and a line about the microphone.
 *
 * Three kinds, by where standard output and standard error go:
 *     LIVE     text and status on standard output, a terminal
 *     STATUS   the status alone, on standard error, a terminal
 *     PLAIN    nothing is redrawn: no terminal, or one that can't (TERM=dumb)
 *
 * Any thread; what is shown passes the console's lock as all output does.
 */
#ifndef STENO_SCREEN_H
#define STENO_SCREEN_H

#include <pthread.h>
#include <stdbool.h>
#include <termios.h>

#include "console.h"
#include "growing.h"
#include "layout.h"
#include "meter.h"

typedef enum screen_kind {
    SCREEN_LIVE,
    SCREEN_STATUS,
    SCREEN_PLAIN,
} screen_kind;

typedef struct screen {
    console *console;
    screen_kind kind;
    bool status, styles, colors;

    pthread_mutex_t lock; /* of what follows */
    layout_state state;   /* its texts are those below */
    growing text, note, device;
    growing drawn;  /* what stands on the screen */
    size_t columns; /* of the terminal that it was drawn for */
    bool suspended; /* nothing is drawn */
    bool silent;    /* the terminal does not echo what is typed */
    struct termios before;
} screen;

/* status: with the line about the microphone. */
void screen_init(screen *self, console *console, screen_kind kind, bool status);
/* Takes away all but the final text, and gives the terminal back as it was. */
void screen_finish(screen *self);

/* What has changed since; shown by the next screen_draw. */
void screen_set_text(screen *self, const char *text, size_t settled_bytes);
void screen_set_mark(screen *self, layout_mark mark);
void screen_set_note(screen *self, const char *note);
void screen_set_device(screen *self, const char *name);
/* Of what is heard elsewhere: no level, but how long. */
void screen_set_heard(screen *self, uint64_t heard_ms);
void screen_set_level(screen *self, const meter *level, uint64_t heard_ms);

/* Brings the screen up to date, also with the terminal's size.  STENO_ERROR_IO: it is gone. */
steno_status screen_draw(screen *self);

/* Writes a final text, which takes the place of the forming one.  LIVE only. */
steno_status screen_add_final(screen *self, const char *text);

/* "steno: MESSAGE" as a line of its own on standard error. */
void screen_say(screen *self, const char *message);

/* Leaves the terminal to the shell for a while, and takes it back. */
void screen_suspend(screen *self);
void screen_resume(screen *self);

/* What is typed is shown again from now on; the next signal may end the program. */
void screen_release_keyboard(screen *self);

#endif
