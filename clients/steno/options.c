#include "options.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "steno/audio.h"
#include "steno/format.h"
#include "steno/model.h"
#include "steno/stream.h"

#define SIDE_BY_SIDE (COMMAND_TRANSCRIBE | COMMAND_WER)
#define ON_SERVERS (SIDE_BY_SIDE | COMMAND_LISTEN | COMMAND_MODEL_INFO)
#define ONE_BY_ONE (COMMAND_TRANSCRIBE | COMMAND_INSPECT)
#define FILES (SIDE_BY_SIDE | COMMAND_INSPECT)
#define TEXT (COMMAND_TRANSCRIBE | COMMAND_LISTEN)
#define RECOGNISING (FILES | COMMAND_LISTEN)
#define LOADING (RECOGNISING | COMMAND_MODEL_INFO)
#define TO_SERVERS (ON_SERVERS | COMMAND_WATCH)
#define ALL (LOADING | COMMAND_WATCH | COMMAND_DEVICES | COMMAND_NONE | COMMAND_TOKEN)

/* The columns of a row, so that the table below reads as one. */
#define SWITCH(name, letter, group, commands, field, help)                                         \
    {                                                                                              \
        name, letter, OPTION_SWITCH, OPTION_GROUP_##group, commands,                               \
            offsetof(option_values, field), NULL, NULL, 0, 0, help                                 \
    }
#define NUMBER(name, letter, group, commands, field, value, minimum, maximum, help)                \
    {                                                                                              \
        name, letter, OPTION_NUMBER, OPTION_GROUP_##group, commands,                               \
            offsetof(option_values, field), value, NULL, minimum, maximum, help                    \
    }
#define REAL(name, commands, field, minimum, maximum, help)                                        \
    {                                                                                              \
        name, 0, OPTION_REAL, OPTION_GROUP_RECOGNITION, commands, offsetof(option_values, field),  \
            "X", NULL, minimum, maximum, help                                                      \
    }
#define SECONDS(name, commands, field, help)                                                       \
    {                                                                                              \
        name, 0, OPTION_REAL, OPTION_GROUP_OUTPUT, commands, offsetof(option_values, field), "S",  \
            NULL, 0, 360000, help                                                                  \
    }
#define CHOICE(kind, name, letter, group, commands, field, choices, help)                          \
    {                                                                                              \
        name, letter, kind, OPTION_GROUP_##group, commands, offsetof(option_values, field), NULL,  \
            choices, 0, 0, help                                                                    \
    }
#define PATH(kind, name, letter, group, commands, field, value, help)                              \
    {                                                                                              \
        name, letter, kind, OPTION_GROUP_##group, commands, offsetof(option_values, field), value, \
            NULL, 0, 0, help                                                                       \
    }

/* Choices stand in the order of the public enumerations, so that an index is a value. */
static const option_entry table[] = {
    SWITCH("raw", 0, INPUT, ONE_BY_ONE, raw,
        "The input has no header: samples as --encoding, --rate and --channels say; giving one of "
        "these means --raw"),
    CHOICE(OPTION_CHOICE, "encoding", 0, INPUT, ONE_BY_ONE, encoding, "s16 f32 mulaw alaw",
        "How raw samples are encoded, little endian; default s16"),
    NUMBER("rate", 0, INPUT, ONE_BY_ONE, rate_hz, "HZ", STENO_RATE_MIN_HZ, STENO_RATE_MAX_HZ,
        "Samples per second of raw input; default 16000"),
    NUMBER("channels", 0, INPUT, ONE_BY_ONE, channels, "N", 1, STENO_CHANNELS_MAX,
        "Channels of raw input, interleaved; default 1"),
    PATH(OPTION_DEVICE, "device", 'D', INPUT, COMMAND_LISTEN, device, "NAME|NUMBER",
        "The microphone: its name, a part of it that no other has, or its number in \"steno "
        "devices\"; default: the system's"),
    NUMBER("rate", 0, INPUT, COMMAND_LISTEN, rate_hz, "HZ", STENO_RATE_MIN_HZ, STENO_RATE_MAX_HZ,
        "Samples per second to take from it; default: its own rate"),
    NUMBER("channels", 0, INPUT, COMMAND_LISTEN, channels, "N", 1, STENO_CHANNELS_MAX,
        "Channels to take from it, which are mixed; default: both of two, else the first"),
    NUMBER("recent", 0, INPUT, COMMAND_WATCH, recent, "N", 0, 100000,
        "Begin with the last N results that were said before; default 10"),
    SWITCH("per-channel", 0, INPUT, COMMAND_TRANSCRIBE, per_channel,
        "Transcribe each channel apart instead of their mix; results come in the order of their "
        "time when the file is through"),

    CHOICE(OPTION_CHOICE, "format", 'f', OUTPUT, TEXT | COMMAND_WATCH, format,
        "text json srt vtt ctm tsv",
        "What to write; json, ctm and tsv carry word times and confidences; default text"),
    PATH(OPTION_FILE, "output", 'o', OUTPUT, COMMAND_TRANSCRIBE, output, "FILE",
        "Write the result of the one input to FILE instead of standard output"),
    PATH(OPTION_FILE, "output", 'o', OUTPUT, COMMAND_LISTEN | COMMAND_WATCH, output, "FILE",
        "Write the result to FILE, each part as soon as it is final"),
    PATH(OPTION_FILE, "save-audio", 'a', OUTPUT, COMMAND_LISTEN, save_audio, "FILE",
        "Write the audio to FILE, .flac or .wav, as it comes"),
    PATH(OPTION_DIRECTORY, "output-dir", 'd', OUTPUT, COMMAND_TRANSCRIBE, output_dir, "DIR",
        "Write the result of each input to DIR/NAME.EXT: its own name with the format's extension; "
        "DIR is made if it is missing"),
    SWITCH("interim", 'i', OUTPUT, COMMAND_TRANSCRIBE, interim,
        "Show text while it forms: redrawn in place on a terminal, as lines beginning with \"~ \" "
        "elsewhere"),
    SWITCH("interim", 'i', OUTPUT, COMMAND_LISTEN | COMMAND_WATCH, interim,
        "Show text while it forms also where that is no terminal, as lines beginning with \"~ \""),
    NUMBER("alternatives", 0, OUTPUT, TEXT, alternatives, "N", 1, 10,
        "Give up to N readings of each result (seen in json); default 1"),
    PATH(OPTION_FILE, "html", 0, OUTPUT, COMMAND_INSPECT, html, "FILE",
        "Write a page with text, sound and all pictures to FILE; any browser shows it"),
    PATH(OPTION_FILE, "svg", 0, OUTPUT, COMMAND_INSPECT, svg, "FILE",
        "Write the alignment alone to FILE as SVG: where the attention decoder looked"),
    PATH(OPTION_FILE, "png", 0, OUTPUT, COMMAND_INSPECT, png, "FILE",
        "Write it to FILE as PNG: a column per encoding, a row per text unit, no labels"),
    SECONDS("from", COMMAND_INSPECT, from_s,
        "Show what begins from this second of the recording on; default 0"),
    SECONDS("to", COMMAND_INSPECT, to_s,
        "Show what comes before this second; default: the end, or 300 seconds after --from"),
    PATH(OPTION_FILE, "details", 0, OUTPUT, COMMAND_WER, details, "FILE",
        "Write reference, hypothesis and errors of each recording to FILE, tab separated"),
    SWITCH("json", 0, OUTPUT, COMMAND_WER | COMMAND_MODEL_INFO | COMMAND_DEVICES | COMMAND_WATCH,
        json, "Print a JSON object"),

    PATH(OPTION_FILE, "model", 'm', RECOGNITION, RECOGNISING, model, "FILE",
        "The model; default: $STENO_MODEL, else the one that came with steno"),
    CHOICE(OPTION_CHOICE, "precision", 0, RECOGNITION, LOADING, precision, "auto f32 bf16 int8",
        "Arithmetic of the network; auto: the fastest this processor has"),
    CHOICE(OPTION_CHOICE, "operators", 0, RECOGNITION, LOADING, operators, "auto reference onednn",
        "Implementation of the network's operators; auto: onednn where it is built in"),
    CHOICE(OPTION_NUMBER_CHOICE, "chunk", 0, RECOGNITION, RECOGNISING, chunk_ms, "160 320 640 1280",
        "Milliseconds of audio per step: more is more accurate and later; default 640"),
    CHOICE(OPTION_CHOICE, "search", 0, RECOGNITION, RECOGNISING, search, "joint ctc",
        "joint: CTC and attention together; ctc: CTC alone, cheaper, less accurate; default joint"),
    NUMBER("beam", 0, RECOGNITION, RECOGNISING, beam, "N", 1, 128,
        "Hypotheses kept while searching; default: the model's"),
    REAL("lm-weight", RECOGNISING, lm_weight, 0, 100,
        "Weight of the language model; 0: without; default: the model's"),
    REAL("attention-weight", RECOGNISING, attention_weight, 0, 100,
        "Weight of the attention decoder; default: the model's"),
    REAL("token-bonus", RECOGNISING, token_bonus, -100, 100,
        "Added for each text unit: more for more words; default: the model's"),
    NUMBER("endpoint", 0, RECOGNITION, RECOGNISING, endpoint_ms, "MS", 400, 10000,
        "The pause that ends a result, in milliseconds; default 800; in effect "
        "at least the pause that ends a segment of the model's search"),
    NUMBER("max-utterance", 0, RECOGNITION, RECOGNISING, max_utterance_ms, "MS", 5000, 60000,
        "The longest result, in milliseconds; default 20000"),
    SWITCH("no-endpointing", 0, RECOGNITION, RECOGNISING, no_endpointing,
        "Do not end results at pauses; the words stay the same"),
    PATH(OPTION_TEXTS, "phrase", 0, RECOGNITION, RECOGNISING, phrases, "TEXT[=BOOST]",
        "Prefer this word or phrase, a name say; BOOST from 0 to 20, default 5; may be repeated"),
    PATH(OPTION_FILE, "phrases", 0, RECOGNITION, RECOGNISING, phrase_file, "FILE",
        "Prefer the phrases in FILE: TEXT[=BOOST] on each line, \"#\" begins a comment"),

    PATH(OPTION_TEXTS, "server", 0, SERVER, ON_SERVERS, servers, "ADDRESS",
        "Recognise on the stenod at HOST:PORT, tls:HOST:PORT or unix:PATH instead of here; with "
        "several, files are shared among them, and one takes over where another fails"),
    PATH(OPTION_TEXTS, "server", 0, SERVER, COMMAND_WATCH, servers, "ADDRESS",
        "The stenod at HOST:PORT, tls:HOST:PORT or unix:PATH; default 127.0.0.1:50051"),
    PATH(OPTION_FILE, "ca", 0, SERVER, TO_SERVERS, ca_file, "FILE",
        "Trust the authorities in FILE (PEM) instead of the system's, for tls: addresses"),
    PATH(OPTION_FILE, "cert", 0, SERVER, TO_SERVERS, certificate_file, "FILE",
        "Show the server the certificate in FILE (PEM)"),
    PATH(OPTION_FILE, "key", 0, SERVER, TO_SERVERS, key_file, "FILE",
        "The private key of --cert (PEM)"),
    PATH(OPTION_TEXT, "server-name", 0, SERVER, TO_SERVERS, server_name, "NAME",
        "Expect NAME in the server's certificate; default: the name in its address"),
    PATH(OPTION_FILE, "token-file", 0, SERVER, TO_SERVERS, token_file, "FILE",
        "Send the bearer token in FILE; default: $STENO_TOKEN, if that is set"),
    NUMBER("connect-timeout", 0, SERVER, TO_SERVERS, connect_timeout_s, "SECONDS", 1, 600,
        "How long to wait for a connection, and for a place on a server that is full; default 10"),

    NUMBER("jobs", 'j', RUNNING, SIDE_BY_SIDE, jobs, "N", 1, 256,
        "Files worked on side by side; default: one per core, 4 on a server"),
    NUMBER("threads", 0, RUNNING, RECOGNISING, threads, "N", 1, 1024,
        "Threads that run the network; default: one per core"),
    NUMBER("streams", 0, RUNNING, COMMAND_TOKEN, streams, "N", 0, 65536,
        "Streams that the token's owner may have at once, 0 for any number; default: what the "
        "daemon's settings say"),
    CHOICE(OPTION_CHOICE, "progress", 0, RUNNING, FILES, progress, "auto always never",
        "Show on standard error how far it is; auto: when that is a terminal"),
    SWITCH("quiet", 'q', RUNNING, FILES, quiet, "Show errors alone: no progress"),
    SWITCH("quiet", 'q', RUNNING, COMMAND_LISTEN, quiet,
        "Show errors alone: no line about the microphone"),
    SWITCH("quiet", 'q', RUNNING, COMMAND_WATCH, quiet,
        "Show errors alone: no line about the capture"),
    SWITCH("help", 'h', RUNNING, ALL, help, "Print this and exit"),
    SWITCH("version", 'V', RUNNING, ALL, version, "Print the version and exit"),
};

static_assert(STENO_ENCODING_S16 == 0 && STENO_ENCODING_ALAW == 3, "choices of --encoding");
static_assert(STENO_FORMAT_TEXT == 0 && STENO_FORMAT_TSV == 5, "choices of --format");
static_assert(STENO_PRECISION_AUTO == 0 && STENO_PRECISION_INT8 == 3, "choices of --precision");
static_assert(STENO_OPERATORS_AUTO == 0 && STENO_OPERATORS_ONEDNN == 2, "choices of --operators");
static_assert(STENO_SEARCH_JOINT == 0 && STENO_SEARCH_CTC == 1, "choices of --search");

static const command_entry no_command = {"", "COMMAND ...", "", "", COMMAND_NONE};

static const command_entry commands[] = {
    {"transcribe", "FILE...", "Turn recordings into text",
        "Reads WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF and more, at 8 to 192 kHz with 1\n"
        "to 8 channels, recognised by the file's header; \"-\" is standard input.  Several\n"
        "files are worked on side by side; results come in the order of the arguments.\n"
        "A file that fails is reported and the others go on; of a damaged file, what\n"
        "came before is given.\n",
        COMMAND_TRANSCRIBE},
    {"listen", "", "Turn speech from a microphone into text",
        "Text appears while someone speaks: what may still change is dim, what is final\n"
        "stays.  The line below it shows the level and whether speech is heard.  Ctrl-C\n"
        "ends it, and the last words are still recognised; a second one ends it at once.\n"
        "Without a terminal (in a pipe) there is a line for each final result.\n"
        "A microphone that goes away is waited for.\n",
        COMMAND_LISTEN},
    {"watch", "[NAME]", "Show what a daemon hears",
        "Follows a capture of stenod, a microphone that the daemon itself listens to, and\n"
        "shows what is said as \"steno listen\" does; without NAME lists the captures there\n"
        "are.  When the daemon goes away it is waited for, and what was said is neither\n"
        "lost nor shown twice, as far as the daemon still knows it.  Ctrl-C ends it.\n",
        COMMAND_WATCH},
    {"devices", "", "List the microphones",
        "Each with its number, name, sound system, channels, own rate and the usual rates\n"
        "that it takes; \"*\" marks the one that \"steno listen\" takes unless told.\n",
        COMMAND_DEVICES},
    {"inspect", "FILE", "Show what is heard in a recording",
        "Draws what the recogniser hears and why it says what it says: waveform and\n"
        "spectrum, CTC's spikes, words with times and confidences, where the attention\n"
        "decoder looked, and the time all that took.  It is what \"steno transcribe\" does\n"
        "with the same options; at most 300 seconds of the recording are shown.\n",
        COMMAND_INSPECT},
    {"model info", "[FILE]", "Describe a model",
        "Prints what the model is: name, size, units, licence, training data, measured\n"
        "word error rate, and the precision it would run in here.\n",
        COMMAND_MODEL_INFO},
    {"wer", "MANIFEST", "Measure the word error rate",
        "MANIFEST has a line per recording, tab separated: path (relative to the\n"
        "manifest's folder), reference text and, if wanted, a group; empty lines and\n"
        "lines beginning with \"#\" are skipped.  Both texts are compared in lower case,\n"
        "keeping letters, digits and apostrophes, hyphens as spaces, mr, mrs and dr\n"
        "written out.  Words are aligned with the fewest substitutions, deletions and\n"
        "insertions.\n",
        COMMAND_WER},
    {"token", "create FILE NAME|list FILE|revoke FILE NAME", "Make and revoke tokens of a daemon",
        "FILE is what stenod's --tokens names: a line for each token with its name and a\n"
        "salted hash.  create prints a new token, which is in no file and can't be shown\n"
        "again; list prints names, limits on streams and when each was made, tab\n"
        "separated; revoke makes NAME's token worthless.  A daemon that is running reads\n"
        "FILE again on SIGHUP (systemctl reload stenod).\n",
        COMMAND_TOKEN},
};

const option_entry *options_table(size_t *out_count)
{
    *out_count = sizeof table / sizeof table[0];
    return table;
}

const command_entry *command_table(size_t *out_count)
{
    *out_count = sizeof commands / sizeof commands[0];
    return commands;
}

const command_entry *command_find(const char *name)
{
    if (*name == '\0')
        return &no_command;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

bool options_parse_number(
    const char *text, uint32_t minimum, uint32_t maximum, uint32_t *out_number)
{
    if (*text == '\0')
        return false;
    uint64_t number = 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        number = number * 10 + (uint64_t)(*text - '0');
        if (number > maximum)
            return false;
    }
    if (number < minimum)
        return false;
    *out_number = (uint32_t)number;
    return true;
}

bool options_parse_real(const char *text, double minimum, double maximum, float *out_real)
{
    /* strtod also takes spaces, hexadecimal, "inf" and "nan". */
    char *end;
    if (text[strspn(text, "0123456789.-")] != '\0')
        return false;
    double real = strtod(text, &end);
    if (end == text || *end != '\0' || real < minimum || real > maximum)
        return false;
    *out_real = (float)real;
    return true;
}

uint32_t options_find_choice(const char *choices, const char *word, size_t length)
{
    for (uint32_t index = 0; *choices != '\0'; index++) {
        size_t size = strcspn(choices, " ");
        if (size == length && memcmp(choices, word, length) == 0)
            return index;
        choices += size;
        choices += strspn(choices, " ");
    }
    return OPTIONS_UNSET;
}

/* "s16 f32" as "s16, f32" for messages. */
static void list_choices(const char *choices, char *out, size_t size)
{
    size_t used = 0;
    for (; *choices != '\0' && used + 3 < size; choices++) {
        if (*choices == ' ')
            out[used++] = ',';
        out[used++] = *choices;
    }
    out[used] = '\0';
}

static steno_status add_text(option_texts *texts, const char *value, steno_error *error)
{
    const char **larger = realloc(texts->items, (texts->count + 1) * sizeof *larger);
    if (larger == NULL) {
        return failure_memory(error);
    }
    texts->items = larger;
    texts->items[texts->count++] = value;
    return STENO_OK;
}

static steno_status set_value(
    const option_entry *option, const char *value, option_values *options, steno_error *error)
{
    void *field = (char *)options + option->field;
    char list[128];
    uint32_t index;
    switch (option->kind) {
    case OPTION_SWITCH:
        *(bool *)field = true;
        return STENO_OK;
    case OPTION_NUMBER:
        if (options_parse_number(
                value, (uint32_t)option->minimum, (uint32_t)option->maximum, field))
            return STENO_OK;
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "--%s: '%s' is not a whole number from %" PRId64 " to %" PRId64, option->name, value,
            option->minimum, option->maximum);
    case OPTION_REAL:
        if (options_parse_real(value, (double)option->minimum, (double)option->maximum, field))
            return STENO_OK;
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "--%s: '%s' is not a number from %" PRId64 " to %" PRId64, option->name, value,
            option->minimum, option->maximum);
    case OPTION_CHOICE:
    case OPTION_NUMBER_CHOICE:
        index = options_find_choice(option->choices, value, strlen(value));
        if (index == OPTIONS_UNSET) {
            list_choices(option->choices, list, sizeof list);
            return failure_set(error, STENO_ERROR_ARGUMENT, "--%s: '%s' is not one of %s",
                option->name, value, list);
        }
        if (option->kind == OPTION_CHOICE)
            *(uint32_t *)field = index;
        else
            options_parse_number(value, 0, UINT32_MAX, field);
        return STENO_OK;
    case OPTION_FILE:
    case OPTION_DIRECTORY:
    case OPTION_DEVICE:
    case OPTION_TEXT:
        if (*value == '\0')
            return failure_set(error, STENO_ERROR_ARGUMENT, "--%s: an empty name", option->name);
        *(const char **)field = value;
        return STENO_OK;
    case OPTION_TEXTS:
        if (*value == '\0')
            return failure_set(error, STENO_ERROR_ARGUMENT, "--%s: an empty text", option->name);
        return add_text(field, value, error);
    }
    return STENO_OK;
}

static const option_entry *find_long(const command_entry *command, const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if ((table[i].commands & command->bit) != 0 && strlen(table[i].name) == length &&
            memcmp(table[i].name, name, length) == 0)
            return &table[i];
    return NULL;
}

static const option_entry *find_letter(const command_entry *command, char letter)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if ((table[i].commands & command->bit) != 0 && table[i].letter == letter)
            return &table[i];
    return NULL;
}

/* Where parsing stands: argv[next] is the next word to look at. */
typedef struct cursor {
    int argc, next;
    const char *const *argv;
} cursor;

/* The value of an option that needs one: what is joined to it, or the next word. */
static steno_status take_value(cursor *words, const option_entry *option, const char *joined,
    const char **out, steno_error *error)
{
    if (joined != NULL) {
        *out = joined;
        return STENO_OK;
    }
    if (words->next >= words->argc)
        return failure_set(error, STENO_ERROR_ARGUMENT, "--%s needs a value", option->name);
    *out = words->argv[words->next++];
    return STENO_OK;
}

/* --name, --name=value, --name value */
static steno_status parse_long(const command_entry *command, cursor *words, const char *text,
    option_values *options, steno_error *error)
{
    size_t length = strcspn(text, "=");
    const option_entry *option = find_long(command, text, length);
    if (option == NULL)
        return failure_set(
            error, STENO_ERROR_ARGUMENT, "unknown option '--%.*s'", (int)length, text);
    const char *value = text[length] == '=' ? text + length + 1 : NULL;
    if (option->kind == OPTION_SWITCH) {
        if (value != NULL)
            return failure_set(error, STENO_ERROR_ARGUMENT, "--%s takes no value", option->name);
    } else {
        steno_status status = take_value(words, option, value, &value, error);
        if (status < 0)
            return status;
    }
    return set_value(option, value, options, error);
}

/* -q, -qi, -o FILE, -oFILE */
static steno_status parse_letters(const command_entry *command, cursor *words, const char *text,
    option_values *options, steno_error *error)
{
    for (; *text != '\0'; text++) {
        const option_entry *option = find_letter(command, *text);
        if (option == NULL)
            return failure_set(error, STENO_ERROR_ARGUMENT, "unknown option '-%c'", *text);
        const char *value = NULL;
        if (option->kind != OPTION_SWITCH) {
            const char *joined = text[1] != '\0' ? text + 1 : NULL;
            steno_status status = take_value(words, option, joined, &value, error);
            if (status < 0)
                return status;
        }
        steno_status status = set_value(option, value, options, error);
        if (status < 0 || option->kind != OPTION_SWITCH)
            return status;
    }
    return STENO_OK;
}

steno_status options_parse(const command_entry *command, int argc, const char *const *argv,
    option_values *out_options, steno_error *error)
{
    option_values *options = out_options;
    *options = (struct option_values){.encoding = OPTIONS_UNSET,
        .streams = OPTIONS_UNSET,
        .recent = OPTIONS_UNSET,
        .from_s = NAN,
        .to_s = NAN,
        .lm_weight = NAN,
        .attention_weight = NAN,
        .token_bonus = NAN};
    options->operands = calloc((size_t)argc + 1, sizeof *options->operands);
    if (options->operands == NULL) {
        return failure_memory(error);
    }
    cursor words = {argc, 0, argv};
    bool only_operands = false;
    while (words.next < argc) {
        const char *word = argv[words.next++];
        steno_status status = STENO_OK;
        if (only_operands || word[0] != '-' || word[1] == '\0')
            options->operands[options->operand_count++] = word;
        else if (strcmp(word, "--") == 0)
            only_operands = true;
        else if (word[1] == '-')
            status = parse_long(command, &words, word + 2, options, error);
        else
            status = parse_letters(command, &words, word + 1, options, error);
        if (status < 0)
            return status;
    }
    return STENO_OK;
}

void options_finish(option_values *options)
{
    free(options->operands);
    options->operands = NULL;
    options->operand_count = 0;
    free(options->phrases.items);
    options->phrases = (option_texts){NULL, 0};
    free(options->servers.items);
    options->servers = (option_texts){NULL, 0};
}
