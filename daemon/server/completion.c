#include "server/completion.h"

static gpr_timespec deadline_of(uint64_t at_ms)
{
    if (at_ms == UINT64_MAX)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return (gpr_timespec){.tv_sec = (int64_t)(at_ms / 1000),
        .tv_nsec = (int32_t)(at_ms % 1000 * 1000000),
        .clock_type = GPR_CLOCK_MONOTONIC};
}

bool completion_take(grpc_completion_queue *queue, uint64_t until_ms)
{
    grpc_event event = grpc_completion_queue_next(queue, deadline_of(until_ms), NULL);
    if (event.type == GRPC_OP_COMPLETE) {
        operation *tag = event.tag;
        tag->done(tag->owner, event.success != 0);
    }
    return event.type != GRPC_QUEUE_SHUTDOWN;
}
