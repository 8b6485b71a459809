/*
 * The configuration file:
 *
 *     # a comment
 *     [limits]
 *     max-streams = 8
 *
 * Keys are the options' names (options.h), under the section that --help names for them or before
 * any section.  A list's key may be repeated.  [capture NAME] has keys of its own
 * (capture_options.h).
 */
#ifndef SETTINGS_CONFIG_H
#define SETTINGS_CONFIG_H

#include "settings/options.h"
#include "steno/status.h"

/* The settings of all sources: command line, environment, the file that either names; completed,
 * unless the command line asks for help or the version.  options: as of options_init.  Errors as of
 * all that it does. */
steno_status config_read_all(
    daemon_options *options, int argc, char **argv, char *const *environment, steno_error *error);

/* Errors name the file and the line: NOT_FOUND, PERMISSION, IO, ARGUMENT, MEMORY, LIMIT. */
steno_status config_read(daemon_options *options, const char *path, steno_error *error);

#endif
