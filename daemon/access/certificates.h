/*
 * The certificates of TLS, as texts in PEM for the server, read from files and checked by OpenSSL's
 * libcrypto, so that what is wrong is said in words and before anything is changed.
 */
#ifndef ACCESS_CERTIFICATES_H
#define ACCESS_CERTIFICATES_H

#include <stdint.h>

#include "steno/status.h"

typedef struct certificates {
    char *chain, *key; /* the server's own; NULL: no TLS */
    char *client_ca;   /* of those whose clients are let in; NULL: clients need no certificate */
    int64_t expires_s; /* when the server's own ends, in seconds since 1970; 0: no TLS */
} certificates;

/* Errors name the file: NOT_FOUND, PERMISSION, IO, LIMIT (too large), FORMAT (not what it should
 * be), ARGUMENT (key and certificate do not belong together), MEMORY.  On failure out_certificates
 * is untouched.  client_ca_path: NULL for none.  Whether dates are right is for clients to judge,
 * who look at them, and for the log. */
steno_status certificates_read(const char *chain_path, const char *key_path,
    const char *client_ca_path, certificates *out_certificates, steno_error *error);

/* Zeroed is fine, and so is it afterwards.  The key's memory is wiped. */
void certificates_finish(certificates *self);

#endif
