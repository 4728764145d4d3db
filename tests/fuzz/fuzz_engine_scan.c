/* SPDX-License-Identifier: Apache-2.0
 *
 * Values out of an engine's JSON, beside the parser of everything else: what that one reads, the
 * scanner reads too unless it is too deep, and where both read a value it is the same one.
 */
#include <string.h>

#include "base/assert.h"
#include "codec/json.h"
#include "codec/text.h"
#include "engine/scan.h"
#include "fuzz.h"

enum { NUMBER, TEXT, FLAG, WANTS };

bool fuzz_seed(unsigned number, struct builder *out) {
    static const char *const SEEDS[] = {
        "{\"a\": -12, \"b\": {\"c\": \"t\\u00e9xt \\ud83d\\ude00\\n\"}, \"d\": [true, 1, null]}",
        "{\"x\":{\"a\":1e400,\"b\":[[[{}]]]},\"a\":92233720368547758079.5,\"d\":[false]}",
        "{\"b\":{\"c\":null,\"/\":\"\",\"\":0.5},\"d\":{\"0\":true},\"a\":0}",
        " [ \"\\\\\\\"\\/\\b\\f\\n\\r\\t\" , { } , [ ] , null , 1.5E-3 ] ",
    };
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number]);
    return true;
}

/* How deep brackets are nested, of what is known to be JSON. */
static unsigned depth_of(struct slice text) {
    unsigned depth = 0;
    unsigned deepest = 0;
    bool in_text = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (in_text && byte == '\\') {
            i++;
        } else if (byte == '"') {
            in_text = !in_text;
        } else if (!in_text && (byte == '{' || byte == '[')) {
            depth++;
            deepest = depth > deepest ? depth : deepest;
        } else if (!in_text && (byte == '}' || byte == ']')) {
            depth--;
        }
    }
    return deepest;
}

static void compare(const struct json *root, const struct scan_want *wants) {
    int64_t number = 0;
    bool has_number = json_get_integer(root, "a", &number);
    ASSERT(has_number == wants[NUMBER].is_found);
    ASSERT(!has_number || number == wants[NUMBER].number);
    const char *text = json_get_text(json_get(root, "b"), "c");
    ASSERT((text != nullptr) == wants[TEXT].is_found);
    size_t length = text != nullptr ? strlen(text) : 0;
    size_t kept = text != nullptr ? strlen(wants[TEXT].text) : 0;
    ASSERT(kept == length || (length >= SCAN_TEXT_BYTES && kept >= SCAN_TEXT_BYTES - 4));
    ASSERT(text == nullptr || memcmp(text, wants[TEXT].text, kept) == 0);
    const struct json *list = json_get(root, "d");
    const struct json *flag =
        json_array_count(list) > 0 ? json_array_at(list, 0) : json_get(list, "0");
    bool is_flag = flag != nullptr && json_kind_of(flag) == JSON_KIND_BOOL;
    ASSERT(is_flag == wants[FLAG].is_found);
    ASSERT(!is_flag || json_as_bool(flag) == wants[FLAG].flag);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = slice_of(data, size);
    struct scan_want wants[WANTS] = {
        [NUMBER] = {.path = "a", .kind = SCAN_INTEGER},
        [TEXT] = {.path = "b/c", .kind = SCAN_TEXT},
        [FLAG] = {.path = "d/0", .kind = SCAN_BOOL},
    };
    struct error err = {};
    struct json *root = nullptr;
    bool is_json = scan_json(text, nullptr, 0);
    bool is_scanned = scan_json(text, wants, WANTS);
    bool is_parsed = status_is_ok(json_parse(text, "fuzz", &root, &err));
    ASSERT(is_json || !is_scanned);
    ASSERT(is_json || !is_parsed || depth_of(text) > SCAN_DEPTH_MAX);
    if (is_scanned && wants[TEXT].is_found) {
        size_t length = strnlen(wants[TEXT].text, SCAN_TEXT_BYTES);
        ASSERT(length < SCAN_TEXT_BYTES && text_is_utf8(slice_of(wants[TEXT].text, length)));
    }
    if (is_scanned && is_parsed) {
        compare(root, wants);
    }
    json_free(root);
    return 0;
}
