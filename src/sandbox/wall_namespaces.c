/* SPDX-License-Identifier: Apache-2.0
 *
 * Namespaces. The user namespace comes first, because for anybody but root the others stand on it;
 * that one can be made is not enough: AppArmor lets it be made and takes its capabilities.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/wall_try.h"
#include "sys/fd.h"

static int try_user(void *context) {
    (void)context;
    int number = wall_enter(CLONE_NEWUTS);
    return number != 0 ? number : sethostname("airlock", 7) == 0 ? 0 : errno;
}

/* In a chroot no mount of ours is at "/" (user_namespaces(7): EPERM). */
static bool is_chrooted(void) {
    bool is_root_seen = false;
    char line[4096];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file != nullptr && fgets(line, sizeof line, file) != nullptr) {
        char at[2048];
        is_root_seen = is_root_seen ||
                       (sscanf(line, "%*s %*s %*s %*s %2047s", at) == 1 && strcmp(at, "/") == 0);
    }
    bool is_known = file != nullptr;
    if (file != nullptr) {
        (void)fclose(file);
    }
    return is_known && !is_root_seen;
}

static void say_user(struct wall *wall, int number) {
    wall->code = ERROR_SANDBOX_USERNS_DENIED;
    bool is_root = geteuid() == 0;
    if (wall_read_number("/proc/sys/user/max_user_namespaces", 1) == 0 || number == ENOSPC) {
        wall_how(wall, "Allow them: sysctl user.max_user_namespaces=10000");
    } else if (!is_root && wall_read_number("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0) {
        wall_how(wall, "Allow them: sysctl kernel.unprivileged_userns_clone=1");
    } else if (!is_root &&
               wall_read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) != 0) {
        wall_how(wall,
                 "AppArmor refuses them. Give Airlock a profile: write \"abi <abi/4.0>, profile "
                 "airlock /usr/local/{bin/airlock,libexec/airlock/airlock-jail} "
                 "flags=(unconfined) { userns, }\" to /etc/apparmor.d/airlock and run: "
                 "apparmor_parser -r /etc/apparmor.d/airlock. Or for every program: sysctl "
                 "kernel.apparmor_restrict_unprivileged_userns=0");
    } else if (wall_is_filtered() && (number == EPERM || number == ENOSYS)) {
        wall_how(wall, "A seccomp filter is in force here, as in a container. Start the container "
                       "with --security-opt seccomp=unconfined, or with a profile that allows "
                       "unshare, clone and mount.");
    } else if (is_chrooted()) {
        wall_how(wall, "This is a chroot, to which the kernel refuses them. Enter the root with "
                       "pivot_root instead: systemd-nspawn, bwrap or unshare --root do.");
    } else if (number == EINVAL || number == ENOSYS) {
        wall_how(wall, "The kernel needs CONFIG_USER_NS.");
    } else {
        wall_how(wall, "%s", error_default_hint(ERROR_SANDBOX_USERNS_DENIED));
    }
}

static int try_namespace(void *context) {
    const int *flag = context;
    int number = wall_enter(0);
    /* Root does not need a user namespace for the others. */
    if (number != 0 && geteuid() != 0) {
        return number;
    }
    return unshare(*flag) == 0 ? 0 : errno;
}

/* A loopback that answers, because test suites listen on it. */
static int try_loopback(void *context) {
    (void)context;
    int number = wall_enter(CLONE_NEWNET);
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof here;
    char byte = 'x';
    if (number != 0) {
        return number;
    }
    bool works = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0 &&
                 bind(fd, (struct sockaddr *)&here, sizeof here) == 0 &&
                 getsockname(fd, (struct sockaddr *)&here, &size) == 0 &&
                 sendto(fd, &byte, 1, 0, (struct sockaddr *)&here, size) == 1 &&
                 recv(fd, &byte, 1, MSG_DONTWAIT) == 1;
    return works ? 0 : errno;
}

static void say_other(struct wall *wall, const char *knob, int number) {
    wall->code = ERROR_SANDBOX_NAMESPACE;
    if (number == ENOSPC) {
        wall_how(wall, "Allow more: sysctl user.%s=10000", knob);
    } else if (number == EINVAL || number == ENOSYS) {
        wall_how(wall, "This kernel was built without this kind of namespace.");
    } else if (wall_is_filtered()) {
        wall_how(wall, "A seccomp filter is in force here, as in a container. Start the container "
                       "with --security-opt seccomp=unconfined.");
    } else {
        wall_how(wall, "%s", error_default_hint(ERROR_SANDBOX_NAMESPACE));
    }
}

static void add_result(struct wall *wall, int number, const char *level) {
    wall->state = number == 0 ? WALL_THERE : WALL_MISSING;
    wall_level(wall, "%s%.64s",
               number == 0 ? level : "refused: ", number == 0 ? "" : strerror(number));
}

void wall_try_namespaces(struct wall_report *report) {
    static const struct {
        const char *name, *knob;
        int flag;
    } kinds[] = {
        {"mount ns", "max_mnt_namespaces", CLONE_NEWNS},
        {"pid ns", "max_pid_namespaces", CLONE_NEWPID},
        {"ipc ns", "max_ipc_namespaces", CLONE_NEWIPC},
        {"uts ns", "max_uts_namespaces", CLONE_NEWUTS},
        {"cgroup ns", "max_cgroup_namespaces", CLONE_NEWCGROUP},
        {"network ns", "max_net_namespaces", CLONE_NEWNET},
    };
    struct wall *user = wall_add(report, "user ns");
    int number = wall_run(try_user, nullptr);
    add_result(user, number, "own ids mapped, with its capabilities");
    if (number != 0) {
        say_user(user, number);
    }
    bool is_user = number == 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int flag = kinds[i].flag;
        struct wall *wall = wall_add(report, kinds[i].name);
        if (!is_user && geteuid() != 0) {
            wall->state = WALL_UNTRIED;
            wall_level(wall, "needs the user namespace");
            continue;
        }
        number = wall_run(try_namespace, &flag);
        add_result(wall, number, "made");
        if (number != 0) {
            say_other(wall, kinds[i].knob, number);
        } else if (flag == CLONE_NEWNET && is_user) {
            number = wall_run(try_loopback, nullptr);
            add_result(wall, number, "made, its loopback answers");
            if (number != 0) {
                wall->code = ERROR_SANDBOX_NAMESPACE;
                wall_how(wall, "The namespace can be made, but its loopback does not come up.");
            }
        }
    }
}
