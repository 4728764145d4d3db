/* SPDX-License-Identifier: Apache-2.0
 *
 * What stays protected whatever a policy says. A stage is written by somebody who is not trusted,
 * and some files run code as soon as an honest tool meets them: git runs hooks and what its config
 * names, editors and agents start what a project file tells them, a CI host runs workflows. The
 * first kind is denied, because no honest change of a run needs it; the second is shown to a
 * person, because honest changes do.
 *
 * Known gap: a folder that is itself a bare git repository (HEAD, config, objects, refs side by
 * side) cannot be told from its paths one at a time; git's safe.bareRepository=explicit closes it.
 */
#include "policy/builtin.h"

#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "policy/path.h"

/* Whether something at the path is changed: an apply, or any operation on files but those that
 * only look. */
static bool is_change(const struct policy_request *request) {
    static const char *const looks[] = {"fs.read", "fs.list", "fs.stat"};
    if (request->path == nullptr) {
        return false;
    }
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        if (strcmp(request->operation, looks[i]) == 0) {
            return false;
        }
    }
    return strcmp(request->operation, "stage.apply") == 0 ||
           strncmp(request->operation, "fs.", 3) == 0;
}

static bool component_is(const struct policy_path *path, size_t index, const char *name) {
    return index < path->count && strcmp(path->component[index], name) == 0;
}

/* At any depth: a folder that holds .airlock is a workspace to whoever works below it. */
static bool is_airlock_folder(const struct policy_path *path) {
    for (size_t i = 0; i < path->count; i++) {
        if (component_is(path, i, ".airlock")) {
            return true;
        }
    }
    return false;
}

static bool name_is_git_control(const char *name) {
    return strcmp(name, "hooks") == 0 || strcmp(name, "config") == 0 ||
           strcmp(name, "config.worktree") == 0 || strcmp(name, "commondir") == 0;
}

/* Whether the path leads to something git executes or is configured by. Submodules and linked
 * worktrees keep theirs at any depth below .git/modules and .git/worktrees. */
static bool is_git_control(const struct policy_path *path) {
    for (size_t i = 0; i + 1 < path->count; i++) {
        if (!component_is(path, i, ".git")) {
            continue;
        }
        if (name_is_git_control(path->component[i + 1])) {
            return true;
        }
        if (!component_is(path, i + 1, "modules") && !component_is(path, i + 1, "worktrees")) {
            continue;
        }
        for (size_t j = i + 2; j < path->count; j++) {
            if (name_is_git_control(path->component[j])) {
                return true;
            }
        }
    }
    return false;
}

static bool is_git_itself(const struct policy_path *path) {
    return path->count > 0 && component_is(path, path->count - 1, ".git");
}

static bool path_too_long(const struct policy_request *request, const struct policy_path *path) {
    if (!is_change(request)) {
        return false;
    }
    return path->overflow || path->escapes || path->count == 0;
}

static bool touches_airlock_folder(const struct policy_request *request,
                                   const struct policy_path *path) {
    if (!is_change(request)) {
        return false;
    }
    return is_airlock_folder(path);
}

/* Control files themselves, and a .git that becomes a file or link (git then takes hooks and config
 * from where it points) or is deleted (that takes them along). */
static bool is_git_change(const struct policy_request *request, const struct policy_path *path) {
    if (!is_change(request)) {
        return false;
    }
    return is_git_control(path) || (is_git_itself(path) && !S_ISDIR(request->mode));
}

static bool link_is_into_system(const char *target) {
    return strncmp(target, "/usr/", 5) == 0 && strstr(target, "/../") == nullptr;
}

static bool links_into_protected(const struct policy_request *request,
                                 const struct policy_path *path) {
    if (!is_change(request) || request->link_target == nullptr ||
        link_is_into_system(request->link_target)) {
        return false;
    }
    (void)path; /* where it leads counts, not where it is */
    struct policy_path target;
    policy_path_resolve_link(request->path, request->link_target, request->workspace, &target);
    return target.escapes || target.overflow || is_airlock_folder(&target) ||
           is_git_control(&target) || is_git_itself(&target);
}

static bool links_into_system(const struct policy_request *request,
                              const struct policy_path *path) {
    (void)path;
    return is_change(request) && request->link_target != nullptr &&
           link_is_into_system(request->link_target);
}

static bool has_special_mode(const struct policy_request *request, const struct policy_path *path) {
    (void)path;
    if (!is_change(request) || request->mode == 0) {
        return false;
    }
    bool plain = S_ISREG(request->mode) || S_ISDIR(request->mode) || S_ISLNK(request->mode);
    bool set_id = S_ISREG(request->mode) && (request->mode & (S_ISUID | S_ISGID)) != 0;
    return !plain || set_id;
}

/* Whether the component is the name, or, for a name with a slash, it and the next are. */
static bool component_starts(const struct policy_path *path, size_t index, const char *name) {
    const char *component = path->component[index];
    while (*component != '\0' && *component == *name) {
        component++;
        name++;
    }
    if (*component != '\0' || (*name != '\0' && *name != '/')) {
        return false;
    }
    return *name == '\0' || component_is(path, index + 1, name + 1);
}

/* Whether any component is one of the names, or, for a name with a slash, two in a row are. */
static bool path_has_name(const struct policy_request *request, const struct policy_path *path,
                          const char *const *names) {
    if (!is_change(request)) {
        return false;
    }
    for (size_t i = 0; i < path->count; i++) {
        for (size_t n = 0; names[n] != nullptr; n++) {
            if (component_starts(path, i, names[n])) {
                return true;
            }
        }
    }
    return false;
}

static bool is_editor_file(const struct policy_request *request, const struct policy_path *path) {
    static const char *const names[] = {
        ".vscode", ".idea",   ".devcontainer",  ".devcontainer.json",
        ".vimrc",  ".nvimrc", ".nvim.lua",      ".exrc",
        ".vim",    ".nvim",   ".dir-locals.el", ".zed",
        ".fleet",  ".vs",     ".project.vim",   nullptr};
    if (path_has_name(request, path, names)) {
        return true;
    }
    size_t length = is_change(request) ? strlen(request->path) : 0;
    static const char suffix[] = ".code-workspace";
    return length >= sizeof suffix - 1 &&
           strcasecmp(request->path + length - (sizeof suffix - 1), suffix) == 0;
}

static bool is_agent_file(const struct policy_request *request, const struct policy_path *path) {
    static const char *const names[] = {
        ".mcp.json",    ".claude",         ".claude.json",
        "claude.md",    "agents.md",       ".cursor",
        ".cursorrules", ".codex",          ".gemini",
        "gemini.md",    ".aider.conf.yml", ".continue",
        ".windsurf",    ".clinerules",     ".roo",
        ".opencode",    "opencode.json",   ".github/copilot-instructions.md",
        nullptr};
    return path_has_name(request, path, names);
}

static bool is_ci_file(const struct policy_request *request, const struct policy_path *path) {
    static const char *const names[] = {".github/workflows",
                                        ".github/actions",
                                        ".gitlab-ci.yml",
                                        ".gitlab-ci.yaml",
                                        ".gitlab",
                                        ".circleci",
                                        ".travis.yml",
                                        "jenkinsfile",
                                        ".drone.yml",
                                        ".woodpecker",
                                        ".woodpecker.yml",
                                        ".woodpecker.yaml",
                                        ".gitea",
                                        ".forgejo",
                                        ".buildkite",
                                        ".builds",
                                        ".build.yml",
                                        ".cirrus.yml",
                                        "appveyor.yml",
                                        ".appveyor.yml",
                                        "azure-pipelines.yml",
                                        "bitbucket-pipelines.yml",
                                        nullptr};
    return path_has_name(request, path, names);
}

static bool is_shell_file(const struct policy_request *request, const struct policy_path *path) {
    static const char *const names[] = {".envrc",
                                        ".env.fish",
                                        ".bashrc",
                                        ".bash_profile",
                                        ".bash_login",
                                        ".bash_logout",
                                        ".bash_aliases",
                                        ".profile",
                                        ".zshrc",
                                        ".zshenv",
                                        ".zprofile",
                                        ".zlogin",
                                        ".zlogout",
                                        ".kshrc",
                                        ".cshrc",
                                        ".tcshrc",
                                        ".login",
                                        ".inputrc",
                                        ".gdbinit",
                                        ".lldbinit",
                                        ".pythonrc",
                                        ".pythonstartup",
                                        ".autoenv",
                                        ".mise.toml",
                                        "mise.toml",
                                        ".husky",
                                        ".githooks",
                                        ".gitmodules",
                                        ".gitattributes",
                                        ".gitconfig",
                                        ".git/rebase-merge", /* its todo list may say exec */
                                        "lefthook.yml",
                                        ".lefthook.yml",
                                        ".pre-commit-config.yaml",
                                        ".npmrc",
                                        ".yarnrc",
                                        ".yarnrc.yml",
                                        ".pnpmfile.cjs",
                                        ".config/fish",
                                        nullptr};
    return path_has_name(request, path, names);
}

const struct policy_rule policy_builtin_rules[] = {
    {"builtin.path", POLICY_DENY, "the path is not one below the workspace, or too long to judge",
     path_too_long},
    {"builtin.airlock-folder", POLICY_DENY,
     ".airlock holds Airlock's own settings for the workspace", touches_airlock_folder},
    {"builtin.git-control", POLICY_DENY,
     "git runs what hooks and config name, and takes them from where a replaced .git says",
     is_git_change},
    {"builtin.link", POLICY_DENY,
     "the link leaves the workspace or leads into what is protected there", links_into_protected},
    {"builtin.special-file", POLICY_DENY,
     "devices, sockets and set-user-id files never leave a stage", has_special_mode},
    {"builtin.editor", POLICY_REVIEW, "editors run what this file names", is_editor_file},
    {"builtin.agent", POLICY_REVIEW, "agents obey or start what this file names", is_agent_file},
    {"builtin.ci", POLICY_REVIEW, "a build service runs what this file says", is_ci_file},
    {"builtin.shell", POLICY_REVIEW, "shells and tools run this file or what it names",
     is_shell_file},
    {"builtin.link-system", POLICY_REVIEW, "the link leads to the system's own files",
     links_into_system},
};
const size_t policy_builtin_count = sizeof policy_builtin_rules / sizeof policy_builtin_rules[0];
