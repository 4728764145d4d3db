/* SPDX-License-Identifier: Apache-2.0
 *
 * A policy file as data: what load.c reads out of YAML and what compile.c makes an index of.
 * Nothing here decides anything. All text is borrowed from the document's arena and lives as long
 * as it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

/* How a field's values are compared. */
enum policy_field_kind : uint8_t {
    POLICY_KIND_TEXT,  /* exact, or with `*` at the end: a prefix ("fs.*"); "*" is everything */
    POLICY_KIND_PATH,  /* gitignore glob over the resolved path, relative to the workspace */
    POLICY_KIND_HOST,  /* exact, or "*.example.org": any name below it; case-insensitive */
    POLICY_KIND_RANGE, /* a number or a range "..100KiB", "1MiB..", "80", "8000..8099" */
    POLICY_KIND_TAG,   /* as TEXT; the request may hold several, one that matches is enough */
};

struct policy_value {
    const char *text;   /* as written, NUL-terminated; never nullptr */
    uint64_t low, high; /* KIND_RANGE: inclusive; otherwise 0 and UINT64_MAX */
    struct policy_position at;
};

struct policy_values {
    const struct policy_value *values;
    size_t count; /* 0 while the field is present: matches nothing (case 25) */
};

/* Fields AND, values within one field OR. */
struct policy_match {
    uint32_t present; /* mask of 1 << policy_field */
    struct policy_values fields[POLICY_FIELD_COUNT];
};

enum policy_action : uint8_t {
    POLICY_ACTION_ALLOW,
    POLICY_ACTION_DENY,
    POLICY_ACTION_REVIEW,
    POLICY_ACTION_PASS
};

struct policy_constraints {
    const char *template_name; /* `sandbox: NAME`; nullptr: any */
    bool token_required;       /* `token: required` */
    uint64_t file_bytes_max;   /* `max_file_size`; UINT64_MAX: none */
    uint64_t total_bytes_max;  /* `max_total_size`; UINT64_MAX: none */
    uint32_t files_max;        /* `max_files`; UINT32_MAX: none */
    uint32_t rate_count;       /* `rate: 10/1m`; 0: none */
    uint64_t rate_window_ms;
    uint16_t window_from_minute; /* `window: "09:00-17:30"`, UTC; from == to: none */
    uint16_t window_to_minute;
    uint8_t window_days;                 /* `days: [mon, tue]`, bit 0 is Monday; 0: every day */
    uint8_t reviewers_min;               /* `reviewers: N`; 0: what the class says */
    enum policy_reviewer reviewer;       /* `reviewer: terminal|ui|client` */
    struct policy_auto_apply auto_apply; /* `auto_apply: { changed_lines_max, files_max }` */
    bool present;
};

struct policy_rule_source {
    const char *name; /* unique in its file */
    enum policy_action action;
    struct policy_match match;
    const struct policy_match *excepts;
    size_t except_count;
    struct policy_constraints constraints;
    const char *reason; /* nullptr: none given */
    struct policy_position at;
};

/* "HOST:PORT", or { host: HOST, port: PORT, private: true }. */
struct policy_network_target {
    const char *text; /* as written; of a mapping HOST:PORT */
    const char *host; /* canonical (codec/host.h), or "*.NAME", or "*" */
    uint16_t port;
    bool is_private;     /* it may lead to an address that is not public */
    const char *methods; /* one a line; "": any */
    const char *paths;   /* one a line, with a star at its end a beginning; "": any */
    struct policy_position at;
};

struct policy_network_targets {
    const struct policy_network_target *values;
    size_t count;
};

/* `network: whitelist: { GROUP: [TARGET...] }` */
struct policy_network_group {
    const char *name;
    struct policy_network_targets targets;
    struct policy_position at;
};

/* `tdd_exemptions: { NAME: { path: [...] } }` */
struct policy_exemption {
    const char *name;
    struct policy_values paths;
    struct policy_position at;
};

enum { POLICY_EXTENSION_MS_DEFAULT = 100 };

/* `extensions: [ { name, command, timeout, folder } ]`: rules as programs. Who starts them is the
 * kernel; nothing here does. */
struct policy_extension_source {
    const char *name;           /* unique in its file */
    const char *const *command; /* nullptr-terminated */
    uint64_t timeout_ms;        /* of one call */
    const char *folder;         /* absolute: what it sees as its workspace; nullptr: an empty one */
    struct policy_position at;
};

struct policy_document {
    const struct policy_rule_source *rules;
    size_t rule_count;
    const struct policy_network_group *groups;
    size_t group_count;
    const struct policy_exemption *exemptions;
    size_t exemption_count;
    const struct policy_extension_source *extensions;
    size_t extension_count;
    struct arena *arena; /* base/arena.h; owns everything above and the document itself */
};
