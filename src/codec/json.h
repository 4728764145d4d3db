/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON values: a thin wall around Jansson, so that the rest of the tree sees one strict parser
 * (RFC 8259, no duplicate keys, no NUL, bounded depth) and one canonical writer (RFC 8785).
 * Numbers are integers within +-(2^53-1); anything else is refused on the way in.
 * Running out of memory while building a value aborts: values are small and bounded.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

struct json; /* a value; owned by whoever made it, or by the container it was put in */

struct json *json_object_new(void);
struct json *json_array_new(void);
struct json *json_text_new(struct slice utf8); /* bytes that are not UTF-8 are a programmer error */
struct json *json_integer_new(int64_t value);  /* past +-(2^53-1): a decimal string */
struct json *json_clone(const struct json *value); /* deep */
void json_free(struct json *value);                /* nullptr is fine */
void json_freep(struct json **value);

/* Setters on an object; an older value under the key is freed. `text` must be UTF-8: text_escape()
 * in codec/text.h makes any bytes so. */
void json_set(struct json *object, const char *key, struct json *consumed);
void json_set_text(struct json *object, const char *key, const char *text);
void json_set_integer(struct json *object, const char *key, int64_t value);
void json_set_bool(struct json *object, const char *key, bool value);
void json_append(struct json *array, struct json *consumed);
void json_append_text(struct json *array, const char *text);

/* Getters borrow. A missing key or another type answers nullptr / false and leaves *ret alone. */
const struct json *json_get(const struct json *object, const char *key);
const char *json_get_text(const struct json *object, const char *key);
bool json_get_integer(const struct json *object, const char *key, int64_t *ret);
size_t json_array_count(const struct json *array); /* 0 when it is no array */
const struct json *json_array_at(const struct json *array, size_t index);
const char *json_as_text(const struct json *value); /* nullptr when it is no string */

/* For those who walk a value they do not know: what it is, and its members in no certain order.
 * json_each() stops and answers false when a visit does; no object has no members. */
enum json_kind : uint8_t {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INTEGER,
    JSON_KIND_TEXT,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};
enum json_kind json_kind_of(const struct json *value); /* value is not nullptr */
int64_t json_as_integer(const struct json *value);     /* 0 when it is none */
bool json_as_bool(const struct json *value);           /* false when it is none */
size_t json_object_count(const struct json *object);   /* 0 when it is none */
typedef bool json_visit(void *context, const char *key, const struct json *value);
bool json_each(const struct json *object, json_visit *visit, void *context);

/* Parses one whole document; `what` names it in the error (ERROR_BAD_ENCODING). */
status_t json_parse(struct slice text, const char *what, struct json **ret, struct error *err);

/* Writes RFC 8785 canonical JSON; the builder shows a failure. */
void json_write_canonical(const struct json *value, struct builder *out);
/* Writes for people: two spaces of indent, keys sorted, a final newline. */
void json_write_pretty(const struct json *value, struct builder *out);
