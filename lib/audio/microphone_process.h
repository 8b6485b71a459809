/*
 * What a microphone and its process know of each other: a socket between them, which is the
 * process's standard input, and a variable of its environment that makes it one.
 *
 * Through the socket come messages: one OPENED, then AUDIO after AUDIO, and FAILED when that can't
 * be or is over.  Both ends are the same program, so structs go as they lie in memory.  The other
 * way nothing is sent: when the microphone shuts that direction, the process is to stop, and hands
 * over what had come, then ENDED.
 */
#ifndef AUDIO_MICROPHONE_PROCESS_H
#define AUDIO_MICROPHONE_PROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "steno/capture.h"

/* "RATE CHANNELS BUFFER_MS", then for a device that is named a space and its name. */
#define MICROPHONE_VARIABLE "STENO_MICROPHONE"

enum { MICROPHONE_FLOATS_MAX = 16384 }; /* in a message */

typedef enum message_kind {
    MESSAGE_OPENED = 1,
    MESSAGE_AUDIO,
    MESSAGE_FAILED,
    MESSAGE_ENDED, /* without a body */
} message_kind;

typedef struct message_head {
    uint32_t kind;
    uint32_t body_bytes;
} message_head;

typedef struct message_opened {
    char device[256], system[64];
    uint32_t rate_hz, channels, latency_ms;
} message_opened;

typedef struct message_audio {
    uint64_t lost_frames; /* just before these */
    steno_capture_counts counts;
    uint32_t frames;
    float samples[MICROPHONE_FLOATS_MAX]; /* [frames, channels]; the message ends behind them */
} message_audio;

typedef struct message_failed {
    steno_error error;
    uint32_t found_none; /* not 0: there is no microphone at all */
} message_failed;

typedef struct message {
    message_head head;
    union {
        message_opened opened;
        message_audio audio;
        message_failed failed;
    };
} message;

/* Of a message with so many samples, its bytes behind the head. */
static inline size_t message_audio_bytes(size_t samples)
{
    return offsetof(message_audio, samples) + samples * sizeof(float);
}

#endif
