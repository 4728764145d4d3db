/* SPDX-License-Identifier: Apache-2.0
 *
 * A stage's digest and what it is made of, as JSON. The form is docs/stages.md's, and the subjects
 * are in-toto resource descriptors (in-toto attestation framework, spec v1: name and DigestSet).
 */
#include <stdio.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sandbox/base_record.h"

#define STAGE_DIGEST_NAME "airlockStageV1"

static void set_hex(struct json *object, const char *key, const struct digest *digest) {
    CLEANUP(builder_deinit) struct builder hex;
    builder_init(&hex, 2 * DIGEST_BYTES + 1);
    text_hex(slice_of(digest->bytes, DIGEST_BYTES), &hex);
    json_set_text(object, key, builder_c_string(&hex));
}

static void add_subject(struct json *subjects, const char *name, const char *algorithm,
                        const struct digest *digest) {
    struct json *subject = json_object_new();
    struct json *digests = json_object_new();
    json_set_text(subject, "name", name);
    set_hex(digests, algorithm, digest);
    json_set(subject, "digest", digests);
    json_append(subjects, subject);
}

/* The fields of a leaf, in its order. */
static void add_leaf(struct json *leaves, const char *path, const struct change *change) {
    static const char *const kinds[] = {"none", "file", "folder", "link", "other"};
    const struct entry_state *after = &change->after;
    struct json *leaf = json_object_new();
    json_set_text(leaf, "path", path);
    json_set_text(leaf, "kind", kinds[after->kind]);
    json_set_integer(leaf, "mode", after->kind == ENTRY_LINK ? 0 : after->mode);
    json_set_bool(leaf, "owner_is_payload", after->owner_is_payload);
    json_set_integer(leaf, "refusal", change->refusal);
    json_set_integer(leaf, "bytes", after->kind == ENTRY_FILE ? (int64_t)after->size : 0);
    set_hex(leaf, "sha256", &after->digest);
    set_hex(leaf, "attributes_sha256", &after->xattrs);
    json_append(leaves, leaf);
}

status_t stage_digest_json(const struct run *run, struct json **ret, struct error *err) {
    CLEANUP(change_list_deinit) struct change_list list = {0};
    struct digest root;
    if (run->state == RUN_LIVE) {
        return error_set(err, ERROR_RUN_UNFINISHED, 0, "run %s still runs", run->id);
    }
    if (run->state == RUN_APPLIED || run->state == RUN_DISCARDED) {
        return error_set(err, ERROR_RUN_STAGE_CLOSED, 0, "the stage of run %s is %s", run->id,
                         run_state_text(run->state));
    }
    TRY(base_record_read(run, &list, err));
    base_record_digest(&list, &root);
    if (list.count > 0 && !digest_equal(&root, &run->stage_digest)) {
        return error_set(err, ERROR_STAGE_DAMAGED, 0, "the record of run %s was changed", run->id);
    }
    struct json *object = json_object_new();
    struct json *subjects = json_array_new();
    struct json *leaves = json_array_new();
    char name[ID_TEXT_BYTES + 8];
    (void)snprintf(name, sizeof name, "stage/%s", run->id);
    add_subject(subjects, name, STAGE_DIGEST_NAME, &root);
    for (size_t i = 0; i < list.count; i++) {
        CLEANUP(builder_deinit) struct builder path;
        builder_init(&path, (size_t)4 * LIMIT_PATH_BYTES + 1);
        text_escape(slice_of_string(list.items[i].path), &path);
        bool is_file = list.items[i].after.kind == ENTRY_FILE;
        if (is_file && list.items[i].refusal == REFUSAL_NONE) {
            add_subject(subjects, builder_c_string(&path), "sha256", &list.items[i].after.digest);
        }
        add_leaf(leaves, builder_c_string(&path), &list.items[i]);
    }
    json_set_text(object, "run", run->id);
    set_hex(object, "digest", &root);
    json_set(object, "subject", subjects);
    json_set(object, "leaves", leaves);
    *ret = object;
    return STATUS_OK;
}
