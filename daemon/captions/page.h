/*
 * Captions for people: pages that a browser shows, streams of events for them, and files to take
 * away, as an http_handler.
 *
 *     /captions              the captures there are
 *     /captions/NAME         the captions of one, live
 *     /captions/NAME/events  what the page reads (feed.h); Last-Event-ID, or ?after=ID,
 *                            goes on after an event; else ?recent=N finals come first
 *     /captions/NAME.srt     what has been said, as far as it is kept; also .vtt, .txt
 *
 * Where the daemon wants tokens so does everything here: as "Authorization: Bearer TOKEN", or in a
 * cookie, which the page that asks for the token gets set by a POST of "token=TOKEN" to any of the
 * pages.  The cookie is out of reach of scripts and of other sites' pages.  It is the token itself,
 * so that it lasts over restarts and is worth nothing from the moment that the token is revoked.
 *
 * Where no token is wanted, requests that name another host than this one are refused: a page from
 * anywhere could otherwise have its own name point to this machine, and read along.
 *
 * The pages (daemon/page) are built in, each with its style and script inside, and may by their
 * content security policy load or run nothing else.
 */
#ifndef CAPTIONS_PAGE_H
#define CAPTIONS_PAGE_H

#include <stdbool.h>

#include "access/auth.h"
#include "captions/captions.h"
#include "http/http.h"
#include "steno/status.h"

typedef struct captions_page captions_page;

/* Both borrowed until destroy.  Errors: MEMORY. */
steno_status captions_page_create(
    captions *captions, auth *auth, captions_page **out_page, steno_error *error);
/* After the HTTP server.  NULL is fine. */
void captions_page_destroy(captions_page *self);

/* For http_handler. */
bool captions_page_answer(void *context, http_exchange *exchange);

/* New streams are refused from now on; those that there are end with their captures.  Any
 * thread. */
void captions_page_drain(captions_page *self);

#endif
