/* `steno token` in a build without libcrypto. */
#include "exit_status.h"
#include "help.h"
#include "token.h"

int token(const option_values *options)
{
    return help_usage_error("token", "this build of steno can't: it was built without libcrypto");
}
