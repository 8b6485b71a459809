/*
 * The service manager, by systemd's protocol: what the daemon tells it about its state, the sockets
 * that it hands over, and its journal.  systemd.c alone knows libsystemd; systemd_absent.c stands
 * for it in a build without.  Where no service manager is, nothing here does anything.
 *
 * Any thread, but for systemd_take_sockets.
 */
#ifndef SYSTEM_SYSTEMD_H
#define SYSTEM_SYSTEMD_H

#include <stdbool.h>
#include <stdint.h>

#include "steno/status.h"

/* The first socket handed over; the others follow. */
enum { SYSTEMD_FIRST_SOCKET = 3 };

/* How many sockets were handed over, now the caller's; children will not see them.  Once, before
 * threads begin.  Errors: STATE (something else than listening stream sockets), IO. */
steno_status systemd_take_sockets(unsigned *out_count, steno_error *error);

/* Ready to serve, also after reloading; status: a line for a person. */
void systemd_ready(const char *status);
void systemd_reloading(void);
/* seconds: how long that may take; asks for as much time. */
void systemd_stopping(uint32_t seconds);

/* How often it wants to hear that the daemon is alive, in milliseconds, or never: 0. */
uint32_t systemd_watchdog_ms(void);
void systemd_alive(void);

/* Whether standard error goes to the journal, so that entries had better go there with their
 * fields; and sends one: fields [count], each "NAME=value".  False if it could not. */
bool systemd_has_journal(void);
bool systemd_journal(const char *const *fields, unsigned count);

#endif
