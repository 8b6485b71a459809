/*
 * Listening: from the microphone through the recogniser to the output, on one thread, until it is
 * stopped.  A microphone that goes away is waited for; each time it is there again a take begins,
 * with a stream of its own, and times go on from where they were.
 */
#ifndef STENO_LIVE_H
#define STENO_LIVE_H

#include "options.h"
#include "screen.h"
#include "session.h"

/* Runs until session->interrupt is stopped or nothing can be done any more.  Says on the screen
 * what goes wrong; an exit status. */
int live_run(session *session, screen *screen, const option_values *options);

#endif
