#include "audio/header.h"

#include <stdio.h>
#include <string.h>

enum {
    CHUNKS_MAX = 4096, /* of a WAV or AIFF file before its samples; more is no recording */
    /* Larger than one MPEG frame (at most 2,881 bytes) and any padding seen before the first. */
    MPEG_SEARCH = 8192,
};

static uint32_t little32(const unsigned char *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t big32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Up to `size` bytes from `offset`; the rest is zeros.  Returns how many there were. */
static size_t peek(input *in, uint64_t offset, unsigned char *bytes, size_t size)
{
    memset(bytes, 0, size);
    int64_t count = 0;
    if (offset <= INT64_MAX && input_seek(in, (int64_t)offset, SEEK_SET) >= 0)
        count = input_read(in, bytes, size);
    input_seek(in, 0, SEEK_SET);
    return count > 0 ? (size_t)count : 0;
}

const char *header_unsupported_start(const unsigned char *start)
{
    static const struct {
        unsigned offset, size;
        const char *bytes, *name;
    } formats[] = {
        {4, 4, "ftyp", "MP4 (M4A, AAC)"},
        {0, 4, "\x1a\x45\xdf\xa3", "WebM or Matroska"},
        {0, 4, "\x30\x26\xb2\x75", "Windows Media"},
        {0, 2, "\xff\xf1", "AAC"},
        {0, 2, "\xff\xf9", "AAC"},
        {0, 5, "#!AMR", "AMR"},
        {0, 4, "MAC ", "Monkey's Audio"},
        {0, 4, "wvpk", "WavPack"},
        {0, 4, ".RMF", "RealMedia"},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (memcmp(start + formats[i].offset, formats[i].bytes, formats[i].size) == 0)
            return formats[i].name;
    return NULL;
}

const char *header_unsupported(input *in)
{
    unsigned char start[HEADER_START_SIZE];
    peek(in, 0, start, sizeof start);
    return header_unsupported_start(start);
}

/* WAV (RIFF, RIFX) and AIFF (FORM): chunks of a name, a size and as many bytes, padded to even. */
static bool chunks_are_cut(input *in, const char *samples_name, bool little)
{
    uint64_t offset = 12;
    for (int i = 0; i < CHUNKS_MAX; i++) {
        unsigned char chunk[8];
        if (peek(in, offset, chunk, sizeof chunk) < sizeof chunk)
            return false; /* no samples at all: not for here to judge */
        uint64_t size = little ? little32(chunk + 4) : big32(chunk + 4);
        offset += sizeof chunk;
        if (memcmp(chunk, samples_name, 4) == 0)
            return size < HEADER_SIZE_UNKNOWN && size > in->size - offset;
        offset += size + (size & 1);
    }
    return false;
}

bool header_is_cut(input *in)
{
    unsigned char start[12];
    if (peek(in, 0, start, sizeof start) < sizeof start || in->size == UINT64_MAX)
        return false;
    if (memcmp(start, "RIFF", 4) == 0)
        return chunks_are_cut(in, "data", true);
    if (memcmp(start, "RIFX", 4) == 0)
        return chunks_are_cut(in, "data", false);
    if (memcmp(start, "FORM", 4) == 0)
        return chunks_are_cut(in, "SSND", false);
    if (memcmp(start, ".snd", 4) == 0) {
        uint64_t offset = big32(start + 4), size = big32(start + 8);
        return size < HEADER_SIZE_UNKNOWN && offset <= in->size && size > in->size - offset;
    }
    return false;
}

/* The size is in four times 7 bits. */
uint64_t header_id3_size(const unsigned char *start)
{
    if (memcmp(start, "ID3", 3) != 0)
        return 0;
    uint64_t size = 0;
    for (int i = 6; i < HEADER_ID3_SIZE; i++)
        size = size << 7 | (start[i] & 0x7f);
    return HEADER_ID3_SIZE + size;
}

/* 11 bits of synchronisation, then a version and a layer that are not the reserved ones. */
bool header_begins_mpeg(const unsigned char *start)
{
    return start[0] == 0xff && (start[1] & 0xe0) == 0xe0 && (start[1] & 0x18) != 0x08 &&
           (start[1] & 0x06) != 0;
}

bool header_is_mpeg(input *in, bool *out_has_length)
{
    unsigned char start[MPEG_SEARCH];
    peek(in, 0, start, HEADER_ID3_SIZE);
    uint64_t tag = header_id3_size(start);
    size_t count = peek(in, tag, start, sizeof start);
    size_t first = 0; /* some writers pad the tag with zeros beyond its size */
    while (tag > 0 && first + 2 < count && start[first] == 0)
        first++;
    if (!header_begins_mpeg(start + first))
        return false;
    *out_has_length = false;
    for (size_t i = 0; i + 4 <= count && !*out_has_length; i++)
        *out_has_length = memcmp(start + i, "Xing", 4) == 0 || memcmp(start + i, "Info", 4) == 0 ||
                          memcmp(start + i, "VBRI", 4) == 0;
    return true;
}
