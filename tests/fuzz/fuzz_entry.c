/* SPDX-License-Identifier: Apache-2.0
 *
 * Canonical JSON recognised in one pass: the answer is always that of the parser and the canonical
 * writer together, which know nothing of it.
 */
#include "base/assert.h"
#include "codec/json.h"
#include "codec/json_scan.h"
#include "fuzz.h"

static const char *const SEEDS[] = {
    "{\"caller\":\"uid:1000\",\"decision\":{\"outcome\":\"deny\",\"reasons\":[\"a \\\"b\\\"\"],"
    "\"rule\":\"\"},\"operation\":\"run.exec\",\"prev_hash\":\"00ff\",\"request\":\"\\\\x\\n\","
    "\"seq\":17,\"time_ms\":1763700000000,\"type\":\"decision\",\"v\":1}",
    "{\"\":{},\"\\\"\":[],\"\\\\\":[[{}],-7,0,9007199254740991,-9007199254740991],\"a\":true,"
    "\"a\\u001f\":null,\"aa\":false}",
    "{\"1\":1,\"\x7f\":\"\\u0001\\b\\t\\n\\f\\r\",\"\xc3\xa9\":\"\xe2\x82\xac\","
    "\"\xf0\x9f\x98\x80\":\"\xf4\x8f\xbf\xbf\",\"\xee\x80\x80\":2,\"\xef\xac\xb3\":3}",
};

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number]);
    return true;
}

static bool is_canonical_object(struct slice text) {
    struct error err = {0};
    struct json *value = nullptr;
    if (!status_is_ok(json_parse(text, "fuzz", &value, &err))) {
        return false;
    }
    struct builder again;
    builder_init(&again, 8 * text.size + 1024);
    json_write_canonical(value, &again);
    bool same = json_kind_of(value) == JSON_KIND_OBJECT && slice_equal(builder_slice(&again), text);
    builder_deinit(&again);
    json_free(value);
    return same;
}

/* Members are told from front to back and lie inside the text. */
struct seen {
    struct slice text;
    const uint8_t *before;
};

static void see(void *context, struct slice name, struct slice value) {
    struct seen *seen = context;
    ASSERT(name.data > seen->before && value.data > name.data + name.size);
    ASSERT(value.size > 0 && value.data + value.size <= seen->text.data + seen->text.size);
    seen->before = value.data + value.size - 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice text = slice_of(data, size);
    struct seen seen = {text, data};
    ASSERT(json_scan_object(text, see, &seen) == is_canonical_object(text));
    return 0;
}
