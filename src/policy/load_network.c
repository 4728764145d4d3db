/* SPDX-License-Identifier: Apache-2.0
 *
 * Targets of network groups. What leads to an address that is not public has to say so, because a
 * name in a group is somebody else's: whoever answers for it in the DNS could point it at a service
 * of this machine or of its network.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/host.h"
#include "policy/load_internal.h"

enum { TARGET_BYTES = HOST_TEXT_BYTES + 16 };

/* A target while its mapping is read. */
struct target_reading {
    struct policy_network_target *target;
    bool has_host, has_port;
};

/* A name, "*." and a name, "*", or an address; kept in the one form that it is compared in. */
static const char *read_host(struct policy_loader *loader, struct slice text, bool bracketed,
                             struct policy_network_target *target) {
    struct host host;
    char form[HOST_TEXT_BYTES + 2];
    if (text.size == 1 && text.data[0] == '*') {
        target->host = "*";
        return nullptr;
    }
    bool below = text.size > 2 && text.data[0] == '*' && text.data[1] == '.';
    const char *wrong = host_parse(below ? slice_of(text.data + 2, text.size - 2) : text,
                                   bracketed && !below, &host);
    if (wrong == nullptr && below && host.is_address) {
        wrong = "nothing is below an address";
    }
    if (wrong == nullptr) {
        (void)snprintf(form, sizeof form, "%s%s", below ? "*." : "", host.text);
        target->host = arena_text(loader->arena, slice_of_string(form));
        loader->starved = loader->starved || target->host == nullptr;
    }
    return wrong;
}

static void read_target_host(struct policy_loader *loader, const struct yaml_node *value,
                             void *context) {
    struct target_reading *reading = context;
    reading->has_host = true;
    if (!load_is_text(loader, value, "host")) {
        return;
    }
    const char *wrong =
        read_host(loader, slice_of(value->text, value->size), false, reading->target);
    if (wrong != nullptr) {
        load_error(loader, value, "Write a name, an address, or \"*.example.org\".",
                   "\"%s\" is no host: %s", load_show(value).text, wrong);
    }
}

static void read_target_port(struct policy_loader *loader, const struct yaml_node *value,
                             void *context) {
    struct target_reading *reading = context;
    reading->has_port = true;
    if (load_is_text(loader, value, "port") &&
        !host_parse_port(slice_of(value->text, value->size), &reading->target->port)) {
        load_error(loader, value, "Write a number from 1 to 65535.", "\"%s\" is no port",
                   load_show(value).text);
    }
}

static void read_target_private(struct policy_loader *loader, const struct yaml_node *value,
                                void *context) {
    static const char *const words[] = {"true"};
    struct target_reading *reading = context;
    if (load_is_text(loader, value, "private")) {
        reading->target->is_private =
            load_word(loader, value, "value of private", words, 1) == 0 && !value->quoted;
    }
}

/* Texts of a list that pass `is_good`, one a line. */
static const char *read_lines(struct policy_loader *loader, const struct yaml_node *value,
                              bool (*is_good)(const char *text), const char *hint) {
    CLEANUP(builder_deinit) struct builder lines;
    builder_init(&lines, LIMIT_POLICY_TEXT_BYTES);
    const struct yaml_node *item = load_first_item(value);
    for (size_t i = 0; i < load_item_count(value); i++, item = item->next) {
        if (!load_is_text(loader, item, value->key->text)) {
            continue;
        }
        if (!is_good(item->text)) {
            load_error(loader, item, hint, "\"%s\" cannot stand in %s", load_show(item).text,
                       value->key->text);
        }
        builder_format(&lines, "%s%s", i == 0 ? "" : "\n", item->text);
    }
    if (load_item_count(value) == 0 || !builder_is_ok(&lines)) {
        load_error(loader, value, hint, "%s has no value, or too many", value->key->text);
        return "";
    }
    const char *copy = arena_text(loader->arena, builder_slice(&lines));
    loader->starved = loader->starved || copy == nullptr;
    return copy;
}

static bool is_method(const char *text) {
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == strlen(text);
}

static bool is_path(const char *text) {
    const char *star = strchr(text, '*');
    bool is_plain = strpbrk(text, " ?#%\\;\n") == nullptr && strstr(text, "..") == nullptr;
    return text[0] == '/' && is_plain && (star == nullptr || star[1] == '\0');
}

static void read_target_methods(struct policy_loader *loader, const struct yaml_node *value,
                                void *context) {
    struct target_reading *reading = context;
    reading->target->methods =
        read_lines(loader, value, is_method, "Write methods as they are sent: [GET, HEAD].");
}

static void read_target_paths(struct policy_loader *loader, const struct yaml_node *value,
                              void *context) {
    struct target_reading *reading = context;
    reading->target->paths =
        read_lines(loader, value, is_path, "Write whole paths, or beginnings: [\"/api/*\"].");
}

static void read_mapping(struct policy_loader *loader, const struct yaml_node *item,
                         struct policy_network_target *target) {
    static const struct load_key keys[] = {
        {"host", read_target_host},       {"port", read_target_port},
        {"private", read_target_private}, {"methods", read_target_methods},
        {"paths", read_target_paths},     {},
    };
    struct target_reading reading = {.target = target};
    if (!load_mapping(loader, item, "a target", keys, &reading)) {
        return;
    }
    if (!reading.has_host || !reading.has_port) {
        load_error(loader, item, "Write { host: \"127.0.0.1\", port: 8080, private: true }.",
                   "this target has no %s", reading.has_host ? "port" : "host");
    } else if (target->is_private && target->host != nullptr && strcmp(target->host, "*") == 0) {
        load_error(loader, item, "Name what is private one by one.",
                   "every host of a private network is no target");
    }
    char text[TARGET_BYTES];
    (void)snprintf(text, sizeof text, "%s:%u", target->host != nullptr ? target->host : "",
                   target->port);
    target->text = arena_text(loader->arena, slice_of_string(text));
    loader->starved = loader->starved || target->text == nullptr;
}

static void read_text(struct policy_loader *loader, const struct yaml_node *item,
                      struct policy_network_target *target) {
    if (!load_is_text(loader, item, "a target")) {
        return;
    }
    target->text = load_copy(loader, item);
    const char *colon = strrchr(item->text, ':');
    const char *wrong = "it has no port";
    if (colon != nullptr) {
        wrong = host_parse_port(slice_of_string(colon + 1), &target->port)
                    ? read_host(loader, slice_of(item->text, (size_t)(colon - item->text)), true,
                                target)
                    : "its port is no number from 1 to 65535";
    }
    if (wrong != nullptr) {
        load_error(loader, item, "Write HOST:PORT, as in \"*.example.org:443\".",
                   "\"%s\" is no host with a port: %s", load_show(item).text, wrong);
    }
}

void load_targets(struct policy_loader *loader, const struct yaml_node *node,
                  struct policy_network_targets *ret_targets) {
    size_t count = load_item_count(node);
    if (count > LIMIT_NETWORK_TARGETS) {
        load_limit(loader, node, LIMIT_ID_NETWORK_TARGETS, "this group has");
        return;
    }
    struct policy_network_target *targets = load_alloc(loader, count, sizeof *targets);
    ret_targets->values = targets;
    ret_targets->count = targets == nullptr ? 0 : count;
    const struct yaml_node *item = load_first_item(node);
    for (size_t i = 0; i < ret_targets->count && !loader->starved; i++, item = item->next) {
        targets[i] = (struct policy_network_target){
            .text = "", .host = "", .methods = "", .paths = "", .at = load_position(loader, item)};
        if (item->kind == YAML_KIND_MAPPING) {
            read_mapping(loader, item, &targets[i]);
        } else {
            read_text(loader, item, &targets[i]);
        }
    }
}
