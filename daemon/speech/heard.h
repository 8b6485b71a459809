/*
 * What was recognised, as entries of the log: for who has asked for it with log-transcripts, to
 * find out why a transcript is what it is.  The one place where words come into the log.
 *
 *     stenod: transcript request_id=4f0c... begin_ms=480 end_ms=2160 text="she had your dark suit"
 */
#ifndef SPEECH_HEARD_H
#define SPEECH_HEARD_H

#include "system/log.h"
#include "wire/wire.h"

/* Writes a final result, of the level info, if the log wants transcripts (system/log.h): nothing
 * otherwise. What is too long for one entry goes into several, cut between words.  Whose it is: a
 * field and its value, "request_id" of a call or "capture".  Any thread. */
void heard_final(log_sink *log, const char *whose, const char *id, const wire_result *result);

#endif
