#include "system/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "system/systemd.h"
#include "system/text.h"

/* A message of nothing but characters to escape still fits a line. */
enum { LINE_BYTES = 4096, END_BYTES = 8, MESSAGE_BYTES = 600, FIELD_BYTES = 512 };

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* ---- A line being built ---- */

typedef struct line {
    char text[LINE_BYTES];
    size_t size;
} line;

/* Leaves room for what ends the line; never cuts one piece in two. */
static void add(line *self, const char *text, size_t size)
{
    if (self->size + size > LINE_BYTES - END_BYTES)
        return;
    memcpy(self->text + self->size, text, size);
    self->size += size;
}

static void add_text(line *self, const char *text)
{
    add(self, text, strlen(text));
}

/* Between quotes, the same for JSON and text. */
static void add_quoted(line *self, const char *text)
{
    add_text(self, "\"");
    while (*text != '\0') {
        char character[8];
        size_t size;
        text += text_json_character(text, character, &size);
        add(self, character, size);
    }
    add_text(self, "\"");
}

static bool is_plain(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if (!isgraph((unsigned char)*at) || strchr("\"=\\", *at) != NULL)
            return false;
    return text[0] != '\0';
}

/* ---- The kinds of output ---- */

static void write_line(line *self)
{
    self->text[self->size++] = '\n';
    /* Nobody could be told of a failure. */
    (void)!write(STDERR_FILENO, self->text, self->size);
}

static void write_text(log_level level, const char *message, const log_field *fields, size_t count)
{
    line out = {.size = 0};
    add_text(&out, "stenod: ");
    if (level == LOG_LEVEL_WARNING)
        add_text(&out, "warning: ");
    /* The message is ours, but may name a file. */
    for (const unsigned char *at = (const unsigned char *)message; *at != '\0'; at++) {
        bool is_c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0;
        add(&out, is_c1 || iscntrl(*at) ? "?" : (const char *)at, 1);
        at += is_c1;
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].text == NULL)
            continue;
        add_text(&out, " ");
        add_text(&out, fields[i].name);
        add_text(&out, "=");
        if (is_plain(fields[i].text))
            add_text(&out, fields[i].text);
        else
            add_quoted(&out, fields[i].text);
    }
    write_line(&out);
}

static void write_json(log_level level, const char *message, const log_field *fields, size_t count)
{
    line out = {.size = 0};
    struct timespec now;
    struct tm date;
    char moment[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &date);
    size_t used = strftime(moment, sizeof(moment), "{\"time\":\"%Y-%m-%dT%H:%M:%S", &date);
    snprintf(moment + used, sizeof(moment) - used, ".%03ldZ\"", now.tv_nsec / 1000000);
    add_text(&out, moment);
    add_text(&out, ",\"level\":\"");
    add_text(&out, level_names[level]);
    add_text(&out, "\",\"message\":");
    add_quoted(&out, message);
    for (size_t i = 0; i < count; i++) {
        /* As a whole or not at all, so that the line stays JSON. */
        if (fields[i].text == NULL || out.size + 6 * strlen(fields[i].text) + 64 > LINE_BYTES)
            continue;
        add_text(&out, ",\"");
        add_text(&out, fields[i].name);
        add_text(&out, "\":");
        add_quoted(&out, fields[i].text);
    }
    add_text(&out, "}");
    write_line(&out);
}

static bool write_journal(
    log_level level, const char *message, const log_field *fields, size_t count)
{
    /* By syslog's numbers. */
    static const char *const priorities[] = {
        "PRIORITY=3", "PRIORITY=4", "PRIORITY=6", "PRIORITY=7"};
    char own[LOG_FIELDS_MAX][FIELD_BYTES], first[2 * MESSAGE_BYTES];
    const char *all[LOG_FIELDS_MAX + 3] = {first, priorities[level], "SYSLOG_IDENTIFIER=stenod"};
    unsigned used = 3;
    size_t length = (size_t)snprintf(first, sizeof(first), "MESSAGE=%s", message);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].text == NULL)
            continue;
        char *field = own[used - 3];
        snprintf(field, FIELD_BYTES, "STENO_%s=%s", fields[i].name, fields[i].text);
        for (char *at = field; *at != '='; at++)
            *at = (char)toupper((unsigned char)*at);
        all[used++] = field;
        /* The message is all that journalctl shows unless asked for more. */
        if (length < sizeof(first))
            length += (size_t)snprintf(
                first + length, sizeof(first) - length, " %s=%s", fields[i].name, fields[i].text);
    }
    return systemd_journal(all, used);
}

/* ---- The log ---- */

void log_init(log_sink *self)
{
    self->has_journal = systemd_has_journal();
    log_set(self, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_set_transcripts(self, false);
}

void log_set(log_sink *self, log_level level, log_format format)
{
    atomic_store_explicit(&self->level, level, memory_order_relaxed);
    atomic_store_explicit(&self->format, format, memory_order_relaxed);
}

void log_set_transcripts(log_sink *self, bool wanted)
{
    atomic_store_explicit(&self->transcripts, wanted, memory_order_relaxed);
}

bool log_wants_transcripts(const log_sink *self)
{
    return atomic_load_explicit(&self->transcripts, memory_order_relaxed);
}

bool log_wants(const log_sink *self, log_level level)
{
    return level <= atomic_load_explicit(&self->level, memory_order_relaxed);
}

void log_write(
    log_sink *self, log_level level, const char *message, const log_field *fields, size_t count)
{
    if (!log_wants(self, level))
        return;
    if (count > LOG_FIELDS_MAX)
        count = LOG_FIELDS_MAX;
    if (self->has_journal && write_journal(level, message, fields, count))
        return;
    if (atomic_load_explicit(&self->format, memory_order_relaxed) == LOG_FORMAT_JSON)
        write_json(level, message, fields, count);
    else
        write_text(level, message, fields, count);
}

void log_say(log_sink *self, log_level level, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;
    if (!log_wants(self, level))
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    log_write(self, level, message, NULL, 0);
}
