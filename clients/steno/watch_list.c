#include "watch_list.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "exit_status.h"
#include "printing.h"
#include "server.h"
#include "steno/client_captions.h"

static char *to_json(const steno_client_captures *captures)
{
    json_t *array = json_array();
    for (size_t i = 0; i < captures->count; i++) {
        const steno_client_capture *one = &captures->items[i];
        const steno_client_capture_status *status = &one->status;
        json_array_append_new(array,
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:I, s:i}", "name", one->name,
                "about", one->about, "state", steno_client_capture_state_name(status->state),
                "device", status->device, "reason", status->reason, "heard_ms",
                (json_int_t)status->heard_ms, "lost_ms", (json_int_t)status->lost_ms, "gaps",
                (int)status->gaps, "device_overruns", (int)status->device_overruns, "finals",
                (json_int_t)one->finals, "watchers", (int)one->watchers));
    }
    json_t *all = json_pack("{s:s, s:o}", "server", captures->address, "captures", array);
    char *text = all != NULL ? json_dumps(all, JSON_INDENT(2)) : NULL;
    json_decref(all);
    return text;
}

static void print_table(FILE *out, const steno_client_captures *captures)
{
    size_t name = strlen("NAME"), state = strlen("listening");
    for (size_t i = 0; i < captures->count; i++)
        name = printing_wider(name, captures->items[i].name);
    printing_cell(out, "NAME", name);
    fputs("  ", out);
    printing_cell(out, "STATE", state);
    fputs("     HEARD  WATCHERS  WHAT", out);
    for (size_t i = 0; i < captures->count; i++) {
        const steno_client_capture *one = &captures->items[i];
        uint64_t seconds = one->status.heard_ms / 1000;
        fputc('\n', out);
        printing_cell(out, one->name, name);
        fputs("  ", out);
        printing_cell(out, steno_client_capture_state_name(one->status.state), state);
        fprintf(out, "%4" PRIu64 ":%02u:%02u  %8u  ", seconds / 3600, (unsigned)(seconds / 60 % 60),
            (unsigned)(seconds % 60), (unsigned)one->watchers);
        printing_cell(out, one->about, 0);
        if (one->status.reason[0] != '\0') {
            fputs(": ", out);
            printing_cell(out, one->status.reason, 0);
        }
    }
}

/* NULL when memory is out. */
static char *to_text(const steno_client_captures *captures)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    print_table(out, captures);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static int show(console *screen, const steno_client_captures *captures, bool json)
{
    if (json)
        return printing_text(screen, to_json(captures));
    if (captures->count > 0)
        return printing_text(screen, to_text(captures));
    char message[256];
    snprintf(message, sizeof message, "%s listens to nothing: its settings have no [capture NAME]",
        captures->address);
    console_error(screen, NULL, message);
    return EXIT_STATUS_INPUT;
}

int watch_list(const option_values *options)
{
    console screen;
    steno_client *client = NULL;
    steno_client_captures *captures = NULL;
    steno_error error;
    int exit_status = EXIT_STATUS_SERVER;
    console_init(&screen);
    steno_status status = server_create_client(options, &client, &error);
    if (status < 0)
        exit_status = EXIT_STATUS_USAGE;
    else
        status = steno_client_list_captures(client, &captures, &error);
    if (status < 0)
        console_error(&screen, NULL, error.message);
    else
        exit_status = show(&screen, captures, options->json);
    steno_client_captures_destroy(captures);
    steno_client_destroy(client);
    console_finish(&screen);
    return exit_status;
}
