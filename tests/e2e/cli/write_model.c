/* Writes a small random model to a file: write_model FILE.  Its words mean nothing, but it makes
 * some, so that the client can be tested without the shipped model. */
#include <stdio.h>
#include <stdlib.h>

#include "support/tiny_model.h"

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    /* A beam of 4 and short segments: quick, and results come often. */
    const char *metadata[] = {"search",
        "{\"beam\":4,\"token_threshold\":0.001,\"ctc_weight\":0.5,\"attention_weight\":0.5,"
        "\"token_bonus\":0,\"segment_blanks\":5,\"segment_max\":60}",
        "name", "tiny", "language", "en", "licence", "CC0-1.0", "training_data",
        "none: random numbers", NULL};
    tiny_model_config config = tiny_model_default();
    config.metadata = metadata;
    size_t size;
    void *bytes = tiny_model_write(&config, &size);
    FILE *file = fopen(argv[1], "wb");
    int failed = file == NULL || fwrite(bytes, 1, size, file) != size;
    if (file != NULL)
        failed |= fclose(file) != 0;
    free(bytes);
    return failed;
}
