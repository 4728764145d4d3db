/* SPDX-License-Identifier: Apache-2.0 */
#include "load_kit.h"

static void keys_of_a_rule_have_their_kind(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: { x: y } }\n"
          "    action: [allow]\n"
          "    except: nothing\n"
          "    constraints: no\n"
          "    reason:\n",
          "policy.yaml:4:25: error: operation must be a text or a list of texts\n"
          "    4 |     match: { operation: { x: y } }\n"
          "      |                         ^\n"
          "  hint: Write one value, or a list: [a, b].\n"
          "policy.yaml:5:13: error: action must be a text, not a list\n"
          "    5 |     action: [allow]\n"
          "      |             ^\n"
          "  hint: Write one value here.\n"
          "policy.yaml:6:13: error: except must be a list of what a match may say\n"
          "    6 |     except: nothing\n"
          "      |             ^\n"
          "  hint: Write a list: [ { path: \"tests/**\" } ].\n"
          "policy.yaml:7:18: error: constraints must be a mapping of keys\n"
          "    7 |     constraints: no\n"
          "      |                  ^\n"
          "  hint: Write it as key: value, or { key: value, ... }.\n"
          "policy.yaml:8:5: error: reason has no value\n"
          "    8 |     reason:\n"
          "      |     ^\n"
          "  hint: Give it a value, or take it out.\n");
}

static void constraints_have_their_units(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: x }\n"
          "    action: allow\n"
          "    constraints:\n"
          "      max_file_size: 100kb\n"
          "      max_total_size: 99999999999GiB\n"
          "      max_files: 1KiB\n"
          "      rate: 10/1M\n"
          "      window: 9-17\n"
          "      reviewers: 0\n",
          "policy.yaml:7:22: error: max_file_size \"100kb\" has an unknown unit\n"
          "    7 |       max_file_size: 100kb\n"
          "      |                      ^\n"
          "  hint: Sizes are bytes, or have one of KiB MiB GiB KB MB GB.\n"
          "policy.yaml:8:23: error: max_total_size \"99999999999GiB\" is too large\n"
          "    8 |       max_total_size: 99999999999GiB\n"
          "      |                       ^\n"
          "  hint: Sizes are bytes, or have one of KiB MiB GiB KB MB GB.\n"
          "policy.yaml:9:18: error: max_files \"1KiB\" has an unknown unit\n"
          "    9 |       max_files: 1KiB\n"
          "      |                  ^\n"
          "  hint: Write a whole number of files.\n"
          "policy.yaml:10:13: error: rate \"10/1M\" has an unknown unit\n"
          "   10 |       rate: 10/1M\n"
          "      |             ^\n"
          "  hint: Write how many in which time, as in 10/1m; times are ms s m h.\n"
          "policy.yaml:11:15: error: window \"9-17\" has the wrong form\n"
          "   11 |       window: 9-17\n"
          "      |               ^\n"
          "  hint: Write it as \"09:00-17:30\", in UTC.\n"
          "policy.yaml:12:18: error: reviewers \"0\" is zero\n"
          "   12 |       reviewers: 0\n"
          "      |                  ^\n"
          "  hint: Write how many people have to agree, 1 to 255.\n");
}

static void constraints_have_their_words(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: x }\n"
          "    action: allow\n"
          "    constraints: { token: needed, days: [monday, fri], reviewer: terminl, sandbox: \"a "
          "b\", max_size: 1 }\n",
          "policy.yaml:6:27: error: there is no token \"needed\"\n"
          "    6 |     constraints: { token: needed, days: [monday, fri], reviewer: terminl, "
          "sandbox: \"a b\"...\n"
          "      |                           ^\n"
          "  hint: There is: required.\n"
          "policy.yaml:6:42: error: there is no day \"monday\"\n"
          "    6 |     constraints: { token: needed, days: [monday, fri], reviewer: terminl, "
          "sandbox: \"a b\"...\n"
          "      |                                          ^\n"
          "  hint: There is: mon, tue, wed, thu, fri, sat, sun.\n"
          "policy.yaml:6:66: error: there is no reviewer \"terminl\"\n"
          "    6 |     constraints: { token: needed, days: [monday, fri], reviewer: terminl, "
          "sandbox: \"a b\"...\n"
          "      |                                                                  ^\n"
          "  hint: Did you mean \"terminal\"?\n"
          "policy.yaml:6:84: error: sandbox \"a b\" is no name\n"
          "    6 | ... [monday, fri], reviewer: terminl, sandbox: \"a b\", max_size: 1 }\n"
          "      |                                                ^\n"
          "  hint: A name has letters, digits, dots, dashes and underscores.\n"
          "policy.yaml:6:91: error: there is no key \"max_size\" in constraints\n"
          "    6 | ...y, fri], reviewer: terminl, sandbox: \"a b\", max_size: 1 }\n"
          "      |                                                ^\n"
          "  hint: Did you mean \"max_files\"?\n");
}

static void values_of_the_wrong_kind_or_form(void **state) {
    (void)state;
    shows(
        "version: 1\n"
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
        "policy.yaml:3:11: error: name \"a b\" is no name\n"
        "    3 |   - name: a b\n"
        "      |           ^\n"
        "  hint: A name has letters, digits, dots, dashes and underscores.\n"
        "policy.yaml:4:12: error: match names no field\n"
        "    4 |     match: {}\n"
        "      |            ^\n"
        "  hint: To match everything, write operation: \"*\".\n"
        "policy.yaml:7:25: error: \"fs.*.x\" has a star that is not at its end\n"
        "    7 |     match: { operation: \"fs.*.x\", path: [\"a[\", \"!x\"], host: \"*x.org\", "
        "port: [70000, 90.....\n"
        "      |                         ^\n"
        "  hint: A star may stand at the end only, as in \"fs.*\".\n"
        "policy.yaml:7:42: error: the path \"a[\" cannot be used: [ opens a class that ] does not "
        "close\n"
        "    7 |     match: { operation: \"fs.*.x\", path: [\"a[\", \"!x\"], host: \"*x.org\", "
        "port: [70000, 90.....\n"
        "      |                                          ^\n"
        "  hint: A path is written as in a .gitignore file, relative to the workspace.\n"
        "policy.yaml:7:61: error: \"*x.org\" is no host\n"
        "    7 |     match: { operation: \"fs.*.x\", path: [\"a[\", \"!x\"], host: \"*x.org\", "
        "port: [70000, 90.....\n"
        "      |                                                             ^\n"
        "  hint: Write a name, an address, or \"*.example.org\" for any name below it.\n"
        "policy.yaml:7:78: error: the port \"70000\" is too large\n"
        "    7 | ... path: [\"a[\", \"!x\"], host: \"*x.org\", port: [70000, 90..80], size: 5XB, "
        "argument_digest: ...\n"
        "      |                                                ^\n"
        "  hint: A port is at most 65535.\n"
        "policy.yaml:7:85: error: the port \"90..80\" ends before it begins\n"
        "    7 | ...[\"a[\", \"!x\"], host: \"*x.org\", port: [70000, 90..80], size: 5XB, "
        "argument_digest: abc }\n"
        "      |                                                ^\n"
        "  hint: Write a number or a range: 80, 8000..8099, 1024..\n"
        "policy.yaml:7:100: error: the size \"5XB\" has an unknown unit\n"
        "    7 | ...ost: \"*x.org\", port: [70000, 90..80], size: 5XB, argument_digest: abc }\n"
        "      |                                                ^\n"
        "  hint: Write bytes, KiB MiB GiB or KB MB GB, or a range: ..100KiB, 1MiB..\n"
        "policy.yaml:7:122: error: \"abc\" is no digest\n"
        "    7 | ...70000, 90..80], size: 5XB, argument_digest: abc }\n"
        "      |                                                ^\n"
        "  hint: Write sha256: and 64 lower-case hex digits.\n"
        "policy.yaml:10:29: error: operation must be a text, not a list\n"
        "   10 |     match: { operation: [a, [b]], path: [\"!x\", \"!y\"] , caller: ~ }\n"
        "      |                             ^\n"
        "  hint: Write one value here.\n"
        "policy.yaml:10:42: error: this list only takes paths out\n"
        "   10 |     match: { operation: [a, [b]], path: [\"!x\", \"!y\"] , caller: ~ }\n"
        "      |                                          ^\n"
        "  hint: Put \"**\" in front of it to take it out of everything.\n"
        "policy.yaml:10:56: error: caller has no value\n"
        "   10 |     match: { operation: [a, [b]], path: [\"!x\", \"!y\"] , caller: ~ }\n"
        "      |                                                        ^\n"
        "  hint: Give it a value, or take it out.\n");
}

static void network_and_exemptions_are_checked(void **state) {
    (void)state;
    shows("version: 1\n"
          "network: { whitelist: { default: [\"api.anthropic.com\", \"x:0\", \"*.hosts.test:443\", "
          "\"[::1]:443\"] }, blacklist: {} }\n"
          "tdd_exemptions: { documentation: { path: [\"*.md\"] }, x: {}, y: [a] }\n",
          "policy.yaml:2:35: error: \"api.anthropic.com\" is no host with a port: it has no "
          "port\n"
          "    2 | network: { whitelist: { default: [\"api.anthropic.com\", \"x:0\", "
          "\"*.hosts.test:443\", \"[::1]...\n"
          "      |                                   ^\n"
          "  hint: Write HOST:PORT, as in \"*.example.org:443\".\n"
          "policy.yaml:2:56: error: \"x:0\" is no host with a port: its port is no number "
          "from 1 to 65535\n"
          "    2 | network: { whitelist: { default: [\"api.anthropic.com\", \"x:0\", "
          "\"*.hosts.test:443\", \"[::1]...\n"
          "      |                                                        ^\n"
          "  hint: Write HOST:PORT, as in \"*.example.org:443\".\n"
          "policy.yaml:2:99: error: there is no key \"blacklist\" in network\n"
          "    2 | ... \"x:0\", \"*.hosts.test:443\", \"[::1]:443\"] }, blacklist: {} }\n"
          "      |                                                ^\n"
          "  hint: There is: whitelist.\n"
          "policy.yaml:3:57: error: this exemption has no path\n"
          "    3 | tdd_exemptions: { documentation: { path: [\"*.md\"] }, x: {}, y: [a] }\n"
          "      |                                                         ^\n"
          "  hint: Name the paths: { path: [\"*.md\"] }.\n"
          "policy.yaml:3:64: error: an exemption must be a mapping of keys\n"
          "    3 | tdd_exemptions: { documentation: { path: [\"*.md\"] }, x: {}, y: [a] }\n"
          "      |                                                                ^\n"
          "  hint: Write it as key: value, or { key: value, ... }.\n");
}

static void a_reason_shows_as_it_is(void **state) {
    (void)state;
    static const char *const hostile[] = {"\"\\e[2J\"", "\"a\\nb\"", "\"\\u202e\"", "\"\\x9b2J\"",
                                          "\"\\u200b\""};
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        char text[256];
        char shown[1024];
        (void)snprintf(text, sizeof text,
                       "version: 1\nrules:\n  - name: a\n    match: { operation: x }\n"
                       "    action: deny\n    reason: %s\n",
                       hostile[i]);
        assert_int_equal(load_and_show(text, shown, sizeof shown), ERROR_POLICY_INVALID);
        assert_non_null(strstr(shown, "policy.yaml:6:13: error: the reason holds a character"));
    }
    shows("version: 1\nrules:\n  - name: a\n    match: { operation: x }\n"
          "    action: deny\n    reason: \"caf\\u00e9 \\\\ caf\u00e9\"\n",
          "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_a_rule_have_their_kind),
        cmocka_unit_test(a_reason_shows_as_it_is),
        cmocka_unit_test(constraints_have_their_units),
        cmocka_unit_test(constraints_have_their_words),
        cmocka_unit_test(values_of_the_wrong_kind_or_form),
        cmocka_unit_test(network_and_exemptions_are_checked),
    };
    return cmocka_run_group_tests_name("policy/load_values", tests, nullptr, nullptr);
}
