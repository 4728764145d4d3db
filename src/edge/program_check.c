/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock proxy check -c FILE
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "edge/check.h"
#include "edge/program_verbs.h"

static void check_one(struct check *check, struct check_tls row, bool is_server) {
    struct check_tls *tls = &check->tls[check->tls_count++];
    *tls = row;
    if (row.tls->dev && access(row.tls->certificate_file, F_OK) != 0 &&
        access(row.tls->key_file, F_OK) != 0) {
        tls->state = CHECK_WILL_BE_MADE;
        return;
    }
    if (!status_is_ok(certificates_load(row.tls, is_server, &tls->certificates, &tls->err))) {
        (void)error_context(&tls->err, "while reading the tls of %s %.100s", row.of_what, row.name);
        tls->state = CHECK_WRONG;
        check->wrong_count++;
    }
}

status_t check_certificates(const struct edge_config *config, struct check *ret_check,
                            struct error *err) {
    struct check check = {.config = config};
    check.tls = calloc((size_t)config->listener_count + config->upstream_count, sizeof *check.tls);
    if (check.tls == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot check the certificates");
    }
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct edge_listener *listener = &config->listeners[i];
        if (listener->tls.is_there) {
            check_one(&check,
                      (struct check_tls){
                          .of_what = "listener", .name = listener->name, .tls = &listener->tls},
                      true);
        }
    }
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        const struct edge_upstream *upstream = &config->upstreams[i];
        if (upstream->tls.is_there) {
            check_one(&check,
                      (struct check_tls){
                          .of_what = "upstream", .name = upstream->name, .tls = &upstream->tls},
                      false);
        }
    }
    *ret_check = check;
    return STATUS_OK;
}

void check_deinit(struct check *check) {
    for (size_t i = 0; i < check->tls_count; i++) {
        certificates_free(check->tls[i].certificates);
    }
    free(check->tls);
    *check = (struct check){};
}

bool check_is_used(const struct edge_config *config, uint32_t upstream) {
    for (uint32_t i = 0; i < config->listener_count; i++) {
        for (uint32_t k = 0; k < config->listeners[i].route_count; k++) {
            if (config->listeners[i].routes[k].upstream == upstream) {
                return true;
            }
        }
    }
    return false;
}

status_t program_check(const struct program_call *call, int *ret_exit, struct error *err) {
    CLEANUP(edge_config_freep) struct edge_config *config = nullptr;
    CLEANUP(check_deinit) struct check check = {};
    if (call->file == nullptr) {
        return program_usage(err, "check needs the configuration: -c FILE");
    }
    TRY(edge_config_load(call->file, &config, err));
    TRY(check_certificates(config, &check, err));
    if (call->report.json) {
        CLEANUP(json_freep) struct json *answer = check_json(&check);
        program_print_json(answer);
    } else {
        check_print(&check);
    }
    for (size_t i = 0; i < check.tls_count; i++) {
        if (check.tls[i].state == CHECK_WRONG) {
            *ret_exit = call->report.json ? error_exit_status(check.tls[i].err.code)
                                          : error_report(&call->report, &check.tls[i].err);
        }
    }
    return STATUS_OK;
}
