/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock doctor: what this machine gives, found out by trying it (kernel/doctor.h), and with
 * --inside what a sealed command can reach from within (cli/doctor_inside.c).
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/doctor_inside.h"
#include "cli/doctor_templates.h"
#include "cli/doctor_view.h"
#include "codec/text.h"
#include "kernel/doctor.h"
#include "kernel/workspace.h"

static const char EXAMPLES[] =
    "  airlock doctor\n"
    "  airlock doctor --templates\n"
    "  airlock doctor --inside\n"
    "  airlock doctor --inside --hidden ~/notes/passwords.txt\n"
    "\nexit status: 0 when runs in the default template are possible, and with --inside when\n"
    "nothing was found that a sealed command should not reach\n";

/* Text of ours mixed with a path of the user's. */
static const char *escaped(const char *text, struct builder *out) {
    builder_init(out, (size_t)4 * ERROR_HINT_BYTES_MAX);
    text_escape(slice_of_string(text), out);
    return builder_c_string(out);
}

static void print_report(const struct cli *cli, const char *heading,
                         const struct wall_report *report) {
    static const struct {
        const char *mark;
        enum cli_color color;
    } marks[] = {
        [WALL_THERE] = {"ok", CLI_GREEN},
        [WALL_LESS] = {"less", CLI_YELLOW},
        [WALL_MISSING] = {"no", CLI_RED},
        [WALL_UNTRIED] = {"-", CLI_DIM},
    };
    doctor_print_heading(cli, heading);
    for (size_t i = 0; i < report->count; i++) {
        const struct wall *wall = &report->wall[i];
        CLEANUP(builder_deinit) struct builder level;
        CLEANUP(builder_deinit) struct builder how;
        doctor_print_row(cli, &(struct doctor_row){
                                  .name = wall->name,
                                  .mark = marks[wall->state].mark,
                                  .color = marks[wall->state].color,
                                  .text = escaped(wall->level, &level),
                                  .how = escaped(wall->how, &how),
                              });
    }
}

static void set_text(struct json *object, const char *key, const char *text) {
    CLEANUP(builder_deinit) struct builder shown;
    json_set_text(object, key, escaped(text, &shown));
}

static struct json *report_json(const struct wall_report *report) {
    struct json *all = json_array_new();
    for (size_t i = 0; i < report->count; i++) {
        const struct wall *wall = &report->wall[i];
        struct json *object = json_object_new();
        json_set_text(object, "name", wall->name);
        json_set_text(object, "state", wall_state_text(wall->state));
        set_text(object, "level", wall->level);
        set_text(object, "how", wall->how);
        json_append(all, object);
    }
    return all;
}

static void print_json(const struct doctor *doctor) {
    CLEANUP(json_freep) struct json *object = json_object_new();
    json_set(object, "walls", report_json(&doctor->walls));
    json_set(object, "templates", report_json(&doctor->templates));
    json_set(object, "airlock", report_json(&doctor->airlock));
    json_set_bool(object, "can_run", doctor->verdict.code == ERROR_NONE);
    doctor_print_json(object);
}

static int examine(const struct cli *cli, const char *workspace_option) {
    char workspace[LIMIT_PATH_BYTES];
    const struct engine_places places = {
        .environment = getenv("AIRLOCK_ENGINE_SOCKET"),
        .runtime = getenv("XDG_RUNTIME_DIR"),
    };
    struct error err = {};
    if (!status_is_ok(workspace_find(workspace_option, workspace, &err))) {
        return cli_error(cli, &err);
    }
    CLEANUP(memory_freep) struct doctor *doctor = calloc(1, sizeof *doctor);
    if (doctor == nullptr) {
        (void)error_set(&err, ERROR_NO_MEMORY, 0, "cannot hold the findings");
        return cli_error(cli, &err);
    }
    doctor_examine(workspace, &places, doctor);
    if (cli->json) {
        print_json(doctor);
    } else {
        print_report(cli, "walls, each tried alone", &doctor->walls);
        print_report(cli, "templates, each tried as a complete sandbox", &doctor->templates);
        print_report(cli, "airlock", &doctor->airlock);
    }
    return doctor->verdict.code == ERROR_NONE ? 0 : cli_error(cli, &doctor->verdict);
}

int cli_doctor(struct cli *cli, int argc, char **argv) {
    bool templates = false;
    bool is_inside = false;
    struct doctor_inside inside = {.cli = cli};
    const struct cli_option options[] = {
        {.name = "inside",
         .flag = &is_inside,
         .help = "run a probe sealed, as run would, and report what it reaches"},
        {.name = "hidden",
         .list = &inside.hidden,
         .argument = "PATH",
         .help = "with --inside: a file or socket that must not be reached"},
        {.name = "template",
         .letter = 't',
         .value = &inside.template_name,
         .argument = "NAME",
         .help = "with --inside: the template to probe (default: as policy asks)"},
        {.name = "workspace",
         .letter = 'w',
         .value = &inside.workspace,
         .argument = "DIR",
         .help = "the folder it is about (default: the git top, or here)"},
        {.name = "templates", .flag = &templates, .help = "list the sandbox templates"},
    };
    int exit_status;
    if (!cli_begin(cli, &argc, argv, &CLI_FORM(options, EXAMPLES), &exit_status)) {
        return exit_status;
    }
    if (templates) {
        exit_status = doctor_templates(cli);
    } else if (is_inside) {
        exit_status = doctor_inside_run(&inside);
    } else {
        exit_status = examine(cli, inside.workspace);
    }
    free(inside.hidden);
    return exit_status;
}
