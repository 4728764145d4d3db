/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/records.h"
#include "policy/network.h"
#include "sys/fd.h"
#include "sys/ids.h"

/* Outside, the proxy of a run that root started is this and airlock's process id: no payload and no
 * other user has it (those of payloads are below 2,000,000 + 4,194,304). */
enum { PROXY_UID_BASE = 8000000 };

static enum policy_network_result find(const struct policy_in_force *policy, const char *name,
                                       const struct policy_network_group **ret_group) {
    const struct policy_layer_source layers[] = {
        {policy->user.document, POLICY_LAYER_USER, POLICY_LAYER_FULL},
        {policy->workspace.document, POLICY_LAYER_WORKSPACE,
         policy->trust == POLICY_TRUST_TRUSTED ? POLICY_LAYER_FULL : POLICY_LAYER_RESTRICT},
    };
    return policy_network_find(layers, sizeof layers / sizeof layers[0], name, ret_group);
}

static status_t refuse_group(const struct policy_in_force *policy, const char *name,
                             enum policy_network_result result, struct error *err) {
    if (result == POLICY_NETWORK_UNTRUSTED) {
        (void)error_set(err, ERROR_NETWORK_GROUP, 0,
                        "the network group %s is in the workspace's policy, which is not trusted",
                        name);
        error_hint(err, "Look at it, and trust it with: airlock policy trust");
        return (status_t){ERROR_NETWORK_GROUP};
    }
    bool is_default = strcmp(policy->user.path, "default") == 0;
    (void)error_set(err, ERROR_NETWORK_GROUP, 0, "there is no network group named %s", name);
    error_hint(err, "Add to %s: network: { whitelist: { %s: [\"example.org:443\"] } }%s",
               is_default ? "a policy file of your own (airlock policy edit)" : policy->user.path,
               name, "");
    return (status_t){ERROR_NETWORK_GROUP};
}

status_t egress_check(const struct policy_in_force *policy, const struct run_exec_request *request,
                      struct error *err) {
    for (size_t i = 0; i < request->network_count; i++) {
        const struct policy_network_group *group;
        enum policy_network_result result = find(policy, request->networks[i], &group);
        if (result != POLICY_NETWORK_FOUND) {
            return refuse_group(policy, request->networks[i], result, err);
        }
    }
    return STATUS_OK;
}

static status_t collect(const struct policy_in_force *policy,
                        const struct run_exec_request *request, struct egress_config *config,
                        struct error *err) {
    for (size_t i = 0; i < request->network_count; i++) {
        const struct policy_network_group *group = nullptr;
        if (find(policy, request->networks[i], &group) != POLICY_NETWORK_FOUND) {
            return error_set(err, ERROR_INTERNAL, 0, "a network group is gone");
        }
        for (size_t t = 0; t < group->targets.count; t++) {
            const struct policy_network_target *target = &group->targets.values[t];
            if (config->target_count == LIMIT_EGRESS_TARGETS) {
                limit_hit(LIMIT_ID_EGRESS_TARGETS);
                return error_set(err, ERROR_LIMIT, 0,
                                 "the run's groups have more than %lld targets",
                                 (long long)LIMIT_EGRESS_TARGETS);
            }
            config->targets[config->target_count++] =
                (struct egress_target){target->host, target->port,    target->is_private,
                                       group->name,  target->methods, target->paths};
        }
    }
    return STATUS_OK;
}

/* A header for a host that the run cannot reach is a mistake of whoever wrote it. */
static status_t take_injects(const struct run_exec_request *request, struct egress_config *config,
                             struct error *err) {
    for (size_t i = 0; i < request->inject_count; i++) {
        const struct egress_inject *inject = &request->injects[i];
        bool is_reached = false;
        for (uint32_t t = 0; t < config->target_count; t++) {
            is_reached |= egress_target_covers(&config->targets[t], inject->host, inject->port);
        }
        if (!is_reached) {
            return error_set(err, ERROR_USAGE, 0,
                             "--inject names %s port %u, which no network group of the run has",
                             inject->host, inject->port);
        }
        config->injects[config->inject_count++] = *inject;
    }
    return STATUS_OK;
}

status_t egress_start(const struct policy_in_force *policy, const struct run_exec_request *request,
                      struct egress *egress, struct error *err) {
    if (request->network_count == 0) {
        return STATUS_OK;
    }
    struct egress_config config = {
        .targets = calloc(LIMIT_EGRESS_TARGETS, sizeof *config.targets),
        .injects = calloc(LIMIT_EGRESS_INJECT, sizeof *config.injects),
        .ca_file = request->ca_file != nullptr ? request->ca_file : "",
    };
    if (config.targets == nullptr || config.injects == nullptr) {
        egress_config_deinit(&config);
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot list what the run may reach");
    }
    if (ids_are_all_ours()) {
        config.uid = config.gid = PROXY_UID_BASE + (uint32_t)getpid();
    }
    status_t status = collect(policy, request, &config, err);
    if (status_is_ok(status)) {
        status = take_injects(request, &config, err);
    }
    if (status_is_ok(status)) {
        status = egress_client_start(&config, &egress->client, err);
    }
    egress_config_deinit(&config);
    return status;
}

static status_t wait_ready(struct egress *egress, struct slice *ret_ca, struct error *err) {
    if (!egress->is_ready) {
        TRY(egress_client_ready(egress->client, ret_ca, err));
        egress->is_ready = true;
    }
    return STATUS_OK;
}

bool egress_adds_tls(const struct run_exec_request *request) {
    for (size_t i = 0; i < request->inject_count; i++) {
        if (request->injects[i].is_tls) {
            return true;
        }
    }
    return false;
}

/* The system's certificates, so that other hosts are trusted as before. */
static status_t read_system_trust(const char *file, struct builder *out, struct error *err) {
    static const char *const FILES[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    bool is_named = file != nullptr && file[0] != '\0';
    CLEANUP(fd_closep) int fd = is_named ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    for (size_t i = 0; !is_named && fd < 0 && i < sizeof FILES / sizeof FILES[0]; i++) {
        fd = open(FILES[i], O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot read the certificates to trust");
    }
    TRY(fd_read_to_end(fd, "the certificates to trust", out, err));
    builder_u8(out, '\n');
    return STATUS_OK;
}

status_t egress_trust(const struct run_exec_request *request, struct egress *egress,
                      struct error *err) {
    struct slice ca = {};
    builder_init(&egress->trust, LIMIT_EGRESS_TRUST_BYTES);
    if (egress->client == nullptr || !egress_adds_tls(request)) {
        return STATUS_OK;
    }
    TRY(read_system_trust(request->ca_file, &egress->trust, err));
    TRY(wait_ready(egress, &ca, err));
    builder_bytes(&egress->trust, ca);
    if (!builder_is_ok(&egress->trust)) {
        limit_hit(LIMIT_ID_EGRESS_TRUST_BYTES);
        return error_set(err, ERROR_LIMIT, 0, "the certificates to trust are too long");
    }
    return STATUS_OK;
}

status_t egress_listen(struct egress *egress, int consumed, struct error *err) {
    struct slice ca;
    CLEANUP(fd_closep) int listener = consumed;
    if (egress->client == nullptr) {
        return STATUS_OK;
    }
    if (listener < 0) {
        return error_set(err, ERROR_JAIL_PROTOCOL, 0, "the sandbox listens nowhere");
    }
    TRY(wait_ready(egress, &ca, err));
    return egress_client_listen(egress->client, listener, err);
}

void egress_finish(struct egress *egress) {
    if (egress->client != nullptr && !egress->reported) {
        egress->reported = egress_client_finish(egress->client, &egress->report);
    }
}

void egress_deinit(struct egress *egress) {
    if (egress->reported) {
        egress_report_deinit(&egress->report);
    }
    egress_client_closep(&egress->client);
    builder_deinit(&egress->trust);
}

static struct json *row_object(const struct egress_row *row) {
    struct json *object = json_object_new();
    record_text(object, "host", row->host);
    json_set_integer(object, "port", row->port);
    json_set_integer(object, "connections", row->connections);
    json_set_integer(object, "bytes_up", (int64_t)row->bytes_up);
    json_set_integer(object, "bytes_down", (int64_t)row->bytes_down);
    if (row->denied > 0) {
        json_set_integer(object, "denied", row->denied);
        record_text(object, "reason", row->reason);
    }
    return object;
}

static struct json *limits_of(const struct egress_report *report) {
    struct json *object = nullptr;
    for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
        if (report->limit_hits[id] > 0) {
            object = object != nullptr ? object : json_object_new();
            json_set_integer(object, limit_row((enum limit_id)id)->name, report->limit_hits[id]);
        }
    }
    return object;
}

/* Where a header is added and which one; never its value. */
static struct json *injected_array(const struct run_exec_request *request) {
    struct json *array = json_array_new();
    for (size_t i = 0; i < request->inject_count; i++) {
        struct json *object = json_object_new();
        json_set_text(object, "host", request->injects[i].host);
        json_set_integer(object, "port", request->injects[i].port);
        json_set_text(object, "header", request->injects[i].name);
        json_append(array, object);
    }
    return array;
}

struct json *egress_record(const struct run_exec_request *request, const struct egress *egress) {
    if (request->network_count == 0) {
        return nullptr;
    }
    struct json *object = json_object_new();
    struct json *groups = json_array_new();
    for (size_t i = 0; i < request->network_count; i++) {
        json_append_text(groups, request->networks[i]);
    }
    json_set(object, "groups", groups);
    if (request->inject_count > 0) {
        json_set(object, "injected", injected_array(request));
    }
    if (!egress->reported) {
        json_set_bool(object, "lost", true);
        return object;
    }
    const struct egress_report *report = &egress->report;
    struct json *hosts = json_array_new();
    for (uint32_t i = 0; i < report->row_count; i++) {
        json_append(hosts, row_object(&report->rows[i]));
    }
    json_set(object, "hosts", hosts);
    json_set_integer(object, "connections", (int64_t)report->connections);
    json_set_integer(object, "denied", (int64_t)report->denied);
    json_set_integer(object, "bytes_up", (int64_t)report->bytes_up);
    json_set_integer(object, "bytes_down", (int64_t)report->bytes_down);
    json_set_integer(object, "hosts_dropped", report->rows_dropped);
    struct json *limits = limits_of(report);
    if (limits != nullptr) {
        json_set(object, "limits_hit", limits);
    }
    return object;
}
