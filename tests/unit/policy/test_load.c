/* SPDX-License-Identifier: Apache-2.0 */
#include "load_kit.h"

static void unknown_keys_name_the_nearest(void **state) {
    (void)state;
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: fs.write, pathh: x }\n"
          "    action: allow\n",
          "policy.yaml:4:35: error: there is no key \"pathh\" in match\n"
          "    4 |     match: { operation: fs.write, pathh: x }\n"
          "      |                                   ^\n"
          "  hint: Did you mean \"path\"?\n");
    shows("version: 1\n"
          "rulse: []\n",
          "policy.yaml:2:1: error: there is no key \"rulse\" in a policy\n"
          "    2 | rulse: []\n"
          "      | ^\n"
          "  hint: Did you mean \"rules\"?\n");
}

static void the_version_is_one(void **state) {
    (void)state;
    shows("version: 2\n", "policy.yaml:1:10: error: version 2 is not known\n"
                          "    1 | version: 2\n"
                          "      |          ^\n"
                          "  hint: Write version: 1, the only one there is.\n");
    shows("version: \"1\"\n", "policy.yaml:1:10: error: version \"1\" is not known\n"
                              "    1 | version: \"1\"\n"
                              "      |          ^\n"
                              "  hint: Write version: 1, the only one there is.\n");
    shows("rules: []\n", "policy.yaml:1:1: error: the file has no version\n"
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
          "policy.yaml:5:13: error: there is no action \"alow\"\n"
          "    5 |     action: alow\n"
          "      |             ^\n"
          "  hint: Did you mean \"allow\"?\n");
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: fs.write }\n"
          "    action: permit\n",
          "policy.yaml:5:13: error: there is no action \"permit\"\n"
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
          "policy.yaml:3:5: error: this rule has no match\n"
          "    3 |   - name: a\n"
          "      |     ^\n"
          "  hint: Say what it is about: match: { operation: ... }\n"
          "policy.yaml:3:5: error: this rule has no action\n"
          "    3 |   - name: a\n"
          "      |     ^\n"
          "  hint: Give it one of: allow, deny, require_review, pass.\n"
          "policy.yaml:4:5: error: this rule has no name\n"
          "    4 |   - match: { operation: x }\n"
          "      |     ^\n"
          "  hint: Give it one that no other rule of the file has: name: ...\n"
          "policy.yaml:4:5: error: this rule has no action\n"
          "    4 |   - match: { operation: x }\n"
          "      |     ^\n"
          "  hint: Give it one of: allow, deny, require_review, pass.\n"
          "policy.yaml:5:5: error: this rule has no name\n"
          "    5 |   - action: deny\n"
          "      |     ^\n"
          "  hint: Give it one that no other rule of the file has: name: ...\n"
          "policy.yaml:5:5: error: this rule has no match\n"
          "    5 |   - action: deny\n"
          "      |     ^\n"
          "  hint: Say what it is about: match: { operation: ... }\n"
          "policy.yaml:6:5: error: a rule must be a mapping of keys\n"
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
          "policy.yaml:6:11: error: the name \"twice\" is taken by the rule on line 3\n"
          "    6 |   - name: twice\n"
          "      |           ^\n"
          "  hint: Decisions name the rule behind them: give each a name of its own.\n");
}

static void rules_that_do_not_mean_what_they_say(void **state) {
    (void)state;
    shows("version: 1\n"
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
          "policy.yaml:4:34: warning: an empty list of path matches nothing\n"
          "    4 |     match: { operation: x, path: [] }\n"
          "      |                                  ^\n"
          "  hint: Take the key out to match every value, or name some.\n"
          "policy.yaml:8:38: warning: this except is the same as the match: the rule \"b\" never "
          "triggers\n"
          "    8 |     except: [ { path: a, operation: [x, y, x] } ]\n"
          "      |                                      ^\n"
          "  hint: Take the rule out, or make the except narrower.\n"
          "policy.yaml:10:5: warning: constraints change nothing in a rule that does not allow or "
          "review\n"
          "   10 |     constraints: { max_files: 3 }\n"
          "      |     ^\n"
          "  hint: To deny only some requests, name them in match.\n"
          "policy.yaml:14:11: warning: the rule \"d\" is never reached: \"c\" on line 11 denies "
          "the same\n"
          "   14 |   - name: d\n"
          "      |           ^\n"
          "  hint: Take one of the two out; a deny always wins.\n"
          "policy.yaml:17:11: warning: the rule \"e\" is shadowed: \"c\" on line 11 says the same\n"
          "   17 |   - name: e\n"
          "      |           ^\n"
          "  hint: Take one of the two out.\n");
}

static void an_empty_file_denies_everything(void **state) {
    (void)state;
    shows("", "policy.yaml:1:1: warning: the file is empty: everything is denied\n"
              "    1 | \n"
              "      | ^\n"
              "  hint: Take the file away to have the default again, or give it rules.\n");
}

static void other_yaml_is_no_policy(void **state) {
    (void)state;
    shows("just text\n", "policy.yaml:1:1: error: a policy must be a mapping of keys\n"
                         "    1 | just text\n"
                         "      | ^\n"
                         "  hint: Write it as key: value, or { key: value, ... }.\n");
    shows("version: 1\n"
          "rules: { a: b }\n",
          "policy.yaml:2:8: error: rules must be a list\n"
          "    2 | rules: { a: b }\n"
          "      |        ^\n"
          "  hint: Begin each rule with \"- name: ...\".\n");
    shows("version: 1\n"
          "rules:\n"
          "  - name: a\n"
          "    match: { operation: x, operation: y }\n",
          "policy.yaml:4:28: error: the key \"operation\" stands here twice\n"
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
        cmocka_unit_test(rules_that_do_not_mean_what_they_say),
        cmocka_unit_test(an_empty_file_denies_everything),
        cmocka_unit_test(other_yaml_is_no_policy),
    };
    return cmocka_run_group_tests_name("policy/load", tests, nullptr, nullptr);
}
