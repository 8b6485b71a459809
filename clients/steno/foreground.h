/*
 * A command that lasts until it is interrupted, with a screen: "steno listen", "steno watch".
 */
#ifndef STENO_FOREGROUND_H
#define STENO_FOREGROUND_H

#include "options.h"
#include "screen.h"
#include "session.h"

/* Runs until session->interrupt is stopped or nothing can be done any more; an exit status. */
typedef int foreground_work(session *session, screen *screen, const option_values *options);

/* Has the work done on a thread of its own, with signals and Ctrl-Z looked after.  The session's
 * console and interrupt are in order.  An exit status. */
int foreground_run(session *session, const option_values *options, foreground_work *work);

#endif
