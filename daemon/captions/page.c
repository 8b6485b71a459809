#include "captions/page.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "captions/access.h"
#include "captions/feed.h"
#include "captions/file.h"
#include "page/pages.h"
#include "system/alarms.h"
#include "system/text.h"

#define ROOT "/captions"
#define EVENTS "/events"

/* Finals that a page begins with unless it says how many. */
enum { RECENT = 50 };

struct captions_page {
    captions *captions;
    auth *auth;
    _Atomic bool is_draining;
};

/* What a path says: the list of captures, or what is wanted of one. */
typedef enum wanted {
    WANTED_NOTHING,
    WANTED_INDEX,
    WANTED_PAGE,
    WANTED_EVENTS,
    WANTED_FILE,
} wanted;

typedef struct target {
    wanted what;
    captions_source *source; /* but of the index */
    steno_format format;     /* FILE */
} target;

/* ---- Paths ---- */

static captions_source *find(captions_page *self, const char *name, size_t length)
{
    for (size_t i = 0; i < captions_count(self->captions); i++) {
        captions_source *source = captions_at(self->captions, i);
        const char *other = captions_name(source);
        if (strlen(other) == length && memcmp(other, name, length) == 0)
            return source;
    }
    return NULL;
}

static target understand(captions_page *self, const char *path)
{
    static const struct {
        const char *ending;
        wanted what;
        steno_format format;
    } endings[] = {{"", WANTED_PAGE, 0}, {EVENTS, WANTED_EVENTS, 0},
        {".srt", WANTED_FILE, STENO_FORMAT_SRT}, {".vtt", WANTED_FILE, STENO_FORMAT_VTT},
        {".txt", WANTED_FILE, STENO_FORMAT_TEXT}};
    const char *name = path + sizeof(ROOT) - 1;
    if (strcmp(name, "") == 0 || strcmp(name, "/") == 0)
        return (target){.what = WANTED_INDEX};
    size_t length = strlen(++name);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        size_t ending = strlen(endings[i].ending);
        if (length <= ending || strcmp(name + length - ending, endings[i].ending) != 0)
            continue;
        captions_source *source = find(self, name, length - ending);
        if (source != NULL)
            return (target){endings[i].what, source, endings[i].format};
    }
    return (target){.what = WANTED_NOTHING};
}

/* ---- Pages ---- */

typedef struct page_part {
    const page_text *text;
    captions_page *page;
    captions_source *source;
    const char *message;
} page_part;

static void write_list(captions *all, FILE *file)
{
    static const char *const states[] = {"starting", "listening", "waiting", "ended"};
    if (captions_count(all) == 0)
        fputs("<p>No captures are configured.</p>", file);
    fputs("<ul>", file);
    for (size_t i = 0; i < captions_count(all); i++) {
        captions_source *source = captions_at(all, i);
        captions_counts counts;
        captions_get_counts(source, &counts);
        fputs("<li><a href=\"captions/", file);
        text_write_url(file, captions_name(source));
        fputs("\"><span class=\"name\">", file);
        text_write_html(file, captions_name(source));
        fputs("</span> <span class=\"about\">", file);
        text_write_html(file, captions_about(source));
        fprintf(file, "</span> <span class=\"state %s\">%s</span></a></li>", states[counts.state],
            states[counts.state]);
    }
    fputs("</ul>", file);
}

/* What stands in a page's text as {{KEY}}. */
static void write_part(const page_part *part, const char *key, size_t length, FILE *file)
{
    if (strncmp(key, "list", length) == 0)
        write_list(part->page->captions, file);
    else if (strncmp(key, "message", length) == 0)
        text_write_html(file, part->message);
    else if (strncmp(key, "name", length) == 0)
        text_write_html(file, captions_name(part->source));
    else if (strncmp(key, "url", length) == 0)
        text_write_url(file, captions_name(part->source));
}

static steno_status write_page(const void *context, FILE *file)
{
    const page_part *part = context;
    const char *at = part->text->html;
    for (const char *key; (key = strstr(at, "{{")) != NULL;) {
        size_t length = strcspn(key + 2, "}");
        fwrite(at, 1, (size_t)(key - at), file);
        write_part(part, key + 2, length, file);
        at = key + 2 + length + 2;
    }
    fputs(at, file);
    return STENO_OK;
}

static void answer_page(http_exchange *exchange, unsigned code, const page_part *part)
{
    http_add_header(exchange, "Content-Security-Policy", part->text->policy);
    http_answer_written(exchange, code, "text/html; charset=utf-8", write_page, part);
}

/* ---- Tokens ---- */

static bool is_page(wanted what)
{
    return what == WANTED_INDEX || what == WANTED_PAGE;
}

static void refuse(captions_page *self, http_exchange *exchange, wanted what, const char *message)
{
    const page_part part = {&page_token, self, .message = message};
    http_add_header(exchange, "WWW-Authenticate", "Bearer");
    if (is_page(what))
        answer_page(exchange, 401, &part);
    else
        http_answer_text(exchange, 401, "a token is needed: \"Authorization: Bearer TOKEN\"\n");
}

/* Where the form was. */
static steno_status write_address(const void *context, FILE *file)
{
    const target *to = context;
    fputs(ROOT, file);
    if (to->what == WANTED_PAGE) {
        fputc('/', file);
        text_write_url(file, captions_name(to->source));
    }
    return STENO_OK;
}

static void take_token(captions_page *self, http_exchange *exchange, const target *to)
{
    const char *body = http_body(exchange);
    char given[TOKEN_MAX_BYTES];
    if (!is_page(to->what)) {
        http_refuse_method(exchange, "GET, HEAD");
    } else if (body == NULL) {
        http_answer_text(exchange, 413, "that is too much for a token\n");
    } else if (!captions_access_read_form(body, given) || !auth_knows_token(self->auth, given)) {
        refuse(self, exchange, to->what, "This token is not valid.");
    } else {
        captions_access_set_cookie(exchange, ROOT, given);
        http_add_written_header(exchange, "Location", write_address, to);
        http_answer_text(exchange, 303, "the token is right\n");
    }
}

/* ---- Files ---- */

/* `attachment` with the name as it is for those who know UTF-8, for others with what is ASCII. */
static steno_status write_disposition(const void *context, FILE *file)
{
    const target *of = context;
    const char *name = captions_name(of->source), *extension = steno_format_extension(of->format);
    fputs("attachment; filename=\"", file);
    for (const char *at = name; *at != '\0'; at++)
        fputc(*at < ' ' || *at > '~' || strchr("\"\\/%", *at) != NULL ? '_' : *at, file);
    fprintf(file, ".%s\"; filename*=UTF-8''", extension);
    text_write_url(file, name);
    fprintf(file, ".%s", extension);
    return STENO_OK;
}

static steno_status write_file(const void *context, FILE *file)
{
    const target *of = context;
    return captions_file_write(of->source, of->format, file, NULL);
}

static void answer_file(http_exchange *exchange, const target *to)
{
    static const char *const types[] = {
        [STENO_FORMAT_TEXT] = "text/plain; charset=utf-8",
        [STENO_FORMAT_SRT] = "application/x-subrip; charset=utf-8",
        [STENO_FORMAT_VTT] = "text/vtt; charset=utf-8",
    };
    http_add_written_header(exchange, "Content-Disposition", write_disposition, to);
    http_answer_written(exchange, 200, types[to->format], write_file, to);
}

/* ---- Events ---- */

typedef struct viewer {
    captions_page *page;
    captions_feed *feed;
    char token[TOKEN_MAX_BYTES]; /* "": none came along */
    uint64_t checked_ms;
} viewer;

static void on_news(void *context)
{
    http_wake(context);
}

static size_t fill(void *context, char *bytes, size_t size)
{
    viewer *self = context;
    uint64_t now_ms = alarms_now_ms();
    /* A token may have been revoked since. */
    if (now_ms - self->checked_ms >= CAPTIONS_FEED_BEAT_MS) {
        self->checked_ms = now_ms;
        if (!auth_knows_token(self->page->auth, self->token))
            return HTTP_END;
    }
    size_t written = captions_feed_fill(self->feed, now_ms, bytes, size);
    return written == CAPTIONS_FEED_END ? HTTP_END : written;
}

static void close_viewer(void *context)
{
    viewer *self = context;
    captions_feed_destroy(self->feed);
    memory_free(self);
}

/* A number of up to 16 digits; `preset` where there is none. */
static uint64_t read_number(const char *text, uint64_t preset)
{
    size_t digits = text != NULL ? strspn(text, "0123456789") : 0;
    return digits > 0 && digits <= 16 && text[digits] == '\0' ? strtoull(text, NULL, 10) : preset;
}

static captions_from beginning_of(const http_exchange *exchange)
{
    const char *last = http_header(exchange, "Last-Event-ID");
    return (captions_from){
        .after = read_number(last != NULL ? last : http_query(exchange, "after"), 0),
        .recent = (size_t)read_number(http_query(exchange, "recent"), RECENT),
    };
}

static void answer_events(captions_page *self, http_exchange *exchange, captions_source *source)
{
    const captions_from from = beginning_of(exchange);
    if (atomic_load(&self->is_draining) || !http_has_room(exchange)) {
        http_add_header(exchange, "Retry-After", "5");
        http_answer_text(exchange, 503, "there is no room for one more reader now\n");
        return;
    }
    viewer *one = memory_allocate(1, sizeof(*one));
    if (one == NULL)
        return;
    const char *given = captions_access_token(exchange);
    one->page = self;
    one->checked_ms = alarms_now_ms();
    snprintf(one->token, sizeof(one->token), "%s", given != NULL ? given : "");
    if (captions_feed_create(source, &from, on_news, exchange, &one->feed, NULL) < 0) {
        memory_free(one);
        return;
    }
    const http_source body = {fill, close_viewer, one};
    /* A proxy shall not gather it. */
    http_add_header(exchange, "X-Accel-Buffering", "no");
    http_answer_stream(exchange, "text/event-stream; charset=utf-8", &body);
}

/* ---- All of it ---- */

static void answer(captions_page *self, http_exchange *exchange, const target *to)
{
    const page_text *text = to->what == WANTED_INDEX ? &page_index : &page_captions;
    const page_part part = {text, self, to->source, NULL};
    switch (to->what) {
    case WANTED_INDEX:
    case WANTED_PAGE:
        answer_page(exchange, 200, &part);
        break;
    case WANTED_EVENTS:
        answer_events(self, exchange, to->source);
        break;
    case WANTED_FILE:
        answer_file(exchange, to);
        break;
    case WANTED_NOTHING:
        http_answer_text(exchange, 404, "there is no such capture\n");
        break;
    }
}

bool captions_page_answer(void *context, http_exchange *exchange)
{
    captions_page *self = context;
    const char *path = http_path(exchange), *host = http_header(exchange, "Host");
    if (strncmp(path, ROOT, sizeof(ROOT) - 1) != 0 ||
        (path[sizeof(ROOT) - 1] != '\0' && path[sizeof(ROOT) - 1] != '/'))
        return false;
    const target to = understand(self, path);
    if (host != NULL && !captions_access_is_own_host(host) && !auth_wants_token(self->auth))
        http_answer_text(exchange, 403,
            "without tokens this is to be asked for by an address or this machine's name alone\n");
    else if (http_is_posting(exchange))
        take_token(self, exchange, &to);
    else if (!http_is_reading(exchange))
        http_refuse_method(exchange, is_page(to.what) ? "GET, HEAD, POST" : "GET, HEAD");
    else if (!auth_knows_token(self->auth, captions_access_token(exchange)))
        refuse(self, exchange, to.what, "");
    else
        answer(self, exchange, &to);
    return true;
}

steno_status captions_page_create(
    captions *all, auth *who, captions_page **out_page, steno_error *error)
{
    captions_page *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->captions = all;
    self->auth = who;
    *out_page = self;
    return STENO_OK;
}

void captions_page_destroy(captions_page *self)
{
    memory_free(self);
}

void captions_page_drain(captions_page *self)
{
    atomic_store(&self->is_draining, true);
}
