/* SPDX-License-Identifier: Apache-2.0
 *
 * Decisions. Pure: no clock, no file, no socket; time, compiled rules and facts about a token are
 * handed in. Deny beats review, review beats allow, and without an allow the answer is deny. The
 * outcome never depends on the order of rules or layers: built-in rules, then the token, then the
 * rules of files, then extensions, is only the cheap order.
 *
 * A review rule of the user's is also a grant: what a person agrees to happens. Built-in reviews
 * and those of a workspace that is not trusted only hold back what something else grants.
 *
 * A field that the request does not have never matches: neither a rule's match nor an except.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "policy/auto_apply.h"

enum policy_outcome : uint8_t { POLICY_ALLOW, POLICY_DENY, POLICY_REVIEW };
const char *
policy_outcome_text(enum policy_outcome outcome); /* "allow", "deny", "require_review" */

/* The fields a rule can match, from schema/policy_fields.def. */
enum policy_field : uint8_t {
#define POLICY_FIELD(name, text, kind, meaning) POLICY_FIELD_##name,
#include "policy_fields.def"
#undef POLICY_FIELD
    POLICY_FIELD_COUNT,
};
static_assert((int)POLICY_FIELD_COUNT <= 32); /* fits a mask */

struct policy_position {
    const char *file; /* as it was given to the loader */
    uint32_t line;    /* from 1; 0: no position (a rule in code) */
    uint32_t column;  /* from 1, in bytes */
};

/* Who may answer a review; the strongest a rule can ask for. */
enum policy_reviewer : uint8_t {
    POLICY_REVIEWER_TERMINAL,
    POLICY_REVIEWER_UI,
    POLICY_REVIEWER_CLIENT
};

/* Where a rule comes from. */
enum policy_layer : uint8_t {
    POLICY_LAYER_BUILTIN,
    POLICY_LAYER_TOKEN,
    POLICY_LAYER_USER,
    POLICY_LAYER_WORKSPACE,
    POLICY_LAYER_EXTENSION,
    POLICY_LAYER_NONE, /* no rule spoke */
};
const char *policy_layer_text(enum policy_layer layer);

/* All text is NUL-terminated and borrowed; nullptr: the request has no such field. */
struct policy_request {
    const char *operation;     /* "run.exec", "stage.apply", "stage.patch" ...; never nullptr */
    const char *caller;        /* "uid:1000" */
    const char *path;          /* below the workspace, resolved; nullptr when about the whole */
    uint32_t mode;             /* st_mode of what will stand at path; 0: it is deleted */
    const char *link_target;   /* of a symbolic link; nullptr otherwise */
    const char *workspace;     /* absolute; judges absolute link targets; may be nullptr */
    const char *template_name; /* of a run */
    const char *engine;        /* of a run; nullptr: native; another only by a rule that names it */
    const char *image;         /* of a run in a container; nullptr otherwise */
    bool at_command_line; /* asked by the user's own command; `transport` "cli" unless one is set */
    bool template_open;   /* the caller takes whatever template the rules ask for */
    bool issuing_token;   /* asked to issue a token: `token: required` is no obstacle */
    bool has_port, has_size;
    uint16_t port;
    uint64_t size; /* bytes of the file that is to stand at path */
    const char *const *caller_tags;
    size_t caller_tag_count;
    const char *const *networks; /* groups that a run wants; only a rule that names all allows it */
    size_t network_count;
    const char *session_mode;
    const char *workflow_state;
    const char *host;
    const char *method;
    const char *argument_digest; /* "sha256:HEX" */
    const char *transport;       /* "cli", "unix", "http" ... */
    const char *sandbox_id;
    uint64_t now_ms; /* Unix time in UTC; the one snapshot everything is judged by */
    const struct policy_token_source *token; /* nullptr: none presented */
};

/* The member that holds a field's text; nullptr for tags, ports and sizes. */
const char **policy_request_text(struct policy_request *request, enum policy_field field);

enum policy_token_state : uint8_t {
    POLICY_TOKEN_VALID,
    POLICY_TOKEN_INVALID, /* seal, expiry, revoked, scope, sandbox, peer or count */
    POLICY_TOKEN_UNFIT,   /* valid, but this request breaks the constraints it remembers */
};

/* A presented token. Both are called at most once a decision, and only when no built-in rule
 * denies. */
struct policy_token_source {
    enum policy_token_state (*check)(void *context, const struct policy_request *request);
    /* Counts one operation, when the token is what allows; false: none is left. May be nullptr. */
    bool (*use)(void *context);
    void *context;
    const char *id;
};

enum policy_verdict : uint8_t {
    POLICY_VERDICT_PASS,
    POLICY_VERDICT_ALLOW,
    POLICY_VERDICT_DENY,
    POLICY_VERDICT_REVIEW,
    POLICY_VERDICT_CRASHED, /* this and the next deny the request */
    POLICY_VERDICT_LATE,
};

/* A rule as a program. Called only while nothing denies. */
struct policy_extension {
    const char *name;
    /* ret_reason: preset to nullptr; lives until the decision is used up. That of a PASS is shown
     * when nothing else allows. */
    enum policy_verdict (*decide)(void *context, const struct policy_request *request,
                                  const char **ret_reason);
    void (*restart)(void *context); /* called after CRASHED or LATE; may be nullptr */
    void *context;
};

struct policy_rule_ref {
    const char *name;
    const char *file; /* nullptr: in code */
    uint32_t line;
    enum policy_layer layer;
};

/* How often: at most `count` in any `window_ms`, counted by the caller for this rule. */
struct policy_rate {
    uint32_t count;
    uint64_t window_ms;
    const char *rule;
};

enum {
    POLICY_REASON_COUNT_MAX = 12,
    POLICY_FACT_COUNT_MAX = 24,
    POLICY_RATE_COUNT_MAX = 4,
};

/* What the rules behind the outcome ask of the caller, merged to the strictest. What the request
 * already shows has been enforced; the rest is the caller's to enforce. */
struct policy_obligations {
    const char *template_name; /* to run in; nullptr: any; of several the first by bytes */
    bool token_required;
    uint64_t file_bytes_max;                         /* UINT64_MAX: none */
    uint64_t total_bytes_max;                        /* UINT64_MAX: none */
    uint32_t files_max;                              /* UINT32_MAX: none */
    struct policy_rate rates[POLICY_RATE_COUNT_MAX]; /* all hold; past the last they are joined */
    size_t rate_count;
    struct policy_auto_apply auto_apply; /* the strictest of the allows; nothing about a review */
    uint8_t reviewers_min;               /* of a review; 1 when no rule says more */
    enum policy_reviewer reviewer;
};

/* A field that made a deciding rule match. */
struct policy_fact {
    enum policy_field field;
    uint8_t decider;     /* index into deciders */
    const char *value;   /* of the request; nullptr: `number` is the value */
    const char *pattern; /* of the rule, as written; nullptr: a rule in code */
    uint64_t number;
};

/* Everything points into the request, the compiled rules, or constants. */
struct policy_decision {
    enum policy_outcome outcome;
    const char *rule; /* the first decider's name */
    /* Why; reasons[i] is what deciders[i] says. On a deny that no rule asked for, the first says
     * so and the others are allows whose constraints do not hold. */
    const char *reasons[POLICY_REASON_COUNT_MAX];
    struct policy_rule_ref deciders[POLICY_REASON_COUNT_MAX];
    size_t reason_count;
    size_t reasons_dropped; /* that did not fit */
    struct policy_fact facts[POLICY_FACT_COUNT_MAX];
    size_t fact_count;
    size_t facts_dropped;
    struct policy_obligations obligations; /* of an allow or a review */
    const char *token_id;                  /* of the token that allows; nullptr otherwise */
    const char *extension_failed;          /* name of the extension that crashed or was late */
};

/* What is in force. Any part may be absent. Borrowed for the call. */
struct policy_engine {
    const struct policy_rule *builtins; /* builtin.h */
    size_t builtin_count;
    const struct policy_rules *rules; /* compile.h; nullptr: none */
    const struct policy_extension *extensions;
    size_t extension_count;
};

void policy_evaluate(const struct policy_engine *engine, const struct policy_request *request,
                     struct policy_decision *ret_decision);
