/*
 * How wide text is on a terminal: characters of no, one or two columns, as the C library knows
 * them.  What can't be shown (control characters, what is not UTF-8, what has no width) is one
 * column, a question mark.
 */
#ifndef STENO_COLUMNS_H
#define STENO_COLUMNS_H

#include <stddef.h>

#include "growing.h"

/* Has the C library read UTF-8, whatever the environment says: a transcript is UTF-8, and so is
 * every terminal of today.  Once, before threads are started. */
void columns_init(void);

/* Columns that the first `size` bytes of text take. */
size_t columns_of(const char *text, size_t size);

/* The bytes of as many whole characters from the start of text [size] as fit into `columns`; marks
 * that combine with the last one are among them. */
size_t columns_fitting(const char *text, size_t size, size_t columns);

/* Appends text [size] as it can be shown. */
steno_status columns_append(growing *out, const char *text, size_t size);

#endif
