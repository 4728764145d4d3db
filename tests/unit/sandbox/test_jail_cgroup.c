/* SPDX-License-Identifier: Apache-2.0
 *
 * Where groups are made and what is written into them, on plain folders that stand for the trees of
 * a version 2, a version 1 and a hybrid host. There a file appears when it is written; whether the
 * kernel then keeps to it is what the end-to-end tests look at, on the host they run on.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"

/* In place of kill(2): a test does not stop the machine. */
static int last_signal;
int kill(pid_t pid, int number) {
    assert_int_equal(pid, -1);
    last_signal = number;
    return 0;
}

static char root[256];

static void path_of(char path[static 512], const char *relative) {
    (void)snprintf(path, 512, "%s/%s", root, relative);
}

static void make_folder(const char *relative) {
    char path[512];
    path_of(path, relative);
    for (char *at = path + strlen(root) + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(path, 0755);
            *at = '/';
        }
    }
    assert_int_equal(mkdir(path, 0755), 0);
}

static void put(const char *relative, const char *text) {
    char path[512];
    path_of(path, relative);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void holds(const char *relative, const char *text) {
    char path[512];
    char seen[128] = "";
    path_of(path, relative);
    FILE *file = fopen(path, "re");
    if (file == nullptr) {
        fail_msg("%s is not there", relative);
        return;
    }
    seen[fread(seen, 1, sizeof seen - 1, file)] = '\0';
    (void)fclose(file);
    assert_string_equal(seen, text);
}

static bool is_there(const char *relative) {
    char path[512];
    path_of(path, relative);
    return access(path, F_OK) == 0;
}

static int set_up(void **state) {
    (void)state;
    const char *scratch = getenv("TMPDIR");
    (void)snprintf(root, sizeof root, "%s/groups-XXXXXX", scratch != nullptr ? scratch : "/tmp");
    return mkdtemp(root) == nullptr ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    char command[512];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command); // NOLINT(cert-env33-c)
}

static const struct plan_view quarter = {
    .run_id = "r",
    .limits = {.memory_bytes_max = 1 << 20,
               .pid_count_max = 10,
               .cpu_weight = 50,
               .cpu_percent_max = 25},
};

static struct jail_cgroup make(const char *table, bool is_root, const struct plan_view *plan) {
    struct jail_cgroup cgroup = {.test_flags = O_CREAT};
    struct jail_cgroup_host host = {.root = root, .table = table, .is_root = is_root};
    jail_cgroup_make_on(&cgroup, &host, plan);
    return cgroup;
}

static void test_version_2(void **state) {
    (void)state;
    struct error err = {};
    make_folder("user.slice/app.scope");
    put("cgroup.controllers", "cpuset cpu io memory pids");
    put("user.slice/cgroup.subtree_control", "cpu memory pids\n");
    struct jail_cgroup cgroup = make("0::/user.slice/app.scope\n", false, &quarter);
    assert_string_equal(cgroup.level, "cgroup-v2");
    holds("user.slice/airlock-r/memory.max", "1048576");
    holds("user.slice/airlock-r/memory.swap.max", "0");
    holds("user.slice/airlock-r/pids.max", "11");
    holds("user.slice/airlock-r/cpu.weight", "50");
    holds("user.slice/airlock-r/cpu.max", "5000 20000");
    /* Nobody steps in; the child is moved, once. */
    assert_true(status_is_ok(jail_cgroup_step_in(&cgroup, &err)));
    assert_false(is_there("user.slice/airlock-r/tasks"));
    assert_true(status_is_ok(jail_cgroup_step_out(&cgroup, 4711, &err)));
    holds("user.slice/airlock-r/cgroup.procs", "4711");
    put("user.slice/airlock-r/memory.peak", "700000\n");
    put("user.slice/airlock-r/memory.events", "low 0\nmax 7\noom 1\noom_kill 1\n");
    put("user.slice/airlock-r/pids.peak", "5\n");
    put("user.slice/airlock-r/cpu.stat", "usage_usec 9\nnr_throttled 3\nthrottled_usec 1234\n");
    jail_cgroup_look(&cgroup);
    assert_true(cgroup.usage.was_oom);
    assert_int_equal(cgroup.usage.memory_peak_bytes, 700000);
    assert_int_equal(cgroup.usage.pid_count_peak, 4);
    assert_int_equal(cgroup.usage.cpu_throttled_us, 1234);
}

/* Delegated, but not the processor: that one is sampled. */
static void test_version_2_without_cpu(void **state) {
    (void)state;
    make_folder("a");
    put("cgroup.controllers", "cpuset memory pids");
    put("cgroup.subtree_control", "cpuset memory pids");
    struct jail_cgroup cgroup = make("0::/a\n", false, &quarter);
    assert_string_equal(cgroup.level, "cgroup-v2");
    assert_true(jail_cgroup_has(&cgroup, JAIL_PIDS));
    assert_false(jail_cgroup_has(&cgroup, JAIL_CPU));
    holds("airlock-r/pids.max", "11");
    assert_false(is_there("airlock-r/cpu.max"));
}

static void test_not_delegated(void **state) {
    (void)state;
    make_folder("a");
    put("cgroup.controllers", "cpu memory pids");
    put("cgroup.subtree_control", "memory\n");
    struct jail_cgroup cgroup = make("0::/a\n", false, &quarter);
    assert_string_equal(cgroup.level, "rlimit");
    assert_false(jail_cgroup_has(&cgroup, JAIL_MEMORY));
    cgroup = make("0::/../outside\n", false, &quarter);
    assert_string_equal(cgroup.level, "rlimit");
    cgroup = make("", true, &quarter);
    assert_string_equal(cgroup.level, "rlimit");
    cgroup = make("garbage\n1:memory\n::::\n", true, &quarter);
    assert_string_equal(cgroup.level, "rlimit");
}

static void test_version_1(void **state) {
    (void)state;
    struct error err = {};
    const char *table = "9:name=systemd:/x\n4:memory:/m/own\n3:cpu,cpuacct:/\n2:pids:/p\n0::/\n";
    make_folder("memory/m/own");
    make_folder("cpu,cpuacct");
    make_folder("pids/p");
    struct jail_cgroup cgroup = make(table, false, &quarter);
    assert_string_equal(cgroup.level, "rlimit"); /* version 1 is root's */
    cgroup = make(table, true, &quarter);
    assert_string_equal(cgroup.level, "cgroup-v1");
    holds("memory/m/own/airlock-r/memory.limit_in_bytes", "1048576");
    holds("memory/m/own/airlock-r/memory.memsw.limit_in_bytes", "1048576");
    holds("pids/p/airlock-r/pids.max", "11");
    holds("cpu,cpuacct/airlock-r/cpu.shares", "512");
    holds("cpu,cpuacct/airlock-r/cpu.cfs_period_us", "20000");
    holds("cpu,cpuacct/airlock-r/cpu.cfs_quota_us", "5000");
    assert_true(status_is_ok(jail_cgroup_step_in(&cgroup, &err)));
    holds("memory/m/own/airlock-r/tasks", "0");
    holds("cpu,cpuacct/airlock-r/tasks", "0");
    assert_true(status_is_ok(jail_cgroup_step_out(&cgroup, 4711, &err)));
    holds("memory/m/own/tasks", "0");
    holds("cpu,cpuacct/tasks", "0");
    assert_false(is_there("pids/p/airlock-r/cgroup.procs")); /* it was born there */
    put("memory/m/own/airlock-r/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n");
    put("pids/p/airlock-r/pids.current", "3\n");
    jail_cgroup_look(&cgroup);
    assert_false(cgroup.usage.was_oom);
    assert_int_equal(cgroup.usage.pid_count_peak, 2);
    put("pids/p/airlock-r/pids.current", "1\n");
    jail_cgroup_look(&cgroup);
    assert_int_equal(cgroup.usage.pid_count_peak, 2); /* as high as it ever was */
}

static void test_hybrid(void **state) {
    (void)state;
    make_folder("unified/u/own");
    make_folder("pids");
    put("unified/u/cgroup.subtree_control", "memory\n");
    const char *table = "2:pids:/\n0::/u/own\n";
    struct jail_cgroup cgroup = make(table, true, &quarter);
    assert_string_equal(cgroup.level, "cgroup-hybrid");
    holds("unified/u/airlock-r/memory.max", "1048576");
    holds("pids/airlock-r/pids.max", "11");
    assert_false(jail_cgroup_has(&cgroup, JAIL_CPU));
}

/* What asks for no share of the processor gets no group for it, and an earlier group of the same
 * name is nobody's to take over. */
static void test_only_what_is_needed(void **state) {
    (void)state;
    struct plan_view plain = quarter;
    plain.limits.cpu_percent_max = 0;
    plain.limits.cpu_weight = 100;
    const char *table = "4:memory:/\n3:cpu:/\n2:pids:/\n";
    make_folder("memory");
    make_folder("cpu");
    make_folder("pids");
    struct jail_cgroup cgroup = make(table, true, &plain);
    assert_string_equal(cgroup.level, "cgroup-v1");
    assert_false(is_there("cpu/airlock-r"));
    cgroup = make(table, true, &plain);
    assert_string_equal(cgroup.level, "rlimit");
}

/* A host whose devices are in a folder, with the disk that the tests run on as a partition or not.
 */
static struct plan_view rates(void) {
    struct plan_view plan = quarter;
    plan.run_folder = plan.workspace = root;
    plan.limits.read_rate_max = 50 << 20;
    plan.limits.write_rate_max = 20 << 20;
    return plan;
}

static void hold(struct jail_cgroup *cgroup, const struct plan_view *plan) {
    static char devices[300];
    (void)snprintf(devices, sizeof devices, "%s/block", root);
    struct jail_cgroup_host host = {.devices = devices};
    jail_disk_hold_on(cgroup, &host, plan);
}

static void name_device(char name[static 64], const char *before, const char *after) {
    struct stat status;
    assert_int_equal(stat(root, &status), 0);
    (void)snprintf(name, 64, "%s%u:%u%s", before, major(status.st_dev), minor(status.st_dev),
                   after);
}

static void test_disk_version_2(void **state) {
    (void)state;
    struct plan_view plan = rates();
    char text[64];
    make_folder("own");
    put("cgroup.controllers", "cpu io memory pids");
    put("cgroup.subtree_control", "cpu io memory pids\n");
    struct jail_cgroup cgroup = make("0::/own\n", false, &plan);
    assert_true(jail_cgroup_has(&cgroup, JAIL_IO));
    hold(&cgroup, &plan); /* memory, or several disks: nothing to write a row for */
    assert_string_equal(cgroup.disk_rate, "none");
    name_device(text, "block/", "");
    make_folder(text);
    hold(&cgroup, &plan);
    assert_string_equal(cgroup.disk_rate, "cgroup-v2");
    name_device(text, "", " rbps=52428800 wbps=20971520");
    holds("airlock-r/io.max", text);
    put("airlock-r/io.stat", "8:0 rbytes=4096 wbytes=100 rios=1 wios=2 dbytes=7 dios=0\n"
                             "8:16 rbytes=4 wbytes=11 rios=1 wios=2 dbytes=7 dios=0\n");
    jail_cgroup_look(&cgroup);
    assert_int_equal(cgroup.usage.io_read_bytes, 4100);
    assert_int_equal(cgroup.usage.io_write_bytes, 111);
    jail_disk_release(&cgroup);
    name_device(text, "", " rbps=max wbps=max");
    char seen[64] = "";
    assert_true(jail_group_read(cgroup.group[JAIL_IO].folder, "io.max", seen, sizeof seen));
    assert_memory_equal(seen, text, strlen(text)); /* a plain file is not cut as a cgroup's is */
}

static void test_disk_version_1(void **state) {
    (void)state;
    struct plan_view plan = rates();
    char text[64];
    make_folder("memory");
    make_folder("pids");
    make_folder("blkio/b");
    make_folder("cpu");
    const char *table = "4:memory:/\n3:cpu:/\n7:blkio:/b\n2:pids:/\n";
    struct jail_cgroup cgroup = make(table, true, &plan);
    assert_string_equal(cgroup.level, "cgroup-v1");
    /* A partition's rows are those of its disk. */
    make_folder("block/disk");
    put("block/disk/dev", "8:0\n");
    make_folder("block/disk/part");
    put("block/disk/part/partition", "1\n");
    name_device(text, "block/", "");
    char path[512];
    path_of(path, text);
    assert_int_equal(symlink("disk/part", path), 0);
    hold(&cgroup, &plan);
    assert_string_equal(cgroup.disk_rate, "cgroup-v1");
    holds("blkio/b/airlock-r/blkio.throttle.read_bps_device", "8:0 52428800");
    holds("blkio/b/airlock-r/blkio.throttle.write_bps_device", "8:0 20971520");
    put("blkio/b/airlock-r/blkio.throttle.io_service_bytes_recursive",
        "8:0 Read 8192\n8:0 Write 12\n8:0 Sync 3\n8:0 Total 8204\nTotal 8204\n");
    jail_cgroup_look(&cgroup);
    assert_int_equal(cgroup.usage.io_read_bytes, 8192);
    assert_int_equal(cgroup.usage.io_write_bytes, 12);
}

/* Asked for, and no such controller; or nobody asked. */
static void test_disk_is_not_held(void **state) {
    (void)state;
    struct plan_view plan = rates();
    char text[64];
    make_folder("memory");
    make_folder("pids");
    make_folder("cpu");
    name_device(text, "block/", "");
    make_folder(text);
    const char *table = "4:memory:/\n3:cpu:/\n2:pids:/\n";
    struct jail_cgroup cgroup = make(table, true, &plan);
    assert_string_equal(cgroup.level, "cgroup-v1");
    hold(&cgroup, &plan);
    assert_string_equal(cgroup.disk_rate, "none");
    assert_false(is_there("io.max"));
    cgroup = make("", false, &plan); /* no group at all */
    hold(&cgroup, &plan);
    assert_string_equal(cgroup.disk_rate, "none");
    hold(&cgroup, &quarter);
    assert_string_equal(cgroup.disk_rate, "");
    jail_disk_release(&cgroup);
}

/* The meter of init, where no group holds a quota. Half a processor, looked at every 50 ms. */
static void test_meter(void **state) {
    (void)state;
    struct jail_hold hold = {};
    uint64_t now = 1000000000;
    uint64_t used = 0;
    uint64_t worked_us = 0;
    for (unsigned i = 0; i < 400; i++) { /* 20 s of a payload that always works */
        jail_hold_charge(&hold, now, used, 50);
        now += 50000000;
        if (!hold.is_over_cpu) {
            used += 100000; /* two processors */
            worked_us += 100000;
        }
    }
    assert_in_range(worked_us, 9800000, 10300000);
    /* One that used little is not stopped, and what it saved is bounded. */
    hold = (struct jail_hold){};
    jail_hold_charge(&hold, now, 0, 50);
    jail_hold_charge(&hold, now + 3600000000000, 0, 50);
    assert_false(hold.is_over_cpu);
    assert_int_equal(hold.credit_us, 50000);
    jail_hold_charge(&hold, now + 3600050000000, 200000, 50);
    assert_true(hold.is_over_cpu);
    assert_int_equal(last_signal, SIGSTOP);
    /* A pause outlasts it. */
    hold.is_paused = true;
    jail_hold_charge(&hold, now + 3602000000000, 200000, 50);
    assert_false(hold.is_over_cpu);
    assert_int_equal(last_signal, SIGSTOP);
    hold.is_paused = false;
    jail_hold_apply(&hold);
    assert_int_equal(last_signal, SIGCONT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_version_2, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_version_2_without_cpu, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_delegated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_version_1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hybrid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_is_needed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk_version_2, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk_version_1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disk_is_not_held, set_up, tear_down),
        cmocka_unit_test(test_meter),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
