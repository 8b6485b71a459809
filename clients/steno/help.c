#include "help.h"

#include <inttypes.h>
#include <string.h>

#include "exit_status.h"

enum {
    HELP_COLUMN = 26, /* where explanations begin */
    HELP_WIDTH = 80,
};

static const char *const group_titles[OPTION_GROUP_COUNT] = {
    [OPTION_GROUP_INPUT] = "Input",
    [OPTION_GROUP_OUTPUT] = "Output",
    [OPTION_GROUP_RECOGNITION] = "Recognition",
    [OPTION_GROUP_SERVER] = "Recognition on a server",
    [OPTION_GROUP_RUNNING] = "General",
};

static const char exit_statuses[] =
    "Exit status:\n"
    "  0  all went well\n"
    "  1  the audio of some file could not be recognised, or not all of it\n"
    "  2  the command line is wrong; nothing was done\n"
    "  3  the model can't be loaded\n"
    "  4  some input (a file, the microphone) was not found or can't be read, and\n"
    "     nothing worse happened\n"
    "  5  some output can't be written\n"
    "  6  no server could be reached, or it failed or refused\n";

/* Prints `text` word by word from column `column` on, indenting further lines as far. */
static void print_wrapped(const char *text, size_t column, FILE *stream)
{
    size_t position = column;
    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        if (position > column && position + 1 + size > HELP_WIDTH) {
            fprintf(stream, "\n%*s", (int)column, "");
            position = column;
        }
        if (position > column) {
            fputc(' ', stream);
            position++;
        }
        fwrite(text, 1, size, stream);
        position += size;
        text += size;
        text += strspn(text, " ");
    }
    fputc('\n', stream);
}

static int describe(const option_entry *option, char *out, size_t size)
{
    char letter[8] = "   ";
    if (option->letter != 0)
        snprintf(letter, sizeof letter, "-%c,", option->letter);
    if (option->value != NULL)
        return snprintf(out, size, "  %s --%s %s", letter, option->name, option->value);
    if (option->choices == NULL)
        return snprintf(out, size, "  %s --%s", letter, option->name);
    int used = snprintf(out, size, "  %s --%s %s", letter, option->name, option->choices);
    for (char *bar = out + used - strlen(option->choices); *bar != '\0'; bar++)
        if (*bar == ' ')
            *bar = '|';
    return used;
}

static void print_option(const option_entry *option, FILE *stream)
{
    char left[128];
    int used = describe(option, left, sizeof left);
    fputs(left, stream);
    if (used + 2 > HELP_COLUMN) {
        fputc('\n', stream);
        used = 0;
    }
    fprintf(stream, "%*s", HELP_COLUMN - used, "");
    char text[512];
    if (option->kind == OPTION_NUMBER || option->kind == OPTION_REAL)
        snprintf(text, sizeof text, "%s; %" PRId64 " to %" PRId64, option->help, option->minimum,
            option->maximum);
    else
        snprintf(text, sizeof text, "%s", option->help);
    print_wrapped(text, HELP_COLUMN, stream);
}

static void print_options(const command_entry *command, FILE *stream)
{
    size_t count;
    const option_entry *table = options_table(&count);
    for (int group = 0; group < OPTION_GROUP_COUNT; group++) {
        bool titled = false;
        for (size_t i = 0; i < count; i++) {
            if ((int)table[i].group != group || (table[i].commands & command->bit) == 0)
                continue;
            if (!titled)
                fprintf(stream, "\n%s:\n", group_titles[group]);
            titled = true;
            print_option(&table[i], stream);
        }
    }
}

void help_print_overview(FILE *stream)
{
    fputs("Usage: steno COMMAND [OPTION]... [ARGUMENT]...\n"
          "\n"
          "Speech to text on this machine: nothing leaves it.\n"
          "\n"
          "Commands:\n",
        stream);
    size_t count;
    const command_entry *commands = command_table(&count);
    for (size_t i = 0; i < count; i++)
        fprintf(stream, "  %-14s %s\n", commands[i].name, commands[i].summary);
    fputs("  help COMMAND   Explain a command\n", stream);
    print_options(command_find(""), stream);
    fputc('\n', stream);
    fputs(exit_statuses, stream);
    fputs("\n\"steno transcribe talk.mp3\" prints what is said in talk.mp3.\n", stream);
}

void help_print_command(const command_entry *command, FILE *stream)
{
    fprintf(stream, "Usage: steno %s [OPTION]...%s%s\n\n%s.\n\n%s", command->name,
        *command->operands != '\0' ? " " : "", command->operands, command->summary,
        command->description);
    print_options(command, stream);
    fputc('\n', stream);
    fputs(exit_statuses, stream);
}

int help_usage_error(const char *command, const char *message)
{
    fprintf(stderr, "steno: %s\nTry \"steno %s%s--help\".\n", message, command,
        *command != '\0' ? " " : "");
    return EXIT_STATUS_USAGE;
}
