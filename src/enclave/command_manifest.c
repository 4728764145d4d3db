/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock enclave manifest: the template, filled in for one proxy and one configuration. Trusted
 * are exactly the files that these two are made of.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "codec/yaml.h"
#include "enclave/closure.h"
#include "enclave/commands.h"
#include "enclave/options.h"
#include "enclave/report.h"
#include "enclave/template.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/program.h"

#define PROGRAM_INSIDE "/airlock-proxy"

struct request {
    const char *config, *program, *runtime, *template, *output, *threads, *size, *descriptors;
    struct option_list files, folders;
    bool as_json;
};

static status_t find_program(const struct request *request, char *ret_path, struct error *err) {
    bool is_found = false;
    if (request->program != nullptr) {
        (void)snprintf(ret_path, LIMIT_PATH_BYTES, "%s", request->program);
        return STATUS_OK;
    }
    TRY(program_find("airlock-proxy", ret_path, &is_found, err));
    return is_found ? STATUS_OK
                    : error_set(err, ERROR_PROXY_MISSING, 0, "airlock-proxy was not found");
}

/* What a file names that the configuration names: relative to the configuration's folder. */
static status_t add_named(struct closure *closure, const char *config, const char *name,
                          struct error *err) {
    char path[LIMIT_PATH_BYTES];
    const char *slash = strrchr(config, '/');
    int folder = slash == nullptr ? 0 : (int)(slash - config) + 1;
    int length = name[0] == '/' ? snprintf(path, sizeof path, "%s", name)
                                : snprintf(path, sizeof path, "%.*s%s", folder, config, name);
    if (length < 0 || (size_t)length >= sizeof path) {
        return error_set(err, ERROR_LIMIT, 0, "a name in %s is too long", config);
    }
    return closure_add_file(closure, path, nullptr, err);
}

/* Certificates and keys, wherever they stand; as deep as the YAML reader goes. */
static status_t add_files_of(struct closure *closure, const char *config,
                             const struct yaml_node *node, struct error *err) {
    static const char *const KEYS[] = {"cert", "key", "ca"};
    for (const struct yaml_node *at = node != nullptr ? node->first : nullptr; at != nullptr;
         at = at->next) {
        bool is_file = false;
        for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
            is_file = is_file || (at->key != nullptr && strcmp(at->key->text, KEYS[i]) == 0);
        }
        if (at->kind != YAML_KIND_SCALAR) {
            TRY(add_files_of(closure, config, at, err));
        } else if (is_file && at->size > 0) {
            TRY(add_named(closure, config, at->text, err));
        }
    }
    return STATUS_OK;
}

static status_t add_config(struct closure *closure, const char *config, const char **ret_inside,
                           struct error *err) {
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = nullptr;
    CLEANUP(builder_deinit) struct builder text;
    CLEANUP(fd_closep) int fd = open(config, O_RDONLY | O_CLOEXEC);
    builder_init(&text, LIMIT_YAML_BYTES);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %s", config);
    }
    TRY(fd_read_to_end(fd, config, &text, err));
    TRY(yaml_parse(builder_slice(&text), config, nullptr, &tree, err));
    TRY(closure_add_file(closure, config, ret_inside, err));
    return add_files_of(closure, *ret_inside, yaml_root(tree), err);
}

/* The program is mounted by the template itself, and what is below /lib with the runtime. */
static bool has_own_mount(const struct closure *closure, const struct closure_file *file) {
    return strcmp(file->inside, PROGRAM_INSIDE) == 0 ||
           (closure->runtime != nullptr && strncmp(file->inside, "/lib/", 5) == 0);
}

/* One file can be seen in two places; it is trusted once. */
static bool is_listed(const struct closure *closure, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (strcmp(closure->files[i].host, closure->files[index].host) == 0) {
            return true;
        }
    }
    return false;
}

static void write_lists(const struct closure *closure, struct builder *mounts,
                        struct builder *trusted) {
    for (size_t i = 0; i < closure->count; i++) {
        const struct closure_file *file = &closure->files[i];
        if (!has_own_mount(closure, file)) {
            builder_format(mounts, "%s{ path = \"%s\", uri = \"file:%s\" },",
                           mounts->size == 0 ? "" : "\n  ", file->inside, file->host);
        }
        if (is_listed(closure, i)) {
            continue;
        }
        builder_format(trusted, "%s{ uri = \"file:%s\", sha256 = \"", i == 0 ? "" : "\n  ",
                       file->host);
        text_hex(slice_of(file->digest.bytes, DIGEST_BYTES), trusted);
        builder_text(trusted, "\" },");
    }
}

static status_t read_template(const struct request *request, struct builder *ret_text,
                              struct error *err) {
    if (request->template == nullptr) {
        builder_bytes(ret_text, template_built_in());
        return STATUS_OK;
    }
    CLEANUP(fd_closep) int fd = open(request->template, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %s", request->template);
    }
    return fd_read_to_end(fd, request->template, ret_text, err);
}

/* From 1 on. */
static bool is_number(const char *text) {
    return text[0] >= '1' && text[0] <= '9' && strlen(text) < 8 &&
           text[strspn(text, "0123456789")] == '\0';
}

static bool is_size(const char *text) {
    size_t digits = strspn(text, "0123456789");
    return text[0] >= '1' && text[0] <= '9' && digits < 12 &&
           (text[digits] == '\0' ||
            (strchr("KMG", text[digits]) != nullptr && text[digits + 1] == '\0'));
}

static status_t fill(const struct request *request, const struct closure *closure,
                     const char *config, struct builder *ret_text, struct error *err) {
    CLEANUP(builder_deinit) struct builder mounts;
    CLEANUP(builder_deinit) struct builder trusted;
    CLEANUP(builder_deinit) struct builder template;
    builder_init(&mounts, LIMIT_MANIFEST_BYTES);
    builder_init(&trusted, LIMIT_MANIFEST_BYTES);
    builder_init(&template, LIMIT_MANIFEST_BYTES);
    TRY(read_template(request, &template, err));
    write_lists(closure, &mounts, &trusted);
    const struct template_value rows[] = {
        {"proxy", closure->files[0].host},
        {"config", config},
        {"runtime", closure->runtime},
        {"gramine.runtimedir()", closure->runtime},
        {"mounts", builder_c_string(&mounts)},
        {"trusted_files", builder_c_string(&trusted)},
        {"threads", request->threads != nullptr ? request->threads : "16"},
        {"descriptors", request->descriptors != nullptr ? request->descriptors : "65536"},
        {"size", request->size != nullptr ? request->size : "512M"},
    };
    const struct template_values values = {rows, sizeof rows / sizeof rows[0]};
    return template_fill(builder_slice(&template), &values, ret_text, err);
}

static status_t check_request(const struct request *request, struct error *err) {
    if (request->config == nullptr) {
        return error_set(err, ERROR_USAGE, 0,
                         "name the proxy's configuration: airlock enclave manifest -c FILE");
    }
    if ((request->threads != nullptr && !is_number(request->threads)) ||
        (request->descriptors != nullptr && !is_number(request->descriptors)) ||
        (request->size != nullptr && !is_size(request->size))) {
        return error_set(err, ERROR_USAGE, 0,
                         "--threads and --descriptors take a number from 1 on, --size one with K, "
                         "M or G: 512M");
    }
    return STATUS_OK;
}

static status_t make(const struct request *request, struct closure *closure,
                     struct builder *ret_text, struct error *err) {
    char program[LIMIT_PATH_BYTES];
    const char *config = nullptr;
    closure->runtime = request->runtime;
    closure->folder_count =
        request->folders.count < CLOSURE_FOLDERS_MAX ? request->folders.count : CLOSURE_FOLDERS_MAX;
    memcpy(closure->folders, request->folders.values,
           closure->folder_count * sizeof closure->folders[0]);
    TRY(check_request(request, err));
    TRY(find_program(request, program, err));
    TRY(closure_add_program(closure, program, PROGRAM_INSIDE, err));
    if (request->runtime != nullptr) {
        TRY(closure_add_runtime(closure, err));
    }
    TRY(add_config(closure, request->config, &config, err));
    for (size_t i = 0; i < request->files.count; i++) {
        TRY(closure_add_file(closure, request->files.values[i], nullptr, err));
    }
    return fill(request, closure, config, ret_text, err);
}

static void print_json(const struct closure *closure, struct slice text) {
    CLEANUP(json_freep) struct json *object = json_object_new();
    CLEANUP(builder_deinit) struct builder hex;
    struct json *files = json_array_new();
    builder_init(&hex, 2 * DIGEST_BYTES + 1);
    for (size_t i = 0; i < closure->count; i++) {
        struct json *row = json_object_new();
        builder_reset(&hex);
        text_hex(slice_of(closure->files[i].digest.bytes, DIGEST_BYTES), &hex);
        json_set_text(row, "path", closure->files[i].inside);
        json_set_text(row, "host", closure->files[i].host);
        json_set_text(row, "sha256", builder_c_string(&hex));
        json_append(files, row);
    }
    json_set(object, "files", files);
    json_set(object, "manifest", json_text_new(text));
    report_json(object);
}

/* Wherever the caller says: its folder is opened as it is named, links and all. */
static status_t write_output(const char *path, struct slice text, struct error *err) {
    const struct file_write_options options = {.mode = 0644};
    char folder[LIMIT_PATH_BYTES] = ".";
    const char *slash = strrchr(path, '/');
    const char *name = slash != nullptr ? slash + 1 : path;
    if (name[0] == '\0' || strlen(path) >= sizeof folder) {
        return error_set(err, ERROR_USAGE, 0, "--output names no file: %.200s", path);
    }
    if (slash != nullptr) {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path);
    }
    CLEANUP(fd_closep) int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open the folder %.200s", folder);
    }
    return file_write_atomic(fd, name, text, &options, err);
}

static status_t deliver(const struct request *request, const struct closure *closure,
                        struct slice text, struct error *err) {
    if (request->output != nullptr) {
        return write_output(request->output, text, err);
    }
    if (request->as_json) {
        print_json(closure, text);
    } else {
        (void)fwrite(text.data, 1, text.size, stdout);
    }
    return STATUS_OK;
}

int command_manifest(int argc, char **argv) {
    static struct closure closure;
    struct request request = {};
    struct operands operands;
    struct builder text;
    struct error err = {};
    bool is_help = false;
    const struct option_row rows[] = {
        {"config", 'c', "FILE", "the proxy's configuration", .ret_text = &request.config},
        {"output", 'o', "FILE", "write it there, not to standard output",
         .ret_text = &request.output},
        {"file", 'f', "FILE", "trust this file too", .ret_list = &request.files},
        {"program", 'p', "FILE", "another airlock-proxy", .ret_text = &request.program},
        {"runtime", '\0', "FOLDER", "Gramine's C library, for a dynamic proxy",
         .ret_text = &request.runtime},
        {"library-folder", '\0', "FOLDER", "look for libraries there first",
         .ret_list = &request.folders},
        {"template", '\0', "FILE", "another template", .ret_text = &request.template},
        {"threads", '\0', "N", "of the enclave (16)", .ret_text = &request.threads},
        {"descriptors", '\0', "N", "of the proxy (65536)", .ret_text = &request.descriptors},
        {"size", '\0', "SIZE", "of the enclave (512M)", .ret_text = &request.size},
        {"json", '\0', nullptr, "print one object", .ret_flag = &request.as_json},
    };
    const struct verb verb = {"manifest", "",   "write the manifest for Gramine",
                              0,          rows, sizeof rows / sizeof rows[0]};
    status_t status = options_parse(&verb, argc, argv, &operands, &is_help, &err);
    if (is_help) {
        return 0;
    }
    builder_init(&text, LIMIT_MANIFEST_BYTES);
    if (status_is_ok(status)) {
        status = make(&request, &closure, &text, &err);
    }
    if (status_is_ok(status)) {
        status = deliver(&request, &closure, builder_slice(&text), &err);
    }
    builder_deinit(&text);
    closure_deinit(&closure);
    return status_is_ok(status) ? 0 : report_error(&err, request.as_json);
}
