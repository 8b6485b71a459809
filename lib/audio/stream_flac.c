/*
 * FLAC in pieces, by libFLAC (RFC 9639).  libFLAC pulls its bytes and cannot stop in the middle of
 * a frame, so it is given one whole frame at a time, and where a frame ends is found here: its
 * bytes with the CRC-16 that ends them have a checksum of 0, and a frame header with a right CRC-8
 * of its own (or the end of the file) follows.  That both happen by chance inside a frame is a
 * matter of 2^-39 per byte.
 *
 *     bytes held:  | frame header ... CRC-16 | frame header ...
 *                  0                         scanned: sum == 0 and a header here -> decode [0,
 * scanned)
 *
 * So a frame is decoded when the first bytes of the next have come: a delay of a frame, some
 * 100 ms for what encoders usually make.
 *
 * Of the metadata only the first block matters; others are skipped by counting, as pictures among
 * them may be larger than the buffer.
 */
#include <FLAC/stream_decoder.h>
#include <string.h>

#include "audio/encoding.h"
#include "audio/stream_codec.h"
#include "base/error.h"
#include "base/memory.h"

enum {
    BLOCK_HEADER_SIZE = 4,
    INFO_SIZE = 34,
    START_SIZE = 4 + BLOCK_HEADER_SIZE + INFO_SIZE, /* what every FLAC file begins with */
    FRAME_HEADER_MAX = 16,
};

typedef struct flac {
    FLAC__StreamDecoder *decoder;
    enum { AT_START, AT_BLOCK, AT_FRAMES } place;
    uint64_t skip; /* bytes of a metadata block */
    steno_audio_info info;
    uint64_t frames_read;

    /* The frame being looked for. */
    size_t scanned;
    uint16_t sum;

    /* What libFLAC is given. */
    const unsigned char *food;
    size_t food_size;
    bool bad; /* it complained */

    size_t block_size;  /* frames of a block at most */
    stream_block block; /* [block_size, channels]: a frame of FLAC's decoded */
} flac;

static unsigned sum_byte(unsigned sum, unsigned char byte, unsigned polynomial, unsigned bits)
{
    sum ^= (unsigned)byte << (bits - 8);
    for (int i = 0; i < 8; i++)
        sum = sum << 1 ^ (sum >> (bits - 1) & 1 ? polynomial : 0);
    return sum & ((1u << bits) - 1);
}

/* Bytes of the header at `bytes` without its CRC-8 (of which FRAME_HEADER_MAX are here, or 0 where
 * the file has ended); 0 if it is none. */
static size_t frame_header_size(const unsigned char *bytes)
{
    unsigned block_code = bytes[2] >> 4, rate_code = bytes[2] & 15;
    unsigned channel_code = bytes[3] >> 4, bits_code = bytes[3] >> 1 & 7;
    if (bytes[0] != 0xff || (bytes[1] & 0xfe) != 0xf8 || block_code == 0 || rate_code == 15 ||
        channel_code > 10 || bits_code == 3 || (bytes[3] & 1))
        return 0;
    size_t size = 5; /* with the first byte of the number, coded like UTF-8 up to 7 bytes */
    if (bytes[4] >= 0x80) {
        if (bytes[4] < 0xc0 || bytes[4] == 0xff)
            return 0;
        for (unsigned mark = 0x40; bytes[4] & mark; mark >>= 1)
            if ((bytes[size++] & 0xc0) != 0x80)
                return 0;
    }
    size += block_code == 6 ? 1 : block_code == 7 ? 2 : 0;
    size += rate_code == 12 ? 1 : rate_code > 12 ? 2 : 0;
    return size;
}

static bool is_frame_header(const unsigned char *bytes, size_t size)
{
    unsigned char start[FRAME_HEADER_MAX] = {0};
    memcpy(start, bytes, size < sizeof start ? size : sizeof start);
    size_t checked = frame_header_size(start);
    unsigned sum = 0;
    for (size_t i = 0; i < checked; i++)
        sum = sum_byte(sum, start[i], 0x07, 8);
    return checked > 0 && checked < size && sum == start[checked];
}

/* libFLAC's side. */

static FLAC__StreamDecoderReadStatus feed(
    const FLAC__StreamDecoder *decoder, FLAC__byte buffer[], size_t *bytes, void *context)
{
    flac *f = context;
    if (*bytes > f->food_size)
        *bytes = f->food_size;
    if (*bytes == 0)
        return FLAC__STREAM_DECODER_READ_STATUS_END_OF_STREAM;
    memcpy(buffer, f->food, *bytes);
    f->food += *bytes;
    f->food_size -= *bytes;
    return FLAC__STREAM_DECODER_READ_STATUS_CONTINUE;
}

static FLAC__StreamDecoderWriteStatus take_frame(const FLAC__StreamDecoder *decoder,
    const FLAC__Frame *frame, const FLAC__int32 *const buffer[], void *context)
{
    flac *f = context;
    size_t count = frame->header.blocksize, channels = frame->header.channels;
    if (channels != f->info.channels || count > f->block_size || f->block.frames > 0)
        return FLAC__STREAM_DECODER_WRITE_STATUS_ABORT;
    float scale = 1.0f / (float)(UINT32_C(1) << (frame->header.bits_per_sample - 1));
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < count; i++)
            f->block.samples[i * channels + c] = encoding_clip((float)buffer[c][i] * scale);
    f->block.frames = count;
    return FLAC__STREAM_DECODER_WRITE_STATUS_CONTINUE;
}

static void note_error(
    const FLAC__StreamDecoder *decoder, FLAC__StreamDecoderErrorStatus status, void *context)
{
    flac *f = context;
    f->bad = true;
}

/* Metadata. */

static uint32_t big(const unsigned char *bytes, size_t size)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* The start of the file, its first metadata block with it, which libFLAC is told is the last. */
static steno_status read_start(flac *f, stream_bytes *bytes, steno_error *error)
{
    const unsigned char *block = bytes->next + 4, *info = block + BLOCK_HEADER_SIZE;
    if (memcmp(bytes->next, "fLaC", 4) != 0)
        return error_set(error, STENO_ERROR_FORMAT, "FLAC: it does not begin like one");
    uint32_t block_size = big(info + 2, 2);
    if ((block[0] & 0x7f) != 0 || big(block + 1, 3) != INFO_SIZE || block_size < 16)
        return error_set(error, STENO_ERROR_FORMAT, "FLAC: damaged: its header makes no sense");
    uint32_t rate_hz = big(info + 10, 3) >> 4, channels = (info[12] >> 1 & 7) + 1u;
    steno_status status = stream_check_shape("FLAC", rate_hz, channels, error);
    if (status != STENO_OK)
        return status;

    unsigned char start[START_SIZE];
    memcpy(start, bytes->next, sizeof start);
    start[4] |= 0x80;
    f->food = start;
    f->food_size = sizeof start;
    bool well = FLAC__stream_decoder_process_until_end_of_metadata(f->decoder);
    if (!well || f->bad || f->food_size > 0)
        return error_set(error, STENO_ERROR_FORMAT, "FLAC: damaged: its header makes no sense");
    f->block.samples = memory_allocate((size_t)block_size * channels, sizeof(float));
    if (!f->block.samples)
        return error_memory(error);
    f->block_size = block_size;
    uint64_t frames = (uint64_t)(info[13] & 15) << 32 | big(info + 14, 4);
    f->info = (steno_audio_info){.rate_hz = rate_hz,
        .channels = channels,
        .frames = frames ? frames : UINT64_MAX,
        .format = "FLAC"};
    f->place = block[0] & 0x80 ? AT_FRAMES : AT_BLOCK;
    stream_take(bytes, START_SIZE);
    return STENO_OK;
}

/* On to the first frame: OK there. */
static steno_status read_metadata(flac *f, stream_bytes *bytes, steno_error *error)
{
    if (f->place == AT_START) {
        if (bytes->size < START_SIZE)
            return STENO_AGAIN;
        steno_status status = read_start(f, bytes, error);
        if (status != STENO_OK)
            return status;
    }
    while (f->place != AT_FRAMES || f->skip > 0) {
        size_t skipped = f->skip < bytes->size ? (size_t)f->skip : bytes->size;
        stream_take(bytes, skipped);
        f->skip -= skipped;
        if (f->skip > 0)
            return STENO_AGAIN;
        if (f->place == AT_FRAMES)
            break;
        if (bytes->size < BLOCK_HEADER_SIZE)
            return STENO_AGAIN;
        f->skip = big(bytes->next + 1, 3);
        f->place = bytes->next[0] & 0x80 ? AT_FRAMES : AT_BLOCK;
        stream_take(bytes, BLOCK_HEADER_SIZE);
    }
    return STENO_OK;
}

/* Frames. */

/* Scans on: OK if the frame that the bytes begin with is here whole, [0, scanned). */
static steno_status find_frame(flac *f, const stream_bytes *bytes)
{
    while (f->scanned < bytes->size) {
        size_t left = bytes->size - f->scanned;
        if (f->sum == 0 && f->scanned > 0) {
            if (left < FRAME_HEADER_MAX && !bytes->last)
                return STENO_AGAIN;
            if (is_frame_header(bytes->next + f->scanned, left))
                return STENO_OK;
        }
        f->sum = (uint16_t)sum_byte(f->sum, bytes->next[f->scanned++], 0x8005, 16);
    }
    return bytes->last && f->sum == 0 ? STENO_OK : STENO_AGAIN;
}

static steno_status end_of_bytes(const flac *f, const stream_bytes *bytes, steno_error *error)
{
    bool missing = f->info.frames != UINT64_MAX && f->frames_read < f->info.frames;
    if (f->place != AT_FRAMES || f->skip > 0 || bytes->size > 0 || missing)
        return stream_truncated("FLAC", f->frames_read, f->info.rate_hz, error);
    return STENO_END;
}

static steno_status decode_frame(flac *f, stream_bytes *bytes, steno_error *error)
{
    if (f->scanned == 0) {
        size_t wanted = bytes->last ? 1 : FRAME_HEADER_MAX;
        if (bytes->size < wanted)
            return bytes->last ? end_of_bytes(f, bytes, error) : STENO_AGAIN;
        if (!is_frame_header(bytes->next, bytes->size))
            return stream_damaged("FLAC", f->frames_read, f->info.rate_hz, error);
    }
    steno_status status = find_frame(f, bytes);
    if (status != STENO_OK)
        return bytes->last ? end_of_bytes(f, bytes, error) : status;
    f->food = bytes->next;
    f->food_size = f->scanned;
    f->block.frames = f->block.given = 0;
    FLAC__bool well = FLAC__stream_decoder_process_single(f->decoder);
    if (!well || f->bad || f->block.frames == 0 || f->food_size > 0)
        return stream_damaged("FLAC", f->frames_read, f->info.rate_hz, error);
    stream_take(bytes, f->scanned);
    f->scanned = 0;
    f->sum = 0;
    return STENO_OK;
}

static steno_status flac_read(void *state, stream_bytes *bytes, float *samples, size_t capacity,
    size_t *out_frames, steno_error *error)
{
    flac *f = state;
    steno_status status = read_metadata(f, bytes, error);
    if (status == STENO_AGAIN && bytes->last)
        return end_of_bytes(f, bytes, error);
    if (status == STENO_OK && stream_block_is_given(&f->block))
        status = decode_frame(f, bytes, error);
    if (status != STENO_OK)
        return status;
    *out_frames = stream_block_give(&f->block, f->info.channels, samples, capacity);
    f->frames_read += *out_frames;
    return STENO_OK;
}

static bool flac_get_info(const void *state, steno_audio_info *out_info)
{
    const flac *f = state;
    if (f->place == AT_START)
        return false;
    *out_info = f->info;
    return true;
}

static void flac_destroy(void *state)
{
    flac *f = state;
    if (f->decoder)
        FLAC__stream_decoder_delete(f->decoder);
    memory_free(f->block.samples);
    memory_free(f);
}

static steno_status flac_create(const steno_raw_format *raw, void **out_state, steno_error *error)
{
    flac *f = memory_allocate(1, sizeof *f);
    if (!f)
        return error_memory(error);
    f->decoder = FLAC__stream_decoder_new();
    if (!f->decoder ||
        FLAC__stream_decoder_init_stream(f->decoder, feed, NULL, NULL, NULL, NULL, take_frame, NULL,
            note_error, f) != FLAC__STREAM_DECODER_INIT_STATUS_OK) {
        flac_destroy(f);
        return error_memory(error);
    }
    *out_state = f;
    return STENO_OK;
}

const stream_codec stream_flac = {"FLAC", flac_create, flac_destroy, flac_read, flac_get_info};
