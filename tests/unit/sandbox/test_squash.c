/* SPDX-License-Identifier: Apache-2.0
 *
 * Random stacks of uppers: what the layers show, laid over each other by a slow resolver written
 * here, is the same with the oldest of them squashed.
 */
#include "sandbox/squash.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sandbox/stage_view.h"
#include "stage_fixture.h"

enum { STAGE_COUNT = 35, NAME_COUNT = 4, DEPTH_MAX = 3, TEXT_BYTES = 1 << 20 };

static uint64_t seed;

static unsigned dice(unsigned sides) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 20) % sides;
}

static void fill(const char *folder, unsigned depth, unsigned stage);

static void fill_folder(const char *path, unsigned depth, unsigned stage) {
    char full[1000];
    if (depth == DEPTH_MAX) {
        return;
    }
    if (dice(4) != 0) {
        put_folder(path, 0755);
    } else if (!put_opaque(path)) {
        skip();
    }
    fill(path, depth + 1, stage);
    (void)snprintf(full, sizeof full, "%s/%s", fixture_folder, path);
    (void)chmod(full, dice(3) == 0 ? 0700 : 0755);
}

/* Fills a folder of an upper: files, links, folders (opaque or not), whiteouts of both forms. */
static void fill(const char *folder, unsigned depth, unsigned stage) {
    for (unsigned i = 0; i < NAME_COUNT; i++) {
        char path[700];
        char full[1000];
        char text[32];
        (void)snprintf(path, sizeof path, "%s/%c", folder, 'a' + (int)i);
        (void)snprintf(full, sizeof full, "%s/%s", fixture_folder, path);
        (void)snprintf(text, sizeof text, "%u", stage);
        switch (dice(9)) {
        case 0:
            put_file(path, text, dice(2) == 0 ? 0644 : 0600);
            (void)setxattr(full, "user.note", text, strlen(text), 0);
            break;
        case 1:
            put_link(path, text);
            break;
        case 2:
            if (!put_whiteout(path)) {
                skip();
            }
            break;
        case 3:
        case 4:
        case 5:
            fill_folder(path, depth, stage);
            break;
        default:
            break;
        }
    }
}

/* The slow resolver: one path, all layers, from the top. */
struct shown {
    char *layers[STAGE_COUNT + 2];
    size_t count;
};

static bool is_opaque(const char *path) {
    char value[2] = "";
    return getxattr(path, "user.overlay.opaque", value, 1) == 1 && value[0] == 'y';
}

/* What stands at `path`, by the layers that its folder's layers let through. Appends one line, and
 * those of what is below. `through` lists the layers that count for the folder it is in. */
static void resolve(const struct shown *shown, const size_t *through, size_t through_count,
                    const char *path, struct builder *out) {
    size_t mine[STAGE_COUNT + 2];
    size_t mine_count = 0;
    bool hides = false;
    char kind = 0;
    for (size_t i = 0; i < through_count && !hides; i++) {
        char full[1400];
        struct stat there;
        (void)snprintf(full, sizeof full, "%s/%s", shown->layers[through[i]], path);
        if (lstat(full, &there) != 0) {
            continue;
        }
        bool folder = S_ISDIR(there.st_mode);
        if (kind == 0) {
            kind = folder ? 'd' : S_ISCHR(there.st_mode) ? 'w' : S_ISLNK(there.st_mode) ? 'l' : 'f';
            char content[64] = "";
            if (kind == 'l') {
                (void)!readlink(full, content, sizeof content - 1);
            } else if (kind == 'f') {
                char note[16] = "";
                int fd = open(full, O_RDONLY | O_CLOEXEC);
                (void)!read(fd, content, sizeof content - 1);
                (void)!fgetxattr(fd, "user.note", note, sizeof note - 1);
                (void)close(fd);
                builder_format(out, "[%s]", note);
            }
            builder_format(out, "%s %c %o %s\n", path, kind, kind == 'w' ? 0U : there.st_mode,
                           content);
        }
        if (folder && kind == 'd') {
            mine[mine_count++] = through[i];
        }
        hides = !folder || is_opaque(full);
    }
    if (kind == 'd') {
        builder_text(out, hides ? "  hides\n" : "");
    }
    for (unsigned i = 0; kind == 'd' && i < NAME_COUNT; i++) {
        char child[600];
        (void)snprintf(child, sizeof child, "%s/%c", path, 'a' + (int)i);
        resolve(shown, mine, mine_count, child, out);
    }
}

static void show(char *const *layers, struct builder *out) {
    struct shown shown = {0};
    size_t all[STAGE_COUNT + 2];
    for (; layers[shown.count] != nullptr; shown.count++) {
        shown.layers[shown.count] = layers[shown.count];
        all[shown.count] = shown.count;
    }
    resolve(&shown, all, shown.count, ".", out);
}

static void one_stack(uint64_t number) {
    static struct run runs[STAGE_COUNT];
    char *all[STAGE_COUNT + 1] = {nullptr};
    char upper[128];
    struct error err;
    seed = 0x9e3779b97f4a7c15U * (number + 1);
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        runs[i] = start_run(i > 0 ? runs[i - 1].id : nullptr, upper);
        fill(upper, 0, (unsigned)i);
        runs[i].state = RUN_OPEN;
        runs[i].change_count = 1;
        assert_int_equal(run_save(&runs[i], false, &err).code, 0);
        assert_true(asprintf(&all[STAGE_COUNT - 1 - i], "%s/%s", fixture_folder, upper) > 0);
    }
    CLEANUP(memory_freep) char **layers = nullptr;
    status_t status = run_layers(&fixture_state, &runs[STAGE_COUNT - 1], &layers, &err);
    if (!status_is_ok(status)) {
        fail_msg("stack %u: %s: %s", (unsigned)number, err.message, strerror(err.os_errno));
    }
    size_t count = 0;
    while (layers[count] != nullptr) {
        count++;
    }
    assert_int_equal(count, STAGE_COUNT - squash_depth(STAGE_COUNT) + 1);
    assert_true(count <= LIMIT_STAGE_LAYERS);
    CLEANUP(builder_deinit) struct builder plain;
    CLEANUP(builder_deinit) struct builder squashed;
    builder_init(&plain, TEXT_BYTES);
    builder_init(&squashed, TEXT_BYTES);
    show(all, &plain);
    show(layers, &squashed);
    assert_true(plain.size > 100);
    assert_string_equal(builder_c_string(&squashed), builder_c_string(&plain));
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        free(all[i]);
        run_close(&runs[i]);
    }
}

static void a_squash_shows_what_its_stages_show(void **unused) {
    (void)unused;
    for (uint64_t number = 0; number < 8; number++) {
        assert_int_equal(fixture_set_up(nullptr), 0);
        one_stack(number);
        assert_int_equal(fixture_tear_down(nullptr), 0);
    }
}

static void depth_follows_from_the_count(void **unused) {
    (void)unused;
    for (size_t count = 0; count <= LIMIT_STAGE_LAYERS; count++) {
        assert_int_equal(squash_depth(count), 0);
    }
    for (size_t count = LIMIT_STAGE_LAYERS + 1; count <= LIMIT_STAGE_STACK; count++) {
        size_t kept = count - squash_depth(count);
        assert_true(kept >= LIMIT_STAGE_SQUASH_KEPT && kept + 1 <= LIMIT_STAGE_LAYERS);
        assert_true(squash_depth(count) >= squash_depth(count - 1));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_follows_from_the_count),
        cmocka_unit_test(a_squash_shows_what_its_stages_show),
    };
    return cmocka_run_group_tests_name("sandbox/squash", tests, nullptr, nullptr);
}
