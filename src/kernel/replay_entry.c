/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/replay_entry.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/json_scan.h"
#include "codec/text.h"

/* Of one entry, or one line: an entry's bytes, and each of its texts ended. */
enum { TEXT_BYTES_MAX = 4 * LIMIT_ENTRY_BYTES };

status_t replay_text_init(struct replay_text *ret_text, struct error *err) {
    *ret_text = (struct replay_text){.data = malloc(TEXT_BYTES_MAX), .capacity = TEXT_BYTES_MAX};
    return ret_text->data != nullptr ? STATUS_OK
                                     : error_set(err, ERROR_NO_MEMORY, 0, "cannot read history");
}

void replay_text_deinit(struct replay_text *text) {
    free(text->data);
    *text = (struct replay_text){};
}

const char *replay_text_copy(struct replay_text *text, struct slice bytes) {
    if (bytes.size >= text->capacity - text->size ||
        (bytes.size > 0 && memchr(bytes.data, 0, bytes.size) != nullptr)) {
        return nullptr;
    }
    char *copy = text->data + text->size;
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = '\0';
    text->size += bytes.size + 1;
    return copy;
}

/* The slow way of the few texts that have escapes. */
static const char *copy_escaped(struct replay_text *text, struct slice value, bool is_escaped) {
    CLEANUP(builder_deinit) struct builder whole;
    CLEANUP(builder_deinit) struct builder plain;
    CLEANUP(json_freep) struct json *parsed = nullptr;
    struct error ignored;
    builder_init(&whole, value.size + 16);
    builder_init(&plain, value.size + 16);
    builder_text(&whole, "{\"v\":");
    builder_bytes(&whole, value);
    builder_text(&whole, "}");
    if (!status_is_ok(json_parse(builder_slice(&whole), "a text", &parsed, &ignored))) {
        return nullptr;
    }
    const char *found = json_get_text(parsed, "v");
    if (found == nullptr) {
        return nullptr;
    }
    if (!is_escaped) {
        return replay_text_copy(text, slice_of_string(found));
    }
    return text_unescape(slice_of_string(found), &plain)
               ? replay_text_copy(text, builder_slice(&plain))
               : nullptr;
}

const char *replay_text_of(struct replay_text *text, struct slice value, bool is_escaped) {
    struct slice plain;
    return json_scan_text(value, &plain) ? replay_text_copy(text, plain)
                                         : copy_escaped(text, value, is_escaped);
}

static bool outcome_find(struct slice text, enum policy_outcome *ret_outcome) {
    static const enum policy_outcome OUTCOMES[] = {POLICY_ALLOW, POLICY_DENY, POLICY_REVIEW};
    for (size_t i = 0; i < sizeof OUTCOMES / sizeof OUTCOMES[0]; i++) {
        if (slice_equal(text, slice_of_string(policy_outcome_text(OUTCOMES[i])))) {
            *ret_outcome = OUTCOMES[i];
            return true;
        }
    }
    return false;
}

/* The outer object. */

struct outer {
    struct replay_entry *entry;
    struct slice type;
};

/* Names are compared millions of times: their lengths are known beforehand. */
struct member {
    struct slice name;
    size_t offset; /* of its slice in struct replay_entry */
};

static const struct member RAW_MEMBERS[] = {
    {SLICE_LITERAL("decision"), offsetof(struct replay_entry, decision)},
    {SLICE_LITERAL("facts"), offsetof(struct replay_entry, facts)},
    {SLICE_LITERAL("workspace"), offsetof(struct replay_entry, workspace)},
    {SLICE_LITERAL("caller"), offsetof(struct replay_entry, caller)},
    {SLICE_LITERAL("operation"), offsetof(struct replay_entry, operation)},
};
static const struct member TEXT_MEMBERS[] = {
    {SLICE_LITERAL("facts_digest"), offsetof(struct replay_entry, facts_digest)},
    {SLICE_LITERAL("run"), offsetof(struct replay_entry, run)},
};

/* Where the member of this name goes; nullptr when it is none of them. */
static struct slice *member_target(const struct member *members, size_t count, struct slice name,
                                   struct replay_entry *entry) {
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(name, members[i].name)) {
            return (struct slice *)(void *)((char *)entry + members[i].offset);
        }
    }
    return nullptr;
}

static void take_member(void *context, struct slice name, struct slice value) {
    struct outer *outer = context;
    struct replay_entry *entry = outer->entry;
    struct slice *target =
        member_target(RAW_MEMBERS, sizeof RAW_MEMBERS / sizeof RAW_MEMBERS[0], name, entry);
    if (target != nullptr) {
        *target = value;
        return;
    }
    target = member_target(TEXT_MEMBERS, sizeof TEXT_MEMBERS / sizeof TEXT_MEMBERS[0], name, entry);
    if (target != nullptr) {
        (void)json_scan_text(value, target);
    } else if (slice_equal(name, SLICE_LITERAL("type"))) {
        (void)json_scan_text(value, &outer->type);
    } else if (slice_equal(name, SLICE_LITERAL("time_ms"))) {
        (void)json_scan_natural(value, &entry->time_ms);
    } else if (slice_equal(name, SLICE_LITERAL("token"))) {
        entry->has_token = true;
    } else if (slice_equal(name, SLICE_LITERAL("automatic"))) {
        entry->is_automatic = slice_equal(value, SLICE_LITERAL("true"));
    } else if (slice_equal(name, SLICE_LITERAL("changed_lines"))) {
        (void)json_scan_natural(value, &entry->changed_lines);
    } else if (slice_equal(name, SLICE_LITERAL("changed_files"))) {
        (void)json_scan_natural(value, &entry->changed_files);
    }
}

struct judged {
    struct slice outcome, rule;
};

static void take_judged(void *context, struct slice name, struct slice value) {
    struct judged *judged = context;
    if (slice_equal(name, SLICE_LITERAL("outcome"))) {
        (void)json_scan_text(value, &judged->outcome);
    } else if (slice_equal(name, SLICE_LITERAL("rule"))) {
        (void)json_scan_text(value, &judged->rule);
    }
}

enum replay_read replay_entry_read(struct slice bytes, struct replay_entry *ret_entry) {
    *ret_entry = (struct replay_entry){};
    struct outer outer = {.entry = ret_entry};
    if (!json_scan_object(bytes, take_member, &outer)) {
        return REPLAY_READ_DAMAGED;
    }
    static const enum audit_event DECIDED[] = {AUDIT_EVENT_RUN_STARTED, AUDIT_EVENT_APPLY_STARTED,
                                               AUDIT_EVENT_STAGE_DISCARDED, AUDIT_EVENT_DECISION};
    bool is_decided = false;
    for (size_t i = 0; i < sizeof DECIDED / sizeof DECIDED[0]; i++) {
        is_decided |= slice_equal(outer.type, slice_of_string(audit_event_text(DECIDED[i])));
    }
    if (!is_decided) {
        return REPLAY_READ_OTHER;
    }
    struct judged judged = {};
    ret_entry->is_apply =
        slice_equal(outer.type, slice_of_string(audit_event_text(AUDIT_EVENT_APPLY_STARTED)));
    if (!json_scan_object(ret_entry->decision, take_judged, &judged) ||
        !outcome_find(judged.outcome, &ret_entry->was)) {
        return REPLAY_READ_DAMAGED;
    }
    ret_entry->was_rule = judged.rule;
    return REPLAY_READ_DECISION;
}

/* The facts. */

struct facts {
    struct policy_request *request;
    struct replay_text *text;
    const char **tags;
    bool wrong;
};

/* Items of an array of texts without escapes: tags are plain words. */
static bool take_tags(struct facts *facts, enum policy_field field, struct slice value) {
    struct policy_request *request = facts->request;
    bool is_network = field == POLICY_FIELD_NETWORK;
    const char **tags = facts->tags + (is_network ? REPLAY_TAG_COUNT_MAX : 0);
    size_t count = 0;
    if (value.size < 2 || value.data[0] != '[') {
        return false;
    }
    size_t at = 1;
    while (at < value.size && value.data[at] == '"') {
        const uint8_t *start = value.data + at + 1;
        const uint8_t *end = memchr(start, '"', value.size - at - 1);
        struct slice tag;
        if (end == nullptr || count == REPLAY_TAG_COUNT_MAX ||
            !json_scan_text(slice_of(start - 1, (size_t)(end - start) + 2), &tag)) {
            return false;
        }
        const char *copy = replay_text_copy(facts->text, tag);
        if (copy == nullptr) {
            return false;
        }
        tags[count++] = copy;
        at = (size_t)(end - value.data) + 1;
        at += at < value.size && value.data[at] == ',';
    }
    if (is_network) {
        request->networks = tags;
        request->network_count = count;
    } else {
        request->caller_tags = tags;
        request->caller_tag_count = count;
    }
    return at + 1 == value.size && value.data[at] == ']';
}

static bool take_number(struct facts *facts, enum policy_field field, struct slice value) {
    uint64_t number;
    if (!json_scan_natural(value, &number)) {
        return false;
    }
    if (field == POLICY_FIELD_PORT) {
        facts->request->has_port = number <= UINT16_MAX;
        facts->request->port = (uint16_t)number;
        return facts->request->has_port;
    }
    facts->request->has_size = true;
    facts->request->size = number;
    return true;
}

static const struct slice FIELD_NAMES[POLICY_FIELD_COUNT] = {
#define POLICY_FIELD(name, key, kind, meaning) [POLICY_FIELD_##name] = SLICE_LITERAL(key),
#include "policy_fields.def"
#undef POLICY_FIELD
};

static void take_fact(void *context, struct slice name, struct slice value) {
    struct facts *facts = context;
    unsigned field = 0;
    while (field < POLICY_FIELD_COUNT && !slice_equal(name, FIELD_NAMES[field])) {
        field++;
    }
    if (field == POLICY_FIELD_COUNT) {
        facts->wrong = true;
    } else if (field == POLICY_FIELD_CALLER_TAG || field == POLICY_FIELD_NETWORK) {
        facts->wrong |= !take_tags(facts, (enum policy_field)field, value);
    } else if (field == POLICY_FIELD_PORT || field == POLICY_FIELD_SIZE) {
        facts->wrong |= !take_number(facts, (enum policy_field)field, value);
    } else {
        const char **target = policy_request_text(facts->request, (enum policy_field)field);
        ASSERT(target != nullptr);
        *target = replay_text_of(facts->text, value, true);
        facts->wrong |= *target == nullptr;
    }
}

bool replay_entry_request(const struct replay_entry *entry, struct replay_text *text,
                          const char **tags, struct policy_request *ret_request) {
    struct policy_request request = {.now_ms = entry->time_ms, .issuing_token = entry->has_token};
    struct facts facts = {.request = &request, .text = text, .tags = tags};
    if (entry->facts.size > 0) {
        if (!json_scan_object(entry->facts, take_fact, &facts) || facts.wrong ||
            request.operation == nullptr) {
            return false;
        }
    } else if (entry->is_apply && entry->facts_digest.size > 0) {
        request.operation = replay_text_of(text, entry->operation, true);
        request.caller = replay_text_of(text, entry->caller, true);
        request.transport = "cli";
        if (request.operation == nullptr || request.caller == nullptr) {
            return false;
        }
    } else {
        return false;
    }
    /* What a kind of thing stands at the path is no fact; built-in rules ask for it. */
    request.mode = request.path != nullptr ? S_IFREG | 0644 : 0;
    request.at_command_line = request.transport != nullptr && strcmp(request.transport, "cli") == 0;
    *ret_request = request;
    return true;
}

/* A line. */

struct line {
    struct replay_text *text;
    const char *path, *link_target;
    uint64_t mode, size;
    struct slice outcome, rule;
    bool wrong;
};

static void take_line(void *context, struct slice name, struct slice value) {
    struct line *line = context;
    if (slice_equal(name, SLICE_LITERAL("path"))) {
        line->path = replay_text_of(line->text, value, true);
    } else if (slice_equal(name, SLICE_LITERAL("link_target"))) {
        line->link_target = replay_text_of(line->text, value, true);
        line->wrong |= line->link_target == nullptr;
    } else if (slice_equal(name, SLICE_LITERAL("mode"))) {
        line->wrong |= !json_scan_natural(value, &line->mode);
    } else if (slice_equal(name, SLICE_LITERAL("size"))) {
        line->wrong |= !json_scan_natural(value, &line->size);
    } else if (slice_equal(name, SLICE_LITERAL("outcome"))) {
        line->wrong |= !json_scan_text(value, &line->outcome);
    } else if (slice_equal(name, SLICE_LITERAL("rule"))) {
        line->wrong |= !json_scan_text(value, &line->rule);
    }
}

bool replay_line_read(struct slice line, struct replay_text *text, struct policy_request *request,
                      struct replay_line *ret_line) {
    struct line read = {.text = text};
    struct replay_line result;
    if (!json_scan_object(line, take_line, &read) || read.wrong || read.path == nullptr ||
        !outcome_find(read.outcome, &result.was)) {
        return false;
    }
    result.was_rule = read.rule;
    request->path = read.path;
    request->link_target = read.link_target;
    request->mode = (uint32_t)read.mode;
    request->has_size = S_ISREG(request->mode);
    request->size = read.size;
    *ret_line = result;
    return true;
}
