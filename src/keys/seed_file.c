/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/seed_file.h"

#include <string.h>

#include "codec/text.h"
#include "sys/file.h"

static const char HAS_SIGNED[] = "signed\n";
static const char FOLLOWS[] = "follows ";
enum { TEXT_BYTES_MAX = 512 };

static bool line_skip(struct slice *line, const char *prefix) {
    size_t size = strlen(prefix);
    if (!slice_starts_with(*line, slice_of_string(prefix))) {
        return false;
    }
    *line = slice_of(line->data + size, line->size - size);
    return true;
}

static bool seed_parse(const struct seed_form *form, struct slice text, struct seed *ret_seed) {
    struct cursor cursor = cursor_of(text);
    struct slice header = cursor_bytes(&cursor, strlen(form->header));
    struct slice line = cursor_until(&cursor, '\n');
    struct slice followed = form->follows ? cursor_until(&cursor, '\n') : SLICE_LITERAL("");
    ret_seed->has_signed = cursor_is_ok(&cursor) && !cursor_is_finished(&cursor);
    return (!ret_seed->has_signed ||
            slice_equal(cursor_bytes(&cursor, sizeof HAS_SIGNED - 1), SLICE_LITERAL(HAS_SIGNED))) &&
           cursor_is_finished(&cursor) && slice_equal(header, slice_of_string(form->header)) &&
           (!form->follows ||
            (line_skip(&followed, FOLLOWS) && note_vkey_parse(followed, &ret_seed->followed))) &&
           text_unhex(line, ret_seed->bytes, sizeof ret_seed->bytes);
}

static void text_wipe(struct builder *text) {
    if (text->data != nullptr) {
        explicit_bzero(text->data, text->capacity);
    }
    builder_deinit(text);
}

status_t seed_read(int folder, const char *name, const struct seed_form *form,
                   struct seed *ret_seed, bool *ret_found, struct error *err) {
    struct builder text;
    *ret_seed = (struct seed){0};
    builder_init(&text, TEXT_BYTES_MAX);
    status_t status = file_read(folder, name, &text, ret_found, err);
    if (status_is_ok(status) && *ret_found && !seed_parse(form, builder_slice(&text), ret_seed)) {
        status = error_set(err, ERROR_KEYS_FAILED, 0, "keys/%s is damaged", name);
    }
    text_wipe(&text);
    return status;
}

status_t seed_write(int folder, const char *name, const struct seed_form *form,
                    const struct seed *seed, struct error *err) {
    static const struct file_write_options OPTIONS = {.mode = 0600, .durable = true};
    struct builder text;
    builder_init(&text, TEXT_BYTES_MAX);
    builder_text(&text, form->header);
    text_hex(slice_of(seed->bytes, sizeof seed->bytes), &text);
    builder_u8(&text, '\n');
    if (form->follows) {
        builder_text(&text, FOLLOWS);
        note_vkey_format(&seed->followed, &text);
        builder_u8(&text, '\n');
    }
    builder_text(&text, seed->has_signed ? HAS_SIGNED : "");
    status_t status = builder_is_ok(&text)
                          ? file_write_atomic(folder, name, builder_slice(&text), &OPTIONS, err)
                          : error_set(err, ERROR_NO_MEMORY, 0, "cannot write the log key");
    text_wipe(&text);
    return status;
}
