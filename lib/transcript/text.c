#include "transcript/text.h"

#include <stdint.h>

size_t text_character(const char *text, bool *out_valid)
{
    const unsigned char *bytes = (const unsigned char *)text;
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000}; /* by length */
    size_t length;
    uint32_t value;
    *out_valid = true;
    if (bytes[0] < 0x80)
        return 1;
    if ((bytes[0] & 0xE0) == 0xC0) {
        length = 2;
        value = bytes[0] & 0x1Fu;
    } else if ((bytes[0] & 0xF0) == 0xE0) {
        length = 3;
        value = bytes[0] & 0x0Fu;
    } else if ((bytes[0] & 0xF8) == 0xF0) {
        length = 4;
        value = bytes[0] & 0x07u;
    } else {
        *out_valid = false;
        return 1;
    }
    for (size_t i = 1; i < length; i++) { /* stops at the terminator, which is no such byte */
        if ((bytes[i] & 0xC0) != 0x80) {
            *out_valid = false;
            return 1;
        }
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        *out_valid = false;
        return 1;
    }
    return length;
}

bool text_is_control(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    /* U+0080 to U+009F, as two bytes, are what terminals take for the beginnings of orders, too. */
    return bytes[0] < 0x20 || bytes[0] == 0x7F ||
           (bytes[0] == 0xC2 && bytes[1] >= 0x80 && bytes[1] < 0xA0);
}

bool text_is_plain(const char *text, size_t *out_length)
{
    bool valid;
    *out_length = text_character(text, &valid);
    return valid && !text_is_control(text);
}

size_t text_count(const char *text)
{
    size_t count = 0;
    for (bool valid; *text; count++)
        text += text_character(text, &valid);
    return count;
}
