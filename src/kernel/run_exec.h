/* SPDX-License-Identifier: Apache-2.0
 *
 * The operation run.exec: one command, sealed. Whoever asks brings the streams and relays them.
 */
#pragma once

#include "kernel/kernel.h"
#include "kernel/run_ahead.h"
#include "kernel/run_control.h"
#include "sandbox/plan.h"

struct run_exec_relay;
enum engine_kind : uint8_t;

/* Another engine than native. */
struct run_engine {
    enum engine_kind kind;
    const char *socket; /* absolute; from engine_socket_find() */
    const char *image;  /* as the user names it */
    bool pull;          /* have it fetched when the engine does not have it */
    /* Told the percentage while it is fetched, and 100 when it is there; may be nullptr. */
    void (*progress)(void *context, unsigned percent);
    void *context;
};

struct run_exec_request {
    const char *workspace;      /* as from workspace_find() */
    const char *working_folder; /* absolute; the workspace or below it */
    const char *template_name;
    bool template_open;              /* nobody named it: policy may ask for another */
    const char *on;                  /* the run to stand on, as users name runs; nullptr: none */
    const char *root;                /* --root; nullptr: the host's own */
    const struct run_engine *engine; /* nullptr: native */
    const char *const *argv;         /* nullptr-terminated, at least one */
    const char *const *environment;  /* nullptr-terminated K=V or K to add; may be nullptr */
    const char *const *networks;     /* groups the run wants to reach */
    size_t network_count;            /* 0: it has no network */
    const struct egress_inject *injects; /* headers added outside; their values are secret */
    size_t inject_count;
    const char *ca_file;  /* certificates to trust besides; nullptr or "": the system's */
    uint64_t wall_ms_max; /* 0: none of the caller's; the template may have one */
    bool terminal;
    bool wait_all;
    struct launcher_streams streams; /* the payload's ends; the kernel closes them */
    /* Moves bytes, forwards signals, and returns when LAUNCHER_EXITED came. `output_fd` is
     * runs/<id>/output, which keeps at most output_bytes_max bytes. Counts go to the result. */
    status_t (*relay)(void *context, const struct run_exec_relay *relay, struct error *err);
    void *context;
};

struct run_exec_result {
    struct run run;
    struct sandbox_levels levels;
    struct template_limits limits; /* of its template, as they were in force */
    struct plan_caches caches;     /* that it was shown */
    struct launcher_message exit;
    struct stage_summary stage;
    struct audit_position outcome; /* its entry, covered by the last checkpoint */
    uint64_t output_bytes, output_kept_bytes;
    uint64_t duration_us; /* request to outcome */
    int exit_status;      /* to pass on */
    struct json
        *egress; /* what was reached and refused; nullptr: no network. The caller frees it */
};

/* Whoever runs the payload, as the relay sees it. */
struct run_peer {
    int fd; /* readable when a message waits */
    void *context;
    status_t (*receive)(void *context, struct launcher_message *ret_message, struct error *err);
    /* SIGSTOP and SIGCONT hold the whole payload; SIGKILL ends it. */
    status_t (*signal)(void *context, int signal_number, struct error *err);
    /* A message waits though `fd` is not readable; nullptr: never. */
    bool (*is_pending)(void *context);
    /* Has the payload stand still, or go on. When that is not done at once, LAUNCHER_PAUSED or
     * LAUNCHER_RESUMED tells when it is. */
    status_t (*hold)(void *context, bool is_pause, bool *ret_is_done, struct error *err);
    bool (*is_held)(const void *context);
    /* Of a terminal that is no pty of ours; nullptr: it is one. */
    void (*resize)(void *context, unsigned rows, unsigned columns);
};

struct run_exec_relay {
    const struct run_peer *peer;
    struct run_control *control; /* to be served while the run is live */
    int output_fd;
    uint64_t output_bytes_max;
    struct run_exec_result *result; /* exit, output_bytes and output_kept_bytes are set here */
};

/* The whole path: policy (and the person it wants asked), plan, launcher and intent side by side,
 * go, relay, seal, outcome, signed checkpoint. `ahead` is from run_ahead_start() with the same
 * request, and consumed. ERROR_POLICY_DENIED and ERROR_POLICY_REVIEW leave a decision entry; an
 * error past the intent leaves an outcome entry with the error's slug. The caller closes
 * ret_result->run. */
status_t run_exec(struct kernel *kernel, struct run_ahead *ahead,
                  const struct run_exec_request *request, struct run_exec_result *ret_result,
                  struct error *err);
