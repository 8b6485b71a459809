/* What the tests of captions publish. */
#ifndef UNIT_DAEMON_CAPTIONS_FIXTURE_H
#define UNIT_DAEMON_CAPTIONS_FIXTURE_H

#include "captions/captions.h"

/* A result of the words "N" and "words", 100 ms each, from N seconds and 7 ms on. */
steno_status fixture_publish(captions_source *source, bool is_final, unsigned number);
void fixture_publish_status(captions_source *source, captions_state state);

#endif
