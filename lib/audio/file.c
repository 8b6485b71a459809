/*
 * Audio files.  libsndfile reads everything with a header, through callbacks on an `input`, so that
 * paths, memory and the caller's sources take one way and no file name (with its extension) ever
 * reaches it.  It has to seek; an input that can't is first read into memory.  Headerless samples
 * go through steno_encoding_to_float instead, and from a pipe as they come.
 *
 * libsndfile is silent or wrong about three things that matter for speech, settled here before
 * it opens the file: a WAV cut short (it trims the header's length to what is there), an MP3
 * without length (it guesses one and stops there, losing the end, or refuses it; file_stream reads
 * those), and Ogg Opus with jittering time stamps (it refuses them or drops samples).
 */
#include <sndfile.h>
#include <stdio.h>
#include <string.h>

#include "audio/encoding.h"
#include "audio/file_stream.h"
#include "audio/header.h"
#include "audio/input.h"
#include "audio/ogg_opus.h"
#include "base/error.h"
#include "base/memory.h"
#include "steno/audio.h"

enum {
    RAW_BLOCK_SIZE = 1 << 16, /* bytes of headerless samples converted at once */
    /* Ogg Opus up to here (5 hours at 24 kbit/s) is read into memory to check its time stamps. */
    OPUS_CHECK_SIZE = 64 << 20,
    /* Two MPEG frames: how much the length in an MP3 may differ from what its decoder gives. */
    MPEG_SLACK_FRAMES = 2 * 1152,
};

struct steno_audio_file {
    input input;
    steno_audio_info info;
    char format[32];

    SNDFILE *sound;        /* NULL: by `stream` or headerless */
    file_stream *stream;   /* an MP3 that does not tell its length, or NULL */
    bool cut;              /* the header promises more than there is */
    bool length_is_exact;  /* so that fewer frames mean that the file is cut */
    uint64_t slack_frames; /* how many fewer still count as all */
    uint64_t frames_read;

    steno_encoding encoding; /* of headerless samples */
    unsigned char *block;    /* [RAW_BLOCK_SIZE] */
    size_t held;             /* bytes in it that are the start of a frame */
};

static sf_count_t virtual_size(void *context)
{
    const steno_audio_file *file = context;
    return (sf_count_t)file->input.size;
}

static sf_count_t virtual_seek(sf_count_t offset, int whence, void *context)
{
    steno_audio_file *file = context;
    return input_seek(&file->input, offset, whence);
}

static sf_count_t virtual_read(void *bytes, sf_count_t size, void *context)
{
    steno_audio_file *file = context;
    int64_t count = size > 0 ? input_read(&file->input, bytes, (size_t)size) : 0;
    return count > 0 ? count : 0; /* the error stays in file->input */
}

static sf_count_t virtual_write(const void *bytes, sf_count_t size, void *context)
{
    return 0; /* libsndfile wants one, also of a file opened for reading */
}

static sf_count_t virtual_tell(void *context)
{
    steno_audio_file *file = context;
    return input_seek(&file->input, 0, SEEK_CUR);
}

static const char *known_format(int format)
{
    switch (format & SF_FORMAT_TYPEMASK) {
    case SF_FORMAT_WAV:
    case SF_FORMAT_WAVEX:
    case SF_FORMAT_RF64:
        return "WAV";
    case SF_FORMAT_AIFF:
        return "AIFF";
    case SF_FORMAT_AU:
        return "AU";
    case SF_FORMAT_FLAC:
        return "FLAC";
    case SF_FORMAT_CAF:
        return "CAF";
    case SF_FORMAT_MPEG:
        return (format & SF_FORMAT_SUBMASK) == SF_FORMAT_MPEG_LAYER_III ? "MP3" : "MPEG";
    case SF_FORMAT_OGG:
        return (format & SF_FORMAT_SUBMASK) == SF_FORMAT_OPUS     ? "Ogg Opus"
               : (format & SF_FORMAT_SUBMASK) == SF_FORMAT_VORBIS ? "Ogg Vorbis"
                                                                  : "Ogg FLAC";
    }
    return NULL;
}

/* Whether libsndfile's floats are 16-bit samples divided by 32768. */
static bool fits_16_bits(int format)
{
    int kind = format & SF_FORMAT_SUBMASK;
    return kind == SF_FORMAT_PCM_16 || kind == SF_FORMAT_PCM_S8 || kind == SF_FORMAT_PCM_U8 ||
           kind == SF_FORMAT_ULAW || kind == SF_FORMAT_ALAW;
}

static void set_format(steno_audio_file *file, int format)
{
    SF_FORMAT_INFO info = {.format = format & SF_FORMAT_TYPEMASK};
    const char *name = known_format(format);
    if (!name && sf_command(NULL, SFC_GET_FORMAT_INFO, &info, sizeof info) == 0)
        name = info.name;
    snprintf(file->format, sizeof file->format, "%s", name ? name : "audio");
}

/* Why libsndfile would not open the file; error_code as of sf_error. */
static steno_status refusal(steno_audio_file *file, int error_code, steno_error *error)
{
    const char *name = file->input.name;
    if (file->input.error_number)
        return input_error(&file->input, error);
    const char *format = header_unsupported(&file->input);
    if (format)
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "%s: %s is not supported; convert it first, to FLAC or WAV say", name, format);
    switch (error_code) {
    case SF_ERR_UNRECOGNISED_FORMAT:
        return error_set(error, STENO_ERROR_FORMAT,
            "%s: not audio in a known format (WAV, FLAC, Ogg, Opus, MP3, AIFF, AU, ...)", name);
    case SF_ERR_UNSUPPORTED_ENCODING:
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "%s: its samples are encoded in a way that is not supported", name);
    default:
        return error_set(error, STENO_ERROR_FORMAT, "%s: damaged audio file (%s)", name,
            sf_error_number(error_code));
    }
}

static steno_status check_shape(
    const char *name, int64_t rate_hz, int64_t channels, steno_error *error)
{
    if (rate_hz < STENO_RATE_MIN_HZ || rate_hz > STENO_RATE_MAX_HZ)
        return error_set(error, STENO_ERROR_UNSUPPORTED, "%s: a rate of %lld Hz (%d to %d can be)",
            name, (long long)rate_hz, STENO_RATE_MIN_HZ, STENO_RATE_MAX_HZ);
    if (channels < 1 || channels > STENO_CHANNELS_MAX)
        return error_set(error, STENO_ERROR_UNSUPPORTED, "%s: %lld channels (1 to %d can be)", name,
            (long long)channels, STENO_CHANNELS_MAX);
    return STENO_OK;
}

/* Brings the input into a state in which libsndfile reads all of it: seekable, not empty, with
 * lengths that are true. */
static steno_status prepare(steno_audio_file *file, steno_error *error)
{
    input *in = &file->input;
    if (!in->seekable) {
        steno_status status = input_load(in, STENO_PIPE_MAX_BYTES, error);
        if (status < 0)
            return status;
    }
    unsigned char start[64];
    int64_t count = input_read(in, start, sizeof start);
    input_seek(in, 0, SEEK_SET);
    if (count < 0)
        return input_error(in, error);
    if (count == 0)
        return error_set(error, STENO_ERROR_FORMAT, "%s: empty", in->name);
    if (ogg_opus_begins(start, (size_t)count) && in->size <= OPUS_CHECK_SIZE) {
        steno_status status = input_load(in, OPUS_CHECK_SIZE, error);
        if (status < 0)
            return status;
        ogg_opus_repair(in->owned, (size_t)in->size);
    }
    file->cut = header_is_cut(in);
    return STENO_OK;
}

static steno_status open_sound(steno_audio_file *file, steno_error *error)
{
    steno_status status = prepare(file, error);
    if (status < 0)
        return status;
    bool has_length;
    if (header_is_mpeg(&file->input, &has_length) && !has_length)
        return file_stream_open(&file->input, STENO_AUDIO_MP3, &file->stream, &file->info, error);
    SF_VIRTUAL_IO callbacks = {.get_filelen = virtual_size,
        .seek = virtual_seek,
        .read = virtual_read,
        .write = virtual_write,
        .tell = virtual_tell};
    SF_INFO info = {0};
    file->sound = sf_open_virtual(&callbacks, SFM_READ, &info, file);
    if (!file->sound)
        return refusal(file, sf_error(NULL), error);
    status = check_shape(file->input.name, info.samplerate, info.channels, error);
    if (status < 0)
        return status;

    int type = info.format & SF_FORMAT_TYPEMASK;
    bool known = info.frames >= 0 && info.frames < SF_COUNT_MAX;
    file->length_is_exact = known && type != SF_FORMAT_OGG;
    file->slack_frames = type == SF_FORMAT_MPEG ? MPEG_SLACK_FRAMES : 0;
    set_format(file, info.format);
    file->info = (steno_audio_info){.rate_hz = (uint32_t)info.samplerate,
        .channels = (uint32_t)info.channels,
        .frames = known ? (uint64_t)info.frames : UINT64_MAX,
        .format = file->format,
        .fits_16_bits = fits_16_bits(info.format)};
    return STENO_OK;
}

static steno_status open_raw(
    steno_audio_file *file, const steno_raw_format *raw, steno_error *error)
{
    static const char *const names[] = {"raw s16", "raw f32", "raw mu-law", "raw A-law"};
    size_t sample_size = steno_encoding_size(raw->encoding);
    if (sample_size == 0)
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: unknown raw encoding", file->input.name);
    steno_status status = check_shape(file->input.name, raw->rate_hz, raw->channels, error);
    if (status < 0)
        return status;
    if (file->input.size == 0)
        return error_set(error, STENO_ERROR_FORMAT, "%s: empty", file->input.name);
    file->block = memory_allocate(RAW_BLOCK_SIZE, 1);
    if (!file->block)
        return error_memory(error);
    uint64_t size = file->input.size;
    file->encoding = raw->encoding;
    file->info = (steno_audio_info){.rate_hz = raw->rate_hz,
        .channels = raw->channels,
        .frames = size == UINT64_MAX ? size : size / (sample_size * raw->channels),
        .format = names[raw->encoding],
        .fits_16_bits = raw->encoding != STENO_ENCODING_F32};
    return STENO_OK;
}

/* Takes over the input, also on failure. */
static steno_status open_input(
    input *in, const steno_raw_format *raw, steno_audio_file **out_file, steno_error *error)
{
    steno_audio_file *file = memory_allocate(1, sizeof *file);
    if (!file) {
        input_close(in);
        return error_memory(error);
    }
    file->input = *in;
    if (file->input.descriptor >= 0)
        file->input.source.context = &file->input.descriptor;
    steno_status status = raw ? open_raw(file, raw, error) : open_sound(file, error);
    if (status < 0) {
        steno_audio_close(file);
        return status;
    }
    *out_file = file;
    return STENO_OK;
}

steno_status steno_audio_open(
    const char *path, const steno_raw_format *raw, steno_audio_file **out_file, steno_error *error)
{
    if (!path || !out_file)
        return error_set(error, STENO_ERROR_ARGUMENT, "no path given");
    input in;
    steno_status status = input_open_path(&in, path, error);
    return status < 0 ? status : open_input(&in, raw, out_file, error);
}

steno_status steno_audio_open_memory(const char *name, const void *bytes, size_t size,
    const steno_raw_format *raw, steno_audio_file **out_file, steno_error *error)
{
    if (!name || (!bytes && size > 0) || !out_file)
        return error_set(error, STENO_ERROR_ARGUMENT, "no name or bytes given");
    input in;
    steno_status status = input_open_memory(&in, name, bytes ? bytes : "", size, error);
    return status < 0 ? status : open_input(&in, raw, out_file, error);
}

steno_status steno_audio_open_source(const char *name, const steno_source *source,
    const steno_raw_format *raw, steno_audio_file **out_file, steno_error *error)
{
    if (!name || !source || !source->read || !out_file)
        return error_set(error, STENO_ERROR_ARGUMENT, "no name or source given");
    input in;
    steno_status status = input_open_source(&in, name, source, error);
    return status < 0 ? status : open_input(&in, raw, out_file, error);
}

void steno_audio_close(steno_audio_file *file)
{
    if (!file)
        return;
    if (file->sound)
        sf_close(file->sound);
    file_stream_close(file->stream);
    input_close(&file->input);
    memory_free(file->block);
    memory_free(file);
}

const steno_audio_info *steno_audio_get_info(const steno_audio_file *file)
{
    return &file->info;
}

/* How a file ends: after its last sample, with what is wrong or with STENO_END. */
static steno_status end_of_file(steno_audio_file *file, steno_error *error)
{
    double seconds = (double)file->frames_read / file->info.rate_hz;
    if (file->input.error_number)
        return input_error(&file->input, error);
    if (file->sound && sf_error(file->sound))
        return error_set(error, STENO_ERROR_FORMAT, "%s: damaged after %.2f s (%s)",
            file->input.name, seconds, sf_strerror(file->sound));
    bool missing =
        file->length_is_exact && file->frames_read + file->slack_frames < file->info.frames;
    if (file->cut || missing)
        return error_set(error, STENO_ERROR_FORMAT,
            "%s: truncated: it ends after %.2f s, its header promises more", file->input.name,
            seconds);
    if (file->held > 0)
        return error_set(error, STENO_ERROR_FORMAT,
            "%s: truncated: it ends after %.2f s inside a sample", file->input.name, seconds);
    return STENO_END;
}

static size_t read_sound(steno_audio_file *file, float *samples, size_t frames)
{
    size_t count = 0;
    while (count < frames) {
        size_t channels = file->info.channels;
        sf_count_t got =
            sf_readf_float(file->sound, samples + count * channels, (sf_count_t)(frames - count));
        if (got <= 0)
            break;
        count += (size_t)got;
    }
    for (size_t i = 0; i < count * file->info.channels; i++)
        samples[i] = encoding_clip(samples[i]);
    return count;
}

/* What one read gives, if it is a frame at least, so that a live pipe is never waited for longer
 * than necessary. */
static size_t read_raw(steno_audio_file *file, float *samples, size_t frames)
{
    size_t frame_size = steno_encoding_size(file->encoding) * file->info.channels;
    size_t most = RAW_BLOCK_SIZE / frame_size;
    size_t wanted = (frames < most ? frames : most) * frame_size;
    while (file->held < frame_size) {
        int64_t got = input_read_some(&file->input, file->block + file->held, wanted - file->held);
        if (got <= 0)
            return 0;
        file->held += (size_t)got;
    }
    size_t count = file->held / frame_size;
    size_t used = count * frame_size;
    steno_encoding_to_float(file->encoding, file->block, count * file->info.channels, samples);
    file->held -= used;
    memmove(file->block, file->block + used, file->held);
    return count;
}

steno_status steno_audio_read(
    steno_audio_file *file, float *samples, size_t frames, size_t *out_frames, steno_error *error)
{
    if (!file || !samples || frames == 0 || !out_frames)
        return error_set(error, STENO_ERROR_ARGUMENT, "no file or no room for samples given");
    if (file->stream)
        return file_stream_read(file->stream, samples, frames, out_frames, error);
    size_t count =
        file->sound ? read_sound(file, samples, frames) : read_raw(file, samples, frames);
    file->frames_read += count;
    if (count == 0) {
        steno_status status = end_of_file(file, error);
        if (status == STENO_END)
            *out_frames = 0;
        return status;
    }
    *out_frames = count;
    return STENO_OK;
}
