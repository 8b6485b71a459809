#include "speech/heard.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A field of the journal holds it, and a line of JSON with every byte escaped. */
enum { PIECE_BYTES = 400 };

/* Bytes of the text that go into one entry: all, or as far as the last space that still fits.  A
 * word longer than that is cut, between characters. */
static size_t cut(const char *text)
{
    size_t length = strlen(text);
    if (length <= PIECE_BYTES)
        return length;
    length = PIECE_BYTES;
    while (length > 0 && text[length] != ' ')
        length--;
    if (length > 0)
        return length;
    length = PIECE_BYTES;
    while (length > 1 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return length;
}

void heard_final(log_sink *log, const char *whose, const char *id, const wire_result *result)
{
    assert(result->result->is_final);
    if (!log_wants_transcripts(log) || !log_wants(log, LOG_LEVEL_INFO))
        return;
    char begin[24], end[24], channel[16], piece[PIECE_BYTES + 1];
    snprintf(begin, sizeof begin, "%" PRIu64, result->result->start_ms);
    snprintf(end, sizeof end, "%" PRIu64, result->result->end_ms);
    snprintf(channel, sizeof channel, "%u", result->channel_tag);
    const log_field fields[] = {
        {whose, id},
        {"channel", result->channel_tag > 0 ? channel : NULL},
        {"begin_ms", begin},
        {"end_ms", end},
        {"text", piece},
    };
    const char *text = result->result->alternatives[0].text;
    for (size_t length; (length = cut(text)) > 0; text += strspn(text, " ")) {
        memcpy(piece, text, length);
        piece[length] = '\0';
        text += length;
        log_write(log, LOG_LEVEL_INFO, "transcript", fields, sizeof fields / sizeof fields[0]);
    }
}
