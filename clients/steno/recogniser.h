/*
 * Where recognition happens: by an engine in this process (recogniser_engine.c) or on a server
 * (server.c).  A recogniser is shared by all recordings; a hearing is one recording, or
 * one live source, with all its channels.
 *
 *     hearing_open(recogniser, &setting, info, &hearing, &error);
 *     while (there is audio) {
 *         while (hearing_feed(hearing, samples, frames, &taken, &error) == STENO_FULL)
 *             ... take results, hearing_wait, offer the rest ...
 *         while (hearing_next(hearing, &result, &channel, &error) == STENO_OK) ... use it ...
 *     }
 *     hearing_finish(hearing);
 *     ... hearing_next and hearing_wait until STENO_END ...
 *     hearing_destroy(hearing);
 *
 * A recogniser is used by any thread, a hearing by one at a time.
 */
#ifndef STENO_RECOGNISER_H
#define STENO_RECOGNISER_H

#include "options.h"
#include "steno/audio.h"
#include "steno/engine.h"
#include "steno/model.h"
#include "steno/stream.h"

typedef struct hearing hearing;
typedef struct recogniser recogniser;

typedef struct hearing_setting {
    steno_stream_options stream; /* but rate and channels, which the audio says */
    bool per_channel;            /* each channel apart; otherwise stream.channel */
} hearing_setting;

/* What the kinds of recogniser do, and their hearings; as the functions below. */
typedef struct recogniser_kind {
    bool is_remote;
    void (*destroy)(recogniser *self);
    steno_status (*check)(recogniser *self, const hearing_setting *setting, steno_error *error);
    steno_status (*open)(recogniser *self, const hearing_setting *setting,
        const steno_audio_info *info, hearing **out_hearing, steno_error *error);

    void (*close)(hearing *self);
    steno_status (*feed)(
        hearing *self, const float *samples, size_t frames, size_t *out_taken, steno_error *error);
    void (*finish)(hearing *self);
    steno_status (*next)(
        hearing *self, const steno_result **out_result, unsigned *out_channel, steno_error *error);
    steno_status (*wait)(hearing *self, int timeout_ms);
    uint64_t (*fed_ms)(const hearing *self);
    uint64_t (*done_ms)(const hearing *self);
} recogniser_kind;

/* The beginning of each kind's own struct. */
struct recogniser {
    const recogniser_kind *kind;
};
struct hearing {
    const recogniser_kind *kind;
};

/* An engine in this process: `threads` as steno_engine_options.  Takes a reference to the model. */
steno_status recogniser_create_engine(
    steno_model *model, uint32_t threads, recogniser **out_recogniser, steno_error *error);
/* A server, or several, as the command line says (server.h), without speaking to it yet.
 * Errors: those of steno_client_create and of reading the token; ARGUMENT where steno is built
 * without. */
steno_status recogniser_create_server(
    const option_values *options, recogniser **out_recogniser, steno_error *error);
/* After all its hearings.  NULL is fine. */
void recogniser_destroy(recogniser *self);
/* Elsewhere: it may be slow, go away or be full. */
bool recogniser_is_remote(const recogniser *self);

/* Finds fault with a setting before there is any audio, as far as that can be; waits for the answer
 * of a server. */
steno_status recogniser_check(recogniser *self, const hearing_setting *setting, steno_error *error);

steno_status hearing_open(recogniser *self, const hearing_setting *setting,
    const steno_audio_info *info, hearing **out_hearing, steno_error *error);
/* At any time.  NULL is fine. */
void hearing_destroy(hearing *self);

/* Interleaved samples [frames, channels]: *out_taken of them were taken; STENO_OK: all;
 * STENO_FULL: no more now. */
steno_status hearing_feed(
    hearing *self, const float *samples, size_t frames, size_t *out_taken, steno_error *error);
/* The audio is over. */
void hearing_finish(hearing *self);

/* The next result, valid until the next call of hearing_next, and its channel (0: the mix, or the
 * chosen one).  STENO_AGAIN: none now; STENO_END: that was the last. */
steno_status hearing_next(
    hearing *self, const steno_result **out_result, unsigned *out_channel, steno_error *error);
/* Until there is something to do, or timeout_ms have passed (negative: for ever); may return early.
 */
steno_status hearing_wait(hearing *self, int timeout_ms);

/* Audio fed, and recognised in all channels. */
uint64_t hearing_fed_ms(const hearing *self);
uint64_t hearing_done_ms(const hearing *self);

#endif
