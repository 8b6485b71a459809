/* A build without libsystemd: no service manager is told anything. */
#include "system/systemd.h"

steno_status systemd_take_sockets(unsigned *out_count, steno_error *error)
{
    *out_count = 0;
    return STENO_OK;
}

void systemd_ready(const char *status) {}

void systemd_reloading(void) {}

void systemd_stopping(uint32_t seconds) {}

uint32_t systemd_watchdog_ms(void)
{
    return 0;
}

void systemd_alive(void) {}

bool systemd_has_journal(void)
{
    return false;
}

bool systemd_journal(const char *const *fields, unsigned count)
{
    return false;
}
