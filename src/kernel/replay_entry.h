/* SPDX-License-Identifier: Apache-2.0
 *
 * An entry of the log, and a line of runs/<id>/facts, back into the request that was judged. Read
 * by the canonical scanner, without a JSON value: history is long. Inside the kernel only.
 */
#pragma once

#include "audit/log.h"
#include "policy/policy.h"

enum { REPLAY_TAG_COUNT_MAX = 64 };

/* NUL-terminated copies, from the bottom up; emptied for the next entry or line. */
struct replay_text {
    char *data; /* owned */
    size_t size, capacity;
};
status_t replay_text_init(struct replay_text *ret_text, struct error *err);
void replay_text_deinit(struct replay_text *text);

/* What of an entry a replay needs; slices are borrowed from its bytes and empty when not there. */
struct replay_entry {
    uint64_t seq, time_ms;
    bool is_apply; /* apply_started: paths were judged too */
    struct slice run, workspace, caller, operation;
    struct slice decision, facts, facts_digest; /* values as they stand */
    bool has_token;
    bool is_automatic; /* nobody was asked: */
    uint64_t changed_lines, changed_files;
    enum policy_outcome was; /* of the decision */
    struct slice was_rule;
};

enum replay_read : uint8_t {
    REPLAY_READ_OTHER,    /* no decision of policy */
    REPLAY_READ_DECISION, /* one */
    REPLAY_READ_DAMAGED,  /* not canonical, or a decision without its parts */
};
enum replay_read replay_entry_read(struct slice bytes, struct replay_entry *ret_entry);

/* The request of an entry: its facts, or for an apply without them what every apply at the command
 * line has. False: they are not there, or not of this form. Text goes to `text`; the workspace is
 * left to the caller. */
bool replay_entry_request(const struct replay_entry *entry, struct replay_text *text,
                          const char **tags, struct policy_request *ret_request);

/* A line of the list: the path and what goes with it replace those of `request`. */
struct replay_line {
    enum policy_outcome was;
    struct slice was_rule;
};
bool replay_line_read(struct slice line, struct replay_text *text, struct policy_request *request,
                      struct replay_line *ret_line);

/* The value of a member of such an object as text: escapes of JSON undone, and with `is_escaped`
 * those of text_escape(). nullptr when it is none or there is no room. */
const char *replay_text_of(struct replay_text *text, struct slice value, bool is_escaped);
/* The same of bytes that were cut out already. */
const char *replay_text_copy(struct replay_text *text, struct slice bytes);
