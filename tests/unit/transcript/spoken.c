#include "spoken.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void spoken_make(spoken *self, float posterior, const char *script)
{
    self->count = 0;
    self->posterior = posterior;
    ck_assert_uint_lt(strlen(script), sizeof self->text);
    strcpy(self->text, script);
    for (char *at = self->text; *at;) {
        ck_assert_uint_lt(self->count, SPOKEN_TOKENS);
        transcript_token *token = self->tokens + self->count++;
        char *mark = strchr(at, '@');
        ck_assert_ptr_nonnull(mark);
        *mark = '\0';
        token->text = at;
        token->frame = strtoull(mark + 1, &at, 10);
        token->probability = *at == '*' ? strtof(at + 1, &at) : 1;
        if (*at == '|')
            at++;
    }
}

transcript_hypothesis spoken_hypothesis(const spoken *self)
{
    return (transcript_hypothesis){self->tokens, self->count, self->posterior, false};
}

void spoken_segment(transcript *self, const char *script, uint64_t end_frame)
{
    spoken best;
    spoken_make(&best, 1, script);
    transcript_hypothesis hypothesis = spoken_hypothesis(&best);
    transcript_segment(self, &hypothesis, 1, end_frame);
}

void spoken_advance(
    transcript *self, const char *script, size_t stable, uint64_t position, uint64_t trailing)
{
    spoken best;
    spoken_make(&best, 1, script ? script : "");
    transcript_hypothesis hypothesis = spoken_hypothesis(&best);
    transcript_advance(self, &hypothesis, script ? 1 : 0, stable, position, trailing);
}

const char *spoken_words(const steno_alternative *alternative)
{
    static char text[8192];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < alternative->word_count; i++) {
        const steno_word *word = alternative->words + i;
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s[%llu,%llu]", i > 0 ? " " : "",
                word->text, (unsigned long long)word->start_ms, (unsigned long long)word->end_ms);
        ck_assert_uint_lt(used, sizeof text);
    }
    return text;
}
