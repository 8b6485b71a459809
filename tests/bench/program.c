#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *const program_recordings[PROGRAM_RECORDINGS] = {
    SPEECH_FOLDER "/demo.flac",
    SPEECH_FOLDER "/2277-149874-0007.flac",
    SPEECH_FOLDER "/5694-64025-0001.flac",
    SPEECH_FOLDER "/777-126732-0053.flac",
};

void program_die(const char *message, const char *about)
{
    fprintf(
        stderr, "%s: %s%s%s\n", program_invocation_short_name, message, *about ? ": " : "", about);
    exit(2);
}

uint32_t program_number(const char *text, uint32_t least, uint32_t most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value < least || value > most)
        program_die("not a number this option takes", text);
    return (uint32_t)value;
}
