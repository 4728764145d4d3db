/* SPDX-License-Identifier: Apache-2.0
 *
 * A state folder, a workspace, and runs whose uppers the tests write themselves, in the format that
 * overlayfs writes: whiteouts are character devices 0/0 (or empty files with an attribute),
 * user.overlay.opaque marks folders that hide what is below.
 */
#pragma once

#include "sandbox/merge_steps.h"
#include "sandbox/run.h"
#include "sandbox/stage.h"

extern struct state fixture_state;
extern char fixture_folder[256]; /* holds state/, work/ */
extern char fixture_workspace[280];

int fixture_set_up(void **unused);
int fixture_tear_down(void **unused);

/* Paths are relative to the fixture's folder: "work/a". Parents are made. */
void put_file(const char *path, const char *content, unsigned mode);
void put_bytes(const char *path, const void *bytes, size_t size);
void put_link(const char *path, const char *target);
void put_folder(const char *path, unsigned mode);
void remove_path(const char *path);
/* false where the file system or the user cannot do it: the test is skipped then. */
bool put_whiteout(const char *path);
bool put_opaque(const char *folder);

/* A run on the workspace; its upper is at *ret_upper, a path relative to the fixture's folder. */
struct run start_run(const char *parent, char ret_upper[static 128]);
struct stage_summary seal_run(struct run *run);
struct run reopen(const struct run *run);

/* Every path with type, mode and content of a tree, one per line, sorted: equal text, equal tree.
 * Freed by the caller. */
char *tree_text(const char *path);
/* The diff of a run; freed by the caller. */
char *diff_text(const struct run *run, const struct diff_options *options);
void assert_tree_is(const char *path, const char *expected);

status_t apply_all(struct run *run, struct apply_result *ret, struct error *err);
