/* SPDX-License-Identifier: Apache-2.0
 *
 * What cmd_log.c and cmd_receipt.c share: the opened log, and how its entries are shown.
 */
#pragma once

#include "audit/log.h"
#include "audit/receipt.h"
#include "cli/cli.h"

struct log_session {
    struct clock clock;
    struct state state;
    struct audit_log *log;
};

status_t log_session_open(struct log_session *ret_session, struct error *err);
void log_session_close(struct log_session *session);
/* Sees to it that a checkpoint covers `seq`; starts the key process(es) when none does. */
status_t log_session_cover(struct log_session *session, uint64_t seq, struct error *err);

/* Tells on standard error when the log nears its size limit, and what to do. */
void log_warn_storage(struct audit_log *log);

enum { LOG_TIME_BYTES = 32 };
/* "2026-11-21 02:41:44" in UTC. */
void log_format_time(int64_t time_ms, char ret_text[static LOG_TIME_BYTES]);
/* A decimal entry number and nothing else. */
bool log_parse_seq(const char *text, uint64_t *ret_seq);
/* "10m", "2h", "3d", "2026-11-21" or "2026-11-21T02:41[:44]" (UTC) as wall-clock milliseconds. */
bool log_parse_since(const char *text, uint64_t now_ms, uint64_t *ret_ms);

/* One line about an entry: what was decided or what came of it. Escaped for showing. */
void log_describe(const struct json *entry, struct builder *ret_outcome,
                  struct builder *ret_detail);

/* Reads a file the user names, "-" for standard input. */
status_t log_read_file(const char *path, struct builder *out, struct error *err);

/* The keys to check with: the verifier keys in a nullptr-terminated array, each text one or more
 * lines, or, without any, this user's own log's. KEYS_FAILED when that has none. */
status_t log_keys_find(const char **named, struct note_keys *ret_keys, struct error *err);

/* Prints what a builder holds to stdout, as it is. */
void log_print(const struct builder *text);
