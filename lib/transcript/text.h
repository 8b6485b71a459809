/* UTF-8 as the formatters need it: character by character, with anything ill-formed seen as one
 * character of one byte. */
#ifndef TRANSCRIPT_TEXT_H
#define TRANSCRIPT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define TEXT_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Bytes of the character at the start of a terminated, non-empty string: 1 to 4; *out_valid says
 * whether it is well-formed (no overlong form, surrogate or value beyond U+10FFFF). */
size_t text_character(const char *text, bool *out_valid);
/* Whether the character there is a control character: U+0000 to U+001F, U+007F to U+009F. */
bool text_is_control(const char *text);
/* Whether the character there is printed as it is: well-formed and not a control character. */
bool text_is_plain(const char *text, size_t *out_length);
/* Characters of a terminated string. */
size_t text_count(const char *text);

#endif
