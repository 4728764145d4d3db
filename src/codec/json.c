/* SPDX-License-Identifier: Apache-2.0
 *
 * The only file that knows Jansson, and the writers' way to read a value without it is
 * codec/json_write.c. `struct json` is never defined: a pointer to it is a json_t pointer.
 */
#include "codec/json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/text.h"

static const int64_t INTEGER_MAX = (INT64_C(1) << 53) - 1; /* exact in every JSON reader */
enum { DEPTH_MAX = 128 };

static struct json *wrap(json_t *value) {
    ASSERT(value != nullptr); /* out of memory, or bytes that are not UTF-8 */
    return (struct json *)value;
}

static json_t *unwrap(struct json *value) {
    return (json_t *)value;
}

static const json_t *peek(const struct json *value) {
    return (const json_t *)value;
}

struct json *json_object_new(void) {
    return wrap(json_object());
}

struct json *json_array_new(void) {
    return wrap(json_array());
}

struct json *json_text_new(struct slice utf8) {
    ASSERT(text_is_utf8(utf8));
    ASSERT(utf8.size == 0 || memchr(utf8.data, 0, utf8.size) == nullptr);
    return wrap(json_stringn(utf8.size == 0 ? "" : (const char *)utf8.data, utf8.size));
}

struct json *json_integer_new(int64_t value) {
    if (value < -INTEGER_MAX || value > INTEGER_MAX) {
        char text[32];
        (void)snprintf(text, sizeof text, "%" PRId64, value);
        return wrap(json_string(text));
    }
    return wrap(json_integer(value));
}

struct json *json_clone(const struct json *value) {
    return wrap(json_deep_copy(peek(value)));
}

void json_free(struct json *value) {
    json_decref(unwrap(value));
}

void json_freep(struct json **value) {
    json_free(*value);
    *value = nullptr;
}

void json_set(struct json *object, const char *key, struct json *consumed) {
    ASSERT(json_is_object(peek(object)));
    ASSERT(json_object_set_new(unwrap(object), key, unwrap(consumed)) == 0);
}

void json_set_text(struct json *object, const char *key, const char *text) {
    json_set(object, key, json_text_new(slice_of_string(text)));
}

void json_set_integer(struct json *object, const char *key, int64_t value) {
    json_set(object, key, json_integer_new(value));
}

void json_set_bool(struct json *object, const char *key, bool value) {
    json_set(object, key, wrap(json_boolean(value)));
}

void json_append(struct json *array, struct json *consumed) {
    ASSERT(json_array_append_new(unwrap(array), unwrap(consumed)) == 0);
}

void json_append_text(struct json *array, const char *text) {
    json_append(array, json_text_new(slice_of_string(text)));
}

const struct json *json_get(const struct json *object, const char *key) {
    return (const struct json *)json_object_get(peek(object), key);
}

const char *json_get_text(const struct json *object, const char *key) {
    return json_string_value(peek(json_get(object, key)));
}

bool json_get_integer(const struct json *object, const char *key, int64_t *ret) {
    const json_t *value = peek(json_get(object, key));
    if (!json_is_integer(value)) {
        return false;
    }
    *ret = json_integer_value(value);
    return true;
}

size_t json_array_count(const struct json *array) {
    return json_array_size(peek(array));
}

const struct json *json_array_at(const struct json *array, size_t index) {
    return (const struct json *)json_array_get(peek(array), index);
}

const char *json_as_text(const struct json *value) {
    return json_string_value(peek(value));
}

enum json_kind json_kind_of(const struct json *value) {
    switch (json_typeof(peek(value))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return JSON_KIND_TEXT;
    case JSON_INTEGER:
        return JSON_KIND_INTEGER;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    case JSON_REAL: /* never let in by json_parse() */
    case JSON_NULL:
        return JSON_KIND_NULL;
    }
    return JSON_KIND_NULL;
}

int64_t json_as_integer(const struct json *value) {
    return json_integer_value(peek(value));
}

bool json_as_bool(const struct json *value) {
    return json_is_true(peek(value));
}

size_t json_object_count(const struct json *object) {
    return json_object_size(peek(object));
}

bool json_each(const struct json *object, json_visit *visit, void *context) {
    if (!json_is_object(peek(object))) {
        return true;
    }
    /* Jansson's iterators take a pointer to non-const, though reading changes nothing. */
    json_t *mutable = (json_t *)(uintptr_t)object;
    for (void *at = json_object_iter(mutable); at != nullptr;
         at = json_object_iter_next(mutable, at)) {
        if (!visit(context, json_object_iter_key(at),
                   (const struct json *)json_object_iter_value(at))) {
            return false;
        }
    }
    return true;
}

/* Jansson recurses to 2,048 levels; nothing of ours nests past a handful, and whoever walks a value
 * recursively relies on this bound. Malformed text passes: the parser itself refuses it. */
static bool depth_is_bounded(struct slice text) {
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (in_string) {
            i += byte == '\\';
            in_string = byte != '"';
        } else if (byte == '"') {
            in_string = true;
        } else if (byte == '[' || byte == '{') {
            depth++;
        } else if ((byte == ']' || byte == '}') && depth > 0) {
            depth--;
        }
        if (depth > DEPTH_MAX) {
            return false;
        }
    }
    return true;
}

static bool numbers_are_ours(const struct json *value);

static bool member_is_ours([[maybe_unused]] void *context, [[maybe_unused]] const char *key,
                           const struct json *value) {
    return numbers_are_ours(value);
}

/* Recursion is bounded by DEPTH_MAX. */
static bool numbers_are_ours(const struct json *value) {
    if (json_is_real(peek(value))) {
        return false;
    }
    if (json_is_integer(peek(value))) {
        json_int_t number = json_integer_value(peek(value));
        return number >= -INTEGER_MAX && number <= INTEGER_MAX;
    }
    for (size_t i = 0; i < json_array_count(value); i++) {
        if (!numbers_are_ours(json_array_at(value, i))) {
            return false;
        }
    }
    return json_each(value, member_is_ours, nullptr);
}

status_t json_parse(struct slice text, const char *what, struct json **ret, struct error *err) {
    if (!depth_is_bounded(text)) {
        return error_set(err, ERROR_BAD_ENCODING, 0, "%s nests deeper than %d levels", what,
                         DEPTH_MAX);
    }
    if (text.size > 0 && memchr(text.data, 0, text.size) != nullptr) {
        /* Jansson takes a NUL after the document for its end. */
        return error_set(err, ERROR_BAD_ENCODING, 0, "%s holds a NUL byte", what);
    }
    json_error_t why;
    const char *data = text.size == 0 ? "" : (const char *)text.data;
    CLEANUP(json_freep)
    struct json *value =
        (struct json *)json_loadb(data, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (value == nullptr) {
        struct builder reason;
        builder_init(&reason, 4 * sizeof why.text);
        text_escape(slice_of_string(why.text), &reason);
        status_t status = error_set(err, ERROR_BAD_ENCODING, 0, "%s is not valid JSON", what);
        error_detail(err, "line %d, column %d: %s", why.line, why.column,
                     builder_c_string(&reason));
        builder_deinit(&reason);
        return status;
    }
    if (!numbers_are_ours(value)) {
        return error_set(err, ERROR_BAD_ENCODING, 0,
                         "%s holds a number that is no integer within 2^53-1", what);
    }
    *ret = TAKE(value);
    return STATUS_OK;
}
