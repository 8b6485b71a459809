/*
 * Prints the completion script of a shell, made from the tables of options.h, so that options and
 * completions can't drift apart.  Runs while steno is built:
 *
 *     generate bash|zsh|fish > FILE
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

static bool takes(const option_entry *option, const command_entry *command)
{
    return (option->commands & command->bit) != 0;
}

/* The first words that are commands: "transcribe", "listen", ... and "help". */
static const char command_words[] = "transcribe listen watch devices inspect model wer token help";

/* Otherwise it takes nothing, or what only a server knows. */
static bool takes_files(const command_entry *command)
{
    return *command->operands != '\0' && command->bit != COMMAND_WATCH;
}

/* Whether an option of this name stands before it in the table: one name may stand for different
 * things in different commands, but takes the same kind of value. */
static bool is_repeated(const option_entry *table, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(table[i].name, table[index].name) == 0)
            return true;
    return false;
}

static void print_bash_values(const option_entry *option)
{
    printf("    --%s", option->name);
    if (option->letter != 0)
        printf(" | -%c", option->letter);
    fputs(")\n", stdout);
    switch (option->kind) {
    case OPTION_CHOICE:
    case OPTION_NUMBER_CHOICE:
        printf("        COMPREPLY=($(compgen -W '%s' -- \"$word\"))\n", option->choices);
        break;
    case OPTION_FILE:
        fputs("        compopt -o filenames\n        COMPREPLY=($(compgen -f -- \"$word\"))\n",
            stdout);
        break;
    case OPTION_DIRECTORY:
        fputs("        compopt -o filenames\n        COMPREPLY=($(compgen -d -- \"$word\"))\n",
            stdout);
        break;
    case OPTION_NUMBER:
    case OPTION_REAL:
    case OPTION_TEXT:
    case OPTION_TEXTS:
    case OPTION_DEVICE:
    case OPTION_SWITCH:
        fputs("        COMPREPLY=()\n", stdout);
        break;
    }
    fputs("        return\n        ;;\n", stdout);
}

static void print_bash_options(const command_entry *command)
{
    size_t count;
    const option_entry *table = options_table(&count);
    for (size_t i = 0; i < count; i++)
        if (takes(&table[i], command))
            printf(" --%s", table[i].name);
}

static void print_bash(void)
{
    size_t count, command_count;
    const option_entry *table = options_table(&count);
    const command_entry *commands = command_table(&command_count);
    fputs("# bash completion for steno\n"
          "\n"
          "_steno() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local command=${COMP_WORDS[1]}\n"
          "    if ((COMP_CWORD == 1)); then\n",
        stdout);
    printf("        COMPREPLY=($(compgen -W '%s", command_words);
    print_bash_options(command_find(""));
    fputs("' -- \"$word\"))\n"
          "        return\n"
          "    fi\n"
          "    case $before in\n",
        stdout);
    for (size_t i = 0; i < count; i++)
        if (table[i].kind != OPTION_SWITCH && !is_repeated(table, i))
            print_bash_values(&table[i]);
    fputs("    esac\n"
          "    local options=\n"
          "    case $command in\n",
        stdout);
    for (size_t c = 0; c < command_count; c++) {
        printf(
            "    %.*s)\n        options='", (int)strcspn(commands[c].name, " "), commands[c].name);
        print_bash_options(&commands[c]);
        fputs("'\n        ;;\n", stdout);
    }
    fputs("    esac\n"
          "    if [[ $word == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
          "    elif [[ $command == model ]] && ((COMP_CWORD == 2)); then\n"
          "        COMPREPLY=($(compgen -W 'info' -- \"$word\"))\n"
          "    elif [[ $command == token ]] && ((COMP_CWORD == 2)); then\n"
          "        COMPREPLY=($(compgen -W 'create list revoke' -- \"$word\"))\n"
          "    elif [[ $command == help ]]; then\n",
        stdout);
    printf("        COMPREPLY=($(compgen -W '%s' -- \"$word\"))\n", command_words);
    for (size_t c = 0; c < command_count; c++)
        if (!takes_files(&commands[c]))
            printf("    elif [[ $command == %s ]]; then\n        COMPREPLY=()\n", commands[c].name);
    fputs("    else\n"
          "        compopt -o filenames\n"
          "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
          "    fi\n"
          "}\n"
          "\n"
          "complete -F _steno steno\n",
        stdout);
}

/* The explanation as zsh takes it inside [...] within single quotes. */
static void print_zsh_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", stdout);
        else if (strchr("[]:\\", *text) != NULL)
            printf("\\%c", *text);
        else
            fputc(*text, stdout);
    }
}

static void print_zsh_value(const option_entry *option)
{
    switch (option->kind) {
    case OPTION_SWITCH:
        break;
    case OPTION_NUMBER:
    case OPTION_REAL:
    case OPTION_TEXT:
    case OPTION_TEXTS:
    case OPTION_DEVICE:
        fputc(':', stdout);
        print_zsh_text(option->value);
        fputc(':', stdout);
        break;
    case OPTION_CHOICE:
    case OPTION_NUMBER_CHOICE:
        printf(":%s:(%s)", option->name, option->choices);
        break;
    case OPTION_FILE:
        fputs(":file:_files", stdout);
        break;
    case OPTION_DIRECTORY:
        fputs(":folder:_files -/", stdout);
        break;
    }
}

static void print_zsh_option(const option_entry *option)
{
    /* '(-o --output)'{-o,--output=}'[...]:...' */
    const char *equals = option->kind == OPTION_SWITCH ? "" : "=";
    if (option->letter != 0)
        printf("        '(-%c --%s)'{-%c,--%s%s}'[", option->letter, option->name, option->letter,
            option->name, equals);
    else
        printf("        '--%s%s[", option->name, equals);
    print_zsh_text(option->help);
    fputc(']', stdout);
    print_zsh_value(option);
    fputs("' \\\n", stdout);
}

static void print_zsh_arguments(const command_entry *command, const char *operands)
{
    size_t count;
    const option_entry *table = options_table(&count);
    fputs("        _arguments -s \\\n", stdout);
    for (size_t i = 0; i < count; i++)
        if (takes(&table[i], command))
            print_zsh_option(&table[i]);
    printf("        %s\n", operands);
}

static void print_zsh(void)
{
    size_t command_count;
    const command_entry *commands = command_table(&command_count);
    fputs("#compdef steno\n"
          "\n"
          "if ((CURRENT == 2)); then\n"
          "    if [[ $words[2] == -* ]]; then\n",
        stdout);
    print_zsh_arguments(command_find(""), "'*::'");
    fputs("        return\n"
          "    fi\n",
        stdout);
    printf("    compadd -- %s\n    return\nfi\n", command_words);
    fputs("case $words[2] in\n", stdout);
    for (size_t c = 0; c < command_count; c++) {
        bool is_model = commands[c].bit == COMMAND_MODEL_INFO;
        printf("    %.*s)\n", (int)strcspn(commands[c].name, " "), commands[c].name);
        if (is_model)
            fputs("        if ((CURRENT == 3)); then\n"
                  "            compadd -- info\n"
                  "            return\n"
                  "        fi\n"
                  "        shift words\n"
                  "        ((CURRENT--))\n",
                stdout);
        fputs("        shift words\n"
              "        ((CURRENT--))\n",
            stdout);
        const char *operands = "'*:file:_files'";
        if (commands[c].bit == COMMAND_TOKEN)
            operands = "':action:(create list revoke)' '*:file:_files'";
        else if (!takes_files(&commands[c]))
            operands = "'*::'";
        print_zsh_arguments(&commands[c], operands);
        fputs("        ;;\n", stdout);
    }
    printf("    help)\n        compadd -- %s\n        ;;\nesac\n", command_words);
}

static void print_fish_text(const char *text)
{
    fputc('\'', stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', stdout);
        fputc(*text, stdout);
    }
    fputc('\'', stdout);
}

static void print_fish_option(const option_entry *option, const char *condition)
{
    printf("complete -c steno -n '%s' -l %s", condition, option->name);
    if (option->letter != 0)
        printf(" -s %c", option->letter);
    switch (option->kind) {
    case OPTION_SWITCH:
        break;
    case OPTION_NUMBER:
    case OPTION_REAL:
    case OPTION_TEXT:
    case OPTION_TEXTS:
    case OPTION_DEVICE:
        fputs(" -x", stdout);
        break;
    case OPTION_CHOICE:
    case OPTION_NUMBER_CHOICE:
        printf(" -x -a '%s'", option->choices);
        break;
    case OPTION_FILE:
        fputs(" -r -F", stdout);
        break;
    case OPTION_DIRECTORY:
        fputs(" -x -a '(__fish_complete_directories)'", stdout);
        break;
    }
    fputs(" -d ", stdout);
    print_fish_text(option->help);
    fputc('\n', stdout);
}

static void print_fish(void)
{
    size_t count, command_count;
    const option_entry *table = options_table(&count);
    const command_entry *commands = command_table(&command_count);
    fputs("# fish completion for steno\n\n", stdout);
    for (size_t c = 0; c < command_count; c++) {
        int length = (int)strcspn(commands[c].name, " ");
        printf(
            "complete -c steno -f -n __fish_use_subcommand -a %.*s -d ", length, commands[c].name);
        print_fish_text(commands[c].summary);
        fputc('\n', stdout);
    }
    fputs("complete -c steno -f -n __fish_use_subcommand -a help -d 'Explain a command'\n"
          "complete -c steno -f -n '__fish_seen_subcommand_from model; and not "
          "__fish_seen_subcommand_from info' -a info\n"
          "complete -c steno -n '__fish_seen_subcommand_from token; and not "
          "__fish_seen_subcommand_from create list revoke' -a 'create list revoke'\n",
        stdout);
    printf("complete -c steno -f -n '__fish_seen_subcommand_from help' -a '%s'\n", command_words);
    for (size_t i = 0; i < count; i++)
        if (takes(&table[i], command_find("")))
            print_fish_option(&table[i], "__fish_use_subcommand");
    for (size_t c = 0; c < command_count; c++) {
        char condition[64];
        snprintf(condition, sizeof condition, "__fish_seen_subcommand_from %.*s",
            (int)strcspn(commands[c].name, " "), commands[c].name);
        for (size_t i = 0; i < count; i++)
            if (takes(&table[i], &commands[c]))
                print_fish_option(&table[i], condition);
    }
}

int main(int argc, char **argv)
{
    const char *shell = argc == 2 ? argv[1] : "";
    if (strcmp(shell, "bash") == 0) {
        print_bash();
    } else if (strcmp(shell, "zsh") == 0) {
        print_zsh();
    } else if (strcmp(shell, "fish") == 0) {
        print_fish();
    } else {
        fputs("usage: generate bash|zsh|fish\n", stderr);
        return 2;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
