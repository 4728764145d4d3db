/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs while Airlock is built: reads the templates of profiles/templates and writes them as a C
 * table, each with the digest of its definition.
 *
 *   template_gen OUTPUT FILE...
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/template.h"

static void print(FILE *out, const struct template_row *row) {
    const struct template_limits *limits = &row->limits;
    fprintf(out, "    {\n        .name = \"%s\",\n        .summary = \"%s\",\n", row->name,
            row->summary);
    fprintf(out, "        .seccomp = %u,\n        .network = %u,\n        .caches = %u,\n",
            (unsigned)row->seccomp, (unsigned)row->network, (unsigned)row->caches);
    fprintf(out,
            "        .limits = {%" PRIu64 "u, %u, %u, %u, %" PRIu64 "u, %" PRIu64 "u, %" PRIu64
            "u, %" PRIu64 "u, %" PRIu64 "u, %" PRIu64 "u},\n",
            limits->memory_bytes_max, limits->pid_count_max, limits->cpu_weight,
            limits->cpu_percent_max, limits->wall_ms_max, limits->stage_bytes_max,
            limits->file_bytes_max, limits->output_bytes_max, limits->read_rate_max,
            limits->write_rate_max);
    fprintf(out, "        .agent_wall_ms_max = %" PRIu64 "u,\n        .digest = \"%s\",\n    },\n",
            row->agent_wall_ms_max, row->digest);
}

static bool add(FILE *out, const char *path) {
    static char text[LIMIT_TEMPLATE_BYTES];
    char name[TEMPLATE_NAME_BYTES] = "";
    const char *last = strrchr(path, '/');
    last = last == nullptr ? path : last + 1;
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(last, "."), last);
    FILE *file = fopen(path, "re");
    if (file == nullptr) {
        fprintf(stderr, "template_gen: cannot read %s\n", path);
        return false;
    }
    size_t size = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    struct template_definition *definition = nullptr;
    struct error err = {};
    struct template_source source = {.file = path, .name = name};
    if (!status_is_ok(template_parse(slice_of(text, size), &source, &definition, &err)) ||
        strpbrk(definition->summary, "\"\\\n") != nullptr) {
        fprintf(stderr, "template_gen: %s\n%s\n", err.message, err.hint);
        return false;
    }
    print(out, &definition->row);
    template_definition_freep(&definition);
    return true;
}

int main(int argc, char **argv) {
    FILE *out = argc > 2 ? fopen(argv[1], "we") : nullptr;
    if (out == nullptr) {
        fprintf(stderr, "usage: template_gen OUTPUT FILE...\n");
        return 2;
    }
    fprintf(out, "/* Made by src/sandbox/template_gen.c from profiles/templates. */\n"
                 "static const struct template_row templates[] = {\n");
    for (int i = 2; i < argc; i++) {
        if (!add(out, argv[i])) {
            return 1;
        }
    }
    fprintf(out, "};\n");
    return fclose(out) == 0 ? 0 : 1;
}
