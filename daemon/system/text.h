/*
 * Texts from outside, such as names, put into JSON, HTML and addresses.  What is not UTF-8 becomes
 * U+FFFD in the first two.  Write errors are the stream's (ferror).
 */
#ifndef SYSTEM_TEXT_H
#define SYSTEM_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Bytes of the UTF-8 character at `text`, which is not empty; 0: it is none. */
size_t text_character_bytes(const char *text);

/* The character at `text`, which is not empty, as it stands in a JSON string: out [out_size].
 * Returns how many bytes of text it was. */
size_t text_json_character(const char *text, char out[8], size_t *out_size);

/* A JSON string, quotes included, that is one line. */
void text_write_json(FILE *file, const char *text);
/* Between tags or quotes of HTML. */
void text_write_html(FILE *file, const char *text);
/* One part of a path or of a query, between slashes. */
void text_write_url(FILE *file, const char *text);

#endif
