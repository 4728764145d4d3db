/* SPDX-License-Identifier: Apache-2.0
 *
 * The sub-commands of `airlock log`, one file each or two of a kind; cmd_log.c parses and picks.
 */
#pragma once

#include "cli/log_view.h"

struct log_request {
    /* Which entries. */
    const char *caller, *run, *operation, *decision, *type, *since, *until, *limit;
    /* What goes with one sub-command only. */
    const char *proof, *jsonl, *salts, *receipt, *checkpoint, *key_file, *ca;
    const char **keys;
    bool follow, check, yes;
    /* Read from the texts above. */
    uint64_t since_ms;
    uint64_t until_ms;    /* UINT64_MAX: no end */
    uint64_t limit_count; /* 0: all */
};

/* `operand` is the one after the sub-command's name, nullptr when there is none. */
typedef status_t log_command(const struct cli *cli, struct log_session *session,
                             const struct log_request *request, const char *operand,
                             struct error *err);
log_command log_list, log_show, log_verify, log_gaps, log_export, log_report;

/* These work without an opened log: it may be damaged, or not ours at all. */
status_t log_key(struct error *err);
status_t log_renew(const struct cli *cli, const struct log_request *request, struct error *err);
/* encrypt, decrypt, rekey. */
status_t log_change_key(const struct cli *cli, const struct log_request *request,
                        const char *change_name, struct error *err);
/* `operands` are the `count` ones after "witness". */
status_t log_witness(const struct cli *cli, const struct log_request *request, int count,
                     char **operands, struct error *err);
status_t log_import(const struct cli *cli, const struct log_request *request, const char *operand,
                    struct error *err);
