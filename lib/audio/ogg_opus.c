/*
 * The file is walked twice, page by page: once to see whether each page's time stamp (its "granule
 * position", RFC 3533 and RFC 7845) is what the durations of its packets add up to, and again to
 * rewrite those that are not, with the page's checksum.  A packet's duration stands in its first
 * two bytes (RFC 6716, section 3.1), so nothing is decoded.
 */
#include "audio/ogg_opus.h"

#include <stdint.h>
#include <string.h>

enum {
    PAGE_HEADER_SIZE = 27,
    PAGE_FLAG_FIRST = 2,
    PAGE_FLAG_LAST = 4,
    HEADER_PACKETS = 2,  /* OpusHead, OpusTags */
    DURATION_MAX = 5760, /* 120 ms at 48 kHz: the longest packet there can be */
};

/* A page of an Ogg file:
 *   0 "OggS", 4 version (0), 5 flags, 6 time stamp (8 bytes), 14 stream (4), 18 number (4),
 *   22 checksum (4), 26 number of segments n, 27 their sizes (n bytes), then their bytes.
 * A packet is a run of segments; one below 255 bytes ends it. */
struct page {
    unsigned char *bytes;
    const unsigned char *sizes;
    const unsigned char *body;
    unsigned segments;
    size_t size; /* in all */
};

struct walk {
    bool rewrite;
    uint32_t stream, next_number;
    uint64_t packets;
    size_t packet_size; /* of the packet not yet ended */
    unsigned char packet_start[2];
    bool started;            /* a page with sound has come */
    int64_t first, duration; /* time stamp before the first packet; samples since */
    bool changed;
};

static uint64_t load(const unsigned char *bytes, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = size; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static void store(unsigned char *bytes, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
}

static bool find_page(unsigned char *bytes, size_t size, struct page *out_page)
{
    if (size < PAGE_HEADER_SIZE || memcmp(bytes, "OggS\0", 5) != 0)
        return false;
    struct page page = {.bytes = bytes, .sizes = bytes + PAGE_HEADER_SIZE, .segments = bytes[26]};
    page.size = PAGE_HEADER_SIZE + page.segments;
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

bool ogg_opus_begins(const unsigned char *bytes, size_t size)
{
    return size >= PAGE_HEADER_SIZE + 1 + 8 && memcmp(bytes, "OggS\0", 5) == 0 &&
           memcmp(bytes + PAGE_HEADER_SIZE + 1, "OpusHead", 8) == 0;
}

/* CRC-32 with Ogg's polynomial, over the page with zeros in place of the checksum. */
static uint32_t page_checksum(const struct page *page)
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

/* Samples at 48 kHz in a packet that begins so; 0 where there is no such packet. */
static int64_t packet_duration(const unsigned char *start, size_t size)
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

/* Adds up the packets that end on the page.  False for something that is no Opus packet. */
static bool sum_packets(struct walk *walk, const struct page *page, int64_t *out_duration)
{
    const unsigned char *segment = page->body;
    *out_duration = 0;
    for (unsigned i = 0; i < page->segments; i++) {
        unsigned size = page->sizes[i];
        for (unsigned k = 0; k < size && walk->packet_size + k < 2; k++)
            walk->packet_start[walk->packet_size + k] = segment[k];
        walk->packet_size += size;
        segment += size;
        if (size == 255)
            continue;
        if (walk->packets++ >= HEADER_PACKETS) {
            int64_t duration = packet_duration(walk->packet_start, walk->packet_size);
            if (duration == 0)
                return false;
            *out_duration += duration;
        }
        walk->packet_size = 0;
    }
    return true;
}

/* Checks or rewrites one page.  False where the file is not one to touch. */
static bool visit(struct walk *walk, const struct page *page)
{
    bool first_page = page->bytes[5] & PAGE_FLAG_FIRST;
    bool last_page = page->bytes[5] & PAGE_FLAG_LAST;
    uint32_t stream = (uint32_t)load(page->bytes + 14, 4);
    uint32_t number = (uint32_t)load(page->bytes + 18, 4);
    if (walk->packets == 0 && walk->packet_size == 0) {
        walk->stream = stream;
        walk->next_number = number;
    } else if (first_page) {
        return false; /* another stream follows or is interleaved */
    }
    if (stream != walk->stream || number != walk->next_number++)
        return false;

    int64_t duration;
    if (!sum_packets(walk, page, &duration))
        return false;
    if (duration == 0)
        return true;
    int64_t stamp = (int64_t)load(page->bytes + 6, 8);
    if (!walk->started) {
        walk->started = true;
        walk->first = stamp > duration && !last_page ? stamp - duration : 0;
        if (walk->first > INT64_MAX / 2)
            return false;
    }
    walk->duration += duration;
    int64_t end = walk->first + walk->duration;
    /* The last page's time stamp may lie before its end: it cuts off the encoder's padding. */
    if (stamp == end || (last_page && stamp < end && stamp >= end - duration))
        return true;
    walk->changed = true;
    if (walk->rewrite) {
        store(page->bytes + 6, 8, (uint64_t)end);
        store(page->bytes + 22, 4, page_checksum(page));
    }
    return true;
}

/* Visits all whole pages; false where the file is not one to touch. */
static bool visit_all(struct walk *walk, unsigned char *bytes, size_t size)
{
    struct page page;
    for (size_t offset = 0; find_page(bytes + offset, size - offset, &page); offset += page.size)
        if (!visit(walk, &page))
            return false;
    return true;
}

bool ogg_opus_repair(unsigned char *bytes, size_t size)
{
    struct walk check = {.rewrite = false};
    if (!visit_all(&check, bytes, size) || !check.changed)
        return false;
    struct walk rewrite = {.rewrite = true};
    visit_all(&rewrite, bytes, size);
    return true;
}
