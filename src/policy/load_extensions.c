/* SPDX-License-Identifier: Apache-2.0
 *
 * `extensions`. The text of a command is taken as it is: nothing is split, expanded or looked up.
 */
#include <string.h>

#include "codec/units.h"
#include "policy/load_internal.h"

/* An extension while it is read. */
struct extension_reading {
    struct policy_extension_source *extension;
    const struct yaml_node *name, *command; /* nullptr: not there */
};

static void read_name(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    struct extension_reading *reading = target;
    const char *name = load_name(loader, value, "name");
    reading->name = value;
    reading->extension->name = name == nullptr ? "" : name;
}

static void read_command(struct policy_loader *loader, const struct yaml_node *value,
                         void *target) {
    struct extension_reading *reading = target;
    reading->command = value;
    if (value->kind != YAML_KIND_SEQUENCE || value->count == 0) {
        load_error(loader, value, "Write its words as a list: [node, policy.ts].",
                   "command must be a list of a program and its arguments");
        return;
    }
    if (value->count > LIMIT_POLICY_COMMAND_WORDS) {
        load_limit(loader, value, LIMIT_ID_POLICY_COMMAND_WORDS, "this command has");
        return;
    }
    const char **words = load_alloc(loader, (size_t)value->count + 1, sizeof *words);
    size_t count = 0;
    for (const struct yaml_node *item = value->first; item != nullptr && !loader->starved;
         item = item->next) {
        if (load_is_text(loader, item, "a word of a command")) {
            words[count++] = load_copy(loader, item);
        }
    }
    reading->extension->command = words;
}

static void read_timeout(struct policy_loader *loader, const struct yaml_node *value,
                         void *target) {
    struct extension_reading *reading = target;
    uint64_t *timeout_ms = &reading->extension->timeout_ms;
    if (!load_is_text(loader, value, "timeout")) {
        return;
    }
    enum units_result result = units_parse_duration(slice_of(value->text, value->size), timeout_ms);
    if (result == UNITS_OK && *timeout_ms == 0) {
        result = UNITS_ZERO;
    }
    if (result != UNITS_OK) {
        load_error(loader, value, "Write a time for one call, as in 100ms; times are ms s m h.",
                   "timeout \"%s\" %s", load_show(value).text, units_result_text(result));
    } else if (*timeout_ms > LIMIT_POLICY_EXTENSION_MS) {
        load_limit(loader, value, LIMIT_ID_POLICY_EXTENSION_MS, "this timeout has");
    }
}

static void read_folder(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    struct extension_reading *reading = target;
    if (!load_is_text(loader, value, "folder")) {
        return;
    }
    if (value->text[0] != '/') {
        load_error(loader, value, "Write the whole path, from / on.",
                   "folder \"%s\" is no absolute path", load_show(value).text);
        return;
    }
    reading->extension->folder = load_copy(loader, value);
}

static void read_extension(struct policy_loader *loader, const struct yaml_node *node,
                           struct policy_extension_source *extension) {
    static const struct load_key keys[] = {
        {"name", read_name},
        {"command", read_command},
        {"timeout", read_timeout},
        {"folder", read_folder},
        {},
    };
    *extension = (struct policy_extension_source){
        .name = "",
        .timeout_ms = POLICY_EXTENSION_MS_DEFAULT,
        .at = load_position(loader, node),
    };
    struct extension_reading reading = {.extension = extension};
    if (!load_mapping(loader, node, "an extension", keys, &reading)) {
        return;
    }
    if (reading.name == nullptr) {
        load_error(loader, node, "Give it one that no other extension has: name: ...",
                   "this extension has no name");
    } else {
        extension->at = load_position(loader, reading.name);
    }
    if (reading.command == nullptr) {
        load_error(loader, node, "Say what is started: command: [node, policy.ts]",
                   "this extension has no command");
    }
}

static void check_names(struct policy_loader *loader, const struct policy_document *document) {
    const struct policy_extension_source *all = document->extensions;
    for (size_t i = 1; i < document->extension_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (all[i].name[0] != '\0' && strcmp(all[i].name, all[j].name) == 0) {
                const struct yaml_node at = {.line = all[i].at.line, .column = all[i].at.column};
                load_error(loader, &at, "Decisions name the extension behind them.",
                           "the name \"%.64s\" is taken by the extension on line %u", all[i].name,
                           all[j].at.line);
                break;
            }
        }
    }
}

void load_extensions(struct policy_loader *loader, const struct yaml_node *node,
                     struct policy_document *document) {
    if (node->kind != YAML_KIND_SEQUENCE) {
        load_error(loader, node, "Write a list: [ { name: mine, command: [node, policy.ts] } ].",
                   "extensions must be a list");
        return;
    }
    if (node->count > LIMIT_POLICY_EXTENSIONS) {
        load_limit(loader, node, LIMIT_ID_POLICY_EXTENSIONS, "this file has");
        return;
    }
    struct policy_extension_source *extensions =
        load_alloc(loader, node->count, sizeof *extensions);
    size_t count = 0;
    for (const struct yaml_node *item = node->first; item != nullptr && !loader->starved;
         item = item->next) {
        read_extension(loader, item, &extensions[count++]);
    }
    document->extensions = extensions;
    document->extension_count = count;
    check_names(loader, document);
}
