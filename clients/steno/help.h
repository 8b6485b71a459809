/* Texts of `steno --help` and `steno COMMAND --help`, made from the tables of options.h. */
#ifndef STENO_HELP_H
#define STENO_HELP_H

#include <stdio.h>

#include "options.h"

/* What steno is, its commands and exit statuses. */
void help_print_overview(FILE *stream);
/* One command: usage, description, options. */
void help_print_command(const command_entry *command, FILE *stream);

/* Says what is wrong with a command line and where help is; `command` may be "".  Returns the exit
 * status for it. */
int help_usage_error(const char *command, const char *message);

#endif
