/*
 * Microphones by PortAudio.  Its callback, on a thread of PortAudio's with real-time priority where
 * the system allows it, puts the samples into an intake and leaves; reading takes them out again,
 * and notices when the device has stopped giving any.  Nobody is woken by the callback, as that
 * would be a system call in it: who reads looks again after some milliseconds, which a device's
 * own blocks take anyway.
 *
 * PortAudio makes its list of devices when it is initialised and keeps it until it is terminated
 * as often as it was initialised, so each list and each capture does both: with nothing open, a new
 * list is what is there now.  That is how a microphone that was unplugged is found again.
 */
#include <math.h>
#include <portaudio.h>
#include <stdatomic.h>
#include <stdio.h>

#include "audio/devices.h"
#include "audio/intake.h"
#include "base/error.h"
#include "base/memory.h"
#include "steno/audio.h"
#include "steno/capture.h"

enum {
    BUFFER_DEFAULT_MS = 5000,
    BUFFER_MIN_MS = 100,
    BUFFER_MAX_MS = 60000,
    SILENT_SECONDS = 3, /* a device that gives nothing for so long is lost */
    LOOK_SECONDS = 1,   /* that a look counts for this */
};

/* What is asked of the device, which trades it against missed blocks on a busy machine; a chunk of
 * the recogniser's is several times as long. */
#define LATENCY_SECONDS 0.05

/* Several times as long as a device takes between two blocks. */
#define ALIVE_SECONDS 0.5

struct steno_device_list {
    steno_device *devices;  /* [count] */
    PaDeviceIndex *indices; /* [count] */
    size_t count;
};

struct steno_capture {
    bool initialised; /* PortAudio, by us */
    PaStream *stream;
    char *device, *system;
    steno_capture_info info;
    intake *intake;
    atomic_uint_fast64_t overruns; /* counted by the callback */

    /* the reader's */
    bool stopped;
    steno_error failure;   /* sticks */
    uint64_t offered_seen; /* frames offered when it last looked */
    double offered_time;   /* and when it last saw more of them, */
    double looked_time;    /* or found nothing to read */
};

bool steno_capture_is_supported(void)
{
    return true;
}

/* What PortAudio means by `code`, with the words of the system under it where that has some. */
static steno_status fail(steno_error *error, const char *name, PaError code)
{
    const char *reason = Pa_GetErrorText(code);
    steno_status status = STENO_ERROR_IO;
    if (code == paInsufficientMemory)
        return error_memory(error);
    if (code == paDeviceUnavailable)
        reason = "in use by another program, or gone";
    if (code == paInvalidSampleRate || code == paInvalidChannelCount ||
        code == paSampleFormatNotSupported)
        status = STENO_ERROR_UNSUPPORTED;
    if (code == paUnanticipatedHostError) {
        const PaHostErrorInfo *host = Pa_GetLastHostErrorInfo();
        if (host && host->errorText && host->errorText[0] != '\0')
            reason = host->errorText;
    }
    return error_set(error, status, "%s: %s", name, reason);
}

static steno_status initialise(steno_error *error)
{
    PaError code = Pa_Initialize();
    return code == paNoError ? STENO_OK : fail(error, "the sound system", code);
}

static PaStreamParameters parameters(PaDeviceIndex index, uint32_t channels)
{
    double high = Pa_GetDeviceInfo(index)->defaultHighInputLatency;
    return (PaStreamParameters){
        .device = index,
        .channelCount = (int)channels,
        .sampleFormat = paFloat32,
        .suggestedLatency = high > LATENCY_SECONDS ? high : LATENCY_SECONDS,
    };
}

/* A device of two channels may have its microphone on either; of one with more (a sound server's,
 * that mixes by itself, or a studio's) the first is taken. */
static uint32_t usual_channels(uint32_t channels_max)
{
    return channels_max <= 2 ? channels_max : 1;
}

static void probe_rates(PaDeviceIndex index, steno_device *device)
{
    PaStreamParameters input = parameters(index, usual_channels(device->channels_max));
    device->rate_count = 0;
    for (size_t i = 0; i < STENO_DEVICE_RATES_MAX; i++)
        if (Pa_IsFormatSupported(&input, NULL, devices_usual_rates_hz[i]) == paFormatIsSupported)
            device->rates_hz[device->rate_count++] = devices_usual_rates_hz[i];
}

static steno_status add(
    steno_device_list *list, PaDeviceIndex index, const PaDeviceInfo *info, steno_error *error)
{
    const PaHostApiInfo *host = Pa_GetHostApiInfo(info->hostApi);
    steno_device *device = &list->devices[list->count];
    *device = (steno_device){
        .number = (uint32_t)list->count + 1,
        .name = memory_duplicate(info->name ? info->name : ""),
        .system = memory_duplicate(host && host->name ? host->name : ""),
        .channels_max = (uint32_t)info->maxInputChannels,
        .rate_hz = info->defaultSampleRate > 0 ? (uint32_t)lround(info->defaultSampleRate) : 0,
        .is_default = index == Pa_GetDefaultInputDevice(),
    };
    list->indices[list->count++] = index;
    return device->name && device->system ? STENO_OK : error_memory(error);
}

/* With PortAudio initialised. */
static steno_status gather(steno_device_list **out_list, steno_error *error)
{
    PaDeviceIndex count = Pa_GetDeviceCount();
    if (count < 0)
        return fail(error, "the sound system", count);
    steno_status status = STENO_OK;
    steno_device_list *list = memory_allocate(1, sizeof *list);
    if (!list)
        return error_memory(error);
    list->devices = memory_allocate((size_t)count, sizeof *list->devices);
    list->indices = memory_allocate((size_t)count, sizeof *list->indices);
    if (!list->devices || !list->indices)
        status = error_memory(error);
    for (PaDeviceIndex i = 0; i < count && status == STENO_OK; i++) {
        const PaDeviceInfo *info = Pa_GetDeviceInfo(i);
        if (info && info->maxInputChannels > 0)
            status = add(list, i, info, error);
    }
    if (status == STENO_OK)
        *out_list = list;
    else
        steno_device_list_destroy(list);
    return status;
}

steno_status steno_device_list_create(bool probe, steno_device_list **out_list, steno_error *error)
{
    steno_status status = initialise(error);
    if (status < 0)
        return status;
    steno_device_list *list;
    status = gather(&list, error);
    if (status == STENO_OK) {
        for (size_t i = 0; probe && i < list->count; i++)
            probe_rates(list->indices[i], &list->devices[i]);
        *out_list = list;
    }
    Pa_Terminate();
    return status;
}

void steno_device_list_destroy(steno_device_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++) {
        memory_free((char *)list->devices[i].name);
        memory_free((char *)list->devices[i].system);
    }
    memory_free(list->devices);
    memory_free(list->indices);
    memory_free(list);
}

const steno_device *steno_device_list_get(const steno_device_list *list, size_t *out_count)
{
    *out_count = list->count;
    return list->devices;
}

steno_status steno_device_list_find(const steno_device_list *list, const char *wanted,
    const steno_device **out_device, steno_error *error)
{
    return devices_find(list->devices, list->count, wanted, out_device, error);
}

/* On PortAudio's thread: no lock, no allocation, no system call. */
static int take(const void *input, void *output, unsigned long frames,
    const PaStreamCallbackTimeInfo *time, PaStreamCallbackFlags flags, void *context)
{
    steno_capture *self = context;
    /* Relaxed: the count orders nothing. */
    if (flags & paInputOverflow)
        atomic_fetch_add_explicit(&self->overruns, 1, memory_order_relaxed);
    if (input)
        intake_write(self->intake, input, frames);
    return paContinue;
}

static steno_status check_options(const steno_capture_options *options, steno_error *error)
{
    if (options->rate_hz != 0 &&
        (options->rate_hz < STENO_RATE_MIN_HZ || options->rate_hz > STENO_RATE_MAX_HZ))
        return error_set(error, STENO_ERROR_ARGUMENT, "rate_hz: %u is not from %d to %d",
            (unsigned)options->rate_hz, STENO_RATE_MIN_HZ, STENO_RATE_MAX_HZ);
    if (options->channels > STENO_CHANNELS_MAX)
        return error_set(error, STENO_ERROR_ARGUMENT, "channels: %u is more than %d",
            (unsigned)options->channels, STENO_CHANNELS_MAX);
    if (options->buffer_ms != 0 &&
        (options->buffer_ms < BUFFER_MIN_MS || options->buffer_ms > BUFFER_MAX_MS))
        return error_set(error, STENO_ERROR_ARGUMENT, "buffer_ms: %u is not from %d to %d",
            (unsigned)options->buffer_ms, BUFFER_MIN_MS, BUFFER_MAX_MS);
    return STENO_OK;
}

/* The device has no such rate: says which it has. */
static steno_status refuse_rate(
    const steno_device *device, PaDeviceIndex index, uint32_t rate_hz, steno_error *error)
{
    steno_device probed = *device;
    probe_rates(index, &probed);
    char rates[128] = "";
    for (size_t i = 0, used = 0; i < probed.rate_count; i++)
        used += (size_t)snprintf(rates + used, sizeof rates - used, "%s%u", i > 0 ? ", " : "",
            (unsigned)probed.rates_hz[i]);
    if (probed.rate_count == 0)
        return fail(error, device->name, paInvalidSampleRate);
    return error_set(error, STENO_ERROR_UNSUPPORTED, "%s: does not take %u Hz, but %s",
        device->name, (unsigned)rate_hz, rates);
}

static PaError open_stream(
    steno_capture *self, PaDeviceIndex index, uint32_t rate_hz, uint32_t channels)
{
    PaStreamParameters input = parameters(index, channels);
    PaError code = Pa_OpenStream(
        &self->stream, &input, NULL, rate_hz, paFramesPerBufferUnspecified, paNoFlag, take, self);
    if (code == paNoError) {
        self->info.rate_hz = rate_hz;
        self->info.channels = channels;
    } else {
        self->stream = NULL;
    }
    return code;
}

/* Opens with the rate and the channels asked for, or the first that the device takes. */
static steno_status open_device(steno_capture *self, const steno_device *device,
    PaDeviceIndex index, const steno_capture_options *options, steno_error *error)
{
    uint32_t rates[STENO_DEVICE_RATES_MAX + 1] = {options->rate_hz};
    size_t count = options->rate_hz != 0 ? 1 : devices_rates(device->rate_hz, rates);
    uint32_t channels =
        options->channels != 0 ? options->channels : usual_channels(device->channels_max);
    if (channels > device->channels_max)
        return error_set(error, STENO_ERROR_UNSUPPORTED, "%s: has %u channel%s, not %u",
            device->name, (unsigned)device->channels_max, device->channels_max == 1 ? "" : "s",
            (unsigned)channels);
    PaError code = paInvalidSampleRate;
    for (size_t i = 0; i < count && code == paInvalidSampleRate; i++)
        code = open_stream(self, index, rates[i], channels);
    if (code == paInvalidSampleRate && options->rate_hz != 0)
        return refuse_rate(device, index, options->rate_hz, error);
    return code == paNoError ? STENO_OK : fail(error, device->name, code);
}

static steno_status start(
    steno_capture *self, const steno_capture_options *options, steno_error *error)
{
    uint32_t buffer_ms = options->buffer_ms != 0 ? options->buffer_ms : BUFFER_DEFAULT_MS;
    size_t frames = (size_t)((uint64_t)self->info.rate_hz * buffer_ms / 1000);
    steno_status status = intake_create(frames, self->info.channels, &self->intake, error);
    if (status < 0)
        return status;
    PaError code = Pa_StartStream(self->stream);
    if (code != paNoError)
        return fail(error, self->device, code);
    const PaStreamInfo *info = Pa_GetStreamInfo(self->stream);
    self->info.latency_ms = info ? (uint32_t)lround(info->inputLatency * 1000) : 0;
    self->offered_time = self->looked_time = Pa_GetStreamTime(self->stream);
    return STENO_OK;
}

static steno_status find_and_open(
    steno_capture *self, const steno_capture_options *options, steno_error *error)
{
    steno_device_list *list;
    const steno_device *device;
    steno_status status = gather(&list, error);
    if (status < 0)
        return status;
    status = steno_device_list_find(list, options->device, &device, error);
    if (status == STENO_OK) {
        self->info.device = self->device = memory_duplicate(device->name);
        self->info.system = self->system = memory_duplicate(device->system);
        status = self->device && self->system ? STENO_OK : error_memory(error);
    }
    if (status == STENO_OK)
        status = open_device(self, device, list->indices[device - list->devices], options, error);
    steno_device_list_destroy(list);
    return status;
}

steno_status steno_capture_open(
    const steno_capture_options *options, steno_capture **out_capture, steno_error *error)
{
    static const steno_capture_options defaults = {0};
    if (!options)
        options = &defaults;
    steno_status status = check_options(options, error);
    if (status < 0)
        return status;
    steno_capture *self = memory_allocate(1, sizeof *self);
    if (!self)
        return error_memory(error);
    status = initialise(error);
    self->initialised = status == STENO_OK;
    if (status == STENO_OK)
        status = find_and_open(self, options, error);
    if (status == STENO_OK)
        status = start(self, options, error);
    if (status == STENO_OK)
        *out_capture = self;
    else
        steno_capture_close(self);
    return status;
}

void steno_capture_close(steno_capture *self)
{
    if (!self)
        return;
    steno_capture_stop(self);
    if (self->stream)
        Pa_CloseStream(self->stream);
    if (self->initialised)
        Pa_Terminate();
    intake_destroy(self->intake);
    memory_free(self->device);
    memory_free(self->system);
    memory_free(self);
}

const steno_capture_info *steno_capture_get_info(const steno_capture *self)
{
    return &self->info;
}

/* Nothing was there to read: AGAIN, or a failure where that has lasted too long.  Time in which
 * nobody looked, because the program was stopped for instance, and the device with it, does not
 * count. */
static steno_status judge_silence(steno_capture *self)
{
    double now = Pa_GetStreamTime(self->stream);
    uint64_t offered = intake_offered(self->intake);
    if (now - self->looked_time > LOOK_SECONDS)
        self->offered_time += now - self->looked_time - LOOK_SECONDS;
    self->looked_time = now;
    if (offered != self->offered_seen) {
        self->offered_seen = offered;
        self->offered_time = now;
    }
    if (now - self->offered_time > SILENT_SECONDS)
        return error_set(
            &self->failure, STENO_ERROR_IO, "%s: gives no audio any more", self->device);
    return STENO_AGAIN;
}

steno_status steno_capture_read(steno_capture *self, float *samples, size_t capacity,
    size_t *out_frames, uint64_t *out_lost, steno_error *error)
{
    if (self->failure.status < 0)
        goto failed;
    /* Asked before reading: what comes until the device is inactive is read below. */
    bool active = self->stopped || Pa_IsStreamActive(self->stream) == 1;
    uint64_t lost;
    size_t frames = intake_read(self->intake, samples, capacity, &lost);
    if (frames > 0) {
        *out_frames = frames;
        *out_lost = lost;
        return STENO_OK;
    }
    if (self->stopped)
        return STENO_END;
    if (!active)
        error_set(&self->failure, STENO_ERROR_IO, "%s: the device is gone", self->device);
    else if (judge_silence(self) == STENO_AGAIN)
        return STENO_AGAIN;

failed:
    if (error)
        *error = self->failure;
    return self->failure.status;
}

/* Stopping waits for PortAudio's thread, which may wait for a device that gives nothing any more;
 * aborting does not.  While audio comes stopping is better, as it interrupts nothing halfway.
 * (PortAudio 19.6 has one case in which neither returns: its thread runs in circles where a device
 * goes at the wrong moment, before it has given its first block for instance.) */
void steno_capture_stop(steno_capture *self)
{
    if (self->stream && self->intake && !self->stopped) {
        bool alive = self->failure.status == STENO_OK &&
                     (intake_offered(self->intake) != self->offered_seen ||
                         Pa_GetStreamTime(self->stream) - self->offered_time < ALIVE_SECONDS);
        if (alive)
            Pa_StopStream(self->stream);
        else
            Pa_AbortStream(self->stream);
    }
    self->stopped = true;
}

void steno_capture_get_counts(const steno_capture *self, steno_capture_counts *out_counts)
{
    *out_counts = (steno_capture_counts){
        .frames = intake_offered(self->intake),
        .lost_frames = intake_lost(self->intake),
        .device_overruns = atomic_load_explicit(&self->overruns, memory_order_relaxed),
    };
}
