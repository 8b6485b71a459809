/*
 * Ogg pages (RFC 3533) and the durations of the Opus packets in them (RFC 6716, RFC 7845).  Views
 * of bytes; nothing is copied.
 *
 * A page:
 *   0 "OggS", 4 version (0), 5 flags, 6 time stamp (8 bytes), 14 stream (4), 18 number (4),
 *   22 checksum (4), 26 number of segments n, 27 their sizes (n bytes), then their bytes.
 * A packet is a run of segments; one below 255 bytes ends it.
 */
#ifndef AUDIO_OGG_PAGE_H
#define AUDIO_OGG_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OGG_PAGE_HEADER_SIZE = 27,
    OGG_PAGE_MAX_SIZE = OGG_PAGE_HEADER_SIZE + 255 + 255 * 255,
    OGG_PAGE_CONTINUED = 1,
    OGG_PAGE_FIRST = 2,
    OGG_PAGE_LAST = 4,
};

typedef struct ogg_page {
    const unsigned char *bytes;
    const unsigned char *sizes; /* [segments] */
    const unsigned char *body;
    unsigned segments;
    size_t size; /* in all */
} ogg_page;

/* The page that begins with the first of these bytes.  False if there is none or not all of it;
 * its checksum is not looked at. */
bool ogg_page_find(const unsigned char *bytes, size_t size, ogg_page *out_page);

unsigned ogg_page_flags(const ogg_page *page);
int64_t ogg_page_stamp(const ogg_page *page);
uint32_t ogg_page_stream(const ogg_page *page);
uint32_t ogg_page_number(const ogg_page *page);

/* CRC-32 with Ogg's polynomial, over the page with zeros in place of the checksum; and what the
 * page says it is. */
uint32_t ogg_page_checksum(const ogg_page *page);
uint32_t ogg_page_promised_checksum(const ogg_page *page);

/* Samples at 48 kHz in an Opus packet of `size` bytes that begins so (two bytes suffice); 0 where
 * there is no such packet. */
int64_t ogg_opus_packet_duration(const unsigned char *start, size_t size);

#endif
