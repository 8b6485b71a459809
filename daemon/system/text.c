#include "system/text.h"

#include <stdbool.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

size_t text_character_bytes(const char *characters)
{
    const unsigned char *text = (const unsigned char *)characters;
    size_t size = text[0] < 0x80                      ? 1
                  : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                  : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                  : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                      : 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool is_overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool is_beyond = (text[0] == 0xed && text[1] >= 0xa0) || (text[0] == 0xf4 && text[1] >= 0x90);
    return is_overlong || is_beyond ? 0 : size;
}

size_t text_json_character(const char *text, char out[8], size_t *out_size)
{
    size_t size = text_character_bytes(text);
    unsigned char first = (unsigned char)text[0];
    /* U+0080 to U+009F are control characters too, which terminals heed. */
    unsigned char c1 = size == 2 && first == 0xc2 ? (unsigned char)text[1] : 0;
    if (size == 0)
        *out_size = (size_t)snprintf(out, 8, REPLACEMENT);
    else if (first == '"' || first == '\\')
        *out_size = (size_t)snprintf(out, 8, "\\%c", first);
    else if (first < 0x20 || first == 0x7f)
        *out_size = (size_t)snprintf(out, 8, "\\u%04x", first);
    else if (c1 != 0 && c1 < 0xa0)
        *out_size = (size_t)snprintf(out, 8, "\\u%04x", c1);
    else
        memcpy(out, text, *out_size = size);
    return size > 0 ? size : 1;
}

void text_write_json(FILE *file, const char *text)
{
    fputc('"', file);
    while (*text != '\0') {
        char out[8];
        size_t size;
        text += text_json_character(text, out, &size);
        fwrite(out, 1, size, file);
    }
    fputc('"', file);
}

void text_write_html(FILE *file, const char *text)
{
    while (*text != '\0') {
        size_t size = text_character_bytes(text);
        if (size == 0)
            fputs(REPLACEMENT, file);
        else if (strchr("&<>\"'", *text) != NULL)
            fprintf(file, "&#%d;", *text);
        else
            fwrite(text, 1, size, file);
        text += size > 0 ? size : 1;
    }
}

void text_write_url(FILE *file, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL)
            fputc(*text, file);
        else
            fprintf(file, "%%%02X", (unsigned char)*text);
    }
}
