/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/network_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"

static bool has(const struct network_list *list, const char *name, size_t size) {
    for (size_t i = 0; i < list->count; i++) {
        if (strlen(list->names[i]) == size && memcmp(list->names[i], name, size) == 0) {
            return true;
        }
    }
    return false;
}

/* As the policy spells the names of groups. */
static bool is_name(const char *name, size_t size) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return size > 0 && size <= LIMIT_POLICY_NAME_BYTES && strspn(name, letters) >= size;
}

static status_t add_one(struct network_list *list, const char *name, size_t size,
                        struct error *err) {
    if (!is_name(name, size)) {
        (void)error_set(err, ERROR_USAGE, 0, "--net names no network group");
        error_hint(err, "Write the names of groups of your policy: --net npm,debian");
        return (status_t){ERROR_USAGE};
    }
    if (has(list, name, size)) {
        return STATUS_OK;
    }
    if (list->count == LIMIT_NETWORK_GROUPS) {
        limit_hit(LIMIT_ID_NETWORK_GROUPS);
        return error_set(err, ERROR_LIMIT, 0, "a run has at most %lld network groups",
                         (long long)LIMIT_NETWORK_GROUPS);
    }
    list->names = reallocarray(list->names, list->count + 1, sizeof *list->names);
    ASSERT(list->names != nullptr);
    list->names[list->count] = strndup(name, size);
    ASSERT(list->names[list->count] != nullptr);
    list->count++;
    return STATUS_OK;
}

status_t network_list_add(struct network_list *list, const char *text, struct error *err) {
    for (;;) {
        size_t size = strcspn(text, ",");
        TRY(add_one(list, text, size, err));
        if (text[size] == '\0') {
            return STATUS_OK;
        }
        text += size + 1;
    }
}

void network_list_deinit(struct network_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->names[i]);
    }
    free(list->names);
    *list = (struct network_list){};
}
