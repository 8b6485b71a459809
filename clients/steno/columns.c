#include "columns.h"

#include <locale.h>
#include <wchar.h>

void columns_init(void)
{
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        setlocale(LC_CTYPE, "");
}

/* The character at the start of text [size], size being 1 or more: its bytes, and its columns or
 * -1 if it can't be shown. */
static size_t next(const char *text, size_t size, int *out_columns)
{
    mbstate_t state = {0};
    wchar_t character;
    size_t bytes = mbrtowc(&character, text, size, &state);
    if (bytes == (size_t)-1 || bytes == (size_t)-2 || bytes == 0) {
        *out_columns = -1;
        return 1;
    }
    *out_columns = wcwidth(character);
    return bytes;
}

size_t columns_of(const char *text, size_t size)
{
    size_t columns = 0;
    for (size_t at = 0; at < size;) {
        int width;
        at += next(text + at, size - at, &width);
        columns += width >= 0 ? (size_t)width : 1;
    }
    return columns;
}

size_t columns_fitting(const char *text, size_t size, size_t columns)
{
    size_t at = 0;
    while (at < size) {
        int width;
        size_t bytes = next(text + at, size - at, &width);
        size_t wide = width >= 0 ? (size_t)width : 1;
        if (wide > columns)
            break;
        columns -= wide;
        at += bytes;
    }
    return at;
}

steno_status columns_append(growing *out, const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        int width;
        size_t bytes = next(text + at, size - at, &width);
        steno_status status =
            width >= 0 ? growing_add(out, text + at, bytes) : growing_add(out, "?", 1);
        if (status < 0)
            return status;
        at += bytes;
    }
    return STENO_OK;
}
