#include "transcript/writer.h"

#include <stdbool.h>
#include <string.h>

#include "transcript/text.h"

void writer_init(writer *self, steno_write write, void *context)
{
    self->write = write;
    self->context = context;
    self->status = STENO_OK;
    self->used = 0;
}

steno_status writer_flush(writer *self)
{
    if (self->status == STENO_OK && self->used > 0)
        self->status = self->write(self->context, self->bytes, self->used);
    self->used = 0;
    return self->status;
}

void writer_bytes(writer *self, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t room = sizeof self->bytes - self->used, piece = size < room ? size : room;
        memcpy(self->bytes + self->used, bytes, piece);
        self->used += piece;
        bytes += piece;
        size -= piece;
        if (self->used == sizeof self->bytes)
            writer_flush(self);
    }
}

void writer_string(writer *self, const char *string)
{
    writer_bytes(self, string, strlen(string));
}

void writer_number(writer *self, uint64_t value, unsigned digits)
{
    char text[20]; /* of UINT64_MAX; filled from the end */
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 || (sizeof text - at < digits && at > 0));
    writer_bytes(self, text + at, sizeof text - at);
}

void writer_seconds(writer *self, uint64_t ms)
{
    writer_number(self, ms / 1000, 1);
    writer_string(self, ".");
    writer_number(self, ms % 1000, 3);
}

void writer_share(writer *self, float value)
{
    uint64_t thousandths = 0;
    if (value > 0)
        thousandths = value < 1 ? (uint64_t)(value * 1000 + 0.5f) : 1000;
    writer_seconds(self, thousandths);
}

void writer_text(writer *self, const char *text, char space)
{
    for (size_t length; *text; text += length) {
        if (!text_is_plain(text, &length))
            writer_string(self, TEXT_REPLACEMENT);
        else if (*text == ' ')
            writer_bytes(self, &space, 1);
        else
            writer_bytes(self, text, length);
    }
}

void writer_json(writer *self, const char *text)
{
    static const char hex[] = "0123456789abcdef";
    writer_string(self, "\"");
    for (size_t length; *text; text += length) {
        bool valid;
        unsigned char byte = (unsigned char)*text;
        length = text_character(text, &valid);
        if (!valid) {
            writer_string(self, TEXT_REPLACEMENT);
        } else if (byte == '"' || byte == '\\') {
            writer_bytes(self, "\\", 1);
            writer_bytes(self, text, 1);
        } else if (text_is_control(text)) {
            /* Of two bytes, the second is the character's number. */
            byte = (unsigned char)text[length - 1];
            char escape[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
            writer_bytes(self, escape, sizeof escape);
        } else {
            writer_bytes(self, text, length);
        }
    }
    writer_string(self, "\"");
}
