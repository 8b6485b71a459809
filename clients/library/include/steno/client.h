/*
 * A client of stenod: a stream whose recognition happens on a server, with the results of a stream
 * of the engine (steno/stream.h): the same structs, the same order, the same formatters.
 *
 *     steno_client_options options;
 *     steno_client_options_init(&options);
 *     options.addresses = (const char *[]){"localhost:50051"};
 *     options.address_count = 1;
 *     steno_client_create(&options, &client, &error);
 *     steno_client_stream_open(client, NULL, &stream, &error);
 *     while (there is audio) {
 *         while (steno_client_stream_feed(stream, samples, frames, &taken, &error) == STENO_FULL)
 *             ... steno_client_stream_wait(stream, -1), then offer the rest ...
 *         while (steno_client_stream_next(stream, &result, NULL, &error) == STENO_OK) show(result);
 *     }
 *     steno_client_stream_finish(stream);
 *     for (;;) {
 *         status = steno_client_stream_next(stream, &result, NULL, &error);
 *         if (status == STENO_AGAIN) steno_client_stream_wait(stream, -1);
 *         else if (status == STENO_OK) show(result);
 *         else break;                                  STENO_END, or an error
 *     }
 *     steno_client_stream_destroy(stream);
 *     steno_client_destroy(client);
 *
 * Threads: a client may be used by any number of threads at once, a stream by one at a time.  The
 * client has one thread of its own, beside those of gRPC, that moves bytes; it never calls back
 * but for `ready`.
 *
 * Memory: a stream's is bounded.  Audio that the server does not take yet waits in a buffer made at
 * its creation, and a full one says STENO_FULL; results that are not read are not taken from the
 * network beyond a few, so that the server stops recognising.
 *
 * Several addresses: each stream goes to the first that takes it, streams taking turns at where
 * they begin.  When a server dies or leaves in mid-stream the audio since the last final result is
 * sent to another: finals are neither lost nor given twice, times go on.  For that the stream keeps
 * a little more than options.max_utterance_ms of its audio.  A word that is being said at the place
 * where a final was cut may be heard differently there.
 */
#ifndef STENO_CLIENT_H
#define STENO_CLIENT_H

#include "steno/audio_stream.h"
#include "steno/result.h"
#include "steno/status.h"
#include "steno/stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct steno_client_options {
    /* [address_count], 1 to STENO_CLIENT_ADDRESSES_MAX:
     *     HOST:PORT       without encryption; "[::1]:50051" for IPv6
     *     tls:HOST:PORT   with TLS
     *     unix:PATH       a Unix socket
     *     dns:///NAME:PORT, ipv4:..., ipv6:... and their like: gRPC's own names, also after "tls:"
     */
    const char *const *addresses;
    size_t address_count;

    /* For "tls:" addresses.  PEM files, read by create; NULL: what is said here. */
    const char *ca_file;          /* whom to believe; NULL: the system's authorities */
    const char *certificate_file; /* this client's own, with its chain; NULL: none */
    const char *key_file;         /* and its private key */
    const char *server_name; /* the name in the server's certificate; NULL: that in the address */

    /* Sent as "authorization: Bearer TOKEN" with each call; NULL: none.  Only to "tls:" and to
     * addresses of this machine: elsewhere all could read it, and create refuses. */
    const char *token;

    uint32_t connect_timeout_ms; /* for each address; default 10000, 100..600000 */
} steno_client_options;

enum { STENO_CLIENT_ADDRESSES_MAX = 16 };

STENO_API void steno_client_options_init(steno_client_options *options);

typedef struct steno_client steno_client;

/* Connects to nothing yet.  options and what they point to are copied.  Errors: ARGUMENT (an
 * address that is none, a token that would go in the clear, a certificate without its key, a value
 * out of range), NOT_FOUND, PERMISSION, IO, LIMIT (of the PEM files), FORMAT (no PEM), MEMORY. */
STENO_API steno_status steno_client_create(
    const steno_client_options *options, steno_client **out_client, steno_error *error);
/* All streams must have been destroyed.  NULL is fine. */
STENO_API void steno_client_destroy(steno_client *client);

/* What a server recognises with.  Texts it does not tell are "". */
typedef struct steno_client_model {
    const char *address; /* the server that told it */
    const char *name;
    const char *language;
    const char *licence;
    const char *training_data;
    const char *trained_with;
    const char *word_error_rate;
    uint64_t file_bytes;
    uint64_t parameters;
    uint64_t lm_ngrams;
    uint32_t tokens;
    uint32_t rate_hz;
    uint32_t encoding_ms;
    uint32_t max_chunk_ms;
    const char *precision; /* "f32", "bf16", "int8" */
    const char *operators; /* "onednn" or "reference" */
} steno_client_model;

/* Asks the servers in order until one answers, and waits for it: at most connect_timeout_ms each.
 * *out_model is one block, freed by steno_client_model_destroy.  Errors are the last one's, as
 * those of a stream. */
STENO_API steno_status steno_client_get_model(
    steno_client *client, steno_client_model **out_model, steno_error *error);
STENO_API void steno_client_model_destroy(steno_client_model *model);

typedef struct steno_client_stream_options {
    /* What is fed or written.  RAW (default): samples; others: a file's bytes, by write alone,
     * whose header tells its rate and channels. */
    steno_audio_kind kind;
    uint32_t rate_hz;  /* of RAW: 8000..192000; default 16000 */
    uint32_t channels; /* of RAW, interleaved: 1..8; default 1 */
    steno_encoding
        encoding; /* of RAW: of what is written, and how samples fed travel: F32 (default)
                     exactly as they are, S16 rounded to 16 bits in half the bytes */

    /* What is recognised.  With per_channel each channel apart, told by next's channel. */
    bool per_channel;
    uint32_t channel; /* 0: the mean of all (default); 1..channels: that one, RAW by feed only */

    const char *language;        /* "en", "en-GB", ...; NULL: the server's */
    uint32_t chunk_ms;           /* 160, 320, 640 or 1280; 0 (default): the server's choice */
    bool interim;                /* default false */
    bool interim_word_times;     /* words with times in interim results, too; default false */
    bool endpointing;            /* default true */
    uint32_t endpoint_ms;        /* default 800, 400..10000; the model's own pause, where longer */
    uint32_t max_utterance_ms;   /* default 20000, 5000..60000 */
    uint32_t max_alternatives;   /* default 1, 1..10 */
    bool activity;               /* give events; of several channels together; default false */
    const steno_phrase *phrases; /* [phrase_count], copied; NULL if there are none */
    size_t phrase_count;         /* 0..STENO_PHRASES_MAX */

    /* Called on the client's thread when next may have something, or feed room after STENO_FULL:
     * must return quickly and must not call the stream; may be NULL. */
    void (*ready)(void *context);
    void *ready_context;
} steno_client_stream_options;

STENO_API void steno_client_stream_options_init(steno_client_stream_options *options);

typedef struct steno_client_stream steno_client_stream;

/* Begins a stream and returns at once: whether a server takes it, feed and next tell.  options:
 * NULL for defaults.  Errors: ARGUMENT and LIMIT name the option; MEMORY; INTERNAL. */
STENO_API steno_status steno_client_stream_open(steno_client *client,
    const steno_client_stream_options *options, steno_client_stream **out_stream,
    steno_error *error);
/* At any time; cancels what is under way.  NULL is fine. */
STENO_API void steno_client_stream_destroy(steno_client_stream *stream);

/* Offers interleaved samples [frames, channels]; *out_taken says how many frames were taken, as
 * steno_stream_feed: STENO_OK all, STENO_FULL not all.  Samples beyond [-1, 1] are clipped, what is
 * no number becomes 0.  STENO_ERROR_STATE after finish; STENO_ERROR_ARGUMENT where `kind` is not
 * RAW or the encoding neither F32 nor S16; otherwise errors are those of next. */
STENO_API steno_status steno_client_stream_feed(steno_client_stream *stream, const float *samples,
    size_t frames, size_t *out_taken, steno_error *error);
/* The same with bytes: of samples in `encoding`, or of a file of `kind`; cut anywhere. */
STENO_API steno_status steno_client_stream_write(steno_client_stream *stream, const void *bytes,
    size_t size, size_t *out_taken, steno_error *error);

/* What was fed so far becomes final at once; the stream goes on.  STENO_FULL where many flushes
 * wait to be sent; STENO_ERROR_STATE after finish. */
STENO_API steno_status steno_client_stream_flush(steno_client_stream *stream);
/* The audio is over.  STENO_ERROR_STATE the second time. */
STENO_API steno_status steno_client_stream_finish(steno_client_stream *stream);

/* The next result, valid until the next call of next on this stream; *out_channel (may be NULL): 1,
 * 2, ... with per_channel, else 0.  STENO_AGAIN: none now.  STENO_END: that was the last.  Errors
 * come after the last result of the server, stick, and name its address:
 *     NOT_FOUND    it can't be reached: no such host, nobody listens, no answer in time
 *     PERMISSION   its certificate or ours is not believed, or our token is not
 *     LIMIT        it is full
 *     ARGUMENT     it refuses an option, or the audio
 *     UNSUPPORTED  it is no Steno server, or one that can't do what was asked
 *     IO           the connection was lost, or the server ends
 *     MEMORY, INTERNAL */
STENO_API steno_status steno_client_stream_next(steno_client_stream *stream,
    const steno_result **out_result, unsigned *out_channel, steno_error *error);

/* Waits until next may have something other than STENO_AGAIN, or feed has room after STENO_FULL, or
 * timeout_ms have passed (negative: for ever).  STENO_OK, also now and then without either;
 * STENO_AGAIN on time-out. */
STENO_API steno_status steno_client_stream_wait(steno_client_stream *stream, int timeout_ms);

/* Milliseconds of audio fed, and known to be recognised; with a `kind` other than RAW 0 is fed. */
STENO_API uint64_t steno_client_stream_fed_ms(const steno_client_stream *stream);
STENO_API uint64_t steno_client_stream_done_ms(const steno_client_stream *stream);

/* The server that it is with now; lives as long as the client. */
STENO_API const char *steno_client_stream_address(const steno_client_stream *stream);
/* How often it was moved to another. */
STENO_API uint32_t steno_client_stream_moves(const steno_client_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
