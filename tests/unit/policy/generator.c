/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include <sys/stat.h>

#include "base/assert.h"

static uint64_t seed = 20260711;

unsigned generator_pick(unsigned below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

#define PICK(array) ((array)[generator_pick(sizeof(array) / sizeof((array)[0]))])

static const char *const OPERATIONS[] = {"fs.write", "fs.read", "run.exec", "stage.apply", "net"};
static const char *const OPERATION_WORDS[] = {"fs.write", "fs.read",     "run.exec", "fs.*",
                                              "*",        "stage.apply", "net",      "f*"};
static const char *const GLOBS[] = {
    "src/**",   "*.c",       "**",     "tests",       "Secrets/**", "src/*.c", "**/a",     "a/**/b",
    "docs/",    "/src",      "[a-c]*", "[!s]*",       "SRC/*.C",    "?",       "src/A/**", "*.C",
    "sec*/key", "*s/**/*.c", "a",      "[[:alpha:]]", "b/",         "**/b/*",  "\\a",      "*E*",
    "a*b*c",    "secrets",   "KEY",    "[A-C]",       "/*",         "/**"};
static const char *const EXCLUSIONS[] = {"!*.c", "!src/a", "!Secrets/open", "!secrets/a",
                                         "!a/",  "![a-c]", "!**/B",         "!KEY"};
static const char *const NAMES[] = {"src", "SRC", "tests", "secrets", "Secrets", "a",   "A",
                                    "b",   "B",   "c",     "key",     "x.c",     "x.C", "docs",
                                    "a.",  ".a",  "KEY",   "open",    ".git",    "abc", "a:b.c"};
static const char *const WORDS[] = {"one", "two", "o*", "*", "three", "one.two"};
static const char *const TEXTS[] = {"one", "two", "three", "one.two", "One"};
static const char *const ENGINE_WORDS[] = {"native", "podman", "docker", "p*", "*"};
static const char *const ENGINES[] = {"native", "podman", "docker"};
static const char *const HOST_WORDS[] = {"example.org", "*.example.org", "*", "A.example.org",
                                         "*.Org"};
static const char *const HOSTS[] = {"example.org", "a.example.org", "b.A.EXAMPLE.org",
                                    "org",         "example.org.",  "notexample.org"};
static const char *const RANGES[] = {"0..100", "50..5000", "80..80", "443..443", "0..0"};

static size_t add(char *spec, size_t used, const char *text) {
    int written = snprintf(spec + used, GENERATOR_SPEC_BYTES - used, "%s", text);
    ASSERT(written >= 0 && used + (size_t)written < GENERATOR_SPEC_BYTES);
    return used + (size_t)written;
}

#define ADD_VALUES(spec, used, words)                                      \
    do {                                                                   \
        for (unsigned n_ = 1 + generator_pick(3), v_ = 0; v_ < n_; v_++) { \
            (used) = add((spec), (used), v_ > 0 ? "," : "");               \
            (used) = add((spec), (used), PICK(words));                     \
        }                                                                  \
    } while (0)

static size_t add_paths(char *spec, size_t used) {
    used = add(spec, used, " path=");
    if (generator_pick(20) == 0) {
        return used; /* names nothing */
    }
    ADD_VALUES(spec, used, GLOBS);
    if (generator_pick(3) == 0) {
        used = add(spec, used, ",");
        used = add(spec, used, PICK(EXCLUSIONS));
    }
    return used;
}

/* A match or an except of up to four fields. */
void generator_spec(char *spec, bool with_operation) {
    size_t used = 0;
    spec[0] = '\0';
    if (with_operation) {
        used = add(spec, used, "operation=");
        ADD_VALUES(spec, used, OPERATION_WORDS);
    }
    if (generator_pick(3) > 0) {
        used = add_paths(spec, used);
    }
    static const char *const fields[] = {
        " caller=",   " caller_tag=", " session_mode=",    " workflow_state=", " method=",
        " template=", " transport=",  " argument_digest=", " network=",        " image="};
    if (generator_pick(4) == 0) {
        used = add(spec, used, PICK(fields));
        ADD_VALUES(spec, used, WORDS);
    }
    if (generator_pick(10) == 0) {
        used = add(spec, used, " engine=");
        ADD_VALUES(spec, used, ENGINE_WORDS);
    }
    if (generator_pick(8) == 0) {
        used = add(spec, used, " host=");
        ADD_VALUES(spec, used, HOST_WORDS);
    }
    if (generator_pick(8) == 0) {
        used = add(spec, used, generator_pick(2) == 0 ? " size=" : " port=");
        ADD_VALUES(spec, used, RANGES);
    }
}

static void make_constraints(struct policy_constraints *constraints) {
    constraints->present = true;
    switch (generator_pick(5)) {
    case 0:
        constraints->template_name = PICK(TEXTS);
        break;
    case 1:
        constraints->token_required = true;
        break;
    case 2:
        constraints->file_bytes_max = generator_pick(200);
        break;
    case 3:
        constraints->total_bytes_max = generator_pick(200);
        break;
    default:
        constraints->window_from_minute = (uint16_t)generator_pick(1440);
        constraints->window_to_minute = (uint16_t)generator_pick(1440);
        constraints->window_days = (uint8_t)generator_pick(128);
        break;
    }
}

void generator_document(struct kit *kit) {
    static const enum policy_action actions[] = {POLICY_ACTION_ALLOW,  POLICY_ACTION_ALLOW,
                                                 POLICY_ACTION_ALLOW,  POLICY_ACTION_DENY,
                                                 POLICY_ACTION_REVIEW, POLICY_ACTION_PASS};
    static char spec[GENERATOR_SPEC_BYTES];
    kit->rule_count = kit->value_count = kit->text_size = 0;
    unsigned count = generator_pick(8);
    for (unsigned i = 0; i < count; i++) {
        generator_spec(spec, generator_pick(5) > 0);
        struct policy_rule_source *rule =
            kit_rule(kit, "rule", PICK(actions), spec[0] == ' ' ? spec + 1 : spec);
        for (unsigned e = generator_pick(3); e > 0; e--) {
            generator_spec(spec, generator_pick(5) == 0);
            kit_except(kit, spec[0] == ' ' ? spec + 1 : spec);
        }
        if (generator_pick(6) == 0) {
            make_constraints(&rule->constraints);
        }
    }
}

static const char *maybe(const char *text) {
    return generator_pick(3) == 0 ? nullptr : text;
}

void generator_request(struct generator_request *asked) {
    size_t used = 0;
    for (unsigned depth = 1 + generator_pick(4), i = 0; i < depth; i++) {
        used += (size_t)snprintf(asked->path + used, sizeof asked->path - used, "%s%s",
                                 i > 0 ? "/" : "", PICK(NAMES));
    }
    asked->tags[0] = PICK(TEXTS);
    asked->tags[1] = PICK(TEXTS);
    asked->networks[0] = PICK(TEXTS);
    asked->networks[1] = PICK(TEXTS);
    asked->request = (struct policy_request){
        .operation = PICK(OPERATIONS),
        .caller = maybe(PICK(TEXTS)),
        .path = generator_pick(8) == 0 ? nullptr : asked->path,
        .mode = generator_pick(4) == 0 ? S_IFDIR | 0755 : S_IFREG | 0644,
        .template_name = maybe(PICK(TEXTS)),
        .at_command_line = generator_pick(2) == 0,
        .template_open = generator_pick(8) == 0,
        .issuing_token = generator_pick(8) == 0,
        .has_port = generator_pick(2) == 0,
        .has_size = generator_pick(2) == 0,
        .port = generator_pick(2) == 0 ? 443 : (uint16_t)generator_pick(200),
        .size = generator_pick(300),
        .caller_tags = asked->tags,
        .caller_tag_count = generator_pick(3),
        .networks = asked->networks,
        .engine = generator_pick(12) == 0 ? PICK(ENGINES) : nullptr,
        .image = generator_pick(4) == 0 ? PICK(TEXTS) : nullptr,
        .network_count = generator_pick(12) == 0 ? 1 + generator_pick(2) : 0,
        .session_mode = maybe(PICK(TEXTS)),
        .workflow_state = maybe(PICK(TEXTS)),
        .host = maybe(PICK(HOSTS)),
        .method = maybe(PICK(TEXTS)),
        .argument_digest = maybe(PICK(TEXTS)),
        .transport = maybe(PICK(TEXTS)),
        .now_ms = (UINT64_C(1783000000) + generator_pick(14 * 86400)) * 1000,
    };
}
