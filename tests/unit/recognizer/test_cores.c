#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fixture.h"
#include "recognizer/cores.h"
#include "support/suite.h"

static void folder(const char *name)
{
    ck_assert_int_eq(mkdir(fixture_path(name), 0700), 0);
}

static void text(const char *name, const char *contents)
{
    FILE *file = fopen(fixture_path(name), "w");
    ck_assert_ptr_nonnull(file);
    fputs(contents, file);
    ck_assert_int_eq(fclose(file), 0);
}

static uint32_t quota(void)
{
    char membership[256];
    snprintf(membership, sizeof membership, "%s", fixture_path("membership"));
    return cores_quota(membership, fixture_path("cgroup"));
}

START_TEST(test_version_2_takes_the_smallest_up_to_the_root)
{
    text("membership", "0::/system/service\n");
    folder("cgroup");
    folder("cgroup/system");
    folder("cgroup/system/service");
    ck_assert_uint_eq(quota(), 0); /* no limits anywhere */
    text("cgroup/system/service/cpu.max", "max 100000\n");
    ck_assert_uint_eq(quota(), 0);
    text("cgroup/system/cpu.max", "250000 100000\n");
    ck_assert_uint_eq(quota(), 3); /* two and a half cores keep three busy */
    text("cgroup/system/service/cpu.max", "100000 100000\n");
    ck_assert_uint_eq(quota(), 1);
    text("cgroup/cpu.max", "50000 100000\n"); /* a container sees its own limit at the root */
    text("cgroup/system/service/cpu.max", "800000 100000\n");
    ck_assert_uint_eq(quota(), 1);
}
END_TEST

START_TEST(test_version_2_in_a_container_sees_only_the_root)
{
    text("membership", "0::/host/path/that/is/not/here\n");
    folder("cgroup");
    text("cgroup/cpu.max", "400000 100000\n");
    ck_assert_uint_eq(quota(), 4);
}
END_TEST

START_TEST(test_version_1)
{
    text("membership", "5:cpuset:/box\n4:cpu,cpuacct:/box\n3:memory:/\n");
    folder("cgroup");
    folder("cgroup/cpu,cpuacct");
    folder("cgroup/cpu,cpuacct/box");
    text("cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    text("cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), 0);
    text("cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "150000\n");
    text("cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), 2);
}
END_TEST

START_TEST(test_nonsense_is_no_limit)
{
    folder("cgroup");
    ck_assert_uint_eq(quota(), 0); /* no membership at all */
    text("membership", "\n::\nzero\n0:/\n0::/\n");
    ck_assert_uint_eq(quota(), 0);
    text("cgroup/cpu.max", "");
    ck_assert_uint_eq(quota(), 0);
    text("cgroup/cpu.max", "100000\n");
    ck_assert_uint_eq(quota(), 0);
    text("cgroup/cpu.max", "100000 0\n");
    ck_assert_uint_eq(quota(), 0);
    text("cgroup/cpu.max", "-5 100000\n");
    ck_assert_uint_eq(quota(), 0);
    text("cgroup/cpu.max", "9223372036854775807 1\n");
    ck_assert_uint_gt(quota(), 1000000);
}
END_TEST

START_TEST(test_this_process_has_at_least_one)
{
    ck_assert_uint_ge(cores_available(), 1);
    ck_assert_uint_eq(cores_available(), steno_engine_cores());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cores");
    TCase *tests = tcase_create("cores");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_version_2_takes_the_smallest_up_to_the_root);
    tcase_add_test(tests, test_version_2_in_a_container_sees_only_the_root);
    tcase_add_test(tests, test_version_1);
    tcase_add_test(tests, test_nonsense_is_no_limit);
    tcase_add_test(tests, test_this_process_has_at_least_one);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
