/* SPDX-License-Identifier: Apache-2.0
 *
 * A user's template is read only when a run names it. Its file is held to what the policy's is: a
 * regular file of the user's that nobody else can write, because it says what a sandbox may take.
 */
#include "kernel/templates.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "kernel/config.h"
#include "store/config.h"
#include "sys/fd.h"

static status_t unknown(const char *name, struct error *err) {
    struct builder shown;
    builder_init(&shown, 256);
    text_escape(slice_of_string(name), &shown);
    (void)error_set(err, ERROR_SANDBOX_TEMPLATE, 0, "there is no template named '%s'",
                    builder_c_string(&shown));
    builder_deinit(&shown);
    return (status_t){ERROR_SANDBOX_TEMPLATE};
}

static status_t read_own(const char *name, struct template_definition **ret, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    char file[TEMPLATE_NAME_BYTES + 32];
    CLEANUP(fd_closep) int fd = -1;
    (void)snprintf(file, sizeof file, "templates/%s.yaml", name);
    TRY(config_path(file, path, err));
    status_t opened = config_open_own(path, 022, ERROR_TEMPLATE_INVALID, &fd, err);
    if (!status_is_ok(opened)) {
        return err->os_errno == ENOENT ? unknown(name, err) : opened;
    }
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, LIMIT_TEMPLATE_BYTES);
    status_t status = fd_read_to_end(fd, path, &text, err);
    (void)limit_past(status.code == ERROR_LIMIT, LIMIT_ID_TEMPLATE_BYTES);
    TRY(status);
    struct template_source source = {.file = path, .name = name, .base = template_find};
    return template_parse(builder_slice(&text), &source, ret, err);
}

status_t templates_find(const char *name, struct template_definition **ret_definition,
                        const struct template_row **ret_row, struct error *err) {
    struct template_definition *definition = nullptr;
    const struct template_row *row = template_find(name);
    if (row == nullptr && !template_name_is_valid(name)) {
        return unknown(name, err);
    }
    if (row == nullptr) {
        TRY(read_own(name, &definition, err));
        row = &definition->row;
    }
    *ret_definition = definition;
    *ret_row = row;
    return STATUS_OK;
}

static void see(const char *name, templates_seen *seen, void *context) {
    CLEANUP(template_definition_freep) struct template_definition *definition = nullptr;
    struct error err = {};
    if (template_find(name) != nullptr) {
        (void)!error_set(&err, ERROR_TEMPLATE_INVALID, 0, "the name is taken by one of Airlock's")
            .code;
    } else if (!template_name_is_valid(name)) {
        (void)!error_set(&err, ERROR_TEMPLATE_INVALID, 0, "no template can have this name").code;
    } else if (status_is_ok(read_own(name, &definition, &err))) {
        seen(context, name, &definition->row, nullptr);
        return;
    }
    seen(context, name, nullptr, &err);
}

static int is_template(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && dot != nullptr && strcmp(dot, ".yaml") == 0;
}

void templates_each_own(templates_seen *seen, void *context) {
    char path[LIMIT_PATH_BYTES];
    struct dirent **entries = nullptr;
    struct error ignored;
    if (!status_is_ok(config_path("templates", path, &ignored))) {
        return;
    }
    int count = scandir(path, &entries, is_template, alphasort);
    for (int i = 0; i < count; i++) {
        if (i < LIMIT_TEMPLATES) {
            *strrchr(entries[i]->d_name, '.') = '\0';
            see(entries[i]->d_name, seen, context);
        } else {
            limit_hit(LIMIT_ID_TEMPLATES);
        }
        free(entries[i]);
    }
    free(entries);
}
