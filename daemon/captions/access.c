#include "captions/access.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "access/auth.h"

#define COOKIE "steno-captions"

/* How long a browser keeps it. */
enum { COOKIE_SECONDS = 180 * 24 * 3600 };

/* ---- Hosts ---- */

/* Names that lead nowhere else than here. */
static bool is_own_name(const char *name)
{
    char host[256];
    struct in6_addr address;
    size_t length = strlen(name);
    if (inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1 ||
        strcasecmp(name, "localhost") == 0 ||
        (length > 10 && strcasecmp(name + length - 10, ".localhost") == 0))
        return true;
    if (gethostname(host, sizeof(host) - sizeof(".local")) != 0)
        return false;
    host[sizeof(host) - sizeof(".local") - 1] = '\0';
    return strcasecmp(name, host) == 0 || strcasecmp(name, strcat(host, ".local")) == 0;
}

bool captions_access_is_own_host(const char *host)
{
    char name[256];
    size_t skipped = host[0] == '[';
    size_t length = strcspn(host + skipped, skipped > 0 ? "]" : ":");
    if (length >= sizeof(name))
        return false;
    memcpy(name, host + skipped, length);
    name[length] = '\0';
    return is_own_name(name);
}

/* ---- Tokens ---- */

const char *captions_access_token(const http_exchange *exchange)
{
    const char *given = auth_bearer_token(http_header(exchange, "Authorization"));
    return given != NULL ? given : http_cookie(exchange, COOKIE);
}

static int hex_digit(char digit)
{
    const char *digits = "0123456789abcdef", *found = strchr(digits, digit | 0x20);
    return digit != '\0' && found != NULL ? (int)(found - digits) : -1;
}

bool captions_access_read_form(const char *body, char out[TOKEN_MAX_BYTES])
{
    size_t used = 0;
    while (strncmp(body, "token=", 6) != 0) {
        body += strcspn(body, "&");
        if (*body++ == '\0')
            return false;
    }
    for (const char *at = body + 6; *at != '\0' && *at != '&'; at++) {
        char one = *at;
        /* A space, of which no token has any. */
        if (one == '+')
            return false;
        if (one == '%') {
            int high = hex_digit(at[1]), low = high >= 0 ? hex_digit(at[2]) : -1;
            if (low < 0)
                return false;
            one = (char)(high * 16 + low);
            at += 2;
        }
        /* What could end a cookie, or begin another. */
        if (one <= ' ' || one > '~' || strchr("\";,\\", one) != NULL || used + 1 == TOKEN_MAX_BYTES)
            return false;
        out[used++] = one;
    }
    out[used] = '\0';
    return used > 0;
}

/* Whether the browser speaks TLS, to a proxy before this. */
static bool is_secure(const http_exchange *exchange)
{
    const char *scheme = http_header(exchange, "X-Forwarded-Proto");
    return scheme != NULL && strcasecmp(scheme, "https") == 0;
}

void captions_access_set_cookie(http_exchange *exchange, const char *path, const char *text)
{
    char cookie[TOKEN_MAX_BYTES + 128];
    snprintf(cookie, sizeof(cookie), COOKIE "=%s; Path=%s; Max-Age=%d; HttpOnly; SameSite=Strict%s",
        text, path, COOKIE_SECONDS, is_secure(exchange) ? "; Secure" : "");
    http_add_header(exchange, "Set-Cookie", cookie);
}
