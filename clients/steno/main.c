/*
 * steno: speech to text on the command line.  Finds the command, parses its options and runs it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices.h"
#include "exit_status.h"
#include "help.h"
#include "inspect/inspect.h"
#include "listen.h"
#include "model_info.h"
#include "options.h"
#include "server.h"
#include "steno/steno.h"
#include "token.h"
#include "transcribe.h"
#include "watch.h"
#include "wer.h"

/* Whether the descriptor came from who started us.  One that is closed when a program is executed
 * did not: gRPC, when it is loaded, tries an eventfd and forgets it where it got number 0. */
static bool is_inherited(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    return flags < 0 ? errno != EBADF : (flags & FD_CLOEXEC) == 0;
}

/* A file opened later must not become standard output because that was closed: descriptors 0 to 2
 * are held, in the direction in which using them fails. */
static void hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (is_inherited(fd))
            continue;
        int nowhere = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (nowhere < 0 || (nowhere != fd && (dup2(nowhere, fd) < 0 || close(nowhere) < 0)))
            _exit(EXIT_STATUS_OUTPUT);
    }
}

/* Help and version: standard output through stdio, so failures show at the end. */
static int finish_printing(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_STATUS_FINE;
    if (errno == EPIPE)
        return EXIT_STATUS_SIGNAL + SIGPIPE;
    fprintf(stderr, "steno: standard output: %s\n", strerror(errno));
    return EXIT_STATUS_OUTPUT;
}

static int print_version(void)
{
    printf("steno %s\n", steno_version());
    return finish_printing();
}

/* The command named by the first words: *out_used says how many; NULL if there is none. */
static const command_entry *find_command(int argc, const char *const *argv, int *out_used)
{
    *out_used = 0;
    if (argc > 0 && argv[0][0] != '-') {
        *out_used = 1;
        if (argc > 1 && strcmp(argv[0], "model") == 0) {
            char name[32];
            snprintf(name, sizeof name, "model %s", argv[1]);
            *out_used = 2;
            return command_find(name);
        }
        return *argv[0] != '\0' ? command_find(argv[0]) : NULL;
    }
    return command_find("");
}

/* A command whose first word this is, "model info" of "model"; NULL if there is none. */
static const char *longer_command(const char *word)
{
    size_t count, length = strlen(word);
    const command_entry *commands = command_table(&count);
    for (size_t i = 0; i < count; i++)
        if (strncmp(commands[i].name, word, length) == 0 && commands[i].name[length] == ' ')
            return commands[i].name;
    return NULL;
}

static int refuse_command(const char *const *argv, int used)
{
    char message[160];
    const char *longer = longer_command(argv[0]);
    snprintf(message, sizeof message, "unknown command '%.80s%s%.20s'%s%s%s", argv[0],
        used > 1 ? " " : "", used > 1 ? argv[1] : "", longer != NULL ? "; there is \"" : "",
        longer != NULL ? longer : "", longer != NULL ? "\"" : "");
    return help_usage_error("", message);
}

static int print_help(int argc, const char *const *argv)
{
    int used;
    const command_entry *command = find_command(argc, argv, &used);
    if (command == NULL)
        return refuse_command(argv, used);
    if (used < argc)
        return help_usage_error("", "help explains one command");
    if (command->bit == COMMAND_NONE)
        help_print_overview(stdout);
    else
        help_print_command(command, stdout);
    return finish_printing();
}

static int run_command(const command_entry *command, const option_values *options)
{
    if (options->help && command->bit == COMMAND_NONE)
        help_print_overview(stdout);
    else if (options->help)
        help_print_command(command, stdout);
    if (options->help)
        return finish_printing();
    if (options->version)
        return print_version();
    switch (command->bit) {
    case COMMAND_TRANSCRIBE:
        return transcribe(options);
    case COMMAND_WER:
        return wer(options);
    case COMMAND_INSPECT:
        return inspect(options);
    case COMMAND_LISTEN:
        return listen_command(options);
    case COMMAND_WATCH:
        return watch(options);
    case COMMAND_DEVICES:
        return devices(options);
    case COMMAND_MODEL_INFO:
        return model_info(options);
    case COMMAND_TOKEN:
        return token(options);
    default:
        return help_usage_error("", "no command given");
    }
}

static int run_line(int argc, const char *const *argv)
{
    if (argc > 0 && strcmp(argv[0], "help") == 0)
        return print_help(argc - 1, argv + 1);
    int used;
    const command_entry *command = find_command(argc, argv, &used);
    if (command == NULL)
        return refuse_command(argv, used);
    option_values options;
    steno_error error;
    steno_status status = options_parse(command, argc - used, argv + used, &options, &error);
    if (status == STENO_OK)
        status = server_check_options(&options, &error);
    int exit_status;
    if (status == STENO_OK)
        exit_status = run_command(command, &options);
    else
        exit_status = help_usage_error(command->name, error.message);
    options_finish(&options);
    return exit_status;
}

int main(int argc, char **argv)
{
    int status;
    hold_standard_descriptors();
    if (steno_microphone_serve(&status))
        return status;
    /* A reader that has gone is noticed by the failing write, which leaves time to clean up. */
    signal(SIGPIPE, SIG_IGN);
    status = run_line(argc > 0 ? argc - 1 : 0, (const char *const *)argv + 1);
    if (status > EXIT_STATUS_SIGNAL) {
        /* Ended by a signal: so that a shell's loop ends too. */
        signal(status - EXIT_STATUS_SIGNAL, SIG_DFL);
        raise(status - EXIT_STATUS_SIGNAL);
    }
    return status;
}
