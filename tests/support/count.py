#!/usr/bin/env python3
"""How many tests passed: the last line of what people and machines read.

    count.py [--passed N] [--failed M] TESTLOG.json ...

Reads the logs that `meson test` leaves (a JSON object per program and line) and prints
"N passed, M failed" and, if any were skipped, ", K skipped".  A program by Check says how many
cases it ran, and these are counted; any other program is one test.  --passed and --failed add
checks made elsewhere.  Exit status 1 if anything failed or nothing ran at all.
"""

import argparse
import json
import re
import sys

_CHECK_SUMMARY = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.MULTILINE)


def count_program(entry):
    """(passed, failed, skipped) of one line of the log."""
    if entry["result"] == "SKIP":
        return 0, 0, 1
    cases = failures = 0
    for match in _CHECK_SUMMARY.findall(entry.get("stdout") or ""):
        cases += int(match[0])
        failures += int(match[1]) + int(match[2])
    if entry["result"] in ("OK", "EXPECTEDFAIL"):
        return max(cases, 1), 0, 0
    # A program may also fail outside its cases: a leak found at its end, a crash, the time.
    return cases - failures, max(failures, 1), 0


def count_log(lines):
    totals = [0, 0, 0]
    for line in lines:
        for index, number in enumerate(count_program(json.loads(line))):
            totals[index] += number
    return totals


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passed", type=int, default=0)
    parser.add_argument("--failed", type=int, default=0)
    parser.add_argument("logs", nargs="*")
    arguments = parser.parse_args()

    passed, failed, skipped = arguments.passed, arguments.failed, 0
    for path in arguments.logs:
        try:
            with open(path, encoding="utf-8") as log:
                numbers = count_log(log)
        except OSError as error:
            print(f"{path}: {error.strerror}", file=sys.stderr)
            numbers = [0, 1, 0]
        passed, failed, skipped = passed + numbers[0], failed + numbers[1], skipped + numbers[2]
    tail = f", {skipped} skipped" if skipped else ""
    print(f"{passed} passed, {failed} failed{tail}")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
