/*
 * How many processor cores this process may keep busy: those its affinity names, and no more than
 * its control group's quota of processor time pays for (containers are limited that way).
 */
#ifndef RECOGNIZER_CORES_H
#define RECOGNIZER_CORES_H

#include <stdint.h>

/* At least 1. */
uint32_t cores_available(void);

/* The quota in whole cores, rounded up, or 0 for none: the smallest of the process' control group
 * and the groups above it.  `membership` is what /proc/self/cgroup is to the system, `root` what
 * /sys/fs/cgroup is; tests give their own.  Both versions of control groups are understood. */
uint32_t cores_quota(const char *membership, const char *root);

#endif
