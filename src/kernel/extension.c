/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/extension.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/frame.h"
#include "codec/text.h"
#include "kernel/facts.h"
#include "kernel/records.h"

enum { PROTOCOL_VERSION_SPOKEN = 1, REASON_SHOWN_BYTES = 512 };

static const char OUT_OF_USE[] = "the extension failed twice within 30 s and is out of use";
static_assert(LIMIT_EXTENSION_AGAIN_MS == 30000); /* the text above */

struct extension {
    const struct policy_extension_source *source;
    struct extension_process process;
    struct extension_failures failures;
    struct clock clock;
    struct arena *reasons; /* owned: decisions point into it */
    const char *last_reason;
    bool is_out_of_use;
};

struct extensions {
    size_t count;
    struct policy_extension rows[2 * LIMIT_POLICY_EXTENSIONS];
    struct extension one[2 * LIMIT_POLICY_EXTENSIONS];
};

bool extension_failures_note(struct extension_failures *failures, uint64_t now_ns) {
    bool is_second =
        failures->any && now_ns - failures->last_ns < (uint64_t)LIMIT_EXTENSION_AGAIN_MS * 1000000;
    *failures = (struct extension_failures){.any = true, .last_ns = now_ns};
    return limit_past(is_second, LIMIT_ID_EXTENSION_AGAIN_MS);
}

/* The body of the answer to a question with these params, which it consumes. */
static enum extension_answer ask(struct extension *extension, const char *method,
                                 struct json *params, uint64_t wait_ms,
                                 char ret_id[static ID_TEXT_BYTES], struct builder *body) {
    CLEANUP(builder_deinit) struct builder frame;
    builder_init(&frame, FRAME_HEADER_BYTES + LIMIT_EXTENSION_ASK_BYTES);
    id_generate(clock_wall_ms(&extension->clock), ret_id);
    frame_encode_request(&(struct frame_request){.id = ret_id,
                                                 .method = method,
                                                 .body_bytes_max = LIMIT_EXTENSION_ASK_BYTES},
                         params, &frame);
    if (!builder_is_ok(&frame)) {
        limit_hit(LIMIT_ID_EXTENSION_ASK_BYTES);
        return EXTENSION_ENDED; /* what cannot be asked is not allowed */
    }
    uint64_t deadline_ns = clock_monotonic_ns(&extension->clock) + wait_ms * 1000000;
    return extension_process_ask(&extension->process, &extension->clock, builder_slice(&frame),
                                 deadline_ns, body);
}

/* Whether it speaks our version, and is there at all. */
static bool says_hello(struct extension *extension) {
    char id[ID_TEXT_BYTES];
    CLEANUP(builder_deinit) struct builder body;
    CLEANUP(json_freep) struct json *message = nullptr;
    builder_init(&body, LIMIT_EXTENSION_SAY_BYTES);
    struct json *params = json_object_new();
    json_set_integer(params, "version", PROTOCOL_VERSION_SPOKEN);
    json_set_text(params, "extension", extension->source->name);
    enum extension_answer answer =
        ask(extension, "policy.hello", params, LIMIT_EXTENSION_START_MS, id, &body);
    (void)limit_past(answer == EXTENSION_LATE, LIMIT_ID_EXTENSION_START_MS);
    if (answer != EXTENSION_ANSWERED) {
        return false;
    }
    const struct json *result = nullptr;
    struct error ignored = {};
    int64_t version = 0;
    return status_is_ok(
               frame_parse_response(builder_slice(&body), id, &message, &result, &ignored)) &&
           json_object_count(result) == 1 && json_get_integer(result, "version", &version) &&
           version == PROTOCOL_VERSION_SPOKEN;
}

/* Starts it, and once more when that fails. After an error, or when it says no hello twice, it is
 * out of use. */
static status_t start(struct extension *extension, struct error *err) {
    while (!extension->is_out_of_use) {
        status_t status = extension_process_start(&extension->process, extension->source, err);
        if (!status_is_ok(status)) {
            extension->is_out_of_use = true;
            return status;
        }
        if (says_hello(extension)) {
            return STATUS_OK;
        }
        extension_process_stop(&extension->process);
        extension->is_out_of_use =
            extension_failures_note(&extension->failures, clock_monotonic_ns(&extension->clock));
    }
    return STATUS_OK;
}

static enum policy_verdict verdict_of(const char *text) {
    static const struct {
        const char *text;
        enum policy_verdict verdict;
    } words[] = {
        {"allow", POLICY_VERDICT_ALLOW},
        {"deny", POLICY_VERDICT_DENY},
        {"review", POLICY_VERDICT_REVIEW},
        {"pass", POLICY_VERDICT_PASS},
    };
    for (size_t i = 0; text != nullptr && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].text, text) == 0) {
            return words[i].verdict;
        }
    }
    return POLICY_VERDICT_CRASHED;
}

enum policy_verdict extension_read_verdict(struct slice body, const char *id,
                                           struct builder *reason) {
    struct error ignored = {};
    CLEANUP(json_freep) struct json *message = nullptr;
    const struct json *result = nullptr;
    if (!status_is_ok(frame_parse_response(body, id, &message, &result, &ignored))) {
        return POLICY_VERDICT_CRASHED;
    }
    const struct json *why = json_get(result, "reason");
    const char *said = json_as_text(why);
    if ((why != nullptr && said == nullptr) ||
        json_object_count(result) != (why != nullptr ? 2 : 1)) {
        return POLICY_VERDICT_CRASHED;
    }
    enum policy_verdict verdict = verdict_of(json_get_text(result, "verdict"));
    if (verdict != POLICY_VERDICT_CRASHED && said != nullptr) {
        text_escape_short(slice_of_string(said), REASON_SHOWN_BYTES, reason);
    }
    return verdict;
}

/* Keeps a reason as long as the extension lives; the default one when there is no room. */
static const char *keep(struct extension *extension, const struct builder *reason) {
    struct slice text = builder_slice(reason);
    if (text.size == 0) {
        return nullptr;
    }
    if (extension->last_reason == nullptr ||
        !slice_equal(slice_of_string(extension->last_reason), text)) {
        extension->last_reason = arena_text(extension->reasons, text);
        if (extension->last_reason == nullptr) {
            limit_hit(LIMIT_ID_EXTENSION_REASON_BYTES);
        }
    }
    return extension->last_reason;
}

/* The fields that rules match by, and what else a decision is about. */
static struct json *question(const struct policy_request *request) {
    struct json *params = facts_of(request);
    if (request->mode != 0) {
        json_set_integer(params, "mode", request->mode);
    }
    if (request->link_target != nullptr) {
        record_text(params, "link_target", request->link_target);
    }
    return params;
}

static enum policy_verdict decide(void *context, const struct policy_request *request,
                                  const char **ret_reason) {
    struct extension *extension = context;
    if (extension->is_out_of_use) {
        *ret_reason = OUT_OF_USE;
        return POLICY_VERDICT_PASS;
    }
    char id[ID_TEXT_BYTES];
    CLEANUP(builder_deinit) struct builder body;
    CLEANUP(builder_deinit) struct builder reason;
    builder_init(&body, LIMIT_EXTENSION_SAY_BYTES);
    builder_init(&reason, REASON_SHOWN_BYTES + 4);
    enum extension_answer answer = ask(extension, "policy.decide", question(request),
                                       extension->source->timeout_ms, id, &body);
    if (answer != EXTENSION_ANSWERED) {
        return answer == EXTENSION_LATE ? POLICY_VERDICT_LATE : POLICY_VERDICT_CRASHED;
    }
    enum policy_verdict verdict = extension_read_verdict(builder_slice(&body), id, &reason);
    *ret_reason = keep(extension, &reason);
    return verdict;
}

static void restart(void *context) {
    struct extension *extension = context;
    struct error ignored = {};
    extension_process_stop(&extension->process);
    extension->is_out_of_use =
        extension_failures_note(&extension->failures, clock_monotonic_ns(&extension->clock));
    (void)!status_is_ok(start(extension, &ignored)); /* what remains of an error: out of use */
}

static status_t open_one(struct extensions *all, const struct extensions_wanted *wanted,
                         const struct policy_extension_source *source, struct error *err) {
    ASSERT(all->count < sizeof all->one / sizeof all->one[0]);
    struct extension *extension = &all->one[all->count];
    *extension = (struct extension){.source = source, .clock = wanted->clock};
    extension_process_init(&extension->process, wanted->state);
    all->rows[all->count++] = (struct policy_extension){
        .name = source->name, .decide = decide, .restart = restart, .context = extension};
    extension->reasons = arena_new(LIMIT_EXTENSION_REASON_BYTES);
    if (extension->reasons == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot start the extension %s", source->name);
    }
    TRY(start(extension, err));
    if (extension->is_out_of_use) {
        (void)error_set(err, ERROR_POLICY_EXTENSION, 0, "the extension %s does not say hello",
                        source->name);
        error_detail(err, "%s:%u: it was started twice, and ended or gave no answer",
                     source->at.file, source->at.line);
        return (status_t){ERROR_POLICY_EXTENSION};
    }
    return STATUS_OK;
}

status_t extensions_open(const struct extensions_wanted *wanted, struct extensions **ret,
                         struct error *err) {
    size_t total = 0;
    for (size_t i = 0; i < 2; i++) {
        total += wanted->documents[i] != nullptr ? wanted->documents[i]->extension_count : 0;
    }
    *ret = nullptr;
    if (total == 0) {
        return STATUS_OK;
    }
    struct extensions *all = calloc(1, sizeof *all);
    if (all == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot start the extensions of the policy");
    }
    for (size_t i = 0; i < 2; i++) {
        const struct policy_document *document = wanted->documents[i];
        for (size_t j = 0; document != nullptr && j < document->extension_count; j++) {
            status_t status = open_one(all, wanted, &document->extensions[j], err);
            if (!status_is_ok(status)) {
                extensions_close(all);
                return status;
            }
        }
    }
    *ret = all;
    return STATUS_OK;
}

void extensions_close(struct extensions *extensions) {
    if (extensions == nullptr) {
        return;
    }
    for (size_t i = 0; i < extensions->count; i++) {
        extension_process_stop(&extensions->one[i].process);
        arena_free(extensions->one[i].reasons);
    }
    free(extensions);
}

const struct policy_extension *extensions_list(const struct extensions *extensions,
                                               size_t *ret_count) {
    *ret_count = extensions == nullptr ? 0 : extensions->count;
    return extensions == nullptr ? nullptr : extensions->rows;
}
