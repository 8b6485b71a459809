/*
 * Who may call, and how much: tokens, the names on clients' certificates, limits for single names.
 *
 *     auth_prepare(&setting, &change, &error);          on any one thread
 *     auth_commit(auth, change);                        or auth_abandon(change)
 *     status = auth_admit(auth, call, method, &client, message, size);
 *
 * With tokens every call needs one, `authorization: Bearer TOKEN`, but those of the health service:
 * who watches over a daemon need not be able to use it.  A client is known by its token's name,
 * else its certificate's, else its address.
 */
#ifndef ACCESS_AUTH_H
#define ACCESS_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "server/call.h"
#include "server/server.h"
#include "steno/status.h"

typedef struct auth_setting {
    const char *tokens;  /* file; NULL: no token is needed */
    char *const *limits; /* [limit_count] "NAME=N": streams at once of one name */
    size_t limit_count;
} auth_setting;

typedef struct auth auth;
typedef struct auth_change auth_change;

/* Lets everybody in.  Errors: MEMORY. */
steno_status auth_create(auth **out_auth, steno_error *error);
/* NULL is fine. */
void auth_destroy(auth *self);

/* Reads and checks; copies.  Errors: as of tokens_read; ARGUMENT (a limit that is none). */
steno_status auth_prepare(
    const auth_setting *setting, auth_change **out_change, steno_error *error);
void auth_commit(auth *self, auth_change *change);
/* NULL is fine. */
void auth_abandon(auth_change *change);

/* For what is not a call: whether a token is needed, and whether one (NULL: none) is enough, as it
 * always is where none is needed.  Any thread. */
bool auth_wants_token(auth *self);
bool auth_knows_token(auth *self, const char *text);

/* The token of an authorization header's value, "Bearer TOKEN"; NULL: there is none. */
const char *auth_bearer_token(const char *value);

/* For server_options.admit; context is the auth. */
call_status auth_admit(void *context, const call *call, const call_method *method,
    server_client *client, char *message, size_t size);

#endif
