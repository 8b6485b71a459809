/*
 * The command line: one table of options drives parsing, --help and the shell completions.
 *
 *     const command_entry *command = command_find("transcribe");
 *     option_values options;
 *     if (options_parse(command, argc, argv, &options, &error) == STENO_OK)
 *         ... options.operands ...
 *     options_finish(&options);
 *
 * Options and operands may stand in any order; "--" ends the options; "-" is an operand; the last
 * of a repeated option counts, where it isn't a list.
 */
#ifndef STENO_OPTIONS_H
#define STENO_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

typedef enum options_progress {
    OPTIONS_PROGRESS_AUTO, /* on when standard error is a terminal */
    OPTIONS_PROGRESS_ALWAYS,
    OPTIONS_PROGRESS_NEVER,
} options_progress;

/* A choice that was not made; whole numbers not given are 0, texts NULL. */
#define OPTIONS_UNSET UINT32_MAX

/* What an option that may be repeated was given, in order. */
typedef struct option_texts {
    const char **items; /* [count], pointing into argv; owned */
    size_t count;
} option_texts;

typedef struct option_values {
    /* input */
    bool raw;
    uint32_t rate_hz, channels;
    uint32_t encoding; /* a steno_encoding or OPTIONS_UNSET */
    bool per_channel;
    const char *device;
    uint32_t recent; /* or OPTIONS_UNSET */

    /* output */
    uint32_t format; /* a steno_format */
    const char *output, *output_dir;
    bool interim;
    uint32_t alternatives;
    const char *details;
    const char *save_audio;
    bool json;
    const char *html, *svg, *png;
    float from_s, to_s; /* NAN: not given */

    /* recognition */
    const char *model;
    uint32_t precision; /* a steno_precision */
    uint32_t operators; /* a steno_operators */
    uint32_t chunk_ms;
    uint32_t search; /* a steno_search */
    uint32_t beam;
    float lm_weight, attention_weight, token_bonus; /* NAN: not given */
    uint32_t endpoint_ms, max_utterance_ms;
    bool no_endpointing;
    option_texts phrases;
    const char *phrase_file;

    /* recognition on a server */
    option_texts servers;
    const char *ca_file, *certificate_file, *key_file, *server_name, *token_file;
    uint32_t connect_timeout_s;

    /* running */
    uint32_t jobs, threads;
    uint32_t streams;  /* of a token; or OPTIONS_UNSET */
    uint32_t progress; /* an options_progress */
    bool quiet;
    bool help, version;

    const char **operands; /* [operand_count], pointing into argv; owned */
    size_t operand_count;
} option_values;

typedef enum option_group {
    OPTION_GROUP_INPUT,
    OPTION_GROUP_OUTPUT,
    OPTION_GROUP_RECOGNITION,
    OPTION_GROUP_SERVER,
    OPTION_GROUP_RUNNING,
    OPTION_GROUP_COUNT,
} option_group;

typedef enum option_kind {
    OPTION_SWITCH,        /* bool */
    OPTION_NUMBER,        /* uint32_t between minimum and maximum */
    OPTION_REAL,          /* float between them */
    OPTION_CHOICE,        /* uint32_t: which of `choices` */
    OPTION_NUMBER_CHOICE, /* uint32_t: a number among `choices` */
    OPTION_FILE,          /* const char * */
    OPTION_DIRECTORY,     /* const char * */
    OPTION_DEVICE,        /* const char *: a microphone */
    OPTION_TEXT,          /* const char * */
    OPTION_TEXTS,         /* option_texts: each time one more */
} option_kind;

/* Which commands take an option: bits. */
enum {
    COMMAND_TRANSCRIBE = 1,
    COMMAND_WER = 2,
    COMMAND_MODEL_INFO = 4,
    COMMAND_NONE = 8, /* steno without a command */
    COMMAND_TOKEN = 16,
    COMMAND_INSPECT = 32,
    COMMAND_LISTEN = 64,
    COMMAND_DEVICES = 128,
    COMMAND_WATCH = 256,
};

typedef struct option_entry {
    const char *name; /* without the dashes */
    char letter;      /* of its short form; 0: none */
    option_kind kind;
    option_group group;
    unsigned commands;
    size_t field;        /* offset in struct options */
    const char *value;   /* what the value is called in --help; NULL for switches and choices */
    const char *choices; /* separated by spaces; NULL where any value goes */
    int64_t minimum, maximum;
    const char *help;
} option_entry;

typedef struct command_entry {
    const char *name; /* as typed: "transcribe", "model info" */
    const char *operands;
    const char *summary;
    const char *description; /* paragraphs under the usage line */
    unsigned bit;
} command_entry;

/* All options in the order of --help; *out_count says how many. */
const option_entry *options_table(size_t *out_count);
/* All commands but "help". */
const command_entry *command_table(size_t *out_count);
/* The command of this name; "" is steno without a command; NULL if there is none. */
const command_entry *command_find(const char *name);

/* Parses argv[0 .. argc) (what follows the command).  STENO_ERROR_ARGUMENT with a message for the
 * person who typed it, or STENO_ERROR_MEMORY; *out_options is to be finished in either case. */
steno_status options_parse(const command_entry *command, int argc, const char *const *argv,
    option_values *out_options, steno_error *error);
void options_finish(option_values *options);

/* A whole decimal number from minimum to maximum: nothing before or after it. */
bool options_parse_number(
    const char *text, uint32_t minimum, uint32_t maximum, uint32_t *out_number);

/* A decimal number, as 0.5 or -2, from minimum to maximum: nothing before or after it. */
bool options_parse_real(const char *text, double minimum, double maximum, float *out_real);

/* The index of `word` among the space-separated `choices`, or OPTIONS_UNSET. */
uint32_t options_find_choice(const char *choices, const char *word, size_t length);

#endif
