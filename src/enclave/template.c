/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/template.h"

#include <string.h>

struct filler {
    const struct template_values *values;
    struct builder *out;
    unsigned line;
    bool is_inside, is_left_out; /* of an if */
};

static const struct template_value *find(const struct filler *filler, struct slice name) {
    for (size_t i = 0; i < filler->values->count; i++) {
        if (slice_equal(name, slice_of_string(filler->values->rows[i].name))) {
            return &filler->values->rows[i];
        }
    }
    return nullptr;
}

static struct slice trim(struct slice text) {
    while (text.size > 0 && strchr(" \t\r\n", text.data[0]) != nullptr) {
        text = slice_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && strchr(" \t\r\n", text.data[text.size - 1]) != nullptr) {
        text.size--;
    }
    return text;
}

static status_t refuse(const struct filler *filler, const char *what, struct slice name,
                       struct error *err) {
    return error_set(err, ERROR_MANIFEST, 0, "line %u of the template: %s%.*s", filler->line, what,
                     (int)name.size, name.data != nullptr ? (const char *)name.data : "");
}

/* {% if NAME %} or {% endif %}: the whole line. */
static status_t take_statement(struct filler *filler, struct slice line, struct error *err) {
    struct slice body = trim(line);
    struct slice end = SLICE_LITERAL("%}");
    if (body.size < 4 || memcmp(body.data + body.size - 2, end.data, 2) != 0) {
        return refuse(filler, "a {% without its end", slice_of(nullptr, 0), err);
    }
    body = trim(slice_of(body.data + 2, body.size - 4));
    if (slice_equal(body, SLICE_LITERAL("endif")) && filler->is_inside) {
        filler->is_inside = false;
        filler->is_left_out = false;
        return STATUS_OK;
    }
    if (!slice_starts_with(body, SLICE_LITERAL("if ")) || filler->is_inside) {
        return refuse(filler, "no if and no endif that fits: ", body, err);
    }
    struct slice name = trim(slice_of(body.data + 3, body.size - 3));
    const struct template_value *value = find(filler, name);
    if (value == nullptr) {
        return refuse(filler, "nothing is known as ", name, err);
    }
    filler->is_inside = true;
    filler->is_left_out = value->text == nullptr;
    return STATUS_OK;
}

static status_t take_line(struct filler *filler, struct slice line, struct error *err) {
    while (line.size > 0) {
        const uint8_t *open = memmem(line.data, line.size, "{{", 2);
        size_t before = open == nullptr ? line.size : (size_t)(open - line.data);
        builder_bytes(filler->out, slice_of(line.data, before));
        if (open == nullptr) {
            break;
        }
        const uint8_t *close = memmem(open, line.size - before, "}}", 2);
        if (close == nullptr) {
            return refuse(filler, "a {{ without its }}", slice_of(nullptr, 0), err);
        }
        struct slice name = trim(slice_of(open + 2, (size_t)(close - open) - 2));
        const struct template_value *value = find(filler, name);
        if (value == nullptr || value->text == nullptr) {
            return refuse(filler, "nothing is known as ", name, err);
        }
        builder_text(filler->out, value->text);
        line = slice_of(close + 2, line.size - before - (size_t)(close - open) - 2);
    }
    return STATUS_OK;
}

status_t template_fill(struct slice template, const struct template_values *values,
                       struct builder *ret_text, struct error *err) {
    struct filler filler = {.values = values, .out = ret_text};
    while (template.size > 0) {
        const uint8_t *end = memchr(template.data, '\n', template.size);
        size_t size = end == nullptr ? template.size : (size_t)(end - template.data) + 1;
        struct slice line = slice_of(template.data, size);
        template = slice_of(template.data + size, template.size - size);
        filler.line++;
        if (slice_starts_with(trim(line), SLICE_LITERAL("{%"))) {
            TRY(take_statement(&filler, line, err));
        } else if (!filler.is_left_out) {
            TRY(take_line(&filler, line, err));
        }
    }
    if (filler.is_inside) {
        return refuse(&filler, "an if without its endif", slice_of(nullptr, 0), err);
    }
    return builder_is_ok(ret_text) ? STATUS_OK
                                   : error_set(err, ERROR_LIMIT, 0, "the manifest is too long");
}
