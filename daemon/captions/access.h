/*
 * Who may read captions over HTTP: tokens in headers, in a form, in a cookie; and which names a
 * request may call this machine by.
 */
#ifndef CAPTIONS_ACCESS_H
#define CAPTIONS_ACCESS_H

#include <stdbool.h>

#include "access/tokens.h"
#include "http/http.h"

/* Whether a Host header, "NAME", "NAME:PORT" or "[ADDRESS]:PORT", is one that only this machine
 * can have: an address, its name, localhost. */
bool captions_access_is_own_host(const char *host);

/* The token that came with a request, in its header or cookie; NULL: none did. */
const char *captions_access_token(const http_exchange *exchange);

/* The token of a form, "token=TOKEN" among others, decoded; false: there is none, or it can't be
 * one. */
bool captions_access_read_form(const char *body, char out[TOKEN_MAX_BYTES]);

/* Has the browser send the token `text` along with requests of its own pages for what is below
 * `path`. */
void captions_access_set_cookie(http_exchange *exchange, const char *path, const char *text);

#endif
