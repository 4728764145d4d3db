/* SPDX-License-Identifier: Apache-2.0
 *
 * Shell completion. Commands come from the table; options are asked of the program itself when the
 * user presses the key, so they are those of the airlock that is installed.
 */
#include <string.h>

#include "base/bytes.h"
#include "cli/cli_internal.h"

/* Asked when the key is pressed: the templates that can be used, the runs of this workspace. */
#define TEMPLATES                                                                            \
    "airlock doctor --templates 2>/dev/null | grep -v \" cannot be used: \" | tail -n +2 | " \
    "cut -d \" \" -f 1"
#define RUNS "airlock runs 2>/dev/null | grep -oE \"^[0-9a-f]{8}\""

static void print_names(void) {
    for (size_t i = 0; i < cli_command_count(); i++) {
        (void)printf("%s%s", i == 0 ? "" : " ", cli_command_at(i)->name);
    }
}

/* Words behind a command, or behind a command and a word of its own: "log witness". */
static const struct {
    const char *command, *words;
} SUBCOMMANDS[] = {
#define SUBCOMMANDS(command, words) {command, words},
#include "subcommands.def"
#undef SUBCOMMANDS
};
enum { SUBCOMMANDS_COUNT = sizeof SUBCOMMANDS / sizeof SUBCOMMANDS[0] };

/* Writes the words that may follow a command, with blanks between: those its arguments begin with,
 * "bash|zsh|fish", or those of the table. Nothing, and false, for a command that has none. */
static bool choices_of(const struct cli_command_row *row, struct builder *ret_words) {
    const char *end = row->arguments + strcspn(row->arguments, " ");
    builder_reset(ret_words);
    for (size_t i = 0; i < SUBCOMMANDS_COUNT; i++) {
        if (strcmp(SUBCOMMANDS[i].command, row->name) == 0) {
            builder_text(ret_words, SUBCOMMANDS[i].words);
            return true;
        }
    }
    if (row->arguments[0] < 'a' || row->arguments[0] > 'z') {
        return false;
    }
    for (const char *at = row->arguments; at < end; at++) {
        builder_u8(ret_words, *at == '|' ? ' ' : (uint8_t)*at);
    }
    return true;
}

/* For each command with such words: `before`, its name, `between`, the words, `after`. */
static void print_choices(const char *before, const char *between, const char *after) {
    struct builder words;
    builder_init(&words, 1024);
    for (size_t i = 0; i < cli_command_count(); i++) {
        const struct cli_command_row *row = cli_command_at(i);
        if (choices_of(row, &words)) {
            (void)printf("%s%s%s%s%s", before, row->name, between, builder_c_string(&words), after);
        }
    }
    builder_deinit(&words);
}

/* The same for words behind two: `parts` stand before the command, its word and the words that may
 * follow, and after these. */
static void print_nested(const char *const parts[static 4]) {
    for (size_t i = 0; i < SUBCOMMANDS_COUNT; i++) {
        const char *command = SUBCOMMANDS[i].command;
        size_t size = strcspn(command, " ");
        if (command[size] == ' ') {
            (void)printf("%s%.*s%s%s%s%s%s", parts[0], (int)size, command, parts[1],
                         command + size + 1, parts[2], SUBCOMMANDS[i].words, parts[3]);
        }
    }
}

/* The commands whose first operand is a run, with `between` between them. */
static void print_run_takers(const char *between) {
    bool some = false;
    for (size_t i = 0; i < cli_command_count(); i++) {
        const struct cli_command_row *row = cli_command_at(i);
        if (strstr(row->arguments, "[RUN]") != nullptr) {
            (void)printf("%s%s", some ? between : "", row->name);
            some = true;
        }
    }
}

static void print_bash(void) {
    (void)printf("_airlock() {\n"
                 "    local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} word\n"
                 "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                 "        COMPREPLY=($(compgen -W '");
    print_names();
    (void)printf(" --help --json --version' -- \"$current\"))\n"
                 "        return\n"
                 "    fi\n"
                 "    case $COMP_CWORD$current:$command in\n"
                 "    2-* | 3-*) ;;\n");
    print_choices("    2*:", ") COMPREPLY=($(compgen -W '", "' -- \"$current\")); return ;;\n");
    print_nested((const char *const[]){
        "    3*:", ") if [ \"${COMP_WORDS[2]}\" = ", " ]; then\n        COMPREPLY=($(compgen -W '",
        "' -- \"$current\"))\n        return\n    fi ;;\n"});
    (void)printf(
        "    esac\n"
        "    for word in \"${COMP_WORDS[@]:2:COMP_CWORD-2}\"; do\n"
        "        [ \"$word\" = -- ] && { COMPREPLY=($(compgen -c -f -- \"$current\")); return; }\n"
        "    done\n"
        "    if [ \"${COMP_WORDS[COMP_CWORD-1]}\" = --template ]; then\n"
        "        COMPREPLY=($(compgen -W \"$(" TEMPLATES ")\" -- \"$current\"))\n"
        "        return\n"
        "    fi\n"
        "    case $current in\n"
        "    -*) COMPREPLY=($(compgen -W \"$(airlock \"$command\" --help 2>/dev/null |\n"
        "            grep -oE -- '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+')\" -- "
        "\"$current\")) ;;\n"
        "    *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
        "    esac\n"
        "    case $COMP_CWORD$current:$command in\n"
        "    2-*) ;;\n"
        "    2*:");
    print_run_takers(" | 2*:");
    (void)printf(") COMPREPLY+=($(compgen -W \"$(" RUNS ")\" -- \"$current\")) ;;\n"
                 "    esac\n"
                 "}\n"
                 "complete -o filenames -F _airlock airlock\n");
}

static void print_zsh(void) {
    (void)printf("#compdef airlock\n_airlock() {\n    local -a commands options\n    commands=(\n");
    for (size_t i = 0; i < cli_command_count(); i++) {
        const char *summary = cli_command_at(i)->summary;
        (void)printf("        '%s:", cli_command_at(i)->name);
        for (const char *c = summary; *c != '\0'; c++) {
            (void)printf(*c == '\'' ? "'\\''" : "%c", *c);
        }
        (void)printf("'\n");
    }
    (void)printf("    )\n"
                 "    if (( CURRENT == 2 )); then\n"
                 "        _describe command commands\n");
    print_choices("    elif (( CURRENT == 3 )) && [[ ${words[2]} == ",
                  " && ${words[CURRENT]} != -* ]]; then\n        compadd -- ", "\n");
    print_nested((const char *const[]){
        "    elif (( CURRENT == 4 )) && [[ ${words[2]} == ", " && ${words[3]} == ",
        " && ${words[CURRENT]} != -* ]]; then\n        compadd -- ", "\n"});
    (void)printf("    elif [[ ${words[CURRENT-1]} == --template ]]; then\n"
                 "        compadd -- ${(f)\"$(" TEMPLATES ")\"}\n"
                 "    elif [[ ${words[CURRENT]} == -* ]]; then\n"
                 "        options=(${(f)\"$(airlock ${words[2]} --help 2>/dev/null |\n"
                 "            grep -oE -- '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+')\"})\n"
                 "        compadd -- $options\n"
                 "    else\n"
                 "        if (( CURRENT == 3 )) && [[ ${words[2]} == (");
    print_run_takers("|");
    (void)printf(") ]]; then\n"
                 "            compadd -- ${(f)\"$(" RUNS ")\"}\n"
                 "        fi\n"
                 "        _files\n"
                 "    fi\n"
                 "}\n"
                 "compdef _airlock airlock\n");
}

static void print_fish(void) {
    (void)printf("complete -c airlock -n __fish_use_subcommand -f\n");
    for (size_t i = 0; i < cli_command_count(); i++) {
        (void)printf("complete -c airlock -n __fish_use_subcommand -a %s -d \"%s\"\n",
                     cli_command_at(i)->name, cli_command_at(i)->summary);
    }
    print_choices("complete -c airlock -n '__fish_seen_subcommand_from ", "' -a '", "'\n");
    print_nested((const char *const[]){"complete -c airlock -n '__fish_seen_subcommand_from ",
                                       "; and __fish_seen_subcommand_from ", "' -a '", "'\n"});
    (void)printf("complete -c airlock -n '__fish_seen_subcommand_from run' -l template -x -a "
                 "'(" TEMPLATES ")'\n"
                 "complete -c airlock -n '__fish_seen_subcommand_from ");
    print_run_takers(" ");
    (void)printf("' -a '(" RUNS ")'\n");
    (void)printf("complete -c airlock -n 'not __fish_use_subcommand' -a '(airlock (commandline "
                 "-opc)[2] --help 2>/dev/null | string match -r -- \"--[a-z-]+\")'\n");
}

int cli_completion(struct cli *cli, int argc, char **argv) {
    static const char examples[] =
        "  source <(airlock completion bash)\n"
        "  airlock completion fish > ~/.config/fish/completions/airlock.fish\n";
    struct error err;
    int exit_status;
    if (!cli_begin(cli, &argc, argv, &(struct cli_form){.examples = examples}, &exit_status)) {
        return exit_status;
    }
    const char *shell = argc == 1 ? argv[1] : "";
    if (strcmp(shell, "bash") == 0) {
        print_bash();
    } else if (strcmp(shell, "zsh") == 0) {
        print_zsh();
    } else if (strcmp(shell, "fish") == 0) {
        print_fish();
    } else {
        (void)error_set(&err, ERROR_USAGE, 0, "completion needs the name of a shell");
        error_hint(&err, "Use one of: airlock completion bash, zsh or fish");
        return cli_error(cli, &err);
    }
    return 0;
}
