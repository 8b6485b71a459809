/* What the tests of requests share: a request that is read, and messages that are written by hand.
 */
#ifndef UNIT_DAEMON_WIRE_FIXTURE_H
#define UNIT_DAEMON_WIRE_FIXTURE_H

#include "bytes.h"
#include "wire/wire.h"

typedef steno_status (*reader)(wire_request *, const uint8_t *, size_t, steno_error *);

extern wire_request request;
extern steno_error error;
/* Large, so not on the stack. */
extern bytes config, streaming, message, part;

void wire_fixture_setup(void);
void wire_fixture_teardown(void);

/* `message` is read into `request`, */
void understand(reader read);
/* or refused with an error that begins with the field's name. */
void refuse(reader read, const char *field);

/* `config` as the first message of a stream. */
void wrap(void);
/* `config` with no more than what must be there. */
void basic(void);

#endif
