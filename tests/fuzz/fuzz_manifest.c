/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests: what is not TOML is one finding with its place, and what is has findings in order,
 * each on a line of the text; reading it in parts overruns nothing. The same bytes as a template.
 */
#include <fcntl.h>

#include "base/assert.h"
#include "enclave/lint.h"
#include "enclave/manifest.h"
#include "enclave/template.h"
#include "fuzz.h"

bool fuzz_seed(unsigned number, struct builder *out) {
    static const char *const SEEDS[] = {
        "libos.entrypoint = \"/p\"\nfs.mounts = [ { path = \"/p\", uri = \"file:p\" } ]\n"
        "[[sgx.trusted_files]]\nuri = \"file:./p//\"\nsha256 = '00'\n[loader.env]\nA = { "
        "passthrough = true }\n",
        "sgx.debug = true\nsgx.thread_num = 0x1_0\nfs.root = { type = 'tmpfs' } # \\u00e9\n"
        "sgx.allowed_files = [\n \"file:a\\u0041/\", ]\nsys.fds.limit = -5\n",
        "{% if a %}\n{{ a }}\n{% endif %}\n[x]\n",
    };
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number]);
    return true;
}

static uint32_t lines_of(struct slice text) {
    uint32_t lines = 1;
    for (size_t i = 0; i < text.size; i++) {
        lines += text.data[i] == '\n' ? 1 : 0;
    }
    return lines;
}

static void try_lint(struct slice text) {
    static struct lint_report report;
    uint32_t last = 0;
    int nowhere = open("/nonexistent", O_PATH | O_CLOEXEC);
    lint_manifest(text, nowhere, &report);
    for (uint32_t i = 0; i < report.count; i++) {
        ASSERT(report.findings[i].line >= last && report.findings[i].line <= lines_of(text));
        ASSERT(report.findings[i].message[0] != '\0');
        last = report.findings[i].line;
    }
}

static void try_manifest(struct slice text) {
    struct toml_tree *tree = nullptr;
    struct manifest manifest;
    struct error err;
    char path[128];
    if (!status_is_ok(toml_parse(text, "fuzz", nullptr, &tree, &err))) {
        return;
    }
    if (status_is_ok(manifest_read(toml_root(tree), &manifest, &err))) {
        (void)manifest_host_of(&manifest, manifest.entrypoint, path, sizeof path);
        for (uint32_t i = 0; i < manifest.trusted_count; i++) {
            for (uint32_t k = 0; k < manifest.mount_count && manifest.trusted[i].host; k++) {
                (void)manifest_inside(&manifest.mounts[k], manifest.trusted[i].host, path,
                                      sizeof path);
            }
        }
        manifest_deinit(&manifest);
    }
    toml_tree_free(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct template_value ROWS[] = {{"a", "{{ a }}"}};
    const struct template_values values = {ROWS, 1};
    struct slice text = slice_of(data, size);
    struct builder filled;
    struct error err;
    try_lint(text);
    try_manifest(text);
    builder_init(&filled, 1 << 20);
    (void)!status_is_ok(template_fill(text, &values, &filled, &err));
    builder_deinit(&filled);
    return 0;
}
