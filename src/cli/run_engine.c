/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress of a fetch: a bar at a terminal, and with --json one object a line on standard error,
 * {"event":"image","state":"pending","percent":N}.
 */
#include "cli/run_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/text.h"
#include "kernel/engine_socket.h"

static void show_progress(void *context, unsigned percent) {
    struct run_engine_view *view = context;
    if (view->is_json) {
        (void)fprintf(stderr, "{\"event\":\"image\",\"percent\":%u,\"state\":\"pending\"}\n",
                      percent);
        return;
    }
    if (!view->has_bar) {
        view->bar = bar_start(&view->clock, "fetching the image");
        view->has_bar = true;
    }
    bar_draw(&view->bar, percent, 100);
    if (percent >= 100) {
        run_engine_end(view);
    }
}

static status_t unknown_engine(const char *name, struct error *err) {
    struct builder shown;
    builder_init(&shown, 128);
    text_escape_short(slice_of_string(name), 64, &shown);
    (void)error_set(err, ERROR_ENGINE_UNKNOWN, 0, "there is no engine named '%s'",
                    builder_c_string(&shown));
    builder_deinit(&shown);
    return (status_t){ERROR_ENGINE_UNKNOWN};
}

static status_t check_native(const struct run_engine_options *options, struct error *err) {
    const char *option = options->image != nullptr    ? "--image"
                         : options->socket != nullptr ? "--engine-socket"
                                                      : "--pull";
    if (options->image == nullptr && options->socket == nullptr && !options->pull) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_USAGE, 0, "%s is for a container engine", option);
    error_hint(err, "Name it too: --engine podman, or --engine docker");
    return (status_t){ERROR_USAGE};
}

/* What engines take as the name of an image: nothing that could mean something else in a path. */
static status_t check_image(const char *image, struct error *err) {
    static const char LETTERS[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@";
    size_t size = image != nullptr ? strlen(image) : 0;
    bool is_name = size > 0 && size < 500 && strspn(image, LETTERS) == size &&
                   strstr(image, "..") == nullptr && strstr(image, "//") == nullptr &&
                   image[0] != '/' && image[0] != '-' && image[0] != '.' && image[size - 1] != '/';
    if (is_name) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_USAGE, 0,
                    image == nullptr ? "a container engine needs an image"
                                     : "this is no image's name");
    error_hint(err, "Name one: --image docker.io/library/debian:13");
    return (status_t){ERROR_USAGE};
}

status_t run_engine_find(const struct cli *cli, const struct run_engine_options *options,
                         struct run_engine_view *ret_view, bool *ret_native, struct error *err) {
    enum engine_kind kind;
    memset(ret_view, 0, sizeof *ret_view);
    *ret_native = options->name == nullptr || strcmp(options->name, "native") == 0;
    if (*ret_native) {
        return check_native(options, err);
    }
    if (!engine_kind_find(options->name, &kind)) {
        return unknown_engine(options->name, err);
    }
    TRY(check_image(options->image, err));
    const struct engine_places places = {
        .option = options->socket,
        .environment = getenv("AIRLOCK_ENGINE_SOCKET"),
        .runtime = getenv("XDG_RUNTIME_DIR"),
    };
    TRY(engine_socket_find(kind, &places, ret_view->socket, err));
    ret_view->clock = clock_system();
    ret_view->is_json = cli->json;
    ret_view->engine = (struct run_engine){
        .kind = kind,
        .socket = ret_view->socket,
        .image = options->image,
        .pull = options->pull,
        .progress = show_progress,
        .context = ret_view,
    };
    return STATUS_OK;
}

void run_engine_end(struct run_engine_view *view) {
    if (view->has_bar) {
        bar_end(&view->bar);
        view->has_bar = false;
    }
}
