/*
 * Captures of a server: what stenod itself listens to, the microphone of a lecture hall say, as
 * captions for anyone who watches.
 *
 *     steno_client_watch_options options;
 *     steno_client_watch_options_init(&options);
 *     options.capture = "hall";
 *     steno_client_watch_open(client, &options, &watch, &error);
 *     for (;;) {
 *         status = steno_client_watch_next(watch, &caption, &error);
 *         if (status == STENO_AGAIN) steno_client_watch_wait(watch, -1);
 *         else if (status == STENO_OK) ... caption->kind says what came; last = caption->id ...
 *         else break;                                  the server has gone, say
 *     }
 *     steno_client_watch_destroy(watch);
 *
 * Who comes back opens another watch with options.after_id = last: nothing is lost and nothing
 * comes twice, as far as the server still knows.  Ids are those of one server: a watch is with the
 * client's first.
 *
 * A watch is used by one thread at a time.  Memory is bounded: captions that are not read are not
 * taken from the network beyond a few.
 */
#ifndef STENO_CLIENT_CAPTIONS_H
#define STENO_CLIENT_CAPTIONS_H

#include "steno/client.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum steno_client_capture_state {
    STENO_CAPTURE_STARTING,
    STENO_CAPTURE_LISTENING,
    STENO_CAPTURE_WAITING, /* for its device, which is tried again and again */
    STENO_CAPTURE_ENDED,   /* a file is over */
} steno_client_capture_state;

/* "starting", "listening", ... */
STENO_API const char *steno_client_capture_state_name(steno_client_capture_state state);

typedef struct steno_client_capture_status {
    steno_client_capture_state state;
    const char *device;       /* what it listens to */
    const char *reason;       /* for a person: why it waits, or what is wrong; "" */
    uint64_t heard_ms;        /* audio so far */
    uint64_t lost_ms;         /* of that, what was missing: */
    uint32_t gaps;            /* in so many places */
    uint32_t device_overruns; /* times the device lost audio, nobody knows how much */
} steno_client_capture_status;

typedef struct steno_client_capture {
    const char *name;
    const char *about; /* what it is to listen to */
    steno_client_capture_status status;
    uint64_t finals;   /* said so far */
    uint32_t watchers; /* now */
} steno_client_capture;

typedef struct steno_client_captures {
    const char *address; /* the server that told */
    size_t count;
    const steno_client_capture *items; /* [count] */
} steno_client_captures;

/* Asks the servers in order until one answers, as steno_client_get_model.  *out_captures is freed
 * by steno_client_captures_destroy. */
STENO_API steno_status steno_client_list_captures(
    steno_client *client, steno_client_captures **out_captures, steno_error *error);
STENO_API void steno_client_captures_destroy(steno_client_captures *captures);

typedef enum steno_caption_kind {
    STENO_CAPTION_RESULT, /* final or interim */
    STENO_CAPTION_STATUS,
    STENO_CAPTION_GAP, /* finals that this watch was too slow for, or came back too late */
} steno_caption_kind;

typedef struct steno_client_caption {
    steno_caption_kind kind;
    uint64_t id;      /* grows, also over restarts of the server.  The first caption of a watch is
                         a status with the id after which the rest begins: after_id, unless that is
                         0 or the server was started anew since */
    uint64_t unix_ms; /* when the server said it */

    /* RESULT: one alternative; times are of audio since the capture began to listen.  An interim
     * without words takes back the one before.  sequence: of finals, from 1 with each start of the
     * server; an interim has that of the next final. */
    steno_result result;
    uint64_t sequence;

    steno_client_capture_status status; /* STATUS */

    /* GAP.  first_missed 0: the one after the last that was seen before coming back. */
    uint64_t first_missed, last_missed;
} steno_client_caption;

typedef struct steno_client_watch_options {
    const char *capture; /* its name */
    bool interim;        /* default false */
    uint64_t after_id;   /* of the last caption seen; 0 (default): none was */
    bool only_new;       /* with after_id 0: nothing of before; default false */
    uint32_t recent;     /* with after_id 0: so many finals of before; 0 (default): all there are */

    /* Called on the client's thread when next may have something: must return quickly and must not
     * call the watch; may be NULL. */
    void (*ready)(void *context);
    void *ready_context;
} steno_client_watch_options;

STENO_API void steno_client_watch_options_init(steno_client_watch_options *options);

typedef struct steno_client_watch steno_client_watch;

/* Begins to watch and returns at once.  Errors: ARGUMENT, MEMORY, INTERNAL. */
STENO_API steno_status steno_client_watch_open(steno_client *client,
    const steno_client_watch_options *options, steno_client_watch **out_watch, steno_error *error);
/* At any time.  NULL is fine. */
STENO_API void steno_client_watch_destroy(steno_client_watch *watch);

/* The next caption, valid until the next call of next on this watch.  STENO_AGAIN: none now. Errors
 * are those of steno_client_stream_next, stick, and come after the last caption; ARGUMENT: there is
 * no capture of that name.  There is no other end. */
STENO_API steno_status steno_client_watch_next(
    steno_client_watch *watch, const steno_client_caption **out_caption, steno_error *error);

/* Waits until next may have something other than STENO_AGAIN, or timeout_ms have passed (negative:
 * for ever).  STENO_OK, also now and then without; STENO_AGAIN on time-out. */
STENO_API steno_status steno_client_watch_wait(steno_client_watch *watch, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
