#include "settings/capture_options.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "steno/audio.h"

/* As "steno listen --phrase" has it. */
#define PHRASE_BOOST 5
#define PHRASE_BOOST_MAX 20

/* In the order of steno_encoding. */
static const char *const encodings[] = {"s16", "f32", "mulaw", "alaw", NULL};

#define AT(member) offsetof(capture_setting, member)

enum { DEVICE, SOUND_FILE, FIFO, LOOP, RATE, CHANNELS, ENCODING };

static const option_entry entries[] = {
    [DEVICE] = {"device", NULL, "DEVICE", OPTION_TEXT, AT(device), 0, 0, NULL, NULL,
        "microphone to listen to: its name, a part of it, or its number, as \"steno devices\" "
        "shows "
        "them; default: the system's",
        false},
    [SOUND_FILE] = {"file", NULL, "FILE", OPTION_TEXT, AT(file), 0, 0, NULL, NULL,
        "a recording, heard as if it were spoken now", false},
    [FIFO] = {"fifo", NULL, "FILE", OPTION_TEXT, AT(fifo), 0, 0, NULL, NULL,
        "a named pipe that headerless samples come from, as fast as they are spoken", false},
    [LOOP] = {"loop", NULL, "yes|no", OPTION_SWITCH, AT(loop), 0, 0, NULL, NULL,
        "the file again and again", false},
    [RATE] = {"rate", NULL, "HZ", OPTION_NUMBER, AT(rate_hz), STENO_RATE_MIN_HZ, STENO_RATE_MAX_HZ,
        NULL, NULL, "samples a second; of a device, if not its own; needed for a fifo", false},
    [CHANNELS] = {"channels", NULL, "N", OPTION_NUMBER, AT(channels), 1, STENO_CHANNELS_MAX, NULL,
        NULL, "of a device: both of two, else one; of a fifo: 1", false},
    [ENCODING] = {"encoding", NULL, "NAME", OPTION_CHOICE, AT(encoding), 0, 0, encodings, "s16",
        "of a fifo: s16, f32, mulaw or alaw, little endian", false},
    {"channel", NULL, "N", OPTION_NUMBER, AT(channel), 0, STENO_CHANNELS_MAX, NULL, "0",
        "the one that is recognised; 0: the mean of all", false},
    {"chunk", NULL, "MS", OPTION_NUMBER, AT(chunk_ms), 0, 10000, NULL, "0",
        "audio recognised at a time; 0: as under [recognition]", false},
    {"endpoint", NULL, "MS", OPTION_NUMBER, AT(endpoint_ms), 400, 10000, NULL, "800",
        "pause that ends an utterance", false},
    {"history", NULL, "N", OPTION_NUMBER, AT(history), 1, 100000, NULL, "500",
        "utterances kept for those who join later or come back", false},
    {"phrase", NULL, "TEXT[=BOOST]", OPTION_LINES, AT(phrases), 0, 0, NULL, NULL,
        "words that are likely to be said, with a boost from 0 to 20 (5); may be repeated", false},
};
#define ENTRY_COUNT (sizeof(entries) / sizeof(entries[0]))

static void finish_setting(capture_setting *self)
{
    for (size_t i = 0; i < ENTRY_COUNT; i++)
        option_finish(self, &entries[i]);
    memory_free(self->name);
    memory_free(self->where);
}

void capture_options_finish(capture_options *self)
{
    for (size_t i = 0; i < self->count; i++)
        finish_setting(&self->items[i]);
    memory_free(self->items);
    *self = (capture_options){0};
}

/* ---- Reading ---- */

static bool is_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  ".-_";
    size_t length = strspn(name, letters);
    /* "." and ".." mean something else in the path of an address. */
    return length > 0 && length < CAPTURE_NAME_BYTES && name[length] == '\0' &&
           strspn(name, ".") < length;
}

static steno_status check_name(
    const capture_options *self, const char *name, const char *where, steno_error *error)
{
    if (!is_name(name))
        return error_set(error, STENO_ERROR_ARGUMENT,
            "%s: \"%s\" can't be a capture's name: 1 to %d letters, digits, dots, dashes and "
            "underscores, not dots alone",
            where, name, CAPTURE_NAME_BYTES - 1);
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->items[i].name, name) == 0)
            return error_set(error, STENO_ERROR_ARGUMENT, "%s: [capture %s] is already at %s",
                where, name, self->items[i].where);
    if (self->count == CAPTURES_MAX)
        return error_set(
            error, STENO_ERROR_LIMIT, "%s: more than %d captures", where, CAPTURES_MAX);
    return STENO_OK;
}

static steno_status preset(capture_setting *self, const char *name, const char *where)
{
    steno_status status = STENO_OK;
    self->name = memory_duplicate(name);
    self->where = memory_duplicate(where);
    if (self->name == NULL || self->where == NULL)
        status = STENO_ERROR_MEMORY;
    for (size_t i = 0; i < ENTRY_COUNT && status == STENO_OK; i++)
        if (entries[i].preset != NULL)
            status =
                option_set(self, &entries[i], entries[i].preset, OPTION_REPLACE, "preset", NULL);
    return status;
}

steno_status capture_options_begin(capture_options *self, const char *name, const char *where,
    capture_setting **out_setting, steno_error *error)
{
    steno_status status = check_name(self, name, where, error);
    if (status < 0)
        return status;
    capture_setting *items = memory_allocate(self->count + 1, sizeof(*items));
    if (items == NULL)
        return error_memory(error);
    if (preset(&items[self->count], name, where) < 0) {
        finish_setting(&items[self->count]);
        memory_free(items);
        return error_memory(error);
    }
    if (self->count > 0)
        memcpy(items, self->items, self->count * sizeof(*items));
    memory_free(self->items);
    self->items = items;
    *out_setting = &items[self->count++];
    return STENO_OK;
}

bool capture_options_read_phrase(char *text, float *out_boost)
{
    *out_boost = PHRASE_BOOST;
    char *equals = strrchr(text, '=');
    if (equals == NULL)
        return true;
    *equals = '\0';
    /* A decimal number, with a point in every locale. */
    double value = 0, unit = 1;
    const char *at = equals + 1;
    for (; *at >= '0' && *at <= '9' && value <= PHRASE_BOOST_MAX; at++)
        value = value * 10 + (*at - '0');
    bool any = at > equals + 1;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++)
            value += (unit /= 10) * (*at - '0');
    *out_boost = (float)value;
    return any && *at == '\0' && value <= PHRASE_BOOST_MAX;
}

steno_phrase *capture_options_make_phrases(const capture_setting *setting)
{
    const option_list *given = &setting->phrases;
    size_t bytes = given->count * sizeof(steno_phrase);
    for (size_t i = 0; i < given->count; i++)
        bytes += strlen(given->items[i]) + 1;
    steno_phrase *phrases = memory_allocate(bytes, 1);
    if (phrases == NULL)
        return NULL;
    char *text = (char *)(phrases + given->count);
    for (size_t i = 0; i < given->count; i++) {
        size_t size = strlen(given->items[i]) + 1;
        phrases[i].text = memcpy(text, given->items[i], size);
        capture_options_read_phrase(text, &phrases[i].boost);
        text += size;
    }
    return phrases;
}

static steno_status check_phrase(const char *value, const char *where, steno_error *error)
{
    char *copy = memory_duplicate(value);
    if (copy == NULL)
        return error_memory(error);
    float boost;
    bool right = capture_options_read_phrase(copy, &boost);
    memory_free(copy);
    return right ? STENO_OK
                 : error_set(error, STENO_ERROR_ARGUMENT,
                       "%s: %s: the boost is not a number from 0 to %d", where, value,
                       PHRASE_BOOST_MAX);
}

steno_status capture_options_set(capture_setting *setting, const char *key, const char *value,
    const char *where, steno_error *error)
{
    const option_entry *entry = option_find(entries, ENTRY_COUNT, key, strlen(key));
    if (entry == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "%s: there is no setting \"%s\" of a capture; stenod --help lists them", where, key);
    steno_status status = option_set(setting, entry, value, OPTION_ADD, where, error);
    if (status == STENO_OK && entry->kind == OPTION_LINES)
        status = check_phrase(value, where, error);
    setting->given |= 1u << (entry - entries);
    return status;
}

/* ---- Checking ---- */

static steno_status refuse(const capture_setting *self, steno_error *error, const char *reason)
{
    return error_set(
        error, STENO_ERROR_ARGUMENT, "%s: [capture %s]: %s", self->where, self->name, reason);
}

static bool has(const capture_setting *self, unsigned entry)
{
    return (self->given >> entry & 1) != 0;
}

static steno_status check_file(const capture_setting *self, steno_error *error)
{
    struct stat there;
    const char *wrong = NULL;
    if (stat(self->file, &there) != 0 || access(self->file, R_OK) != 0)
        wrong = strerror(errno);
    else if (S_ISFIFO(there.st_mode))
        wrong = "is a named pipe, which is for fifo";
    else if (!S_ISREG(there.st_mode))
        wrong = "is not a regular file";
    return wrong == NULL ? STENO_OK
                         : error_set(error, STENO_ERROR_ARGUMENT, "%s: [capture %s]: %s: %s",
                               self->where, self->name, self->file, wrong);
}

static steno_status complete(capture_setting *self, steno_error *error)
{
    int inputs = (self->device != NULL) + (self->file != NULL) + (self->fifo != NULL);
    if (inputs != 1)
        return refuse(self, error,
            inputs == 0 ? "nothing to listen to: it needs device, file or fifo"
                        : "it can listen to one of device, file and fifo only");
    if (self->file != NULL && (has(self, RATE) || has(self, CHANNELS)))
        return refuse(self, error, "rate and channels are for a device or a fifo");
    if (self->fifo == NULL && has(self, ENCODING))
        return refuse(self, error, "encoding is for a fifo");
    if (self->file == NULL && has(self, LOOP))
        return refuse(self, error, "loop is for a file");
    if (self->fifo != NULL && self->rate_hz == 0)
        return refuse(self, error, "a fifo needs its rate");
    if (self->fifo != NULL && self->channels == 0)
        self->channels = 1;
    if (self->channels > 0 && self->channel > self->channels)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "%s: [capture %s]: there is no channel %u of %u", self->where, self->name,
            (unsigned)self->channel, (unsigned)self->channels);
    return self->file != NULL ? check_file(self, error) : STENO_OK;
}

steno_status capture_options_complete(capture_options *self, steno_error *error)
{
    steno_status status = STENO_OK;
    for (size_t i = 0; i < self->count && status == STENO_OK; i++)
        status = complete(&self->items[i], error);
    return status;
}

bool capture_options_are_equal(const capture_options *one, const capture_options *other)
{
    bool are_equal = one->count == other->count;
    for (size_t i = 0; are_equal && i < one->count; i++) {
        are_equal = strcmp(one->items[i].name, other->items[i].name) == 0;
        for (size_t k = 0; are_equal && k < ENTRY_COUNT; k++)
            are_equal = option_is_equal(&entries[k], &one->items[i], &other->items[i]);
    }
    return are_equal;
}

/* ---- Words ---- */

void capture_options_describe(const capture_setting *setting, char *out_text, size_t size)
{
    if (setting->device != NULL)
        snprintf(out_text, size, "device %s", setting->device);
    else if (setting->file != NULL)
        snprintf(out_text, size, "file %s%s", setting->file, setting->loop ? ", repeated" : "");
    else
        snprintf(out_text, size, "fifo %s", setting->fifo);
}

void capture_options_print_help(FILE *output)
{
    for (size_t i = 0; i < ENTRY_COUNT; i++)
        option_print_help(output, &entries[i], "", " = ");
}
