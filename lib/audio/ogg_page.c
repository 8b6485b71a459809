#include "audio/ogg_page.h"

#include <string.h>

enum { DURATION_MAX = 5760 }; /* 120 ms at 48 kHz: the longest packet there can be */

static uint64_t load(const unsigned char *bytes, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = size; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

bool ogg_page_find(const unsigned char *bytes, size_t size, ogg_page *out_page)
{
    if (size < OGG_PAGE_HEADER_SIZE || memcmp(bytes, "OggS\0", 5) != 0)
        return false;
    ogg_page page = {.bytes = bytes, .sizes = bytes + OGG_PAGE_HEADER_SIZE, .segments = bytes[26]};
    page.size = OGG_PAGE_HEADER_SIZE + page.segments;
    if (page.size > size)
        return false;
    page.body = bytes + page.size;
    for (unsigned i = 0; i < page.segments; i++)
        page.size += page.sizes[i];
    if (page.size > size)
        return false;
    *out_page = page;
    return true;
}

unsigned ogg_page_flags(const ogg_page *page)
{
    return page->bytes[5];
}

int64_t ogg_page_stamp(const ogg_page *page)
{
    return (int64_t)load(page->bytes + 6, 8);
}

uint32_t ogg_page_stream(const ogg_page *page)
{
    return (uint32_t)load(page->bytes + 14, 4);
}

uint32_t ogg_page_number(const ogg_page *page)
{
    return (uint32_t)load(page->bytes + 18, 4);
}

uint32_t ogg_page_promised_checksum(const ogg_page *page)
{
    return (uint32_t)load(page->bytes + 22, 4);
}

uint32_t ogg_page_checksum(const ogg_page *page)
{
    uint32_t checksum = 0;
    for (size_t i = 0; i < page->size; i++) {
        uint32_t byte = i >= 22 && i < 26 ? 0 : page->bytes[i];
        checksum ^= byte << 24;
        for (int bit = 0; bit < 8; bit++)
            checksum = checksum << 1 ^ (checksum >> 31 ? 0x04c11db7u : 0);
    }
    return checksum;
}

int64_t ogg_opus_packet_duration(const unsigned char *start, size_t size)
{
    static const uint16_t speech[] = {480, 960, 1920, 2880};
    static const uint16_t music[] = {120, 240, 480, 960};
    if (size == 0)
        return 0;
    unsigned kind = start[0] >> 3;
    int64_t frame = kind < 12 ? speech[kind & 3] : kind < 16 ? speech[kind & 1] : music[kind & 3];
    unsigned code = start[0] & 3;
    if (code == 3 && size < 2)
        return 0;
    int64_t duration = frame * (code == 0 ? 1 : code < 3 ? 2 : start[1] & 63);
    return duration <= DURATION_MAX ? duration : 0;
}
