/* What a command prints whole: tables and JSON. */
#ifndef STENO_PRINTING_H
#define STENO_PRINTING_H

#include <stdio.h>

#include "console.h"

/* Prints a text and the end of its last line, and frees it, if that isn't NULL: memory was out.
 * Says what went wrong; returns the exit status. */
int printing_text(console *screen, char *text);

/* One cell of a table: the text as it can be shown, filled up to `columns`. */
void printing_cell(FILE *out, const char *text, size_t columns);
/* The columns that a cell needs for either. */
size_t printing_wider(size_t columns, const char *text);

#endif
