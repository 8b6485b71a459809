/*
 * The results of one stream between the worker that makes them and the owner that reads them:
 * final results in a ring of bytes, none ever lost, and the newest interim result.
 *
 * Results are copied in whole, so that the owner can look at one while the worker goes on.
 *
 *     worker:  outbox_put_final(...), outbox_put_interim(...)    unlocked, not yet visible
 *              outbox_publish()                                  with the stream's mutex held
 *     owner:   outbox_take(&result)                              with the stream's mutex held
 *
 * The outbox has no locks of its own; each function says what it needs.
 */
#ifndef RECOGNIZER_OUTBOX_H
#define RECOGNIZER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "steno/result.h"

typedef struct outbox outbox;

/* Bytes that a result of one alternative with so many words, of so many letters in all, takes. */
size_t outbox_result_bytes(size_t alternatives, size_t words, size_t letters);

/* turn_bytes: what the results put between two publishes take at most.  interim: whether there
 * are interim results. */
steno_status outbox_create(
    size_t turn_bytes, bool interim, outbox **out_outbox, steno_error *error);
void outbox_destroy(outbox *outbox);

/* Whether the results of one more turn fit.  Mutex held. */
bool outbox_has_room(const outbox *outbox);

/* Copies a result; events are put like finals.  Times beyond limit_ms become limit_ms.
 * STENO_ERROR_LIMIT if it does not fit, which outbox_has_room and turn_bytes should have prevented.
 * Worker only, without the mutex. */
steno_status outbox_put_final(outbox *outbox, const steno_result *result, uint64_t limit_ms);
steno_status outbox_put_interim(outbox *outbox, const steno_result *result, uint64_t limit_ms);

/* Makes visible what was put: true if there is anything new.  A new final result (an event is none)
 * drops the interim result before it, which spoke of the same words.  Mutex held. */
bool outbox_publish(outbox *outbox);

/* Whether outbox_take has something.  Mutex held. */
bool outbox_has_result(const outbox *outbox);
/* The oldest final result, else the interim result, else NULL.  Valid until the next outbox_take
 * or outbox_release.  Mutex held. */
const steno_result *outbox_take(outbox *outbox);
/* Gives back the room of the result taken last.  Mutex held. */
void outbox_release(outbox *outbox);

#endif
