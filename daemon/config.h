/*
 * The configuration file:
 *
 *     # a comment
 *     [limits]
 *     max-streams = 8
 *
 * Keys are the options' names (options.h), under the section that --help names for them or before
 * any section.  A list's key may be repeated.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include "daemon/options.h"
#include "steno/status.h"

/* Errors name the file and the line: NOT_FOUND, PERMISSION, IO, ARGUMENT, MEMORY, LIMIT. */
steno_status config_read(daemon_options *options, const char *path, steno_error *error);

#endif
