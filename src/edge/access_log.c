/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/access_log.h"

static void put_optional(struct builder *line, const char *key, const char *text) {
    if (text != nullptr) {
        log_text(line, key, slice_of_string(text));
    }
}

static void put_duration(struct builder *line, const char *key, uint64_t us) {
    if (us > 0) {
        log_number(line, key, (int64_t)us);
    }
}

static void put_client_tls(struct builder *line, const struct access_record *record) {
    if (record->is_tls) {
        put_optional(line, "tls", record->tls_version);
        put_optional(line, "suite", record->suite);
        log_text(line, "group", slice_of_string(edge_group_row(record->group)->name));
        builder_text(line, edge_group_row(record->group)->is_post_quantum
                               ? ",\"post_quantum\":true"
                               : ",\"post_quantum\":false");
        builder_text(line, record->is_retried ? ",\"retried\":true" : "");
    }
    if (record->sni.size > 0) {
        log_text(line, "sni", record->sni);
    }
    if (record->alpn.size > 0) {
        log_text(line, "alpn", record->alpn);
    }
    put_optional(line, "client_key", record->client_key);
}

static void put_upstream(struct builder *line, const struct access_record *record) {
    put_optional(line, "upstream", record->upstream);
    put_optional(line, "server", record->server);
    if (record->has_upstream_tls) {
        log_text(line, "upstream_group",
                 slice_of_string(edge_group_row(record->upstream_group)->name));
    }
    if (record->tries > 1) {
        log_number(line, "tries", record->tries);
    }
}

void access_log(struct log_writer *writer, const struct access_record *record) {
    if (record->is_refused && !log_line_allowed(writer, PROXY_EVENT_COUNT)) {
        return;
    }
    struct builder *line = log_line_begin(writer, "connection");
    log_text(line, "listener", slice_of_string(record->listener));
    if (record->client != nullptr) {
        log_address(line, "client", record->client);
    }
    put_client_tls(line, record);
    put_upstream(line, record);
    put_duration(line, "handshake_us", record->handshake_us);
    put_duration(line, "connect_us", record->connect_us);
    put_duration(line, "first_byte_us", record->first_byte_us);
    log_number(line, "total_us", (int64_t)record->total_us);
    log_number(line, "bytes_in", (int64_t)record->bytes_in);
    log_number(line, "bytes_out", (int64_t)record->bytes_out);
    log_text(line, "end", slice_of_string(record->end));
    put_optional(line, "why", record->why);
    log_line_end(writer);
}

void session_log(struct log_writer *writer, const struct session_record *record) {
    if (record->datagrams_in < 2 && !log_line_allowed(writer, PROXY_EVENT_COUNT)) {
        return;
    }
    struct builder *line = log_line_begin(writer, "session");
    log_text(line, "listener", slice_of_string(record->listener));
    log_address(line, "client", record->client);
    log_text(line, "upstream", slice_of_string(record->upstream));
    log_address(line, "server", record->server);
    log_number(line, "total_us", (int64_t)record->total_us);
    log_number(line, "datagrams_in", (int64_t)record->datagrams_in);
    log_number(line, "datagrams_out", (int64_t)record->datagrams_out);
    log_number(line, "bytes_in", (int64_t)record->bytes_in);
    log_number(line, "bytes_out", (int64_t)record->bytes_out);
    log_text(line, "end", slice_of_string(record->end));
    log_line_end(writer);
}
