/*
 * A line of /proc/self/cgroup is "NUMBER:CONTROLLERS:PATH".  Version 2 has number 0 and no
 * controllers, and the limit in PATH/cpu.max as "QUOTA PERIOD" or "max PERIOD"; version 1 has a
 * line whose controllers include "cpu", and the limit in two files under that controller's mount.
 * A limit holds for all groups below, so each folder from the process' own up to the root is read.
 */
#include "recognizer/cores.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { AFFINITY_SETS = 16 }; /* 16 x 1024 processors */

static bool read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool got = fgets(line, (int)size, file) != NULL;
    fclose(file);
    return got;
}

static uint32_t whole_cores(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long cores = quota / period + (quota % period != 0);
    return cores > INT_MAX ? INT_MAX : (uint32_t)cores;
}

static uint32_t folder_quota(const char *folder, bool version_2)
{
    char path[PATH_MAX + 32], line[64];
    long long quota, period;
    if (version_2) {
        snprintf(path, sizeof path, "%s/cpu.max", folder);
        bool limited = read_line(path, line, sizeof line) &&
                       sscanf(line, "%lld %lld", &quota, &period) == 2; /* "max" is no number */
        return limited ? whole_cores(quota, period) : 0;
    }
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lld", &quota) != 1)
        return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!read_line(path, line, sizeof line) || sscanf(line, "%lld", &period) != 1)
        return 0;
    return whole_cores(quota, period); /* a quota of -1 is none */
}

/* The smallest quota from mount/group up to the mount itself. */
static uint32_t smallest_quota(const char *mount, const char *group, bool version_2)
{
    char folder[PATH_MAX];
    int length = snprintf(folder, sizeof folder, "%s%s", mount, group);
    if (length < 0 || (size_t)length >= sizeof folder)
        return 0;
    uint32_t smallest = 0;
    for (;;) {
        uint32_t quota = folder_quota(folder, version_2);
        if (quota && (!smallest || quota < smallest))
            smallest = quota;
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < strlen(mount))
            return smallest;
        *slash = 0;
    }
}

static bool names_cpu(const char *controllers)
{
    for (const char *name = controllers; *name;) {
        size_t length = strcspn(name, ",");
        if (length == 3 && strncmp(name, "cpu", 3) == 0)
            return true;
        name += length + (name[length] == ',');
    }
    return false;
}

uint32_t cores_quota(const char *membership, const char *root)
{
    FILE *file = fopen(membership, "re");
    if (!file)
        return 0;
    uint32_t smallest = 0;
    char line[PATH_MAX];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *controllers++ = 0;
        *group++ = 0;
        bool version_2 = strcmp(line, "0") == 0 && *controllers == 0;
        if (!version_2 && !names_cpu(controllers))
            continue;
        char mount[PATH_MAX];
        if (version_2)
            snprintf(mount, sizeof mount, "%s", root);
        else
            snprintf(mount, sizeof mount, "%s/%s", root, controllers);
        uint32_t quota = smallest_quota(mount, group, version_2);
        if (quota && (!smallest || quota < smallest))
            smallest = quota;
    }
    fclose(file);
    return smallest;
}

uint32_t cores_available(void)
{
    cpu_set_t sets[AFFINITY_SETS];
    uint32_t cores = 1;
    if (sched_getaffinity(0, sizeof sets, sets) == 0)
        cores = (uint32_t)CPU_COUNT_S(sizeof sets, sets);
    uint32_t quota = cores_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    if (quota && quota < cores)
        cores = quota;
    return cores ? cores : 1;
}
