/*
 * Keeping the sound system's chatter off the user's screen: ALSA, JACK and PortAudio write to
 * standard error whatever they find odd about the machine.  From noise_hide on descriptor 2 leads
 * nowhere, and what the console says goes to a descriptor of its own.
 */
#ifndef STENO_NOISE_H
#define STENO_NOISE_H

#include "console.h"

/* Before threads are started, and after they have ended.  Where it can't be done, nothing is. */
void noise_hide(console *console);
void noise_restore(console *console);

#endif
