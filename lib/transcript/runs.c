#include "transcript/runs.h"

#include <math.h>
#include <string.h>

float runs_probability(float value)
{
    if (!(value > 0))
        return 0;
    return value < 1 ? value : 1;
}

static bool begins_word(const transcript_token *token)
{
    return token->text[0] == ' ';
}

/* Bytes of a token's text that count. */
static size_t token_length(const char *text)
{
    size_t length = strnlen(text, TRANSCRIPT_TOKEN_BYTES + 1);
    if (length <= TRANSCRIPT_TOKEN_BYTES)
        return length;
    /* A character has at most three bytes after its first: with more the text isn't UTF-8 and may
     * be cut anywhere. */
    length = TRANSCRIPT_TOKEN_BYTES;
    while (length > TRANSCRIPT_TOKEN_BYTES - 4 && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--;
    return length;
}

/* Reads the bytes of a word across its tokens, so that words compare without being copied. */
typedef struct reader {
    const transcript_token *token, *end;
    size_t at, length; /* in the text of *token */
} reader;

static reader reader_open(const transcript_hypothesis *hypothesis, const word_run *word)
{
    const transcript_token *token = hypothesis->tokens + word->token;
    return (reader){token, token + word->token_count, 0, token_length(token->text)};
}

/* The next byte, or -1 at the end. */
static int reader_next(reader *text)
{
    for (;;) {
        if (text->at < text->length) {
            unsigned char byte = (unsigned char)text->token->text[text->at++];
            if (byte != ' ')
                return byte;
        } else {
            if (++text->token >= text->end)
                return -1;
            text->at = 0;
            text->length = token_length(text->token->text);
        }
    }
}

size_t runs_length(const transcript_hypothesis *hypothesis, const word_run *word)
{
    reader text = reader_open(hypothesis, word);
    size_t length = 0;
    while (reader_next(&text) >= 0)
        length++;
    return length;
}

void runs_write(const transcript_hypothesis *hypothesis, const word_run *word, char *out_text)
{
    reader text = reader_open(hypothesis, word);
    for (int byte; (byte = reader_next(&text)) >= 0;)
        *out_text++ = (char)byte;
}

static float mean_probability(const transcript_token *tokens, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += log(runs_probability(tokens[i].probability)); /* log 0 = -inf gives 0 below */
    return runs_probability((float)exp(sum / (double)count));
}

size_t runs_split(const transcript_hypothesis *hypothesis, word_run *out_words)
{
    const transcript_token *tokens = hypothesis->tokens;
    size_t count = 0, token = 0;
    while (token < hypothesis->token_count) {
        size_t end = token + 1;
        while (end < hypothesis->token_count && !begins_word(tokens + end))
            end++;
        word_run word = {
            .first = tokens[token].frame,
            .last = tokens[end - 1].frame,
            .token = (uint32_t)token,
            .token_count = (uint32_t)(end - token),
            .probability = mean_probability(tokens + token, end - token),
        };
        if (word.last < word.first)
            word.last = word.first;
        if (runs_length(hypothesis, &word) > 0)
            out_words[count++] = word;
        token = end;
    }
    return count;
}

static bool same_text(const transcript_hypothesis *a, const word_run *a_word,
    const transcript_hypothesis *b, const word_run *b_word)
{
    reader a_reader = reader_open(a, a_word), b_reader = reader_open(b, b_word);
    for (;;) {
        int a_byte = reader_next(&a_reader), b_byte = reader_next(&b_reader);
        if (a_byte != b_byte)
            return false;
        if (a_byte < 0)
            return true;
    }
}

bool runs_same(const transcript_hypothesis *a, const word_run *a_words, size_t a_count,
    const transcript_hypothesis *b, const word_run *b_words, size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!same_text(a, a_words + i, b, b_words + i))
            return false;
    return true;
}

float runs_weight(const transcript_hypothesis *hypotheses, size_t count, size_t index)
{
    float weight = runs_probability(hypotheses[index].posterior);
    for (size_t i = 1; i < count && index == 0; i++)
        if (hypotheses[i].is_variation)
            weight -= runs_probability(hypotheses[i].posterior);
    return weight;
}

void runs_add_support(const transcript_hypothesis *hypothesis, word_run *words, size_t count,
    const transcript_hypothesis *other, const word_run *other_words, size_t other_count,
    float weight)
{
    size_t from = 0; /* both are in order of time: what lies before one word does before the next */
    for (size_t i = 0; i < count; i++) {
        while (from < other_count && other_words[from].last + 1 < words[i].first)
            from++;
        for (size_t j = from; j < other_count && other_words[j].first <= words[i].last + 1; j++) {
            if (same_text(hypothesis, words + i, other, other_words + j)) {
                words[i].support += weight;
                break;
            }
        }
    }
}

float runs_confidence(const word_run *word)
{
    return runs_probability(word->support) * word->probability;
}
