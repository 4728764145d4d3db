/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "policy/default.h"

/* Loads, and gives what a person would see; the document is thrown away. */
static enum error_code load_and_show(const char *text, char *ret_shown, size_t size) {
    static struct policy_diagnostics diagnostics;
    struct policy_document *document = nullptr;
    struct error err = {};
    struct builder out;
    builder_init(&out, 1 << 16);
    bool ok =
        status_is_ok(policy_load(slice_of_string(text), "p.yaml", &diagnostics, &document, &err));
    assert_int_equal(ok, document != nullptr);
    assert_int_equal(ok, diagnostics.error_count == 0);
    policy_diagnostics_format(&diagnostics, &out);
    (void)snprintf(ret_shown, size, "%s", builder_c_string(&out));
    builder_deinit(&out);
    policy_document_free(document);
    return ok ? ERROR_NONE : err.code;
}

static void shows(const char *text, const char *expected) {
    char shown[1 << 14];
    (void)load_and_show(text, shown, sizeof shown);
    if (strcmp(shown, expected) != 0) {
        print_error("----\n%s---- gives\n%s---- not\n%s", text, shown, expected);
    }
    assert_string_equal(shown, expected);
}

static void unknown_keys_name_the_nearest(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: fs.write, pathh: x }\n"
          "    action: allow\n",
          "p.yaml:4:35: error: there is no key \"pathh\" in match\n"
          "    4 |     match: { operation: fs.write, pathh: x }\n"
          "      |                                   ^\n"
          "  hint: Did you mean \"path\"?\n");
    shows("version: 1\n"
          "rulse: []\n",
          "p.yaml:2:1: error: there is no key \"rulse\" in a policy\n"
          "    2 | rulse: []\n"
          "      | ^\n"
          "  hint: Did you mean \"rules\"?\n");
}

static void the_version_is_one(void **state) {
    (void)state;
    shows("version: 2\n", "p.yaml:1:10: error: version 2 is not known\n"
                          "    1 | version: 2\n"
                          "      |          ^\n"
                          "  hint: Write version: 1, the only one there is.\n");
    shows("version: \"1\"\n", "p.yaml:1:10: error: version \"1\" is not known\n"
                              "    1 | version: \"1\"\n"
                              "      |          ^\n"
                              "  hint: Write version: 1, the only one there is.\n");
    shows("rules: []\n", "p.yaml:1:1: error: the file has no version\n"
                         "    1 | rules: []\n"
                         "      | ^\n"
                         "  hint: Begin the file with: version: 1\n");
}

static void unknown_actions_name_the_nearest_or_all(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: fs.write }\n"
          "    action: alow\n",
          "p.yaml:5:13: error: there is no action \"alow\"\n"
          "    5 |     action: alow\n"
          "      |             ^\n"
          "  hint: Did you mean \"allow\"?\n");
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: fs.write }\n"
          "    action: permit\n",
          "p.yaml:5:13: error: there is no action \"permit\"\n"
          "    5 |     action: permit\n"
          "      |             ^\n"
          "  hint: There is: allow, deny, require_review, pass.\n");
}

static void a_rule_needs_name_match_and_action(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "  - match: { operation: x }\n"
          "  - action: deny\n"
          "  - text\n",
          "p.yaml:3:5: error: this rule has no match\n"
          "    3 |   - name: a\n"
          "      |     ^\n"
          "  hint: Say what it is about: match: { operation: ... }\n"
          "p.yaml:3:5: error: this rule has no action\n"
          "    3 |   - name: a\n"
          "      |     ^\n"
          "  hint: Give it one of: allow, deny, require_review, pass.\n"
          "p.yaml:4:5: error: this rule has no name\n"
          "    4 |   - match: { operation: x }\n"
          "      |     ^\n"
          "  hint: Give it one that no other rule of the file has: name: ...\n"
          "p.yaml:4:5: error: this rule has no action\n"
          "    4 |   - match: { operation: x }\n"
          "      |     ^\n"
          "  hint: Give it one of: allow, deny, require_review, pass.\n"
          "p.yaml:5:5: error: this rule has no name\n"
          "    5 |   - action: deny\n"
          "      |     ^\n"
          "  hint: Give it one that no other rule of the file has: name: ...\n"
          "p.yaml:5:5: error: this rule has no match\n"
          "    5 |   - action: deny\n"
          "      |     ^\n"
          "  hint: Say what it is about: match: { operation: ... }\n"
          "p.yaml:6:5: error: a rule must be a mapping of keys\n"
          "    6 |   - text\n"
          "      |     ^\n"
          "  hint: Write it as key: value, or { key: value, ... }.\n");
}

static void names_are_given_once(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: twice\n"
          "    match: { operation: a }\n"
          "    action: allow\n"
          "  - name: twice\n"
          "    match: { operation: b }\n"
          "    action: allow\n",
          "p.yaml:6:11: error: the name \"twice\" is taken by the rule on line 3\n"
          "    6 |   - name: twice\n"
          "      |           ^\n"
          "  hint: Decisions name the rule behind them: give each a name of its own.\n");
}

static void constraints_of_the_wrong_kind_or_unit(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: { x: y } }\n"
          "    action: [allow]\n"
          "    except: nothing\n"
          "    constraints: { max_file_size: 100kb, rate: 10/1M, window: 9-17, token: needed, "
          "days: [monday], max_files: 1KiB, reviewers: 0, reviewer: me, sandbox: \"a b\", "
          "max_total_size: 99999999999GiB }\n"
          "    reason:\n",
          "p.yaml:4:25: error: operation must be a text or a list of texts\n"
          "    4 |     match: { operation: { x: y } }\n"
          "      |                         ^\n"
          "  hint: Write one value, or a list: [a, b].\n"
          "p.yaml:5:13: error: action must be a text, not a list\n"
          "    5 |     action: [allow]\n"
          "      |             ^\n"
          "  hint: Write one value here.\n"
          "p.yaml:6:13: error: except must be a list of what a match may say\n"
          "    6 |     except: nothing\n"
          "      |             ^\n"
          "  hint: Write a list: [ { path: \"tests/**\" } ].\n"
          "p.yaml:7:35: error: max_file_size \"100kb\" has an unknown unit\n"
          "    7 |     constraints: { max_file_size: 100kb, rate: 10/1M, window: 9-17, token: "
          "needed, days:...\n"
          "      |                                   ^\n"
          "  hint: Sizes are bytes, or have one of KiB MiB GiB KB MB GB.\n"
          "p.yaml:7:48: error: rate \"10/1M\" has an unknown unit\n"
          "    7 |     constraints: { max_file_size: 100kb, rate: 10/1M, window: 9-17, token: "
          "needed, days:...\n"
          "      |                                                ^\n"
          "  hint: Write how many in which time, as in 10/1m; times are ms s m h.\n"
          "p.yaml:7:63: error: window \"9-17\" has the wrong form\n"
          "    7 |     constraints: { max_file_size: 100kb, rate: 10/1M, window: 9-17, token: "
          "needed, days:...\n"
          "      |                                                               ^\n"
          "  hint: Write it as \"09:00-17:30\", in UTC.\n"
          "p.yaml:7:76: error: there is no token \"needed\"\n"
          "    7 | ...e: 100kb, rate: 10/1M, window: 9-17, token: needed, days: [monday], "
          "max_files: 1KiB, rev...\n"
          "      |                                                ^\n"
          "  hint: There is: required.\n"
          "p.yaml:7:91: error: there is no day \"monday\"\n"
          "    7 | ... 10/1M, window: 9-17, token: needed, days: [monday], max_files: 1KiB, "
          "reviewers: 0, revi...\n"
          "      |                                                ^\n"
          "  hint: There is: mon, tue, wed, thu, fri, sat, sun.\n"
          "p.yaml:7:111: error: max_files \"1KiB\" has an unknown unit\n"
          "    7 | ..., token: needed, days: [monday], max_files: 1KiB, reviewers: 0, reviewer: "
          "me, sandbox: \"...\n"
          "      |                                                ^\n"
          "  hint: Write a whole number of files.\n"
          "p.yaml:7:128: error: reviewers \"0\" is zero\n"
          "    7 | ...days: [monday], max_files: 1KiB, reviewers: 0, reviewer: me, sandbox: \"a "
          "b\", max_total_s...\n"
          "      |                                                ^\n"
          "  hint: Write how many people have to agree, 1 to 255.\n"
          "p.yaml:7:141: error: there is no reviewer \"me\"\n"
          "    7 | ...], max_files: 1KiB, reviewers: 0, reviewer: me, sandbox: \"a b\", "
          "max_total_size: 99999999...\n"
          "      |                                                ^\n"
          "  hint: There is: terminal, ui, client.\n"
          "p.yaml:7:154: error: sandbox \"a b\" is no name\n"
          "    7 | ... 1KiB, reviewers: 0, reviewer: me, sandbox: \"a b\", max_total_size: "
          "99999999999GiB }\n"
          "      |                                                ^\n"
          "  hint: A name has letters, digits, dots, dashes and underscores.\n"
          "p.yaml:7:177: error: max_total_size \"99999999999GiB\" is too large\n"
          "    7 | ...viewer: me, sandbox: \"a b\", max_total_size: 99999999999GiB }\n"
          "      |                                                ^\n"
          "  hint: Sizes are bytes, or have one of KiB MiB GiB KB MB GB.\n"
          "p.yaml:8:5: error: reason has no value\n"
          "    8 |     reason:\n"
          "      |     ^\n"
          "  hint: Give it a value, or take it out.\n");
}

static void values_of_the_wrong_kind_or_form(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a b\n"
          "    match: {}\n"
          "    action: allow\n"
          "  - name: b\n"
          "    match: { operation: \"fs.*.x\", path: [\"a[\", \"!x\"], host: \"*x.org\", port: "
          "[70000, 90..80], size: 5XB, argument_digest: abc }\n"
          "    action: allow\n"
          "  - name: c\n"
          "    match: { operation: [a, [b]], path: [\"!x\", \"!y\"] , caller: ~ }\n"
          "    action: allow\n",
          "p.yaml:3:11: error: name \"a b\" is no name\n"
          "    3 |   - name: a b\n"
          "      |           ^\n"
          "  hint: A name has letters, digits, dots, dashes and underscores.\n"
          "p.yaml:4:12: error: match names no field\n"
          "    4 |     match: {}\n"
          "      |            ^\n"
          "  hint: To match everything, write operation: \"*\".\n"
          "p.yaml:7:25: error: \"fs.*.x\" has a star that is not at its end\n"
          "    7 |     match: { operation: \"fs.*.x\", path: [\"a[\", \"!x\"], host: \"*x.org\", "
          "port: [70000, 90.....\n"
          "      |                         ^\n"
          "  hint: A star may stand at the end only, as in \"fs.*\".\n"
          "p.yaml:7:42: error: the path \"a[\" cannot be used: [ opens a class that ] does not "
          "close\n"
          "    7 |     match: { operation: \"fs.*.x\", path: [\"a[\", \"!x\"], host: \"*x.org\", "
          "port: [70000, 90.....\n"
          "      |                                          ^\n"
          "  hint: A path is written as in a .gitignore file, relative to the workspace.\n"
          "p.yaml:7:61: error: \"*x.org\" is no host\n"
          "    7 |     match: { operation: \"fs.*.x\", path: [\"a[\", \"!x\"], host: \"*x.org\", "
          "port: [70000, 90.....\n"
          "      |                                                             ^\n"
          "  hint: Write a name, an address, or \"*.example.org\" for any name below it.\n"
          "p.yaml:7:78: error: the port \"70000\" is too large\n"
          "    7 | ... path: [\"a[\", \"!x\"], host: \"*x.org\", port: [70000, 90..80], size: 5XB, "
          "argument_digest: ...\n"
          "      |                                                ^\n"
          "  hint: A port is at most 65535.\n"
          "p.yaml:7:85: error: the port \"90..80\" ends before it begins\n"
          "    7 | ...[\"a[\", \"!x\"], host: \"*x.org\", port: [70000, 90..80], size: 5XB, "
          "argument_digest: abc }\n"
          "      |                                                ^\n"
          "  hint: Write a number or a range: 80, 8000..8099, 1024..\n"
          "p.yaml:7:100: error: the size \"5XB\" has an unknown unit\n"
          "    7 | ...ost: \"*x.org\", port: [70000, 90..80], size: 5XB, argument_digest: abc }\n"
          "      |                                                ^\n"
          "  hint: Write bytes, KiB MiB GiB or KB MB GB, or a range: ..100KiB, 1MiB..\n"
          "p.yaml:7:122: error: \"abc\" is no digest\n"
          "    7 | ...70000, 90..80], size: 5XB, argument_digest: abc }\n"
          "      |                                                ^\n"
          "  hint: Write sha256: and 64 lower-case hex digits.\n"
          "p.yaml:10:29: error: operation must be a text, not a list\n"
          "   10 |     match: { operation: [a, [b]], path: [\"!x\", \"!y\"] , caller: ~ }\n"
          "      |                             ^\n"
          "  hint: Write one value here.\n"
          "p.yaml:10:42: error: this list only takes paths out\n"
          "   10 |     match: { operation: [a, [b]], path: [\"!x\", \"!y\"] , caller: ~ }\n"
          "      |                                          ^\n"
          "  hint: Put \"**\" in front of it to take it out of everything.\n"
          "p.yaml:10:56: error: caller has no value\n"
          "   10 |     match: { operation: [a, [b]], path: [\"!x\", \"!y\"] , caller: ~ }\n"
          "      |                                                        ^\n"
          "  hint: Give it a value, or take it out.\n");
}

static void network_and_exemptions_are_checked(void **state) {
    (void)state;
    shows("version: 1\n"
          "network: { whitelist: { default: [\"api.anthropic.com\", \"x:0\", \"*.debian.org:443\", "
          "\"[::1]:443\"] }, blacklist: {} }\n"
          "tdd_exemptions: { documentation: { path: [\"*.md\"] }, x: {}, y: [a] }\n",
          "p.yaml:2:35: error: \"api.anthropic.com\" is no host with a port\n"
          "    2 | network: { whitelist: { default: [\"api.anthropic.com\", \"x:0\", "
          "\"*.debian.org:443\", \"[::1]...\n"
          "      |                                   ^\n"
          "  hint: Write HOST:PORT, as in \"*.debian.org:443\".\n"
          "p.yaml:2:56: error: \"x:0\" is no host with a port\n"
          "    2 | network: { whitelist: { default: [\"api.anthropic.com\", \"x:0\", "
          "\"*.debian.org:443\", \"[::1]...\n"
          "      |                                                        ^\n"
          "  hint: Write HOST:PORT, as in \"*.debian.org:443\".\n"
          "p.yaml:2:99: error: there is no key \"blacklist\" in network\n"
          "    2 | ... \"x:0\", \"*.debian.org:443\", \"[::1]:443\"] }, blacklist: {} }\n"
          "      |                                                ^\n"
          "  hint: There is: whitelist.\n"
          "p.yaml:3:57: error: this exemption has no path\n"
          "    3 | tdd_exemptions: { documentation: { path: [\"*.md\"] }, x: {}, y: [a] }\n"
          "      |                                                         ^\n"
          "  hint: Name the paths: { path: [\"*.md\"] }.\n"
          "p.yaml:3:64: error: an exemption must be a mapping of keys\n"
          "    3 | tdd_exemptions: { documentation: { path: [\"*.md\"] }, x: {}, y: [a] }\n"
          "      |                                                                ^\n"
          "  hint: Write it as key: value, or { key: value, ... }.\n");
}

static void rules_that_do_not_mean_what_they_say(void **state) {
    (void)state;
    shows(
        "version: 1\n"
        "rules:\n"
        "  - name: a\n"
        "    match: { operation: x, path: [] }\n"
        "    action: allow\n"
        "  - name: b\n"
        "    match: { operation: [y, x], path: \"a\" }\n"
        "    except: [ { path: a, operation: [x, y, x] } ]\n"
        "    action: deny\n"
        "    constraints: { max_files: 3 }\n"
        "  - name: c\n"
        "    match: { operation: [x, y], path: [a] }\n"
        "    action: deny\n"
        "  - name: d\n"
        "    match: { operation: [x, y], path: a }\n"
        "    action: allow\n"
        "  - name: e\n"
        "    match: { operation: [y, x], path: a }\n"
        "    action: deny\n",
        "p.yaml:4:34: warning: an empty list of path matches nothing\n"
        "    4 |     match: { operation: x, path: [] }\n"
        "      |                                  ^\n"
        "  hint: Take the key out to match every value, or name some.\n"
        "p.yaml:8:38: warning: this except is the same as the match: the rule \"b\" never "
        "triggers\n"
        "    8 |     except: [ { path: a, operation: [x, y, x] } ]\n"
        "      |                                      ^\n"
        "  hint: Take the rule out, or make the except narrower.\n"
        "p.yaml:10:5: warning: constraints change nothing in a rule that does not allow or review\n"
        "   10 |     constraints: { max_files: 3 }\n"
        "      |     ^\n"
        "  hint: To deny only some requests, name them in match.\n"
        "p.yaml:14:11: warning: the rule \"d\" is never reached: \"c\" on line 11 denies the same\n"
        "   14 |   - name: d\n"
        "      |           ^\n"
        "  hint: Take one of the two out; a deny always wins.\n"
        "p.yaml:17:11: warning: the rule \"e\" is shadowed: \"c\" on line 11 says the same\n"
        "   17 |   - name: e\n"
        "      |           ^\n"
        "  hint: Take one of the two out.\n");
}

static void an_empty_file_denies_everything(void **state) {
    (void)state;
    shows("", "p.yaml:1:1: warning: the file is empty: everything is denied\n"
              "    1 | \n"
              "      | ^\n"
              "  hint: Take the file away to have the default again, or give it rules.\n");
}

static void other_yaml_is_no_policy(void **state) {
    (void)state;
    shows("just text\n", "p.yaml:1:1: error: a policy must be a mapping of keys\n"
                         "    1 | just text\n"
                         "      | ^\n"
                         "  hint: Write it as key: value, or { key: value, ... }.\n");
    shows("version: 1\n"
          "rules: { a: b }\n",
          "p.yaml:2:8: error: rules must be a list\n"
          "    2 | rules: { a: b }\n"
          "      |        ^\n"
          "  hint: Begin each rule with \"- name: ...\".\n");
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: x, operation: y }\n",
          "p.yaml:4:28: error: the key \"operation\" stands here twice\n"
          "    4 |     match: { operation: x, operation: y }\n"
          "      |                            ^\n"
          "  hint: Remove one of the two, or put both into one.\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_keys_name_the_nearest),
        cmocka_unit_test(the_version_is_one),
        cmocka_unit_test(unknown_actions_name_the_nearest_or_all),
        cmocka_unit_test(a_rule_needs_name_match_and_action),
        cmocka_unit_test(names_are_given_once),
        cmocka_unit_test(constraints_of_the_wrong_kind_or_unit),
        cmocka_unit_test(values_of_the_wrong_kind_or_form),
        cmocka_unit_test(network_and_exemptions_are_checked),
        cmocka_unit_test(rules_that_do_not_mean_what_they_say),
        cmocka_unit_test(an_empty_file_denies_everything),
        cmocka_unit_test(other_yaml_is_no_policy),
    };
    return cmocka_run_group_tests_name("policy/load", tests, nullptr, nullptr);
}
