#include "devices.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "columns.h"
#include "console.h"
#include "exit_status.h"
#include "help.h"
#include "noise.h"
#include "printing.h"
#include "steno/capture.h"

enum { PATIENCE_SECONDS = 10 }; /* with a sound system that may never answer */

void devices_advise(void (*say)(void *context, const char *line), void *context)
{
    if (access("/dev/snd", F_OK) != 0)
        say(context,
            "the kernel shows no sound card (there is no /dev/snd): plug a microphone in, or give "
            "this container or virtual machine a sound device");
    else if (access("/dev/snd/timer", R_OK) != 0)
        say(context, "/dev/snd may not be read by this user: add it to the group \"audio\" "
                     "(sudo usermod -aG audio $USER) and log in anew");
    else
        say(context,
            "see what ALSA finds with \"arecord -l\" (package alsa-utils); a microphone that "
            "another program uses may be missing here");
    say(context,
        "with PulseAudio install libasound2-plugins, with PipeWire pipewire-alsa, and see that the "
        "sound server runs (\"pactl info\")");
}

static char *to_json(const steno_device *list, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *rates = json_array();
        for (size_t r = 0; r < list[i].rate_count; r++)
            json_array_append_new(rates, json_integer(list[i].rates_hz[r]));
        growing name = {0}; /* as UTF-8, which JSON is */
        columns_append(&name, list[i].name, strlen(list[i].name));
        json_array_append_new(
            array, json_pack("{s:i, s:s, s:s, s:i, s:i, s:o, s:b}", "number", (int)list[i].number,
                       "name", name.size > 0 ? name.bytes : "", "system", list[i].system,
                       "channels", (int)list[i].channels_max, "rate_hz", (int)list[i].rate_hz,
                       "rates_hz", rates, "default", (int)list[i].is_default));
        growing_finish(&name);
    }
    json_t *all = json_pack("{s:o}", "devices", array);
    char *text = all != NULL ? json_dumps(all, JSON_INDENT(2)) : NULL;
    json_decref(all);
    return text;
}

static void print_table(FILE *out, const steno_device *list, size_t count)
{
    size_t name = strlen("NAME"), system = strlen("SYSTEM");
    for (size_t i = 0; i < count; i++) {
        name = printing_wider(name, list[i].name);
        system = printing_wider(system, list[i].system);
    }
    fputs("   NR  ", out);
    printing_cell(out, "NAME", name);
    fputs("  ", out);
    printing_cell(out, "SYSTEM", system);
    fputs("  CHANNELS      HZ  TAKES", out);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "\n%c %3u  ", list[i].is_default ? '*' : ' ', (unsigned)list[i].number);
        printing_cell(out, list[i].name, name);
        fputs("  ", out);
        printing_cell(out, list[i].system, system);
        fprintf(out, "  %8u  %6u ", (unsigned)list[i].channels_max, (unsigned)list[i].rate_hz);
        for (size_t r = 0; r < list[i].rate_count; r++)
            fprintf(out, " %u", (unsigned)list[i].rates_hz[r]);
        if (list[i].rate_count == 0)
            fputs(" nothing now: in use?", out);
    }
}

/* NULL when memory is out. */
static char *to_text(const steno_device *list, size_t count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    print_table(out, list, count);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static void say_line(void *context, const char *line)
{
    console_error(context, NULL, line);
}

static int show(console *screen, const steno_device_list *list, bool json)
{
    size_t count;
    const steno_device *all = steno_device_list_get(list, &count);
    int status = EXIT_STATUS_FINE;
    if (json)
        status = printing_text(screen, to_json(all, count));
    else if (count > 0)
        status = printing_text(screen, to_text(all, count));
    if (count > 0 || status != EXIT_STATUS_FINE)
        return status;
    console_error(screen, NULL, "no microphone found");
    devices_advise(say_line, screen);
    return EXIT_STATUS_INPUT;
}

static int errors_descriptor;

/* There is no other way out of a client of PulseAudio that waits for its server. */
static void give_up(int number)
{
    (void)number;
    static const char line[] = "steno: the sound system does not answer\n";
    ssize_t written = write(errors_descriptor, line, sizeof line - 1);
    _exit(written >= 0 ? EXIT_STATUS_INPUT : EXIT_STATUS_OUTPUT);
}

static steno_status list_devices(console *screen, steno_device_list **list, steno_error *error)
{
    noise_hide(screen);
    errors_descriptor = fileno(screen->errors);
    struct sigaction action = {.sa_handler = give_up};
    sigaction(SIGALRM, &action, NULL);
    alarm(PATIENCE_SECONDS);
    steno_status status = steno_device_list_create(true, list, error);
    alarm(0);
    noise_restore(screen);
    return status;
}

int devices(const option_values *options)
{
    if (options->operand_count > 0)
        return help_usage_error("devices", "devices takes no argument");
    console screen;
    console_init(&screen);
    steno_device_list *list = NULL;
    steno_error error;
    int exit_status = EXIT_STATUS_INPUT;
    if (list_devices(&screen, &list, &error) < 0)
        console_error(&screen, NULL, error.message);
    else
        exit_status = show(&screen, list, options->json);
    steno_device_list_destroy(list);
    console_finish(&screen);
    return exit_status;
}
