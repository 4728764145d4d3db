/* SPDX-License-Identifier: Apache-2.0 */
#include "load_kit.h"

#define FILE_OF(text) "version: 1\nextensions:\n" text

static void refused(const char *text, const char *why) {
    char shown[1 << 14];
    assert_int_not_equal(load_and_show(text, shown, sizeof shown), ERROR_NONE);
    if (strstr(shown, why) == nullptr) {
        fail_msg("%s---- gives\n%s---- and not \"%s\"", text, shown, why);
    }
}

static void what_is_no_extension_is_refused(void **state) {
    (void)state;
    refused("version: 1\nextensions: mine\n", "extensions must be a list");
    refused("version: 1\nextensions: { name: a, command: [b] }\n", "extensions must be a list");
    refused(FILE_OF("  - mine\n"), "an extension must be a mapping");
    refused(FILE_OF("  - name: a\n"), "this extension has no command");
    refused(FILE_OF("  - command: [b]\n"), "this extension has no name");
    refused(FILE_OF("  - { name: a b, command: [b] }\n"), "is no name");
    refused(FILE_OF("  - { name: a, command: b }\n"), "command must be a list");
    refused(FILE_OF("  - { name: a, command: [] }\n"), "command must be a list");
    refused(FILE_OF("  - { name: a, command: [b, [c]] }\n"), "a word of a command must be a text");
    refused(FILE_OF("  - { name: a, command: [b, ''] }\n"), "a word of a command has no value");
    refused(FILE_OF("  - { name: a, comand: [b] }\n"), "Did you mean \"command\"?");
    refused(FILE_OF("  - { name: a, command: [b], timeout: 100 }\n"), "timeout \"100\"");
    refused(FILE_OF("  - { name: a, command: [b], timeout: 0ms }\n"), "timeout \"0ms\"");
    refused(FILE_OF("  - { name: a, command: [b], timeout: 11s }\n"), "more than 10000 ms");
    refused(FILE_OF("  - { name: a, command: [b], folder: x }\n"), "is no absolute path");
    refused(FILE_OF("  - { name: a, command: [b] }\n  - { name: a, command: [c] }\n"),
            "is taken by the extension on line 3");
}

static void there_are_limits(void **state) {
    (void)state;
    char text[8192] = FILE_OF("");
    for (int i = 0; i < 9; i++) {
        char row[64];
        (void)snprintf(row, sizeof row, "  - { name: a%d, command: [b] }\n", i);
        (void)strcat(text, row);
    }
    refused(text, "this file has more than 8");
    (void)snprintf(text, sizeof text, FILE_OF("  - { name: a, command: [b"));
    for (int i = 0; i < 64; i++) {
        (void)strcat(text, ", c");
    }
    (void)strcat(text, "] }\n");
    refused(text, "this command has more than 64");
}

static void an_extension_is_read_as_it_stands(void **state) {
    (void)state;
    static struct policy_diagnostics diagnostics;
    struct policy_document *document = nullptr;
    struct error err = {};
    const char *text = FILE_OF("  - name: first\n"
                               "    command: [node, \"a b.ts\", $HOME]\n"
                               "    timeout: 2s\n"
                               "    folder: /etc/rules\n"
                               "  - { name: second, command: [x] }\n");
    assert_int_equal(
        policy_load(slice_of_string(text), "policy.yaml", &diagnostics, &document, &err).code, 0);
    assert_int_equal(document->extension_count, 2);
    const struct policy_extension_source *one = &document->extensions[0];
    assert_string_equal(one->name, "first");
    assert_string_equal(one->command[0], "node");
    assert_string_equal(one->command[1], "a b.ts");
    assert_string_equal(one->command[2], "$HOME");
    assert_null(one->command[3]);
    assert_int_equal(one->timeout_ms, 2000);
    assert_string_equal(one->folder, "/etc/rules");
    assert_int_equal(one->at.line, 3);
    one = &document->extensions[1];
    assert_int_equal(one->timeout_ms, 100);
    assert_null(one->folder);
    assert_null(one->command[1]);
    policy_document_free(document);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_extension_is_refused),
        cmocka_unit_test(there_are_limits),
        cmocka_unit_test(an_extension_is_read_as_it_stands),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
