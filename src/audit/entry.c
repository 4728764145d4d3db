/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of fields. An entry is evidence, so nothing enters it by accident: a field that is not
 * in the table is refused, and so is a missing one. Objects are checked one
 * level deep, but for facts, whose members are those policy matches by.
 */
#include "audit/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

struct field {
    const char *name;
    enum json_kind kind;
    bool optional;
};

#define TEXT(name) {name, JSON_KIND_TEXT, false}
#define INTEGER(name) {name, JSON_KIND_INTEGER, false}
#define OBJECT(name) {name, JSON_KIND_OBJECT, false}
#define ARRAY(name) {name, JSON_KIND_ARRAY, false}
#define OPTIONAL(name, kind) {name, JSON_KIND_##kind, true}
#define END {nullptr, JSON_KIND_NULL, true}

/* Who asked for what: in every entry that a request makes. */
#define REQUEST TEXT("caller"), TEXT("operation"), TEXT("request")
/* What policy judged by, so that a later policy can be tried on it: the match fields in clear, the
 * digest of the policy and the token. A request over many paths keeps their list in
 * runs/<id>/facts, and the entry holds its digest. */
#define FACTS                                                                                   \
    OPTIONAL("facts", OBJECT), OPTIONAL("facts_digest", TEXT), OPTIONAL("policy_digest", TEXT), \
        OPTIONAL("token", TEXT)
/* How long the effect may take before its missing end counts as a gap; see audit/gaps.h. */
#define DEADLINE OPTIONAL("deadline_ms", INTEGER)

/* clang-format off */
static const struct field RUN_STARTED[] = {
    REQUEST,
    TEXT("run"),
    TEXT("workspace"),
    TEXT("template"),
    OPTIONAL("template_digest", TEXT),
    OBJECT("decision"),
    TEXT("plan_digest"),
    TEXT("argv_commitment"),
    ARRAY("env_names"),
    OPTIONAL("mode", TEXT),
    OPTIONAL("parent", TEXT),
    OPTIONAL("caches", ARRAY),
    OPTIONAL("engine", TEXT),
    OPTIONAL("image", TEXT),
    OPTIONAL("image_digest", TEXT),
    FACTS,
    DEADLINE,
    END,
};
/* A run that failed before its sandbox stood has neither levels, resources nor an exit. */
static const struct field RUN_FINISHED[] = {
    REQUEST,
    TEXT("run"),
    INTEGER("intent_seq"),
    TEXT("intent_leaf"),
    TEXT("outcome"),
    INTEGER("duration_us"),
    OPTIONAL("exit", INTEGER),
    OPTIONAL("error", TEXT),
    OPTIONAL("levels", OBJECT),
    OPTIONAL("resources", OBJECT),
    OPTIONAL("stage", OBJECT),
    OPTIONAL("output", OBJECT),
    OPTIONAL("egress", OBJECT),
    OPTIONAL("limits_hit", OBJECT),
    END,
};
/* `caller` is who asked, `pid` its process at that time. */
static const struct field RUN_CONTROLLED[] = {
    REQUEST,
    TEXT("run"),
    INTEGER("pid"),
    END,
};
/* `changed_lines` and `changed_files` are there when nobody was asked (`automatic`), and so is
 * `auto_rule`: the strictest of the rules that permit that. */
#define AUTOMATIC                                                                    \
    OPTIONAL("automatic", BOOL), OPTIONAL("auto_rule", TEXT),                        \
        OPTIONAL("changed_lines", INTEGER), OPTIONAL("changed_files", INTEGER)
static const struct field APPLY_STARTED[] = {
    REQUEST,
    TEXT("run"),
    TEXT("workspace"),
    OBJECT("decision"),
    INTEGER("steps"),
    TEXT("steps_digest"),
    OPTIONAL("reviewed", ARRAY),
    AUTOMATIC,
    FACTS,
    DEADLINE,
    END,
};
/* An apply that failed has an error instead of what it did. */
static const struct field STAGE_APPLIED[] = {
    REQUEST,
    TEXT("run"),
    TEXT("workspace"),
    INTEGER("intent_seq"),
    TEXT("intent_leaf"),
    TEXT("outcome"),
    OPTIONAL("error", TEXT),
    OPTIONAL("applied", INTEGER),
    OPTIONAL("skipped", INTEGER),
    OPTIONAL("parts", INTEGER),
    OPTIONAL("before", TEXT),
    OPTIONAL("after", TEXT),
    AUTOMATIC,
    FACTS,
    END,
};
static const struct field STAGE_DISCARDED[] = {
    REQUEST,
    TEXT("run"),
    TEXT("workspace"),
    OBJECT("decision"),
    TEXT("stage_digest"),
    FACTS,
    END,
};
static const struct field DECISION[] = {
    REQUEST,
    OBJECT("decision"),
    OPTIONAL("run", TEXT),
    OPTIONAL("workspace", TEXT),
    OPTIONAL("template", TEXT),
    OPTIONAL("template_digest", TEXT),
    FACTS,
    END,
};
/* `changed` counts outcomes by "allow>deny" and so on, `breaking` those from allow to deny. */
static const struct field POLICY_UPDATED[] = {
    REQUEST,
    OPTIONAL("path", TEXT),
    OPTIONAL("old_digest", TEXT),
    TEXT("new_digest"),
    OPTIONAL("replayed", INTEGER),
    OBJECT("changed"),
    INTEGER("breaking"),
    OPTIONAL("decision", OBJECT),
    END,
};
static const struct field POLICY_TRUSTED[] = {
    REQUEST,
    TEXT("path"),
    TEXT("digest"),
    OPTIONAL("decision", OBJECT),
    END,
};
static const struct field CHAIN_BREAK[] = {
    TEXT("old_origin"),
    INTEGER("old_size"),
    TEXT("old_root"),
    TEXT("reason"),
    OPTIONAL("set_aside", TEXT),
    END,
};
/* `change` is encrypt, decrypt or rekey. Nothing of a key, not even its digest, stands here: an
 * export goes to others. */
static const struct field KEY_EPOCH[] = {
    REQUEST,
    TEXT("change"),
    END,
};
static const struct field STORAGE_WARNING[] = {
    INTEGER("percent"),
    INTEGER("used_bytes"),
    INTEGER("bytes_max"),
    END,
};
/* `digest` is SHA-256 over the bundles as C2SP tiles hold them: a 16-bit length before each entry. */
static const struct field ARCHIVE_DELETED[] = {
    INTEGER("from"),
    INTEGER("to"),
    INTEGER("bytes"),
    TEXT("digest"),
    TEXT("reason"),
    END,
};
static const struct field WITNESS_COSIGNED[] = {
    TEXT("witness"),
    TEXT("vkey"),
    INTEGER("size"),
    TEXT("root"),
    INTEGER("time_s"),
    END,
};
static const struct field GAP[] = {
    INTEGER("dropped"),
    INTEGER("since_ms"),
    TEXT("reason"),
    END,
};
/* clang-format on */

/* What "facts" may hold: the match fields of policy, by the names they have there. */
#define FACT_TEXT JSON_KIND_TEXT
#define FACT_PATH JSON_KIND_TEXT
#define FACT_HOST JSON_KIND_TEXT
#define FACT_TAG JSON_KIND_ARRAY
#define FACT_RANGE JSON_KIND_INTEGER
static const struct field FACT_FIELDS[] = {
#define POLICY_FIELD(name, key, kind, meaning) {key, FACT_##kind, true},
#include "policy_fields.def"
#undef POLICY_FIELD
    END,
};

static const struct field *const FIELDS[AUDIT_EVENT_COUNT] = {
    [AUDIT_EVENT_RUN_STARTED] = RUN_STARTED,
    [AUDIT_EVENT_RUN_FINISHED] = RUN_FINISHED,
    [AUDIT_EVENT_RUN_PAUSED] = RUN_CONTROLLED,
    [AUDIT_EVENT_RUN_RESUMED] = RUN_CONTROLLED,
    [AUDIT_EVENT_RUN_STOPPED] = RUN_CONTROLLED,
    [AUDIT_EVENT_APPLY_STARTED] = APPLY_STARTED,
    [AUDIT_EVENT_STAGE_APPLIED] = STAGE_APPLIED,
    [AUDIT_EVENT_STAGE_DISCARDED] = STAGE_DISCARDED,
    [AUDIT_EVENT_DECISION] = DECISION,
    [AUDIT_EVENT_CHAIN_BREAK] = CHAIN_BREAK,
    [AUDIT_EVENT_POLICY_UPDATED] = POLICY_UPDATED,
    [AUDIT_EVENT_POLICY_TRUSTED] = POLICY_TRUSTED,
    [AUDIT_EVENT_KEY_EPOCH] = KEY_EPOCH,
    [AUDIT_EVENT_STORAGE_WARNING] = STORAGE_WARNING,
    [AUDIT_EVENT_ARCHIVE_DELETED] = ARCHIVE_DELETED,
    [AUDIT_EVENT_GAP] = GAP,
    [AUDIT_EVENT_WITNESS_COSIGNED] = WITNESS_COSIGNED,
};

static const char *const EVENT_TEXTS[AUDIT_EVENT_COUNT] = {
#define EVENT(name, text, meaning) [AUDIT_EVENT_##name] = text,
#include "events.def"
#undef EVENT
};

const char *audit_event_text(enum audit_event event) {
    ASSERT(event < AUDIT_EVENT_COUNT);
    return EVENT_TEXTS[event];
}

bool audit_event_find(const char *text, enum audit_event *ret_event) {
    for (unsigned event = 0; event < AUDIT_EVENT_COUNT; event++) {
        if (strcmp(EVENT_TEXTS[event], text) == 0) {
            *ret_event = (enum audit_event)event;
            return true;
        }
    }
    return false;
}

bool audit_event_is_operational(enum audit_event event) {
    return event == AUDIT_EVENT_STORAGE_WARNING || event == AUDIT_EVENT_GAP;
}

static const struct field *field_find(const struct field *table, const char *name) {
    for (const struct field *field = table; field->name != nullptr; field++) {
        if (strcmp(field->name, name) == 0) {
            return field;
        }
    }
    return nullptr;
}

/* Integers past 2^53-1 stand as decimal strings. */
static bool kind_fits(enum json_kind wanted, const struct json *value) {
    enum json_kind kind = json_kind_of(value);
    return kind == wanted ||
           (wanted == JSON_KIND_INTEGER && kind == JSON_KIND_TEXT &&
            strspn(json_as_text(value), "-0123456789") == strlen(json_as_text(value)));
}

struct check {
    const struct field *table;
    const char *wrong; /* the first field that is not in the table or has another type */
};

static bool field_is_right(void *context, const char *key, const struct json *value) {
    struct check *check = context;
    const struct field *field = field_find(check->table, key);
    if (field == nullptr || !kind_fits(field->kind, value)) {
        check->wrong = key;
        return false;
    }
    return true;
}

status_t entry_check(enum audit_event event, const struct json *fields, struct error *err) {
    ASSERT(event < AUDIT_EVENT_COUNT && FIELDS[event] != nullptr);
    struct check check = {.table = FIELDS[event]};
    struct check facts = {.table = FACT_FIELDS};
    if (!json_each(json_get(fields, "facts"), field_is_right, &facts)) {
        return error_set(err, ERROR_INTERNAL, 0,
                         "the facts of an entry may not hold \"%s\" as it is", facts.wrong);
    }
    if (!json_each(fields, field_is_right, &check)) {
        return error_set(err, ERROR_INTERNAL, 0,
                         "an entry of type %s may not hold the field \"%s\" as it is",
                         audit_event_text(event), check.wrong);
    }
    for (const struct field *field = FIELDS[event]; field->name != nullptr; field++) {
        if (!field->optional && json_get(fields, field->name) == nullptr) {
            return error_set(err, ERROR_INTERNAL, 0,
                             "an entry of type %s must hold the field \"%s\"",
                             audit_event_text(event), field->name);
        }
    }
    return STATUS_OK;
}

void entry_genesis(uint64_t time_ms, struct digest *ret_hash) {
    char text[64];
    int size = snprintf(text, sizeof text, "genesis:%" PRIu64, time_ms);
    sha256_of(slice_of(text, (size_t)size), ret_hash);
}
