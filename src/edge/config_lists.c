/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of values: protocols, keys, networks.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "codec/host.h"
#include "codec/text.h"
#include "codec/units.h"
#include "edge/config_internal.h"

enum { MAPPED_BITS = 96 };

static enum limit_id limit_of(enum config_kind kind) {
    switch ((int)kind) {
    case CONFIG_AS_PINS:
        return LIMIT_ID_EDGE_PINS;
    case CONFIG_AS_NETWORKS:
        return LIMIT_ID_EDGE_NETWORKS;
    case CONFIG_AS_UPSTREAMS:
        return LIMIT_ID_EDGE_UPSTREAMS;
    case CONFIG_AS_SERVERS:
        return LIMIT_ID_EDGE_SERVERS;
    case CONFIG_AS_LISTENERS:
        return LIMIT_ID_EDGE_LISTENERS;
    case CONFIG_AS_ROUTES:
        return LIMIT_ID_EDGE_ROUTES;
    default:
        return LIMIT_ID_EDGE_ALPN;
    }
}

status_t config_is_list(struct config_reader *reader, const struct config_value *value) {
    const struct yaml_node *node = value->node;
    const char *name = value->key->name;
    if (node->kind != YAML_KIND_SEQUENCE) {
        return config_refuse(reader, node,
                             "Write it as [a, b], or one line beginning with \"- \" for each.",
                             "%s must be a list", name);
    }
    if (node->count == 0) {
        return config_refuse(reader, node, "Give it one, or take it out.", "%s is empty", name);
    }
    if (node->count > value->key->high) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s has %u,", name, (unsigned)node->count);
        return config_refuse_limit(reader, node, limit_of(value->key->kind), what);
    }
    return STATUS_OK;
}

/* Each item as a text of its own. */
static status_t is_item(struct config_reader *reader, const struct config_value *value,
                        const struct yaml_node *item) {
    const struct config_value one = {value->key, item, value->target, value->member};
    return config_is_text(reader, &one);
}

static status_t read_protocol(struct config_reader *reader, const struct config_value *value,
                              const struct yaml_node *item, const char **ret_name) {
    const struct config_value one = {value->key, item, value->target, ret_name};
    TRY(config_read_alpn_name(reader, &one));
    if (strncmp(item->text, "airlock-attest/", 15) == 0) {
        return config_refuse(reader, item, "Write attest: true under the listener's tls instead.",
                             "\"%s\" is offered by attest", config_show(item->text).text);
    }
    return STATUS_OK;
}

status_t config_read_alpn(struct config_reader *reader, const struct config_value *value) {
    TRY(config_is_list(reader, value));
    const struct yaml_node *node = value->node;
    const char **names = arena_array(reader->arena, node->count, sizeof *names);
    uint32_t count = 0;
    if (names == nullptr) {
        return config_starved(reader, node);
    }
    for (const struct yaml_node *item = node->first; item != nullptr; item = item->next) {
        TRY(read_protocol(reader, value, item, &names[count]));
        for (uint32_t i = 0; i < count; i++) {
            if (strcmp(names[i], names[count]) == 0) {
                return config_refuse(reader, item, "Take one of them out.",
                                     "\"%s\" stands here twice", config_show(item->text).text);
            }
        }
        count++;
    }
    *(const char *const **)value->member = names;
    *(value->key->kind == CONFIG_AS_ALPN_IN
          ? &((struct edge_listener *)value->target)->alpn_count
          : &((struct edge_upstream *)value->target)->alpn_count) = count;
    return STATUS_OK;
}

static bool parse_pin(struct slice text, struct edge_pin *pin) {
    if (text_unhex(text, pin->bytes, sizeof pin->bytes)) {
        return true;
    }
    struct builder decoded;
    builder_init(&decoded, sizeof pin->bytes);
    bool is_pin = text_unbase64(text, &decoded) && builder_is_ok(&decoded) &&
                  builder_slice(&decoded).size == sizeof pin->bytes;
    if (is_pin) {
        memcpy(pin->bytes, builder_slice(&decoded).data, sizeof pin->bytes);
    }
    builder_deinit(&decoded);
    return is_pin;
}

status_t config_read_pins(struct config_reader *reader, const struct config_value *value) {
    struct edge_tls *tls = value->target;
    TRY(config_is_list(reader, value));
    const struct yaml_node *node = value->node;
    struct edge_pin *pins = arena_array(reader->arena, node->count, sizeof *pins);
    uint32_t count = 0;
    if (pins == nullptr) {
        return config_starved(reader, node);
    }
    for (const struct yaml_node *item = node->first; item != nullptr; item = item->next) {
        TRY(is_item(reader, value, item));
        if (!parse_pin(slice_of(item->text, item->size), &pins[count])) {
            return config_refuse(
                reader, item,
                "Write the SHA-256 of the public key in hex or base64; see: openssl x509 -in CERT "
                "-pubkey -noout | openssl pkey -pubin -outform DER | sha256sum",
                "\"%s\" is no pin", config_show(item->text).text);
        }
        for (uint32_t i = 0; i < count; i++) {
            if (memcmp(&pins[i], &pins[count], sizeof *pins) == 0) {
                return config_refuse(reader, item, "Take one of them out.",
                                     "this pin stands here twice");
            }
        }
        count++;
    }
    tls->pins = pins;
    tls->pin_count = count;
    return STATUS_OK;
}

static bool has_bits_behind(const struct edge_network *network) {
    for (unsigned bit = network->bits; bit < 128; bit++) {
        if ((network->bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) {
            return true;
        }
    }
    return false;
}

/* Returns nullptr, or why it is none. */
static const char *parse_network(struct slice text, struct edge_network *network) {
    struct host host;
    const uint8_t *slash = memchr(text.data, '/', text.size);
    size_t size = slash != nullptr ? (size_t)(slash - text.data) : text.size;
    const char *why = host_parse(slice_of(text.data, size), false, &host);
    if (why != nullptr) {
        return why;
    }
    if (!host.is_address) {
        return "it is a name";
    }
    unsigned before = host.address.size == 4 ? MAPPED_BITS : 0;
    uint32_t bits = 128 - before;
    if (slash != nullptr &&
        (units_parse_count(slice_of(slash + 1, text.size - size - 1), &bits) != UNITS_OK ||
         bits > 128 - before)) {
        return "behind the slash stands no number of bits";
    }
    if (before != 0) {
        network->bytes[10] = network->bytes[11] = 0xff;
    }
    memcpy(network->bytes + before / 8, host.address.bytes, host.address.size);
    network->bits = (uint8_t)(before + bits);
    return has_bits_behind(network) ? "it has bits behind its length" : nullptr;
}

status_t config_read_networks(struct config_reader *reader, const struct config_value *value) {
    struct edge_listener *listener = value->target;
    TRY(config_is_list(reader, value));
    const struct yaml_node *node = value->node;
    struct edge_network *networks = arena_array(reader->arena, node->count, sizeof *networks);
    uint32_t count = 0;
    if (networks == nullptr) {
        return config_starved(reader, node);
    }
    for (const struct yaml_node *item = node->first; item != nullptr; item = item->next) {
        TRY(is_item(reader, value, item));
        networks[count].is_unix = strcmp(item->text, "unix") == 0;
        const char *why = networks[count].is_unix
                              ? nullptr
                              : parse_network(slice_of(item->text, item->size), &networks[count]);
        if (why != nullptr) {
            return config_refuse(reader, item, "Write ADDRESS/BITS: 10.0.0.0/8, ::1/128.",
                                 "\"%s\" is no network: %s", config_show(item->text).text, why);
        }
        count++;
    }
    listener->proxy_from = networks;
    listener->proxy_from_count = count;
    return STATUS_OK;
}
