#include "inspect/sink.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

void sink_bytes(sink *self, const char *bytes, size_t size)
{
    if (self->status == STENO_OK && size > 0)
        self->status = self->write(self->context, bytes, size);
}

void sink_text(sink *self, const char *text)
{
    sink_bytes(self, text, strlen(text));
}

void sink_print(sink *self, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size > 0)
        sink_bytes(self, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

/* Bytes of the character at the start of a non-empty string if it is well-formed UTF-8 and one
 * that XML allows, else 0. */
static size_t character(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < 0x80)
        return c[0] >= 0x20 || c[0] == '\t' || c[0] == '\n';
    size_t size = c[0] >= 0xF0 ? 4 : c[0] >= 0xE0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t value = c[0] & (0xFFu >> (size + 1));
    if (c[0] < 0xC2 || c[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((c[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (c[i] & 0x3F);
    }
    bool allowed = value >= least[size] && value <= 0x10FFFF &&
                   !(value >= 0xD800 && value < 0xE000) && value != 0xFFFE && value != 0xFFFF;
    return allowed ? size : 0;
}

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void sink_escaped(sink *self, const char *text)
{
    while (*text != '\0') {
        size_t size = character(text);
        const char *escape = escape_of(*text);
        if (size == 0)
            sink_text(self, REPLACEMENT);
        else if (escape != NULL)
            sink_text(self, escape);
        else
            sink_bytes(self, text, size);
        text += size > 0 ? size : 1;
    }
}

void sink_base64(sink *self, const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = bytes;
    char block[1024];
    size_t used = 0;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)from[i] << 16;
        if (left > 1)
            three |= (uint32_t)from[i + 1] << 8;
        if (left > 2)
            three |= from[i + 2];
        block[used++] = digits[three >> 18];
        block[used++] = digits[three >> 12 & 63];
        block[used++] = left > 1 ? digits[three >> 6 & 63] : '=';
        block[used++] = left > 2 ? digits[three & 63] : '=';
        if (used == sizeof block || left <= 3) {
            sink_bytes(self, block, used);
            used = 0;
        }
    }
}
