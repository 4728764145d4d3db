/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder of the state holds what a sandbox needs: extensions/<id> with the workspace, and the
 * upper, work, tmp and home of a run. Its owner keeps it locked, so that the next one that starts
 * an extension can tell what was left behind by a kill and removes it.
 */
#include "kernel/extension_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/frame.h"
#include "kernel/extension_folder.h"
#include "sandbox/cgroup_sweep.h"
#include "sandbox/plan.h"
#include "sys/fd.h"
#include "sys/ids.h"

static const char SEARCH_PATH[] = "/usr/local/bin:/usr/bin:/bin";
static const char HOME_INSIDE[] = "/home/user";

/* Past every id that a run can have (run_ahead.c): 2,000,000 + the largest process id. */
enum { HOST_UID_BASE = 6200000 };

void extension_process_init(struct extension_process *process, const struct state *state) {
    *process =
        (struct extension_process){.input = -1, .output = -1, .folder_fd = -1, .state = state};
}

/* What the sandbox is made of, besides what start_in() knows. */
struct start {
    struct plan_request plan;
    char workspace[LIMIT_PATH_BYTES];
    char run_folder[LIMIT_PATH_BYTES];
};

static void describe(const struct extension_process *process,
                     const struct policy_extension_source *source, struct start *start) {
    static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                              "HOME=/home/user", "LANG=C.UTF-8", nullptr};
    bool is_root = ids_are_all_ours();
    (void)snprintf(start->run_folder, sizeof start->run_folder, "%.4000s/extensions/%s/run",
                   process->state->path, process->id);
    if (source->folder == nullptr) {
        (void)snprintf(start->workspace, sizeof start->workspace, "%.4000s/extensions/%s/workspace",
                       process->state->path, process->id);
    } else {
        (void)snprintf(start->workspace, sizeof start->workspace, "%s", source->folder);
    }
    start->plan = (struct plan_request){
        .run_id = process->id,
        .template_row = template_find("policy-sandbox"),
        .argv = source->command,
        .environment = environment,
        .workspace = start->workspace,
        .working_folder = start->workspace,
        .home = HOME_INSIDE,
        .path = SEARCH_PATH,
        .run_folder = start->run_folder,
        .uid = geteuid(),
        .gid = getegid(),
        .host_uid = is_root ? HOST_UID_BASE + (uint32_t)getpid() : geteuid(),
        .host_gid = is_root ? HOST_UID_BASE + (uint32_t)getpid() : getegid(),
    };
}

/* Two pipes; ours do not block. */
static status_t make_pipes(struct extension_process *process, struct launcher_streams *ret_theirs,
                           struct error *err) {
    int question[2];
    int answer[2];
    if (pipe2(question, O_CLOEXEC) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot make a pipe to an extension");
    }
    ret_theirs->input = question[0];
    process->input = question[1];
    if (pipe2(answer, O_CLOEXEC) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot make a pipe to an extension");
    }
    process->output = answer[0];
    ret_theirs->output = answer[1];
    ret_theirs->error = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (ret_theirs->error < 0 || !fd_set_nonblocking(process->input, true) ||
        !fd_set_nonblocking(process->output, true)) {
        return error_set(err, ERROR_IO, errno, "cannot make a pipe to an extension");
    }
    return STATUS_OK;
}

static status_t launch(struct extension_process *process, const struct start *start,
                       struct launcher_streams *theirs, struct error *err) {
    CLEANUP(plan_freep) struct plan *ground = nullptr;
    CLEANUP(plan_freep) struct plan *plan = nullptr;
    struct sandbox_levels levels;
    TRY(launcher_start(&process->launcher, err));
    TRY(plan_build_ground(&start->plan, &ground, err));
    TRY(launcher_ground(process->launcher, ground, err));
    TRY(plan_build(&start->plan, ground, &plan, err));
    TRY(make_pipes(process, theirs, err));
    TRY(launcher_prepare(process->launcher, plan, theirs, process->folder_fd, err));
    TRY(launcher_ready(process->launcher, &levels, err));
    return launcher_go(process->launcher, err);
}

status_t extension_process_start(struct extension_process *process,
                                 const struct policy_extension_source *source, struct error *err) {
    ASSERT(process->launcher == nullptr && process->folder_fd < 0);
    struct clock clock = clock_system();
    struct start start;
    struct stat folder = {};
    id_generate(clock_wall_ms(&clock), process->id);
    describe(process, source, &start);
    if (source->folder != nullptr) {
        TRY(extension_folder_check(source->folder, &folder, err));
        start.plan.workspace_dev = folder.st_dev;
        start.plan.workspace_ino = folder.st_ino;
    }
    struct launcher_streams theirs = {-1, -1, -1};
    status_t status = extension_folder_make(process->state, process->id, start.plan.host_uid,
                                            start.plan.host_gid, &process->folder_fd, err);
    if (status_is_ok(status)) {
        status = launch(process, &start, &theirs, err);
    }
    fd_closep(&theirs.input);
    fd_closep(&theirs.output);
    fd_closep(&theirs.error);
    if (!status_is_ok(status)) {
        extension_process_stop(process);
        return error_context(err, "while starting the extension %s", source->name);
    }
    return STATUS_OK;
}

void extension_process_stop(struct extension_process *process) {
    bool ran = process->launcher != nullptr;
    launcher_closep(&process->launcher);
    fd_closep(&process->input);
    fd_closep(&process->output);
    if (ran) {
        cgroup_sweep(process->id); /* the launcher may have been killed */
    }
    if (process->folder_fd >= 0) {
        extension_folder_remove(process->state, process->id);
        fd_closep(&process->folder_fd);
    }
}

/* Waits for `events`; false when the deadline has passed. */
static bool wait_for(int fd, short events, const struct clock *clock, uint64_t deadline_ns) {
    for (;;) {
        uint64_t now = clock_monotonic_ns(clock);
        if (now >= deadline_ns) {
            return false;
        }
        struct pollfd one = {.fd = fd, .events = events};
        struct timespec left = {.tv_sec = (time_t)((deadline_ns - now) / 1000000000),
                                .tv_nsec = (long)((deadline_ns - now) % 1000000000)};
        int count = ppoll(&one, 1, &left, nullptr);
        if (count > 0) {
            return true;
        }
        if (count < 0 && errno != EINTR) {
            return true; /* the next read or write says why */
        }
    }
}

/* An extension that has closed its input is answered with EPIPE, not with a signal that ends us. */
static ssize_t write_quietly(int fd, struct slice bytes) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    (void)sigaction(SIGPIPE, &ignore, &before);
    ssize_t size = write(fd, bytes.data, bytes.size);
    int number = errno;
    (void)sigaction(SIGPIPE, &before, nullptr);
    errno = number;
    return size;
}

static enum extension_answer send_all(const struct extension_process *process,
                                      const struct clock *clock, struct slice rest,
                                      uint64_t deadline_ns) {
    while (rest.size > 0) {
        ssize_t size = write_quietly(process->input, rest);
        if (size < 0 && errno != EAGAIN && errno != EINTR) {
            return EXTENSION_ENDED;
        }
        if (size > 0) {
            rest = slice_of(rest.data + size, rest.size - (size_t)size);
        } else if (!wait_for(process->input, POLLOUT, clock, deadline_ns)) {
            return EXTENSION_LATE;
        }
    }
    return EXTENSION_ANSWERED;
}

/* Reads what is there; 0: nothing is, at the moment. */
static ssize_t read_some(const struct extension_process *process, struct builder *ret_bytes) {
    uint8_t buffer[4096];
    ssize_t size = read(process->output, buffer, sizeof buffer);
    if (size > 0) {
        builder_bytes(ret_bytes, slice_of(buffer, (size_t)size));
        return size;
    }
    return size < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static enum extension_answer receive(const struct extension_process *process,
                                     const struct clock *clock, uint64_t deadline_ns,
                                     struct builder *bytes, struct slice *ret_body) {
    for (;;) {
        switch (frame_decode(builder_slice(bytes), LIMIT_EXTENSION_SAY_BYTES, ret_body)) {
        case FRAME_TOO_LONG:
            limit_hit(LIMIT_ID_EXTENSION_SAY_BYTES);
            return EXTENSION_ENDED;
        case FRAME_WHOLE:
            /* Whoever speaks unasked could answer the next question before it is put. */
            return builder_slice(bytes).size == FRAME_HEADER_BYTES + ret_body->size
                       ? EXTENSION_ANSWERED
                       : EXTENSION_ENDED;
        case FRAME_PARTIAL:
            break;
        }
        if (!wait_for(process->output, POLLIN, clock, deadline_ns)) {
            return EXTENSION_LATE;
        }
        if (read_some(process, bytes) < 0 || !builder_is_ok(bytes)) {
            return EXTENSION_ENDED;
        }
    }
}

enum extension_answer extension_process_ask(struct extension_process *process,
                                            const struct clock *clock, struct slice frame,
                                            uint64_t deadline_ns, struct builder *body) {
    ASSERT(process->launcher != nullptr);
    CLEANUP(builder_deinit) struct builder bytes;
    builder_init(&bytes, FRAME_HEADER_BYTES + LIMIT_EXTENSION_SAY_BYTES + 4096);
    builder_reset(body);
    if (read_some(process, &bytes) != 0) {
        return EXTENSION_ENDED; /* it spoke unasked, or is gone */
    }
    struct slice said = {};
    enum extension_answer answer = send_all(process, clock, frame, deadline_ns);
    if (answer == EXTENSION_ANSWERED) {
        answer = receive(process, clock, deadline_ns, &bytes, &said);
    }
    if (answer == EXTENSION_ANSWERED) {
        builder_bytes(body, said);
    }
    return answer;
}
