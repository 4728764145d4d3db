/* SPDX-License-Identifier: Apache-2.0
 *
 * The file as a whole: version, rules, network, tdd_exemptions, extensions. YAML becomes a tree
 * (codec/yaml.h), the tree a document in an arena of its own; then the tree is gone. A file that
 * YAML refuses has one error, any other as many as there are.
 */
#include "policy/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "policy/load_internal.h"

/* The document while it is read. */
struct file_reading {
    struct policy_document *document;
    bool has_version;
};

void policy_document_free(struct policy_document *document) {
    if (document != nullptr) {
        arena_free(document->arena); /* the document itself lies in it */
    }
}

void policy_document_freep(struct policy_document **document) {
    policy_document_free(*document);
    *document = nullptr;
}

static void read_version(struct policy_loader *loader, const struct yaml_node *value,
                         void *target) {
    struct file_reading *reading = target;
    reading->has_version = true;
    if (!load_is_text(loader, value, "version")) {
        return;
    }
    if (value->quoted || strcmp(value->text, "1") != 0) {
        load_error(loader, value, "Write version: 1, the only one there is.",
                   "version %s%s%s is not known", value->quoted ? "\"" : "", load_show(value).text,
                   value->quoted ? "\"" : "");
    }
}

static void read_rules(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    struct file_reading *reading = target;
    load_rules(loader, value, reading->document);
}

/* Keys of the user's own choice. */
static bool is_named_mapping(struct policy_loader *loader, const struct yaml_node *node,
                             const char *hint) {
    if (node->kind == YAML_KIND_MAPPING) {
        return true;
    }
    load_error(loader, node, hint, "%s must be a mapping of names", node->key->text);
    return false;
}

static void read_whitelist(struct policy_loader *loader, const struct yaml_node *value,
                           void *target) {
    struct policy_document *document = target;
    if (!is_named_mapping(loader, value, "Write { default: [\"example.org:443\"] }.")) {
        return;
    }
    struct policy_network_group *groups = load_alloc(loader, value->count, sizeof *groups);
    size_t count = 0;
    for (const struct yaml_node *item = value->first; item != nullptr && !loader->starved;
         item = item->next) {
        struct policy_network_group *group = &groups[count++];
        group->name = load_name(loader, item->key, "the group");
        group->at = load_position(loader, item->key);
        load_targets(loader, item, &group->targets);
    }
    document->groups = groups;
    document->group_count = count;
}

static void read_network(struct policy_loader *loader, const struct yaml_node *value,
                         void *target) {
    static const struct load_key keys[] = {{"whitelist", read_whitelist}, {}};
    struct file_reading *reading = target;
    (void)load_mapping(loader, value, "network", keys, reading->document);
}

static void read_exemption_path(struct policy_loader *loader, const struct yaml_node *value,
                                void *target) {
    struct policy_exemption *exemption = target;
    load_values(loader, value, POLICY_FIELD_PATH, &exemption->paths);
}

static void read_exemption(struct policy_loader *loader, const struct yaml_node *item,
                           struct policy_exemption *exemption) {
    static const struct load_key keys[] = {{"path", read_exemption_path}, {}};
    exemption->name = load_name(loader, item->key, "the exemption");
    exemption->at = load_position(loader, item->key);
    if (load_mapping(loader, item, "an exemption", keys, exemption) &&
        yaml_get(item, "path") == nullptr) {
        load_error(loader, item, "Name the paths: { path: [\"*.md\"] }.",
                   "this exemption has no path");
    }
}

static void read_exemptions(struct policy_loader *loader, const struct yaml_node *value,
                            void *target) {
    struct file_reading *reading = target;
    if (!is_named_mapping(loader, value, "Write { documentation: { path: [\"*.md\"] } }.")) {
        return;
    }
    struct policy_exemption *exemptions = load_alloc(loader, value->count, sizeof *exemptions);
    size_t count = 0;
    for (const struct yaml_node *item = value->first; item != nullptr && !loader->starved;
         item = item->next) {
        read_exemption(loader, item, &exemptions[count++]);
    }
    reading->document->exemptions = exemptions;
    reading->document->exemption_count = count;
}

static void read_extensions(struct policy_loader *loader, const struct yaml_node *value,
                            void *target) {
    struct file_reading *reading = target;
    load_extensions(loader, value, reading->document);
}

static void read_file(struct policy_loader *loader, const struct yaml_node *root,
                      struct policy_document *document) {
    static const struct load_key keys[] = {
        {"version", read_version},       {"rules", read_rules},
        {"network", read_network},       {"tdd_exemptions", read_exemptions},
        {"extensions", read_extensions}, {},
    };
    struct file_reading reading = {.document = document};
    if (load_mapping(loader, root, "a policy", keys, &reading) && !reading.has_version) {
        load_error(loader, root, "Begin the file with: version: 1", "the file has no version");
    }
}

/* What YAML refused becomes a diagnostic like any other. */
static status_t refuse_yaml(struct policy_loader *loader, const struct yaml_fault *fault,
                            struct error *err) {
    const struct yaml_node at = {.line = fault->line, .column = fault->column};
    load_error(loader, &at, fault->hint, "%s", fault->message);
    policy_diagnostics_end(loader->diagnostics);
    if (err->code == ERROR_BAD_ENCODING) {
        err->code = ERROR_POLICY_INVALID;
    }
    return (status_t){(int)err->code};
}

static status_t refuse_file(struct policy_loader *loader, struct error *err) {
    struct policy_diagnostics *all = loader->diagnostics;
    const struct policy_diagnostic *first = &all->errors[0];
    status_t status = error_set(err, ERROR_POLICY_INVALID, 0, "%s:%u:%u: %s", all->file,
                                first->line, first->column, first->message);
    error_hint(err, "%s", first->hint);
    if (all->error_count > 1) {
        error_detail(err, "the file has %zu errors", all->error_count);
    }
    return status;
}

static status_t refuse_memory(struct policy_loader *loader, struct error *err) {
    if (!arena_is_full(loader->arena)) {
        return error_set(err, ERROR_NO_MEMORY, 0, "memory ran out while reading %s",
                         loader->diagnostics->file);
    }
    limit_hit(LIMIT_ID_POLICY_MEMORY_BYTES);
    return error_set(err, ERROR_LIMIT, 0, "%s takes more than %lld bytes of memory",
                     loader->diagnostics->file, (long long)LIMIT_POLICY_MEMORY_BYTES);
}

static status_t load_tree(struct policy_loader *loader, const struct yaml_node *root,
                          struct policy_document *document, struct error *err) {
    if (root == nullptr) {
        load_warning(loader, (struct policy_place){1, 1},
                     "Take the file away to have the default again, or give it rules.",
                     "the file is empty: everything is denied");
        policy_diagnostics_end(loader->diagnostics);
        return STATUS_OK;
    }
    read_file(loader, root, document);
    if (!loader->starved && loader->diagnostics->error_count == 0) {
        load_warn(loader, document);
    }
    policy_diagnostics_end(loader->diagnostics);
    if (loader->diagnostics->error_count > 0) {
        return refuse_file(loader, err);
    }
    return loader->starved ? refuse_memory(loader, err) : STATUS_OK;
}

status_t policy_load(struct slice text, const char *file, struct policy_diagnostics *diagnostics,
                     struct policy_document **ret_document, struct error *err) {
    ASSERT(file != nullptr && diagnostics != nullptr && ret_document != nullptr);
    /* What is too large is not looked at, not even for an excerpt. */
    policy_diagnostics_start(diagnostics, file,
                             text.size <= LIMIT_YAML_BYTES ? text : (struct slice){});
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_POLICY_MEMORY_BYTES);
    if (arena == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "memory ran out while reading %s", file);
    }
    struct policy_loader loader = {.arena = arena, .diagnostics = diagnostics};
    loader.file = arena_text(arena, slice_of_string(file));
    struct policy_document *document = load_alloc(&loader, 1, sizeof *document);
    if (document == nullptr || loader.file == nullptr) {
        return refuse_memory(&loader, err);
    }
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = nullptr;
    struct yaml_fault fault;
    if (!status_is_ok(yaml_parse(text, file, &fault, &tree, err))) {
        return refuse_yaml(&loader, &fault, err);
    }
    TRY(load_tree(&loader, yaml_root(tree), document, err));
    document->arena = TAKE(arena);
    *ret_document = document;
    return STATUS_OK;
}
