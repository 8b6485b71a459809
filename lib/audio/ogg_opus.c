/*
 * The file is walked twice, page by page: once to see whether each page's time stamp (its "granule
 * position", RFC 3533 and RFC 7845) is what the durations of its packets add up to, and again to
 * rewrite those that are not, with the page's checksum.  A packet's duration stands in its first
 * two bytes (RFC 6716, section 3.1), so nothing is decoded.
 */
#include "audio/ogg_opus.h"

#include <stdint.h>
#include <string.h>

#include "audio/ogg_page.h"

enum { HEADER_PACKETS = 2 }; /* OpusHead, OpusTags */

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

static void store(unsigned char *bytes, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
}

bool ogg_opus_begins(const unsigned char *bytes, size_t size)
{
    return size >= OGG_PAGE_HEADER_SIZE + 1 + 8 && memcmp(bytes, "OggS\0", 5) == 0 &&
           memcmp(bytes + OGG_PAGE_HEADER_SIZE + 1, "OpusHead", 8) == 0;
}

/* Adds up the packets that end on the page.  False for something that is no Opus packet. */
static bool sum_packets(struct walk *walk, const ogg_page *page, int64_t *out_duration)
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
            int64_t duration = ogg_opus_packet_duration(walk->packet_start, walk->packet_size);
            if (duration == 0)
                return false;
            *out_duration += duration;
        }
        walk->packet_size = 0;
    }
    return true;
}

/* Checks or rewrites one page, which begins at bytes.  False where the file is not one to touch. */
static bool visit(struct walk *walk, const ogg_page *page, unsigned char *bytes)
{
    bool first_page = ogg_page_flags(page) & OGG_PAGE_FIRST;
    bool last_page = ogg_page_flags(page) & OGG_PAGE_LAST;
    uint32_t stream = ogg_page_stream(page);
    uint32_t number = ogg_page_number(page);
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
    int64_t stamp = ogg_page_stamp(page);
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
        store(bytes + 6, 8, (uint64_t)end);
        store(bytes + 22, 4, ogg_page_checksum(page));
    }
    return true;
}

/* Visits all whole pages; false where the file is not one to touch. */
static bool visit_all(struct walk *walk, unsigned char *bytes, size_t size)
{
    ogg_page page;
    for (size_t offset = 0; ogg_page_find(bytes + offset, size - offset, &page);
         offset += page.size)
        if (!visit(walk, &page, bytes + offset))
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
