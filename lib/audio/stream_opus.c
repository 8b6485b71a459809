/*
 * Ogg Opus in pieces (RFC 7845): pages are taken whole, their packets put together and decoded by
 * libopus straight to 16 kHz, the rate that recognising wants.  libogg and libopusfile were
 * rejected: the one lets a hostile file grow a packet without end, the other pulls and seeks.
 *
 * Positions are samples at 48 kHz, of which three are one of ours.  What is played is
 *     [pre-skip, time stamp of the last page), counted from the first packet,
 * the end only where the last page says that it is the last and where its time stamp cuts less
 * than its own packets: others are known to jitter (ogg_opus.h) and are not heeded.
 */
#include <opus_multistream.h>
#include <string.h>

#include "audio/encoding.h"
#include "audio/ogg_page.h"
#include "audio/stream_codec.h"
#include "base/error.h"
#include "base/memory.h"

enum {
    RATE_HZ = 16000,
    STEP = 48000 / RATE_HZ,
    HEAD_SIZE = 19,
    MAPPING_SIZE = 2,            /* after it: numbers of streams, then a byte per channel */
    PACKET_MAX_SIZE = 1275 * 48, /* 48 frames, for each of the streams: none can be longer */
    PACKET_MAX_FRAMES = RATE_HZ / 1000 * 120,
};

typedef struct opus {
    OpusMSDecoder *decoder; /* NULL before the head */
    steno_audio_info info;
    uint32_t stream, next_number;
    uint64_t packets; /* ended so far, the two of headers among them */
    int64_t pre_skip; /* at 48 kHz, still to be dropped, as all below */
    int64_t decoded;  /* from the first packet on */
    int64_t end;      /* of what is played; INT64_MAX until the last page */
    bool started;     /* a page with sound has come */
    int64_t first;    /* time stamp before the first packet */
    uint64_t frames_read;

    /* The page being taken, the first of the bytes held. */
    bool in_page;
    unsigned segment; /* next */
    size_t offset;    /* of it in the page's body */

    unsigned char *packet; /* [packet_room], the part that has come */
    size_t packet_size, packet_room;

    stream_block block; /* [PACKET_MAX_FRAMES, channels]: a packet decoded */
    bool ended;
} opus;

static steno_status damaged(const opus *o, steno_error *error)
{
    return stream_damaged("Ogg Opus", o->frames_read, RATE_HZ, error);
}

static bool make_packet_room(opus *o, size_t streams)
{
    memory_free(o->packet);
    o->packet = memory_allocate(streams, PACKET_MAX_SIZE);
    o->packet_room = streams * PACKET_MAX_SIZE;
    return o->packet;
}

/* The first packet: 0 "OpusHead", 8 version, 9 channels, 10 pre-skip (2), 12 rate (4), 16 gain (2,
 * in 1/256 dB), 18 mapping; with a mapping other than 0 also 19 streams, 20 of them in stereo, 21
 * the streams' channel for each of ours. */
static steno_status read_head(opus *o, steno_error *error)
{
    const unsigned char *head = o->packet;
    if (o->packet_size < HEAD_SIZE || memcmp(head, "OpusHead", 8) != 0)
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "Ogg: it holds something other than Opus, which alone is supported");
    unsigned channels = head[9];
    if (head[8] >= 16)
        return error_set(
            error, STENO_ERROR_UNSUPPORTED, "Ogg Opus: version %u of its format", head[8]);
    steno_status status = stream_check_shape("Ogg Opus", RATE_HZ, channels, error);
    if (status != STENO_OK)
        return status;
    unsigned char mapping[STENO_CHANNELS_MAX] = {0, 1};
    int streams = 1, coupled = (int)channels - 1;
    if (head[18] != 0) {
        if (o->packet_size < HEAD_SIZE + MAPPING_SIZE + channels)
            return damaged(o, error);
        streams = head[HEAD_SIZE];
        coupled = head[HEAD_SIZE + 1];
        memcpy(mapping, head + HEAD_SIZE + MAPPING_SIZE, channels);
    } else if (channels > 2) {
        return damaged(o, error);
    }
    if (streams < 1 || streams > STENO_CHANNELS_MAX || coupled > streams)
        return error_set(error, STENO_ERROR_UNSUPPORTED, "Ogg Opus: %d streams in it", streams);

    o->decoder = memory_allocate(1, (size_t)opus_multistream_decoder_get_size(streams, coupled));
    o->block.samples = memory_allocate(PACKET_MAX_FRAMES * (size_t)channels, sizeof(float));
    if (!o->decoder || !o->block.samples)
        return error_memory(error);
    if (opus_multistream_decoder_init(
            o->decoder, RATE_HZ, (int)channels, streams, coupled, mapping) != OPUS_OK)
        return damaged(o, error);
    int gain = head[16] | head[17] << 8;
    opus_multistream_decoder_ctl(o->decoder, OPUS_SET_GAIN(gain >= 0x8000 ? gain - 0x10000 : gain));
    o->pre_skip = head[10] | head[11] << 8;
    if (streams > 1 && !make_packet_room(o, (size_t)streams))
        return error_memory(error);
    o->info = (steno_audio_info){
        .rate_hz = RATE_HZ, .channels = channels, .frames = UINT64_MAX, .format = "Ogg Opus"};
    return STENO_OK;
}

/* Frames that begin before a position at 48 kHz. */
static int64_t to_frames(int64_t samples)
{
    return (samples + STEP - 1) / STEP;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static steno_status decode_packet(opus *o, steno_error *error)
{
    int count = opus_multistream_decode_float(
        o->decoder, o->packet, (opus_int32)o->packet_size, o->block.samples, PACKET_MAX_FRAMES, 0);
    if (count <= 0)
        return damaged(o, error);
    size_t values = (size_t)count * o->info.channels;
    for (size_t i = 0; i < values; i++)
        o->block.samples[i] = encoding_clip(o->block.samples[i]);
    int64_t begin = o->decoded / STEP;
    o->decoded += (int64_t)count * STEP;
    int64_t end = o->end == INT64_MAX ? INT64_MAX : to_frames(o->end);
    o->block.given = (size_t)clamp(to_frames(o->pre_skip) - begin, 0, count);
    o->block.frames = (size_t)clamp(end == INT64_MAX ? count : end - begin, 0, count);
    if (o->block.given > o->block.frames)
        o->block.given = o->block.frames;
    return STENO_OK;
}

/* A packet is whole. */
static steno_status end_packet(opus *o, steno_error *error)
{
    steno_status status = STENO_OK;
    if (o->packets == 0)
        status = read_head(o, error);
    else if (o->packets > 1) /* 1: comments */
        status = decode_packet(o, error);
    o->packets++;
    o->packet_size = 0;
    return status;
}

/* The duration of the packets that end on the page, the one begun before it first. */
static int64_t page_duration(const opus *o, const ogg_page *page)
{
    unsigned char start[2];
    size_t size = o->packet_size;
    memcpy(start, o->packet, size < 2 ? size : 2);
    uint64_t packets = o->packets;
    const unsigned char *segment = page->body;
    int64_t duration = 0;
    for (unsigned i = 0; i < page->segments; i++) {
        for (unsigned k = 0; k < page->sizes[i] && size + k < 2; k++)
            start[size + k] = segment[k];
        size += page->sizes[i];
        segment += page->sizes[i];
        if (page->sizes[i] == 255)
            continue;
        if (packets++ > 1)
            duration += ogg_opus_packet_duration(start, size);
        size = 0;
    }
    return duration;
}

/* What the time stamp tells: where the sound starts and, on the last page, where it ends. */
static void heed_stamp(opus *o, const ogg_page *page, int64_t coming)
{
    int64_t duration = page_duration(o, page), stamp = ogg_page_stamp(page);
    bool last = ogg_page_flags(page) & OGG_PAGE_LAST;
    if (duration == 0)
        return;
    if (!o->started) {
        o->started = true;
        o->first = stamp > duration && !last ? stamp - duration : 0;
    }
    int64_t end = coming + duration;
    if (last && stamp >= o->first && stamp - o->first < end && stamp - o->first >= end - duration)
        o->end = stamp - o->first;
}

/* Begins with the page at the front of the bytes: AGAIN if it isn't whole. */
static steno_status begin_page(opus *o, stream_bytes *bytes, ogg_page *out_page, steno_error *error)
{
    static const unsigned char capture[] = "OggS\0";
    size_t known = bytes->size < 5 ? bytes->size : 5;
    if (memcmp(bytes->next, capture, known) != 0)
        return damaged(o, error);
    ogg_page page;
    if (!ogg_page_find(bytes->next, bytes->size, &page))
        return STENO_AGAIN;
    if (o->in_page) {
        *out_page = page;
        return STENO_OK;
    }
    if (ogg_page_checksum(&page) != ogg_page_promised_checksum(&page))
        return damaged(o, error);
    bool is_first = o->packets == 0 && o->packet_size == 0;
    if (is_first) {
        o->stream = ogg_page_stream(&page);
        o->next_number = ogg_page_number(&page);
    }
    if (ogg_page_stream(&page) == o->stream) {
        bool continued = ogg_page_flags(&page) & OGG_PAGE_CONTINUED;
        if (ogg_page_number(&page) != o->next_number++ || continued != (o->packet_size > 0))
            return damaged(o, error);
        heed_stamp(o, &page, o->decoded);
        o->in_page = true;
        o->segment = 0;
        o->offset = 0;
    }
    *out_page = page;
    return STENO_OK;
}

/* Takes segments until a packet has given frames or the page is over. */
static steno_status take_segments(opus *o, const ogg_page *page, steno_error *error)
{
    while (o->segment < page->segments && stream_block_is_given(&o->block)) {
        size_t size = page->sizes[o->segment++];
        /* Comments, which may hold pictures, are let go, but for a byte to be known by. */
        if (o->packets == 1) {
            o->packet_size = 1;
        } else if (o->packet_size + size > o->packet_room) {
            return damaged(o, error);
        } else {
            memcpy(o->packet + o->packet_size, page->body + o->offset, size);
            o->packet_size += size;
        }
        o->offset += size;
        if (size == 255)
            continue;
        steno_status status = end_packet(o, error);
        if (status != STENO_OK)
            return status;
    }
    return STENO_OK;
}

static steno_status take_page(opus *o, stream_bytes *bytes, steno_error *error)
{
    ogg_page page;
    steno_status status = begin_page(o, bytes, &page, error);
    if (status != STENO_OK)
        return status;
    if (o->in_page) {
        status = take_segments(o, &page, error);
        if (status != STENO_OK || o->segment < page.segments)
            return status;
        o->in_page = false;
        o->ended = ogg_page_flags(&page) & OGG_PAGE_LAST;
    }
    stream_take(bytes, page.size);
    return STENO_OK;
}

static steno_status end_of_bytes(const opus *o, const stream_bytes *bytes, steno_error *error)
{
    if (bytes->size > 0 || o->packet_size > 0 || o->packets < 2)
        return stream_truncated("Ogg Opus", o->frames_read, RATE_HZ, error);
    return STENO_END;
}

static steno_status opus_read(void *state, stream_bytes *bytes, float *samples, size_t capacity,
    size_t *out_frames, steno_error *error)
{
    opus *o = state;
    while (stream_block_is_given(&o->block)) {
        if (o->ended)
            return STENO_END;
        steno_status status = bytes->size > 0 ? take_page(o, bytes, error) : STENO_AGAIN;
        if (status == STENO_AGAIN && bytes->last)
            return end_of_bytes(o, bytes, error);
        if (status != STENO_OK)
            return status;
    }
    *out_frames = stream_block_give(&o->block, o->info.channels, samples, capacity);
    o->frames_read += *out_frames;
    return STENO_OK;
}

static bool opus_get_info(const void *state, steno_audio_info *out_info)
{
    const opus *o = state;
    if (!o->block.samples)
        return false;
    *out_info = o->info;
    return true;
}

static void opus_destroy(void *state)
{
    opus *o = state;
    memory_free(o->decoder);
    memory_free(o->block.samples);
    memory_free(o->packet);
    memory_free(o);
}

static steno_status opus_create(const steno_raw_format *raw, void **out_state, steno_error *error)
{
    opus *o = memory_allocate(1, sizeof *o);
    if (!o)
        return error_memory(error);
    if (!make_packet_room(o, 1)) {
        opus_destroy(o);
        return error_memory(error);
    }
    o->end = INT64_MAX;
    *out_state = o;
    return STENO_OK;
}

const stream_codec stream_opus = {"Ogg Opus", opus_create, opus_destroy, opus_read, opus_get_info};
