#include "console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "columns.h"
#include "output.h"

static const char erase_line[] = "\r\033[K";

void console_init(console *self)
{
    columns_init();
    const char *terminal = getenv("TERM");
    bool able = terminal == NULL || strcmp(terminal, "dumb") != 0;
    *self = (struct console){
        .errors = stderr,
        .output_is_terminal = able && isatty(STDOUT_FILENO) == 1,
        .errors_are_terminal = able && isatty(STDERR_FILENO) == 1,
    };
    pthread_mutex_init(&self->lock, NULL);
}

/* Under the lock. */
static steno_status write_all(console *self, const char *bytes, size_t size)
{
    if (self->write_errno == 0)
        self->write_errno = output_write_to(STDOUT_FILENO, bytes, size);
    return self->write_errno == 0 ? STENO_OK : STENO_ERROR_IO;
}

/* Under the lock. */
static void clear(console *self)
{
    if (self->progress_shown)
        fputs(erase_line, self->errors);
    self->progress_shown = false;
    if (self->interim_shown)
        write_all(self, erase_line, sizeof erase_line - 1);
    self->interim_shown = false;
}

void console_finish(console *self)
{
    clear(self);
    pthread_mutex_destroy(&self->lock);
}

void console_error(console *self, const char *subject, const char *message)
{
    pthread_mutex_lock(&self->lock);
    clear(self);
    size_t length = subject != NULL ? strlen(subject) : 0;
    bool named = length == 0 || (strncmp(message, subject, length) == 0 && message[length] == ':');
    growing line = {0};
    steno_status status = growing_add(&line, "", 0);
    if (!named && status == STENO_OK &&
        (status = columns_append(&line, subject, length)) == STENO_OK)
        status = growing_add(&line, ": ", 2);
    if (status == STENO_OK)
        status = columns_append(&line, message, strlen(message));
    fprintf(self->errors, "steno: %s\n", status == STENO_OK ? line.bytes : "out of memory");
    growing_finish(&line);
    pthread_mutex_unlock(&self->lock);
}

void console_progress(console *self, const char *line)
{
    pthread_mutex_lock(&self->lock);
    if (self->progress_shown || *line != '\0')
        fprintf(self->errors, "%s%s", erase_line, line);
    self->progress_shown = *line != '\0';
    pthread_mutex_unlock(&self->lock);
}

steno_status console_write(console *self, const char *bytes, size_t size)
{
    pthread_mutex_lock(&self->lock);
    if (self->output_is_terminal)
        clear(self);
    steno_status status = write_all(self, bytes, size);
    pthread_mutex_unlock(&self->lock);
    return status;
}

int console_write_errno(console *self)
{
    pthread_mutex_lock(&self->lock);
    int code = self->write_errno;
    pthread_mutex_unlock(&self->lock);
    return code;
}

static size_t terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 8)
        return size.ws_col;
    return 80;
}

/* Under the lock: text that can be shown, in place of what was. */
static steno_status redraw(console *self, const char *text)
{
    clear(self);
    size_t room = terminal_columns() - 1, columns = columns_of(text, strlen(text));
    const char *mark = "";
    if (columns > room) {
        mark = "...";
        text += columns_fitting(text, strlen(text), columns - (room - 3));
        /* A wide character more, where that ended before one. */
        if (columns_of(text, strlen(text)) > room - 3)
            text += columns_fitting(text, strlen(text), 2);
    }
    self->interim_shown = true;
    if (write_all(self, mark, strlen(mark)) < 0)
        return STENO_ERROR_IO;
    return write_all(self, text, strlen(text));
}

static steno_status print_interim(console *self, const char *text)
{
    if (write_all(self, "~ ", 2) < 0 || write_all(self, text, strlen(text)) < 0)
        return STENO_ERROR_IO;
    return write_all(self, "\n", 1);
}

steno_status console_interim(console *self, const char *text)
{
    growing shown = {0};
    steno_status status = growing_add(&shown, "", 0);
    if (status == STENO_OK)
        status = columns_append(&shown, text, strlen(text));
    pthread_mutex_lock(&self->lock);
    if (status == STENO_OK)
        status =
            self->output_is_terminal ? redraw(self, shown.bytes) : print_interim(self, shown.bytes);
    pthread_mutex_unlock(&self->lock);
    growing_finish(&shown);
    return status;
}
