/* Addresses of servers as people write them: what gRPC calls them, and what is safe to send. */
#ifndef CLIENT_ADDRESS_H
#define CLIENT_ADDRESS_H

#include <stdbool.h>

#include "steno/status.h"

typedef struct address {
    char *text;   /* as it was written */
    char *target; /* as gRPC wants it */
    bool is_tls;
    bool is_local; /* of this machine: nobody else reads what goes there */
} address;

/* "HOST:PORT", "tls:HOST:PORT", "unix:PATH", or a name of gRPC's own ("dns:///HOST:PORT", ...).
 * Errors: ARGUMENT, MEMORY; finish is due in either case. */
steno_status address_parse(const char *text, address *out_address, steno_error *error);
void address_finish(address *address);

#endif
