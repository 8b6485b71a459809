#include "recognizer/activity.h"

/* CTC tells of a token at about its end, and a word's first sounds are soft: speech begins so much
 * earlier. */
enum { MARGIN_MS = 240 };

activity activity_begin(uint32_t frame_ms, uint32_t endpoint_ms)
{
    return (activity){
        .frame_ms = frame_ms,
        .pause = (endpoint_ms + frame_ms - 1) / frame_ms,
    };
}

static activity_event make_event(activity *a, steno_event event, uint64_t event_ms)
{
    if (event_ms > a->last_ms)
        a->last_ms = event_ms;
    return (activity_event){event, a->last_ms};
}

static activity_event end_speech(activity *a)
{
    a->speaking = false;
    return make_event(a, STENO_EVENT_SPEECH_END, a->end * a->frame_ms);
}

static activity_event begin_speech(activity *a, uint64_t first)
{
    uint64_t first_ms = first * a->frame_ms;
    a->speaking = true;
    a->end = first + 1;
    return make_event(a, STENO_EVENT_SPEECH_BEGIN, first_ms > MARGIN_MS ? first_ms - MARGIN_MS : 0);
}

size_t activity_segment(activity *a, uint64_t first, uint64_t last, activity_event *out)
{
    size_t count = 0;
    if (a->speaking && first >= a->end && first - a->end >= a->pause)
        out[count++] = end_speech(a);
    if (!a->speaking)
        out[count++] = begin_speech(a, first);
    a->end = last + 1;
    return count;
}

size_t activity_running(activity *a, uint64_t first, activity_event *out)
{
    if (a->speaking)
        return 0;
    out[0] = begin_speech(a, first);
    return 1;
}

size_t activity_silence(activity *a, uint64_t trailing, activity_event *out)
{
    if (!a->speaking || trailing < a->pause)
        return 0;
    out[0] = end_speech(a);
    return 1;
}

size_t activity_finish(activity *a, activity_event *out)
{
    return activity_silence(a, UINT64_MAX, out);
}
