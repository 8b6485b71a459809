#include "failure.h"
#include "plan.h"
#include "watch.h"

steno_status watch_check_options(const option_values *options, steno_error *error)
{
    if (options->operand_count > 1)
        return failure_set(error, STENO_ERROR_ARGUMENT, "watch takes one name of a capture");
    if (options->servers.count > 1)
        return failure_set(error, STENO_ERROR_ARGUMENT, "--server: a capture is on one server");
    bool lists = options->operand_count == 0;
    if (!lists && options->json)
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "--json is for the list of captures; what is said has --format json");
    if (lists && (options->interim || options->output != NULL || options->format != 0 ||
                     options->recent != OPTIONS_UNSET))
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "name the capture to watch; \"steno watch\" alone lists them");
    return plan_check_interim(options, error);
}
