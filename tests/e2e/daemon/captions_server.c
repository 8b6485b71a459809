/*
 * The page of captions without audio, for its tests: the daemon's own hub, page and HTTP server,
 * with captures that hear what standard input says.
 *
 *     captions_server HISTORY READERS TOKENS PORT NAME...
 *
 * TOKENS: a file, or "" for none; PORT: 0 for any.  Says "captions on PORT" on standard error.  A
 * line each, its parts between tabs, answered by "ok" on standard output:
 *
 *     final NAME START_MS TEXT        each word 200 ms long, 100 ms apart
 *     interim NAME SETTLED TEXT       so many words settled
 *     status NAME STATE DEVICE REASON STATE as a number
 *     counts NAME                     "ok READERS FINALS"
 *     tokens FILE                     reads tokens again
 *     drain
 *     close                           no more captions
 *
 * Ends with its input, then says how many blocks of memory are left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/auth.h"
#include "base/memory.h"
#include "captions/captions.h"
#include "captions/page.h"
#include "http/http.h"

enum { WORDS = 4000, FIELDS = 5 };

typedef struct parts {
    captions *captions;
    auth *auth;
    captions_page *page;
    http_handler handler;
    http *http;
} parts;

static void check(steno_status status, const steno_error *error)
{
    if (status >= 0)
        return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

static void read_tokens(auth *self, const char *path)
{
    const auth_setting setting = {.tokens = path[0] != '\0' ? path : NULL};
    auth_change *change = NULL;
    steno_error error;
    check(auth_prepare(&setting, &change, &error), &error);
    auth_commit(self, change);
}

static void create(parts *self, char **argv, int argc)
{
    steno_error error;
    captions_setting settings[8];
    size_t count = 0;
    char address[32];
    for (int i = 5; i < argc && count < 8; i++)
        settings[count++] = (captions_setting){argv[i], "a test", (uint32_t)atoi(argv[1])};
    check(captions_create(settings, count, &self->captions, &error), &error);
    check(auth_create(&self->auth, &error), &error);
    read_tokens(self->auth, argv[3]);
    check(captions_page_create(self->captions, self->auth, &self->page, &error), &error);
    self->handler = (http_handler){captions_page_answer, self->page};
    snprintf(address, sizeof(address), "127.0.0.1:%s", argv[4]);
    const http_setting setting = {
        .address = address,
        .handlers = &self->handler,
        .handler_count = 1,
        .max_streams = (unsigned)atoi(argv[2]),
    };
    check(http_create(&setting, &self->http, &error), &error);
    fprintf(stderr, "captions on %d\n", http_port(self->http));
}

/* A result of the words of a text, which it cuts up. */
static void publish(captions_source *source, bool is_final, unsigned number, const char *text)
{
    static steno_word words[WORDS];
    char *joined = memory_duplicate(text), *cut = memory_duplicate(text);
    steno_alternative best = {.text = joined, .words = words, .confidence = 0.5f};
    steno_result result = {.is_final = is_final, .alternatives = &best, .alternative_count = 1};
    uint64_t at_ms = is_final ? number : 0;
    char *rest = NULL;
    result.start_ms = at_ms;
    for (char *word = strtok_r(cut, " ", &rest); word != NULL && best.word_count < WORDS;
         word = strtok_r(NULL, " ", &rest), at_ms += 300)
        words[best.word_count++] = (steno_word){word, at_ms, at_ms + 200, 0.5f};
    result.end_ms = at_ms - 100;
    result.stable_words = is_final ? best.word_count : number;
    if (is_final)
        captions_publish_final(source, &result, 0);
    else
        captions_publish_interim(source, &result, 0);
    memory_free(joined);
    memory_free(cut);
}

static void obey(parts *self, char *const field[FIELDS])
{
    captions_source *source = captions_find(self->captions, field[1]);
    captions_counts counts;
    if (strcmp(field[0], "tokens") == 0) {
        read_tokens(self->auth, field[1]);
    } else if (strcmp(field[0], "drain") == 0) {
        captions_page_drain(self->page);
    } else if (strcmp(field[0], "close") == 0) {
        for (size_t i = 0; i < captions_count(self->captions); i++)
            captions_end(captions_at(self->captions, i));
    } else if (source == NULL) {
        printf("there is no %s\n", field[1]);
        return;
    } else if (strcmp(field[0], "status") == 0) {
        const captions_status status = {.state = (captions_state)atoi(field[2]),
            .device = field[3],
            .reason = field[4],
            .heard_ms = 1000};
        captions_publish_status(source, &status);
    } else if (strcmp(field[0], "counts") == 0) {
        captions_get_counts(source, &counts);
        printf("ok %u %u\n", (unsigned)counts.readers, (unsigned)counts.finals);
        return;
    } else {
        publish(source, strcmp(field[0], "final") == 0, (unsigned)atoi(field[2]), field[3]);
    }
    puts("ok");
}

int main(int argc, char **argv)
{
    parts self = {0};
    char *line = NULL;
    size_t room = 0;
    if (argc < 5)
        return 2;
    create(&self, argv, argc);
    for (ssize_t length; (length = getline(&line, &room, stdin)) > 0;) {
        char *field[FIELDS], *rest = line;
        line[length - 1] = '\0';
        for (size_t i = 0; i < FIELDS; i++)
            field[i] = rest != NULL ? strsep(&rest, "\t") : line + length - 1;
        obey(&self, field);
        fflush(stdout);
    }
    free(line);
    http_destroy(self.http);
    captions_page_destroy(self.page);
    captions_destroy(self.captions);
    auth_destroy(self.auth);
    fprintf(stderr, "%zu blocks left\n", memory_alive());
    return 0;
}
