#include "listen.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "exit_status.h"
#include "failure.h"
#include "foreground.h"
#include "help.h"
#include "live.h"
#include "plan.h"
#include "session.h"
#include "steno/capture.h"
#include "steno/recording.h"

static steno_status check_options(const option_values *options, steno_error *error)
{
    if (options->operand_count > 0)
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "listen takes no argument: the microphone is --device, \"steno transcribe\" takes "
            "files");
    steno_status status = plan_check_interim(options, error);
    if (status < 0 || options->save_audio == NULL)
        return status;
    if (options->output != NULL && strcmp(options->output, options->save_audio) == 0)
        return failure_set(
            error, STENO_ERROR_ARGUMENT, "--output and --save-audio name the same file");
    return steno_recording_check_path(options->save_audio, error);
}

int listen_command(const option_values *options)
{
    session state;
    steno_error error;
    if (check_options(options, &error) < 0)
        return help_usage_error("listen", error.message);
    if (!steno_capture_is_supported()) {
        fprintf(stderr, "steno: this build has no microphone: it was made without PortAudio\n");
        return EXIT_STATUS_INPUT;
    }
    int status = session_open(&state, options);
    if (status == EXIT_STATUS_FINE)
        status = foreground_run(&state, options, live_run);
    int ended = session_close(&state, status);
    /* Ctrl-C is how one stops listening. */
    return ended == EXIT_STATUS_SIGNAL + SIGINT ? status : ended;
}
