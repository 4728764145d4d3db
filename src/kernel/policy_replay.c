/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/policy_replay.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/storage.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "kernel/replay_entry.h"
#include "sys/file.h"
#include "sys/random.h"

enum {
    ENGINE_COUNT_MAX = 8,  /* policies of workspaces kept at once */
    CLOCK_EVERY = 256,     /* decisions between two looks at the clock */
    PROGRESS_EVERY = 1024, /* entries between two calls */
    NS_A_MS = 1000000,
};

/* The policy of one workspace. */
struct engine {
    char workspace[LIMIT_PATH_BYTES];
    bool is_loaded;
    bool is_broken; /* its file cannot be used */
    bool is_shared; /* it has no file: `base` judges */
    struct policy_in_force policy;
};

struct replay {
    const struct policy_replay_options *options;
    struct policy_replay_result result;
    struct policy_in_force base; /* without a workspace */
    struct engine *engines;      /* owned; ENGINE_COUNT_MAX */
    size_t engine_next;          /* the next to be given up */
    struct engine *engine_last;
    struct replay_text text;
    struct builder list;                        /* runs/<id>/facts */
    const char *tags[2 * REPLAY_TAG_COUNT_MAX]; /* of the caller, then network groups */
    uint64_t total, deadline_ns, until_clock;
    bool is_damaged;
    struct policy_decision decision;
};

/* Policies. */

static status_t load(const struct replay *replay, const char *workspace,
                     struct policy_in_force *ret_policy, struct error *err) {
    const struct policy_replay_options *options = replay->options;
    return options->text == nullptr
               ? policy_files_load(options->state, workspace, ret_policy, err)
               : policy_files_load_with(options->state, workspace, *options->text, options->name,
                                        ret_policy, err);
}

static void engine_drop(struct engine *engine) {
    if (engine->is_loaded && !engine->is_shared && !engine->is_broken) {
        policy_in_force_deinit(&engine->policy);
    }
    engine->is_loaded = false;
}

/* Most workspaces bring no file; they share one policy instead of compiling the user's again. */
static void engine_load(const struct replay *replay, struct engine *engine, const char *workspace) {
    char path[LIMIT_PATH_BYTES + 32];
    struct error ignored;
    engine_drop(engine);
    (void)snprintf(engine->workspace, sizeof engine->workspace, "%s", workspace);
    (void)snprintf(path, sizeof path, "%s/.airlock/policy.yaml", workspace);
    engine->is_loaded = true;
    engine->is_shared = faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    engine->is_broken =
        !engine->is_shared && !status_is_ok(load(replay, workspace, &engine->policy, &ignored));
}

/* nullptr: the workspace's file cannot be used now. */
static const struct policy_engine *engine_for(struct replay *replay, const char *workspace) {
    if (workspace == nullptr || strlen(workspace) >= LIMIT_PATH_BYTES) {
        return &replay->base.engine;
    }
    struct engine *engine = replay->engine_last;
    for (size_t i = 0;
         i < ENGINE_COUNT_MAX && (engine == nullptr || strcmp(engine->workspace, workspace) != 0);
         i++) {
        engine = replay->engines[i].is_loaded ? &replay->engines[i] : nullptr;
    }
    if (engine == nullptr || strcmp(engine->workspace, workspace) != 0) {
        engine = &replay->engines[replay->engine_next++ % ENGINE_COUNT_MAX];
        engine_load(replay, engine, workspace);
    }
    replay->engine_last = engine;
    if (engine->is_broken) {
        return nullptr;
    }
    return engine->is_shared ? &replay->base.engine : &engine->policy.engine;
}

/* Decisions. */

static bool budget_is_left(struct replay *replay) {
    if (--replay->until_clock == 0) {
        replay->until_clock = CLOCK_EVERY;
        replay->result.is_cut_short |=
            clock_monotonic_ns(replay->options->clock) >= replay->deadline_ns;
    }
    return !replay->result.is_cut_short;
}

static bool asks_to_count(const struct policy_obligations *asks) {
    return asks->rate_count > 0 || asks->total_bytes_max != UINT64_MAX ||
           asks->files_max != UINT32_MAX;
}

/* A refusal that cannot be judged again and stands; see the header. */
static bool refusal_stands(const struct policy_decision *decision, struct slice was_rule) {
    if (slice_starts_with(was_rule, SLICE_LITERAL("builtin."))) {
        return true;
    }
    bool is_same_rule = false;
    for (size_t i = 0; i < decision->reason_count; i++) {
        is_same_rule |= slice_equal(was_rule, slice_of_string(decision->deciders[i].name));
    }
    return is_same_rule && asks_to_count(&decision->obligations);
}

struct verdict {
    enum policy_outcome was;
    struct slice was_rule;
};

/* Tells of a new decision that differs from the old one. */
static void compare(struct replay *replay, const struct replay_entry *entry,
                    const struct policy_request *request, const struct verdict *old) {
    const struct policy_decision *decision = &replay->decision;
    struct policy_replay_result *result = &replay->result;
    bool stands = old->was == POLICY_DENY && decision->outcome != POLICY_DENY &&
                  refusal_stands(decision, old->was_rule);
    result->decisions++;
    if (decision->outcome == old->was || stands) {
        return;
    }
    size_t mark = replay->text.size;
    const char *run = replay_text_copy(&replay->text, entry->run);
    const char *rule = replay_text_copy(&replay->text, old->was_rule);
    struct policy_replay_change change = {
        .seq = entry->seq,
        .time_ms = entry->time_ms,
        .run = run != nullptr ? run : "",
        .workspace = request->workspace != nullptr ? request->workspace : "",
        .operation = request->operation,
        .path = request->path,
        .was = old->was,
        .now = decision->outcome,
        .was_rule = rule != nullptr ? rule : "",
        .decision = decision,
        .is_breaking = old->was == POLICY_ALLOW && decision->outcome == POLICY_DENY,
    };
    result->changed_count++;
    result->breaking_count += change.is_breaking;
    result->changed[change.was][change.now]++;
    replay->options->changed(replay->options->context, &change);
    replay->text.size = mark;
}

/* Reads the list of paths; false when it is not the one the entry means. */
static bool read_list(struct replay *replay, const struct replay_entry *entry) {
    char path[ID_TEXT_BYTES + sizeof "/facts"];
    char id[ID_TEXT_BYTES] = "";
    struct digest wanted;
    struct digest found;
    struct error ignored;
    bool is_there = false;
    if (entry->run.size >= sizeof id ||
        !text_unhex(entry->facts_digest, wanted.bytes, sizeof wanted.bytes)) {
        return false;
    }
    memcpy(id, entry->run.data, entry->run.size);
    (void)snprintf(path, sizeof path, "%s/facts", id);
    builder_reset(&replay->list);
    if (!id_is_valid(id) ||
        !status_is_ok(
            file_read(replay->options->state->runs_fd, path, &replay->list, &is_there, &ignored)) ||
        !is_there) {
        return false;
    }
    sha256_of(builder_slice(&replay->list), &found);
    return digest_equal(&wanted, &found);
}

/* An allow that does not permit what was applied without a person would have asked one. That the
 * limits hold for each path is the same as that the strictest holds for all. */
static void leave_to_person(const struct replay_entry *entry, struct policy_decision *decision) {
    const struct policy_auto_apply *permitted = &decision->obligations.auto_apply;
    bool fits = permitted->is_permitted && entry->changed_lines <= permitted->lines_max &&
                entry->changed_files <= permitted->files_max;
    if (entry->is_automatic && decision->outcome == POLICY_ALLOW && !fits) {
        decision->outcome = POLICY_REVIEW;
        decision->reasons[0] = "allowed, but not without a person: its auto_apply does not do";
    }
}

static void judge_paths(struct replay *replay, const struct replay_entry *entry,
                        const struct policy_engine *engine, const struct policy_request *whole) {
    struct slice rest = builder_slice(&replay->list);
    size_t mark = replay->text.size;
    while (rest.size > 0 && budget_is_left(replay)) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t size = end == nullptr ? rest.size : (size_t)(end - rest.data);
        struct policy_request request = *whole;
        struct replay_line line;
        replay->text.size = mark;
        if (replay_line_read(slice_of(rest.data, size), &replay->text, &request, &line)) {
            policy_evaluate(engine, &request, &replay->decision);
            leave_to_person(entry, &replay->decision);
            compare(replay, entry, &request, &(struct verdict){line.was, line.was_rule});
        }
        size += end != nullptr;
        rest = slice_of(rest.data + size, rest.size - size);
    }
    replay->text.size = mark;
}

/* An apply is judged as a whole, and then path by path unless a rule denies the whole. That no rule
 * speaks of the whole denies nothing: paths may be granted one by one. */
static void judge_apply(struct replay *replay, const struct replay_entry *entry,
                        const struct policy_engine *engine, const struct policy_request *whole) {
    bool has_list = entry->facts_digest.size > 0 && read_list(replay, entry);
    const struct policy_decision *decision = &replay->decision;
    replay->result.expired_lists += entry->facts_digest.size > 0 && !has_list;
    policy_evaluate(engine, whole, &replay->decision);
    bool is_denied = decision->outcome == POLICY_DENY;
    bool by_path = is_denied && decision->deciders[0].layer == POLICY_LAYER_NONE;
    if (!by_path || !has_list) {
        compare(replay, entry, whole, &(struct verdict){entry->was, entry->was_rule});
    }
    if (has_list && (!is_denied || by_path)) {
        judge_paths(replay, entry, engine, whole);
    }
}

static void judge_entry(struct replay *replay, const struct replay_entry *entry) {
    struct policy_request request;
    replay->text.size = 0;
    if (!replay_entry_request(entry, &replay->text, replay->tags, &request)) {
        replay->result.without_facts++;
        return;
    }
    if (entry->workspace.size > 0) {
        request.workspace = replay_text_of(&replay->text, entry->workspace, true);
    }
    const struct policy_engine *engine = engine_for(replay, request.workspace);
    if (engine == nullptr) {
        replay->result.unreadable++;
        return;
    }
    if (entry->is_apply) {
        judge_apply(replay, entry, engine, &request);
        return;
    }
    policy_evaluate(engine, &request, &replay->decision);
    compare(replay, entry, &request, &(struct verdict){entry->was, entry->was_rule});
}

static bool replay_entry(void *context, uint64_t seq, struct slice bytes) {
    struct replay *replay = context;
    const struct policy_replay_options *options = replay->options;
    struct policy_replay_result *result = &replay->result;
    struct replay_entry entry;
    if (!budget_is_left(replay) ||
        (options->entry_count_max > 0 && result->entries == options->entry_count_max)) {
        return false;
    }
    if (options->progress != nullptr && result->entries % PROGRESS_EVERY == 0) {
        options->progress(options->context, result->entries, replay->total);
    }
    result->entries++;
    result->first_seq = seq;
    switch (replay_entry_read(bytes, &entry)) {
    case REPLAY_READ_OTHER:
        return true;
    case REPLAY_READ_DAMAGED:
        replay->is_damaged = true;
        return false;
    case REPLAY_READ_DECISION:
        entry.seq = seq;
        judge_entry(replay, &entry);
        return !result->is_cut_short;
    }
    ASSERT(!"a reading of the enum");
    return false;
}

static status_t replay_all(struct replay *replay, struct error *err) {
    const struct policy_replay_options *options = replay->options;
    struct audit_storage storage;
    struct audit_head head;
    TRY(audit_log_head(options->log, &head, err));
    TRY(audit_storage_read(options->log, &storage, err));
    replay->total = head.size;
    if (options->entry_count_max > 0 && options->entry_count_max < head.size) {
        replay->total = options->entry_count_max;
    }
    if (head.size > 0) {
        TRY(audit_log_scan_back(options->log, head.size - 1, replay_entry, replay, err));
    }
    if (replay->is_damaged) {
        return error_set(err, ERROR_AUDIT_DAMAGED, 0, "entry %llu of the log cannot be read",
                         (unsigned long long)replay->result.first_seq);
    }
    if (replay->result.is_cut_short) {
        limit_hit(LIMIT_ID_REPLAY_MS);
    }
    bool reached_end = !replay->result.is_cut_short && options->entry_count_max == 0;
    replay->result.expired_entries = reached_end ? storage.first_kept : 0;
    return STATUS_OK;
}

static void replay_deinit(struct replay *replay) {
    for (size_t i = 0; replay->engines != nullptr && i < ENGINE_COUNT_MAX; i++) {
        engine_drop(&replay->engines[i]);
    }
    free(replay->engines);
    policy_in_force_deinit(&replay->base);
    replay_text_deinit(&replay->text);
    builder_deinit(&replay->list);
}

static status_t replay_start(struct replay *replay, struct error *err) {
    uint64_t budget_ms =
        replay->options->budget_ms > 0 ? replay->options->budget_ms : (uint64_t)LIMIT_REPLAY_MS;
    replay->deadline_ns = clock_monotonic_ns(replay->options->clock) + budget_ms * NS_A_MS;
    replay->until_clock = CLOCK_EVERY;
    builder_init(&replay->list, LIMIT_FACTS_BYTES);
    replay->engines = calloc(ENGINE_COUNT_MAX, sizeof *replay->engines);
    if (replay->engines == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot replay history");
    }
    TRY(replay_text_init(&replay->text, err));
    return load(replay, nullptr, &replay->base, err);
}

status_t policy_replay(const struct policy_replay_options *options,
                       struct policy_replay_result *ret_result, struct error *err) {
    ASSERT(options->changed != nullptr && (options->text == nullptr || options->name != nullptr));
    CLEANUP(memory_freep) struct replay *replay = calloc(1, sizeof *replay); /* large */
    if (replay == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot replay history");
    }
    replay->options = options;
    status_t status = replay_start(replay, err);
    if (status_is_ok(status)) {
        status = replay_all(replay, err);
    }
    if (status_is_ok(status)) {
        *ret_result = replay->result;
    }
    replay_deinit(replay);
    return status;
}

struct json *policy_replay_changed(const struct policy_replay_result *result) {
    struct json *object = json_object_new();
    for (unsigned was = 0; was < POLICY_OUTCOME_COUNT; was++) {
        for (unsigned now = 0; now < POLICY_OUTCOME_COUNT; now++) {
            char name[64];
            (void)snprintf(name, sizeof name, "%s>%s",
                           policy_outcome_text((enum policy_outcome)was),
                           policy_outcome_text((enum policy_outcome)now));
            if (result->changed[was][now] > 0) {
                json_set_integer(object, name, (int64_t)result->changed[was][now]);
            }
        }
    }
    return object;
}
