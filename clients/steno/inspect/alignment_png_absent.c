/* For builds without libpng. */
#include "inspect/alignment.h"

bool alignment_has_png(void)
{
    return false;
}

steno_status alignment_write_png(sink *out, const heard *h)
{
    return STENO_ERROR_UNSUPPORTED;
}
