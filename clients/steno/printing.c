#include "printing.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "exit_status.h"
#include "growing.h"

int printing_text(console *screen, char *text)
{
    if (text == NULL) {
        console_error(screen, NULL, "out of memory");
        return EXIT_STATUS_AUDIO;
    }
    size_t size = strlen(text);
    steno_status status = console_write(screen, text, size);
    bool ends = size > 0 && text[size - 1] == '\n';
    free(text);
    if (status == STENO_OK && (ends || console_write(screen, "\n", 1) == STENO_OK))
        return EXIT_STATUS_FINE;
    int code = console_write_errno(screen);
    if (code == EPIPE)
        return EXIT_STATUS_SIGNAL + SIGPIPE;
    console_error(screen, "standard output", strerror(code));
    return EXIT_STATUS_OUTPUT;
}

void printing_cell(FILE *out, const char *text, size_t columns)
{
    growing shown = {0};
    columns_append(&shown, text, strlen(text));
    size_t used = columns_of(text, strlen(text));
    fprintf(out, "%s%*s", shown.size > 0 ? shown.bytes : "",
        used < columns ? (int)(columns - used) : 0, "");
    growing_finish(&shown);
}

size_t printing_wider(size_t columns, const char *text)
{
    size_t used = columns_of(text, strlen(text));
    return used > columns ? used : columns;
}
