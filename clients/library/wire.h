/*
 * The messages of steno.v1 as plain structs: wire.c is the only code of the library that sees
 * generated protobuf.
 */
#ifndef CLIENT_WIRE_H
#define CLIENT_WIRE_H

#include "proto/message_memory.h"
#include "steno/client.h"

#define WIRE_STREAMING "/steno.v1.Speech/StreamingRecognize"
#define WIRE_GET_MODEL "/steno.v1.Speech/GetModel"

/* How often the server is to say how far it is, in audio. */
enum { WIRE_PROGRESS_MS = 1000 };

/* Bytes that an audio message has besides the audio, at most. */
enum { WIRE_AUDIO_HEAD = 16 };

/* The first message of a stream, one block of memory_allocate.  MEMORY. */
steno_status wire_write_config(const steno_client_stream_options *options, uint8_t **out_bytes,
    size_t *out_size, steno_error *error);
/* The others; `out` has room for WIRE_AUDIO_HEAD and the audio.  Their sizes. */
size_t wire_write_audio(const uint8_t *audio, size_t size, uint8_t *out);
size_t wire_write_flush(uint8_t *out);

typedef struct wire_reply {
    bool has_result; /* also an event's */
    steno_result result;
    unsigned channel;
    uint64_t audio_ms; /* recognised by then; 0: not said */
} wire_reply;

/* What a reply says; what it points to lives in `memory`, which is reset first.  ms are added to
 * all times.  FORMAT: not a message of ours; MEMORY. */
steno_status wire_read_reply(message_memory *memory, const uint8_t *bytes, size_t size, uint64_t ms,
    wire_reply *out_reply, steno_error *error);

/* One block.  FORMAT, MEMORY. */
steno_status wire_read_model(const char *address, const uint8_t *bytes, size_t size,
    steno_client_model **out_model, steno_error *error);

#endif
