/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock log encrypt, decrypt and rekey. The configuration stays the user's: they are told what to
 * write into it, and until they do the log does not open. So each of the three can be given again
 * after it was cut short, and says when it was done already.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/encryption.h"
#include "base/cleanup.h"
#include "cli/log_commands.h"
#include "kernel/config.h"
#include "sys/random.h"

/* What one of the three is asked to do. */
struct job {
    const char *change;
    struct secret *from, *to; /* owned; nullptr: plain */
    const char *to_file;      /* of `to`; borrowed */
    bool was_done;            /* before this command */
    uint64_t seq;             /* of the entry, unless it was */
};

static void job_deinit(struct job *job) {
    secret_freep(&job->from);
    secret_freep(&job->to);
}

static status_t no_file(const struct config *config, const char *change, struct error *err) {
    (void)error_set(err, ERROR_USAGE, 0, "log %s needs a key file", change);
    error_hint(err,
               "Make one: (umask 077; head -c 32 /dev/urandom > FILE). Then name it with "
               "--key-file FILE, or in %.200s: storage: { key_file: FILE }",
               config->path[0] == '\0' ? "config.yaml" : config->path);
    return (status_t){ERROR_USAGE};
}

/* Which key opens the log now, and which one shall. */
static status_t job_init(const struct config *config, const char *change, const char *option,
                         struct job *ret_job, struct error *err) {
    const char *configured = config->values[CONFIG_STORAGE_KEY_FILE];
    bool is_rekey = strcmp(change, "rekey") == 0;
    bool is_decrypt = strcmp(change, "decrypt") == 0;
    const char *from = is_rekey ? configured : option != nullptr ? option : configured;
    const char *to = is_rekey || option != nullptr ? option : configured;
    *ret_job = (struct job){.change = change, .to_file = is_decrypt ? nullptr : to};
    if ((is_rekey || is_decrypt) && from == nullptr) {
        return no_file(config, is_rekey ? "rekey (of the present key, in config.yaml)" : change,
                       err);
    }
    if (!is_decrypt && to == nullptr) {
        return no_file(config, change, err);
    }
    if (is_rekey || is_decrypt) {
        TRY(config_read_key(from, &ret_job->from, err));
    }
    return is_decrypt ? STATUS_OK : config_read_key(to, &ret_job->to, err);
}

/* Opens the log as `state` has its key, and makes sure that a checkpoint covers it. */
static status_t look(struct log_session *session, struct error *err) {
    const struct audit_log_options options = {&session->state, &session->clock};
    struct audit_head head;
    TRY(audit_log_open(&options, &session->log, err));
    status_t status = audit_log_head(session->log, &head, err);
    if (status_is_ok(status) && head.size > 0) {
        status = log_session_cover(session, head.size - 1, err);
    }
    audit_log_closep(&session->log);
    return status;
}

static status_t change(struct log_session *session, struct job *job, struct error *err) {
    char request[ID_TEXT_BYTES];
    char caller[32];
    id_generate(clock_wall_ms(&session->clock), request);
    (void)snprintf(caller, sizeof caller, "uid:%u", (unsigned)geteuid());
    const struct audit_encryption wanted = {
        .change = job->change, .caller = caller, .request = request, .key = job->to};
    session->state.log_key = TAKE(job->from);
    status_t status =
        audit_encryption_change(&session->state, &session->clock, &wanted, &job->seq, err);
    /* A key that does not open it, though the wanted one does: done before. */
    struct error ignored = {0};
    bool is_other_key = !status_is_ok(status) && err->code == ERROR_AUDIT_KEY;
    if (!status_is_ok(status) && !is_other_key) {
        return status;
    }
    secret_freep(&session->state.log_key);
    session->state.log_key = TAKE(job->to);
    if (is_other_key) {
        job->was_done = status_is_ok(look(session, &ignored));
        return job->was_done ? STATUS_OK : status;
    }
    return status_is_ok(look(session, err))
               ? STATUS_OK
               : error_context(err, "after log %s, which is done", job->change);
}

static void report(const struct cli *cli, const struct config *config, const struct job *job) {
    const char *configured = config->values[CONFIG_STORAGE_KEY_FILE];
    if (cli->json) {
        (void)printf("{\"change\":\"%s\",\"done\":%s,\"seq\":%" PRIu64 "}\n", job->change,
                     job->was_done ? "false" : "true", job->seq);
        return;
    }
    const char *now = job->to_file == nullptr ? "plain" : "encrypted";
    if (job->was_done) {
        (void)printf("the log is %s already%s\n", now,
                     job->to_file == nullptr ? "" : ", under this key");
    } else {
        (void)printf("the log is %s now%s; entry %" PRIu64 " says so\n", now,
                     strcmp(job->change, "rekey") == 0 ? ", under another key" : "", job->seq);
    }
    const char *file = config->path[0] == '\0' ? "config.yaml" : config->path;
    if (job->to_file == nullptr && configured != nullptr) {
        (void)printf("take storage.key_file out of %s; until then the log does not open\n", file);
    } else if (job->to_file != nullptr &&
               (configured == nullptr || strcmp(configured, job->to_file) != 0)) {
        (void)printf("write into %s, or the log does not open:\n  storage: { key_file: %s }\n",
                     file, job->to_file);
    }
}

static status_t run_job(const struct cli *cli, const struct config *config, struct job *job,
                        struct error *err) {
    struct log_session session = {.clock = clock_system(),
                                  .state = {.fd = -1, .runs_fd = -1, .keys_fd = -1}};
    TRY(state_open(&session.state, err));
    status_t status = change(&session, job, err);
    if (status_is_ok(status)) {
        report(cli, config, job);
    }
    log_session_close(&session);
    return status;
}

status_t log_change_key(const struct cli *cli, const struct log_request *request,
                        const char *change_name, struct error *err) {
    struct config config;
    struct job job;
    if (request->key_file != nullptr && request->key_file[0] != '/') {
        return error_set(err, ERROR_USAGE, 0, "--key-file takes an absolute path");
    }
    TRY(config_read(&config, err));
    status_t status = job_init(&config, change_name, request->key_file, &job, err);
    if (status_is_ok(status)) {
        status = run_job(cli, &config, &job, err);
    }
    job_deinit(&job);
    config_deinit(&config);
    return status;
}
