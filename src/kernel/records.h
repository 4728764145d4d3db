/* SPDX-License-Identifier: Apache-2.0
 *
 * The fields of audit entries, made from what the kernel knows. Field names are listed in
 * src/audit/entry.c, which refuses any other.
 */
#pragma once

#include "codec/json.h"
#include "kernel/kernel.h"

struct record_start {
    const char *operation; /* nullptr: run.exec */
    const char *mode;      /* of output, "patch"; nullptr: full */
    const char *request;   /* ids */
    const char *run;
    const char *workspace; /* any bytes; escaped here */
    const char *template_name;
    const char *template_digest; /* nullptr: no template took part */
    const struct policy_decision *decision;
    const char *reviewer;                /* who agreed; nullptr: nobody had to */
    const struct policy_request *judged; /* what was decided about, and by what */
    const struct policy_in_force *policy;
    const struct digest *plan; /* salted commitments */
    const struct digest *argv;
    const char *parent;               /* the run it stands on, or "" */
    const struct plan_caches *caches; /* that it is shown; nullptr: none */
    const char *const *environment;   /* K=V; only names are recorded */
    const char *engine;               /* nullptr: native */
    const char *image;                /* as it was asked for */
    const char *image_digest;         /* "sha256:HEX": which one that was */
};

struct record_finish {
    const char *operation; /* nullptr: run.exec */
    const char *request;
    const char *run;
    const struct audit_position *intent;
    const char *outcome;                 /* "exit", "signal", "timeout", ..., "failed", "lost" */
    int exit_status;                     /* what the command line passes on; -1: none */
    const char *error_slug;              /* nullptr: none */
    const struct sandbox_levels *levels; /* nullptr: never reached */
    const struct launcher_message *exit; /* nullptr: never reached */
    const struct stage_summary *stage;   /* nullptr: none sealed */
    uint64_t output_bytes, output_kept_bytes;
    uint64_t duration_us;
    const struct json *egress; /* nullptr: no network */
};

void record_text(struct json *object, const char *key, const char *any_bytes);
void record_digest(struct json *object, const char *key, const struct digest *digest);
/* With the rules behind it: name, and file and line where there is one. */
struct json *record_decision(const struct policy_decision *decision);
struct json *record_caches(const struct plan_caches *caches);
/* The walls that stood, and what the stage holds. */
struct json *record_levels(const struct sandbox_levels *levels);
struct json *record_stage(const struct stage_summary *stage);
struct json *record_run_started(const struct kernel *kernel, const struct record_start *start);
struct json *record_run_finished(const struct kernel *kernel, const struct record_finish *finish);
/* What a command that ended so has `airlock run` exit with. */
int record_exit_status(const struct launcher_message *exit);
/* The name of an outcome in entries and summaries. */
const char *record_outcome_text(enum launcher_outcome outcome);
