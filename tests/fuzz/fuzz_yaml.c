/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML: what parses is a tree within its bounds, in the order of the text, whose keys are unique;
 * what does not has a place inside the text.
 */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "codec/text.h"
#include "codec/yaml.h"
#include "fuzz.h"

static const char *const SEEDS[] = {
    "version: 1\nrules:\n  - name: a\n    match: { operation: [x, 'y'], path: \"*.md\" }\n",
    "a:\n  - - 1\n    - |\n      block\n       text\n  - >-\n    folded\n    text\n# end\n",
    "\"\\u00e9 \\x41\\\n  b\": {a: , b: [], ? c : d}\n",
    "%YAML 1.1\n---\n&a [*a, !!str b]\n...\n---\n- \xc3\xa9\xf0\x9f\x98\x80\r\n",
};

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number]);
    return true;
}

static void check_scalar(const struct yaml_node *node) {
    ASSERT(node->first == nullptr && node->count == 0);
    ASSERT(strlen(node->text) == node->size);
    ASSERT(text_is_utf8(slice_of(node->text, node->size)));
}

/* Recursion is bounded by LIMIT_YAML_DEPTH, which this asserts. */
static void check_node(const struct yaml_node *node, int depth, bool in_mapping) {
    ASSERT(node->line >= 1 && node->column >= 1);
    ASSERT(in_mapping == (node->key != nullptr));
    if (node->kind == YAML_KIND_SCALAR) {
        check_scalar(node);
        return;
    }
    ASSERT(depth < LIMIT_YAML_DEPTH);
    size_t count = 0;
    for (const struct yaml_node *child = node->first; child != nullptr; child = child->next) {
        check_node(child, depth + 1, node->kind == YAML_KIND_MAPPING);
        if (node->kind == YAML_KIND_MAPPING) {
            check_scalar(child->key);
            ASSERT(yaml_get(node, child->key->text) == child);
        }
        ASSERT(child->line > node->line ||
               (child->line == node->line && child->column >= node->column));
        count++;
    }
    ASSERT(count == node->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {};
    struct yaml_fault fault = {};
    struct yaml_tree *tree = nullptr;
    if (!status_is_ok(yaml_parse(slice_of(data, size), "fuzz", &fault, &tree, &err))) {
        ASSERT(err.code == ERROR_BAD_ENCODING || err.code == ERROR_LIMIT);
        ASSERT(fault.line >= 1 && fault.column >= 1 && fault.message[0] != '\0');
        ASSERT(fault.hint[0] != '\0' && text_is_utf8(slice_of_string(fault.message)));
        ASSERT(fault.line <= size + 1 && fault.column <= size + 1);
        return 0;
    }
    ASSERT(text_is_utf8(slice_of(data, size)));
    if (yaml_root(tree) != nullptr) {
        check_node(yaml_root(tree), 0, false);
    }
    yaml_tree_free(tree);
    return 0;
}
