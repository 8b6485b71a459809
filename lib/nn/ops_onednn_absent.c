/* A build without oneDNN (-Donednn=disabled) has the reference operators only. */
#include "nn/ops.h"

const nn_ops *nn_ops_onednn(void)
{
    return NULL;
}
