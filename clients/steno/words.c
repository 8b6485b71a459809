#include "words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct spelling {
    const char *from, *to;
} spelling;

static const spelling spellings[] = {
    {"mr", "mister"},
    {"mrs", "missus"},
    {"dr", "doctor"},
};

typedef struct bytes_to_one {
    const char *bytes;
    char one;
} bytes_to_one;

/* UTF-8 that stands for something kept. */
static const bytes_to_one signs[] = {
    {"\xe2\x80\x99", '\''}, /* right single quotation mark */
    {"\xe2\x80\x98", '\''}, /* left single quotation mark */
    {"\xca\xbc", '\''},     /* modifier letter apostrophe */
    {"\xe2\x80\x90", ' '},  /* hyphen */
    {"\xe2\x80\x91", ' '},  /* non-breaking hyphen */
    {"\xe2\x80\x93", ' '},  /* en dash */
    {"\xe2\x80\x94", ' '},  /* em dash */
    {"\xc2\xa0", ' '},      /* no-break space */
};

/* What the character at `text` becomes (0: nothing), and how many bytes it has. */
static char convert(const char *text, size_t *out_size)
{
    *out_size = 1;
    char byte = *text;
    if (byte >= 'A' && byte <= 'Z')
        return (char)(byte - 'A' + 'a');
    if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '\'')
        return byte;
    if (byte == '-' || byte == ' ' || (byte >= '\t' && byte <= '\r'))
        return ' ';
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        size_t size = strlen(signs[i].bytes);
        if (strncmp(text, signs[i].bytes, size) == 0) {
            *out_size = size;
            return signs[i].one;
        }
    }
    return 0;
}

/* The clean text: words between single spaces. */
static void clean(const char *text, char *out)
{
    size_t used = 0, size;
    for (; *text != '\0'; text += size) {
        char character = convert(text, &size);
        if (character == 0 || (character == ' ' && (used == 0 || out[used - 1] == ' ')))
            continue;
        out[used++] = character;
    }
    if (used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
}

static const char *spell_out(const char *word)
{
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
        if (strcmp(word, spellings[i].from) == 0)
            return spellings[i].to;
    return word;
}

steno_status words_split(const char *text, words *out_words)
{
    size_t length = strlen(text);
    words self = {
        .list = calloc(length / 2 + 1, sizeof *self.list),
        .text = malloc(length + 1),
    };
    if (self.list == NULL || self.text == NULL) {
        words_finish(&self);
        return STENO_ERROR_MEMORY;
    }
    clean(text, self.text);
    char *rest = self.text, *word;
    while ((word = strsep(&rest, " ")) != NULL)
        if (word[strspn(word, "'")] != '\0') /* not a quotation mark alone */
            self.list[self.count++] = spell_out(word);
    *out_words = self;
    return STENO_OK;
}

void words_finish(words *self)
{
    free(self->list);
    free(self->text);
    *self = (struct words){0};
}
