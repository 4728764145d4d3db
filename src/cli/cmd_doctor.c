/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock doctor: what this machine gives, found out by trying it. The last row makes a complete
 * sandbox, as `airlock run` would, and runs a command in it; the rows above say which wall is to
 * blame when that fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "codec/json.h"
#include "sandbox/launcher.h"
#include "store/state.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/ids.h"

enum { ROW_COUNT_MAX = 8, DOCTOR_UID = 2000000, LEVEL_BYTES = 64 };

struct wall {
    const char *name;
    char level[LEVEL_BYTES];
    char how[ERROR_HINT_BYTES_MAX];
    bool is_missing;
};

struct diagnosis {
    struct wall wall[ROW_COUNT_MAX];
    size_t count;
};

static struct wall *add(struct diagnosis *diagnosis, const char *name, bool is_missing) {
    struct wall *wall = &diagnosis->wall[diagnosis->count++];
    *wall = (struct wall){.name = name, .is_missing = is_missing};
    return wall;
}

static void probe_linux(struct diagnosis *diagnosis) {
    struct utsname name = {};
    unsigned major = 0;
    unsigned minor = 0;
    bool is_known = uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2;
    bool is_old = !is_known || major < 6 || (major == 6 && minor < 1);
    struct wall *wall = add(diagnosis, "kernel", is_old);
    (void)snprintf(wall->level, sizeof wall->level, "Linux %.48s", name.release);
    if (is_old) {
        (void)snprintf(wall->how, sizeof wall->how, "%s",
                       error_default_hint(ERROR_SANDBOX_OLD_KERNEL));
    }
}

/* Tries them in a child, which ends with what errno said. */
static int try_namespaces(void) {
    pid_t pid = fork();
    if (pid == 0) {
        int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                    CLONE_NEWCGROUP | CLONE_NEWNET;
        _exit(unshare(flags) == 0 ? 0 : errno);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    if (pid < 0) {
        return errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static void probe_namespaces(struct diagnosis *diagnosis) {
    int number = try_namespaces();
    struct wall *wall = add(diagnosis, "namespaces", number != 0);
    (void)snprintf(wall->level, sizeof wall->level, "%s", number == 0 ? "full" : "refused");
    if (number != 0) {
        bool is_denied = number == EPERM || number == EACCES;
        (void)snprintf(
            wall->how, sizeof wall->how, "%s (%s)",
            error_default_hint(is_denied ? ERROR_SANDBOX_USERNS_DENIED : ERROR_SANDBOX_NAMESPACE),
            strerror(number));
    }
}

static void probe_landlock(struct diagnosis *diagnosis) {
    long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct wall *wall = add(diagnosis, "landlock", abi < 1);
    if (abi < 1) {
        (void)snprintf(wall->level, sizeof wall->level, "none");
        (void)snprintf(wall->how, sizeof wall->how, "%s",
                       error_default_hint(ERROR_SANDBOX_NO_LANDLOCK));
        return;
    }
    (void)snprintf(wall->level, sizeof wall->level, "ABI %ld", abi);
    if (abi < 6) {
        (void)snprintf(wall->how, sizeof wall->how,
                       "Linux 6.12 adds a second wall around abstract sockets and signals.");
    }
}

static void probe_seccomp(struct diagnosis *diagnosis) {
    uint32_t action = SECCOMP_RET_ERRNO;
    bool is_there = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    struct wall *wall = add(diagnosis, "seccomp", !is_there);
    (void)snprintf(wall->level, sizeof wall->level, "%s", is_there ? "standard" : "none");
    if (!is_there) {
        (void)snprintf(wall->how, sizeof wall->how, "%s",
                       error_default_hint(ERROR_SANDBOX_SECCOMP));
    }
}

static status_t make_folders(int folder, uint32_t uid, struct error *err) {
    static const char *const names[] = {"workspace", "run",     "run/upper",
                                        "run/work",  "run/tmp", "run/home"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        TRY(file_make_folder(folder, names[i], 0755, err));
        if (i > 1 && fchownat(folder, names[i], uid, uid == DOCTOR_UID ? uid : getegid(), 0) != 0) {
            return error_set(err, ERROR_IO, errno, "cannot give a folder to the payload");
        }
    }
    return STATUS_OK;
}

static status_t run_sandbox(const char *base, struct launcher_message *ret_message,
                            struct sandbox_levels *ret_levels, struct error *err) {
    char workspace[LIMIT_PATH_BYTES];
    char run_folder[LIMIT_PATH_BYTES];
    char id[32];
    (void)snprintf(workspace, sizeof workspace, "%.4000s/workspace", base);
    (void)snprintf(run_folder, sizeof run_folder, "%.4000s/run", base);
    (void)snprintf(id, sizeof id, "doctor-%d", getpid());
    bool is_root = ids_are_all_ours();
    const char *argv[] = {"true", nullptr};
    const char *environment[] = {"PATH=/usr/bin:/bin", nullptr};
    struct plan_request request = {
        .run_id = id,
        .template_row = template_find("code-executor"),
        .argv = argv,
        .environment = environment,
        .workspace = workspace,
        .working_folder = workspace,
        .home = "/home/user",
        .path = "/usr/bin:/bin",
        .run_folder = run_folder,
        .uid = geteuid(),
        .gid = getegid(),
        .host_uid = is_root ? DOCTOR_UID : geteuid(),
        .host_gid = is_root ? DOCTOR_UID : getegid(),
    };
    CLEANUP(fd_closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    CLEANUP(launcher_closep) struct launcher *launcher = nullptr;
    CLEANUP(plan_freep) struct plan *ground = nullptr;
    CLEANUP(plan_freep) struct plan *plan = nullptr;
    TRY(plan_build_ground(&request, &ground, err));
    TRY(plan_build(&request, ground, &plan, err));
    TRY(launcher_start(&launcher, err));
    TRY(launcher_ground(launcher, ground, err));
    struct launcher_streams streams = {null, null, null};
    TRY(launcher_prepare(launcher, plan, &streams, -1, err));
    TRY(launcher_ready(launcher, ret_levels, err));
    TRY(launcher_go(launcher, err));
    do {
        TRY(launcher_receive(launcher, ret_message, err));
    } while (ret_message->type != LAUNCHER_EXITED);
    return STATUS_OK;
}

static status_t try_sandbox(struct launcher_message *ret_message, struct sandbox_levels *ret_levels,
                            struct error *err) {
    struct state state;
    TRY(state_open(&state, err));
    char name[32];
    (void)snprintf(name, sizeof name, "doctor-%d", getpid());
    char base[LIMIT_PATH_BYTES];
    (void)snprintf(base, sizeof base, "%.4000s/%s", state.path, name);
    int folder = -1;
    status_t status = file_open_folder(state.fd, name, true, 0700, &folder, err);
    if (status_is_ok(status)) {
        status = make_folders(folder, ids_are_all_ours() ? DOCTOR_UID : geteuid(), err);
    }
    if (status_is_ok(status)) {
        status = run_sandbox(base, ret_message, ret_levels, err);
    }
    fd_closep(&folder);
    struct error ignored = {};
    (void)!status_is_ok(file_remove_tree(state.fd, name, &ignored));
    state_close(&state);
    return status;
}

static void probe_sandbox(struct diagnosis *diagnosis, struct error *err) {
    struct launcher_message message = {};
    struct sandbox_levels levels = {};
    bool is_made = status_is_ok(try_sandbox(&message, &levels, err));
    struct wall *files = add(diagnosis, "files", !is_made);
    struct wall *limits = add(diagnosis, "limits", !is_made);
    struct wall *sandbox = add(diagnosis, "sandbox", !is_made);
    if (!is_made) {
        (void)snprintf(files->level, sizeof files->level, "not tried");
        (void)snprintf(limits->level, sizeof limits->level, "not tried");
        (void)snprintf(sandbox->level, sizeof sandbox->level, "%.60s", error_slug(err->code));
        (void)snprintf(sandbox->how, sizeof sandbox->how, "%s", error_effective_hint(err));
        if (err->code == ERROR_SANDBOX_NO_OVERLAY) {
            (void)snprintf(files->level, sizeof files->level, "refused");
        }
        return;
    }
    (void)snprintf(files->level, sizeof files->level, "%s", levels.files);
    (void)snprintf(limits->level, sizeof limits->level, "%s", levels.limits);
    if (strcmp(levels.limits, "rlimit") == 0) {
        (void)snprintf(
            limits->how, sizeof limits->how,
            "Memory is sampled every 50 ms. A cgroup limits it exactly: run in a systemd "
            "user session (cgroup v2), or as root.");
    }
    (void)snprintf(sandbox->level, sizeof sandbox->level, "complete, made in %.2f ms",
                   (double)message.setup_ns / 1e6);
}

static int print_templates(const struct cli *cli) {
    CLEANUP(json_freep) struct json *all = json_array_new();
    for (size_t i = 0; i < template_count(); i++) {
        const struct template_row *row = template_at(i);
        if (!cli->json) {
            (void)printf("%-14s %s\n", row->name, row->summary);
            continue;
        }
        struct json *object = json_object_new();
        json_set_text(object, "name", row->name);
        json_set_text(object, "summary", row->summary);
        json_set_integer(object, "memory_bytes_max", (int64_t)row->limits.memory_bytes_max);
        json_set_integer(object, "pid_count_max", row->limits.pid_count_max);
        json_set_integer(object, "wall_ms_max", (int64_t)row->limits.wall_ms_max);
        json_set_integer(object, "stage_bytes_max", (int64_t)row->limits.stage_bytes_max);
        json_set_integer(object, "file_bytes_max", (int64_t)row->limits.file_bytes_max);
        json_set_integer(object, "output_bytes_max", (int64_t)row->limits.output_bytes_max);
        json_append(all, object);
    }
    if (cli->json) {
        CLEANUP(builder_deinit) struct builder text;
        builder_init(&text, 65536);
        json_write_pretty(all, &text);
        (void)fputs(builder_c_string(&text), stdout);
    }
    return 0;
}

static void print_json(const struct diagnosis *diagnosis) {
    CLEANUP(json_freep) struct json *all = json_array_new();
    for (size_t i = 0; i < diagnosis->count; i++) {
        struct json *object = json_object_new();
        json_set_text(object, "wall", diagnosis->wall[i].name);
        json_set_text(object, "level", diagnosis->wall[i].level);
        json_set_bool(object, "missing", diagnosis->wall[i].is_missing);
        json_set_text(object, "how", diagnosis->wall[i].how);
        json_append(all, object);
    }
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, 65536);
    json_write_pretty(all, &text);
    (void)fputs(builder_c_string(&text), stdout);
}

static void print_table(const struct cli *cli, const struct diagnosis *diagnosis) {
    (void)printf("%-11s %-30s %s\n", "wall", "level", "how to get it");
    for (size_t i = 0; i < diagnosis->count; i++) {
        const struct wall *wall = &diagnosis->wall[i];
        enum cli_color color = wall->is_missing ? CLI_RED : CLI_GREEN;
        (void)printf("%-11s %s%-30s%s %s\n", wall->name, cli_color(cli->color_out, color),
                     wall->level, cli_color(cli->color_out, CLI_PLAIN), wall->how);
    }
}

int cli_doctor(struct cli *cli, int argc, char **argv) {
    bool templates = false;
    const struct cli_option options[] = {
        {.name = "templates", .flag = &templates, .help = "list the sandbox templates"},
    };
    struct error err = {};
    int exit_status;
    if (!cli_begin(cli, &argc, argv,
                   &CLI_FORM(options, "  airlock doctor\n  airlock doctor --templates\n"),
                   &exit_status)) {
        return exit_status;
    }
    if (templates) {
        return print_templates(cli);
    }
    struct diagnosis diagnosis = {};
    probe_linux(&diagnosis);
    probe_namespaces(&diagnosis);
    probe_landlock(&diagnosis);
    probe_seccomp(&diagnosis);
    probe_sandbox(&diagnosis, &err);
    if (cli->json) {
        print_json(&diagnosis);
    } else {
        print_table(cli, &diagnosis);
    }
    if (err.code != ERROR_NONE) {
        return cli_error(cli, &err);
    }
    for (size_t i = 0; i < diagnosis.count; i++) {
        if (diagnosis.wall[i].is_missing) {
            return error_exit_status(ERROR_SANDBOX_NAMESPACE);
        }
    }
    return 0;
}
