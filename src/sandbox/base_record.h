/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sealed stage changes: runs/<id>/base. `index` lists each changed path with what stood
 * there (in the workspace, or in the stages below) and what the stage puts there; the file named
 * <n> is a copy of what stood at the n-th path, kept for texts and links.
 *
 * The list is complete: whatever a whiteout or an opaque folder deletes stands in it path by path.
 * So the merge of a stack of stages is the union of their lists, and nobody reads overlayfs's marks
 * a second time.
 */
#pragma once

#include "sandbox/run.h"
#include "sandbox/upper.h"

enum refusal : uint8_t {
    REFUSAL_NONE,
    REFUSAL_DEVICE,
    REFUSAL_FIFO,
    REFUSAL_SOCKET,
    REFUSAL_SETUID,    /* a file with setuid, setgid or sticky bit */
    REFUSAL_ATTRIBUTE, /* security.* or trusted.* */
    REFUSAL_UNREADABLE,
    REFUSAL_RESERVED_NAME, /* a name that apply uses for its own temporaries */
    REFUSAL_COUNT,
};
const char *refusal_text(enum refusal refusal);

struct change {
    char *path; /* owned by the list */
    struct entry_state before;
    struct entry_state after;
    enum refusal refusal;
    bool moved;                        /* the lower file changed while the run was live */
    bool has_copy;                     /* base/<number> holds what stood there */
    bool is_relisted;                  /* has another access list, which apply does not carry */
    uint32_t number;                   /* its place in its own stage's index */
    uint8_t before_layer, after_layer; /* in a merged list: index into the stack */
    uint8_t before_part; /* in a merged list: 1 + index into the stack of the run that keeps what
                            stands there, because part of the change was applied; 0: none */
    bool after_is_part;  /* only part of it is to be applied: the run itself keeps the content */
};

struct change_list {
    struct change *items; /* owned; in path_order() once sorted */
    size_t count;
    size_t capacity;
    size_t path_bytes; /* added so far */
};

/* Bytes, but '/' sorts before all others: a folder comes right before all that is below it. */
int path_order(const char *a, const char *b);
/* `path` is `folder` or below it. "" is above all. */
bool path_is_within(const char *path, const char *folder);

void change_list_deinit(struct change_list *list);
/* Appends a copy; the path is copied too. */
status_t change_list_add(struct change_list *list, const struct change *change, struct error *err);
void change_list_sort(struct change_list *list);
/* In a sorted list; nullptr when there is none. */
struct change *change_list_find(const struct change_list *list, const char *path);
/* The index of the first change that does not sort before `path`. */
size_t change_list_lower_bound(const struct change_list *list, const char *path);

/* The form of a state in records. */
void base_state_encode(const struct entry_state *state, struct builder *out);
void base_state_decode(struct cursor *in, struct entry_state *ret);

status_t base_record_write(const struct run *run, const struct change_list *list,
                           struct error *err);
/* A run that changed nothing has no record. STAGE_DAMAGED. */
status_t base_record_read(const struct run *run, struct change_list *ret_list, struct error *err);
/* The Merkle root over what the stage puts where: path, type, mode, owner class, content. */
void base_record_digest(const struct change_list *list, struct digest *ret_digest);
