/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/run_container.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "crypto/hash.h"
#include "kernel/engine_socket.h"
#include "sandbox/lower.h"
#include "sandbox/plan.h"
#include "sandbox/seccomp.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/ids.h"
#include "sys/program.h"

enum { SHARES_PER_WEIGHT = 1024 / 100, TMP_BYTES = 64 << 20 };
static const char OVERLAY_OPTIONS[] = "userxattr,index=off,metacopy=off,xino=off";

/* What a template asks of the wall that engines do not have. */
static status_t check_template(const struct template_row *row, struct error *err) {
    const char *what = nullptr;
    if (row->caches != TEMPLATE_CACHES_NONE) {
        what = "the caches of package managers";
    } else if (row->limits.read_rate_max != 0 || row->limits.write_rate_max != 0) {
        what = "a rate of disk access";
    }
    if (what == nullptr) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_ENGINE_UNSUPPORTED, 0,
                    "the template %s asks for %s, which a container engine does not give",
                    row->name, what);
    error_hint(err, "Name another template: --template code-executor, or run without --engine.");
    return (status_t){ERROR_ENGINE_UNSUPPORTED};
}

static status_t check_request(const struct run_exec_request *request, struct error *err) {
    const char *option = request->root != nullptr ? "--root" : nullptr;
    option = request->wait_all ? "--wait-all" : option;
    return option == nullptr
               ? STATUS_OK
               : error_set(err, ERROR_USAGE, 0, "%s is for the native engine", option);
}

/* Without root an engine has cgroups of version 2 or none; with them, whether it holds the limits
 * is seen in each container (engine/gate.h). */
static status_t check_rootless(const struct engine_version *version, enum engine_kind kind,
                               struct error *err) {
    if (!version->is_rootless || version->has_cgroup_v2) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_ENGINE_UNSUPPORTED, 0,
                    "this %s is rootless, on a machine without cgroups of version 2",
                    engine_kind_text(kind));
    error_detail(err, "there it drops the limits of memory and processes");
    error_hint(err, "Name the socket of the system's engine with --engine-socket, or run without "
                    "--engine, which needs no root either.");
    return (status_t){ERROR_ENGINE_UNSUPPORTED};
}

static status_t missing_image(const struct run_container *container, struct error *err) {
    (void)error_set(err, ERROR_ENGINE_IMAGE, 0, "%s does not have the image %s",
                    engine_kind_text(container->asked->kind), container->asked->image);
    error_hint(err, "Have it fetched: airlock run --engine %s --image %.200s --pull -- ...",
               engine_kind_text(container->asked->kind), container->asked->image);
    return (status_t){ERROR_ENGINE_IMAGE};
}

static status_t find_image(struct run_container *container, struct error *err) {
    const struct run_engine *asked = container->asked;
    TRY(engine_image_status(container->engine, asked->image, &container->image, err));
    if (container->image.is_found) {
        return STATUS_OK;
    }
    if (!asked->pull) {
        return missing_image(container, err);
    }
    const struct engine_pull pull = {.progress = asked->progress, .context = asked->context};
    TRY(engine_image_pull(container->engine, asked->image, &pull, err));
    if (asked->progress != nullptr) {
        asked->progress(asked->context, 100);
    }
    TRY(engine_image_status(container->engine, asked->image, &container->image, err));
    return container->image.is_found ? STATUS_OK : missing_image(container, err);
}

/* Which state folder a container belongs to, without telling where that is. */
static void make_label(const struct kernel *kernel, char ret_label[static 24]) {
    struct builder text;
    struct digest digest;
    sha256_of(slice_of_string(kernel->state.path), &digest);
    builder_init(&text, 24);
    text_hex(slice_of(digest.bytes, 8), &text);
    (void)snprintf(ret_label, 24, "%s", builder_c_string(&text));
    builder_deinit(&text);
}

status_t run_container_open(struct run_container *container, const struct kernel *kernel,
                            const struct run_exec_request *request, const struct run_ahead *ahead,
                            struct error *err) {
    *container = (struct run_container){
        .request = request,
        .ahead = ahead,
        .asked = request->engine,
        .state_path = kernel->state.path,
        .gate = {-1, -1},
        .listener = -1,
        .terminal = -1,
    };
    builder_init(&container->bytes, LIMIT_PLAN_BYTES);
    TRY(check_request(request, err));
    TRY(check_template(ahead->template_row, err));
    TRY(program_require(GATE_PROGRAM, ERROR_ENGINE_PROGRAM, container->gate_program, err));
    make_label(kernel, container->label);
    const struct engine_options options = {
        .kind = request->engine->kind,
        .socket = request->engine->socket,
        .state = container->label,
    };
    struct engine_version version;
    TRY(engine_socket_open(&options, &container->engine, &version, err));
    TRY(check_rootless(&version, request->engine->kind, err));
    container->is_rootless = version.is_rootless;
    return find_image(container, err);
}

/* Engines may not be able to raise a limit above what they run with, and neither can we. */
static uint64_t open_files(void) {
    enum { WANTED = 20000 };
    struct rlimit own;
    bool is_known = getrlimit(RLIMIT_NOFILE, &own) == 0;
    return is_known && own.rlim_max < WANTED ? own.rlim_max : WANTED;
}

/* What is mounted besides the workspace stands in the run's folder, but for the gate. */
static void name_files(struct run_container *container) {
    const char *run = container->ahead->run_id;
    (void)snprintf(container->gate_socket, sizeof container->gate_socket, "%s/runs/%s/%s",
                   container->state_path, run, RUN_CONTAINER_GATE);
    if (container->trust.size > 0) {
        (void)snprintf(container->trust_file, sizeof container->trust_file, "%s/runs/%s/%s",
                       container->state_path, run, RUN_CONTAINER_TRUST);
    }
}

status_t run_container_plan(struct run_container *container, struct slice trust,
                            struct error *err) {
    const struct run_ahead *ahead = container->ahead;
    const struct template_limits *limits = &ahead->template_row->limits;
    uint64_t half = ahead->ram_bytes / 2;
    (void)snprintf(container->name, sizeof container->name, "airlock-%s", ahead->run_id);
    /* The user of a rootless engine is uid 0 of its containers, here without any capability. */
    (void)snprintf(container->user, sizeof container->user, "%u:%u",
                   container->is_rootless ? 0 : ahead->host_uid,
                   container->is_rootless ? 0 : ahead->host_gid);
    container->trust = trust;
    name_files(container);
    container->plan = (struct engine_container){
        .name = container->name,
        .image = container->image.id,
        .run_id = ahead->run_id,
        .user = container->user,
        .folder = container->request->working_folder,
        .volume = container->name,
        .target = container->request->workspace,
        .gate = container->gate_program,
        .gate_socket = container->gate_socket,
        .trust = container->trust_file,
        .trust_target = PLAN_TRUST_PATH,
        .argv = container->request->argv,
        .environment = (const char *const *)ahead->environment.entries,
        .memory_bytes =
            half != 0 && half < limits->memory_bytes_max ? half : limits->memory_bytes_max,
        .pid_count = limits->pid_count_max,
        .cpu_shares = (uint64_t)limits->cpu_weight * SHARES_PER_WEIGHT,
        .cpu_nano = (uint64_t)limits->cpu_percent_max * 10000000,
        .file_bytes = limits->file_bytes_max,
        .open_files = open_files(),
        .tmp_bytes = TMP_BYTES,
        .terminal = container->request->terminal,
    };
    engine_encode(&container->plan, &container->bytes);
    return builder_is_ok(&container->bytes)
               ? STATUS_OK
               : error_set(err, ERROR_LIMIT, 0, "the command does not fit");
}

/* The overlay. */

/* Engines split what they are given at these characters, and none of them can be escaped for all of
 * engine, mount(8) and overlayfs. */
static status_t check_path(const char *path, struct error *err) {
    bool is_plain = text_is_plain(slice_of_string(path));
    if (is_plain && strpbrk(path, ":,\\\"") == nullptr) {
        return STATUS_OK;
    }
    struct builder shown;
    builder_init(&shown, 300);
    text_escape_short(slice_of_string(path), 280, &shown);
    (void)error_set(err, ERROR_ENGINE_UNSUPPORTED, 0,
                    "a container engine cannot be given the folder %s", builder_c_string(&shown));
    builder_deinit(&shown);
    error_hint(err, "Its path has a ':', ',', quote, backslash or control character; run without "
                    "--engine, or from a folder without one.");
    return (status_t){ERROR_ENGINE_UNSUPPORTED};
}

static status_t write_options(const struct run_container *container,
                              const struct run_container_place *place, const char *lowest,
                              struct builder *out, struct error *err) {
    TRY(check_path(container->request->workspace, err));
    TRY(check_path(container->state_path, err));
    TRY(check_path(container->gate_program, err));
    builder_text(out, "lowerdir=");
    for (size_t i = 0; place->layers != nullptr && place->layers[i] != nullptr; i++) {
        TRY(check_path(place->layers[i], err));
        builder_format(out, "%s:", place->layers[i]);
    }
    const char *run = place->run->id;
    builder_format(out, "%s,upperdir=%s/runs/%s/upper,workdir=%s/runs/%s/work,%s", lowest,
                   container->state_path, run, container->state_path, run, OVERLAY_OPTIONS);
    if (limit_past(!builder_is_ok(out), LIMIT_ID_ENGINE_MOUNT_BYTES)) {
        (void)error_set(err, ERROR_ENGINE_UNSUPPORTED, 0,
                        "the paths of workspace and stages are too long for a container engine");
        error_hint(err, "Apply the stages below first, or run without --engine.");
        return (status_t){ERROR_ENGINE_UNSUPPORTED};
    }
    return STATUS_OK;
}

/* The run's folder is nobody else's; what stands in it is mounted into the container alone. */
static status_t make_files(struct run_container *container, const struct run_container_place *place,
                           struct error *err) {
    const struct gate_place gate = {
        .folder = place->run->fd,
        .name = RUN_CONTAINER_GATE,
        .uid = container->ahead->host_uid,
        .gid = container->ahead->host_gid,
    };
    if (container->trust.size > 0) {
        const struct file_write_options readable = {.mode = 0444};
        TRY(file_write_atomic(place->run->fd, RUN_CONTAINER_TRUST, container->trust, &readable,
                              err));
    }
    return gate_open(&gate, &container->gate, err);
}

status_t run_container_make(struct run_container *container,
                            const struct run_container_place *place, struct error *err) {
    CLEANUP(builder_deinit) struct builder options;
    char lower[LIMIT_PATH_BYTES + 64];
    const char *lowest = container->request->workspace;
    builder_init(&options, LIMIT_ENGINE_MOUNT_BYTES);
    (void)snprintf(lower, sizeof lower, "%s/runs/%s/lower", container->state_path, place->run->id);
    if (ids_are_all_ours()) {
        lowest = lower;
    }
    TRY(write_options(container, place, lowest, &options, err));
    TRY(run_container_record(container, place->run, err));
    if (lowest == lower) {
        const struct lower_options mapped = {
            .workspace = container->request->workspace,
            .dev = place->identity->dev,
            .ino = place->identity->ino,
            .uid = container->ahead->host_uid,
            .gid = container->ahead->host_gid,
        };
        TRY(lower_attach(place->run, &mapped, err));
    }
    TRY(make_files(container, place, err));
    TRY(engine_volume_create(container->engine, container->name, builder_c_string(&options), err));
    return engine_create(container->engine, &container->plan, place->run->lock_fd, err);
}

/* Running. */

static status_t make_terminal(struct run_container *container, int *ret_theirs, struct error *err) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot make a socket pair");
    }
    container->terminal = pair[0];
    *ret_theirs = pair[1];
    return STATUS_OK;
}

/* The filter of the template, as a native sandbox has it; what the engine puts on stays on. */
static status_t meet_gate(struct run_container *container, struct error *err) {
    const struct run_ahead *ahead = container->ahead;
    bool is_rootless = container->is_rootless;
    struct gate_setup setup = {
        .port = container->request->network_count > 0 ? PLAN_LISTENER_PORT : 0,
        .memory_bytes = is_rootless ? container->plan.memory_bytes : 0,
        .pid_count = is_rootless ? container->plan.pid_count : 0,
        .one_program = ahead->template_row->seccomp == SECCOMP_STRICT,
    };
    static_assert((int)GATE_LINES_MAX == (int)SECCOMP_LINES_MAX);
    setup.line_count =
        (uint32_t)seccomp_filter(ahead->template_row->seccomp, is_rootless ? 0 : ahead->host_uid,
                                 is_rootless ? 0 : ahead->host_gid, setup.lines);
    return gate_meet(&container->gate, container->engine, &setup, &container->listener, err);
}

static void tell_levels(const struct run_container *container, struct sandbox_levels *ret) {
    const char *kind = engine_kind_text(container->asked->kind);
    (void)snprintf(ret->files, sizeof ret->files, "overlay");
    (void)snprintf(ret->namespaces, sizeof ret->namespaces, "%s", kind);
    (void)snprintf(ret->seccomp, sizeof ret->seccomp, "%s+%s", kind,
                   seccomp_profile_text(container->ahead->template_row->seccomp));
    (void)snprintf(ret->limits, sizeof ret->limits, "%s", kind);
}

status_t run_container_start(struct run_container *container,
                             const struct launcher_streams *streams,
                             struct sandbox_levels *ret_levels, struct error *err) {
    CLEANUP(fd_closep) int theirs = -1;
    bool is_terminal = container->request->terminal;
    uint64_t wall_ms = container->request->wall_ms_max;
    if (is_terminal) {
        TRY(make_terminal(container, &theirs, err));
    }
    struct engine_start start = {
        .name = container->name,
        .wall_ms = wall_ms != 0 ? wall_ms : container->ahead->template_row->limits.wall_ms_max,
        .terminal = is_terminal,
        .streams = {is_terminal ? theirs : streams->input, streams->output, streams->error},
    };
    TRY(engine_start(container->engine, &start, err));
    TRY(meet_gate(container, err));
    tell_levels(container, ret_levels);
    return STATUS_OK;
}

status_t run_container_go(struct run_container *container, struct launcher_message *ret_exit,
                          struct error *err) {
    enum engine_started started;
    TRY(gate_pass(&container->gate, &started, err));
    *ret_exit = (struct launcher_message){
        .type = started == ENGINE_STARTED ? LAUNCHER_STARTED : LAUNCHER_EXITED,
        .fd = -1,
        .outcome = started == ENGINE_NOT_FOUND ? LAUNCHER_OUTCOME_NOT_FOUND
                                               : LAUNCHER_OUTCOME_NOT_EXECUTABLE,
    };
    return STATUS_OK;
}

void run_container_deinit(struct run_container *container) {
    engine_closep(&container->engine);
    gate_close(&container->gate);
    fd_closep(&container->listener);
    fd_closep(&container->terminal);
    builder_deinit(&container->bytes);
}
