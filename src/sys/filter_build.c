/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/filter_build.h"

#include <linux/audit.h>
#include <stddef.h>
#include <stdlib.h>

enum { X32_BIT = 0x40000000 };

struct range {
    unsigned start;
    unsigned action;
};

void filter_emit(struct filter_code *code, unsigned operation, unsigned jump_true,
                 unsigned jump_false, unsigned k) {
    if (code->count == FILTER_LINE_COUNT_MAX || jump_true > 255 || jump_false > 255) {
        (void)fprintf(stderr, "the filter is too long\n");
        exit(1);
    }
    code->line[code->count++] = (struct sock_filter){
        (unsigned short)operation, (unsigned char)jump_true, (unsigned char)jump_false, k};
}

void filter_emit_return(struct filter_code *code, unsigned value) {
    filter_emit(code, BPF_RET | BPF_K, 0, 0, value);
}

void filter_emit_load(struct filter_code *code, unsigned argument) {
    unsigned offset = (unsigned)offsetof(struct seccomp_data, args) + 8 * argument;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    offset += 4;
#endif
    filter_emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void emit_tree(struct filter_code *code, const struct range *ranges, unsigned count,
                      filter_emit_action *emit) {
    if (count == 1) {
        emit(code, ranges[0].action);
        return;
    }
    unsigned middle = count / 2;
    /* Below the middle: skip the jump. Else jump over the left half, whose length comes later. */
    filter_emit(code, BPF_JMP | BPF_JGE | BPF_K, 0, 1, ranges[middle].start);
    unsigned jump = code->count;
    filter_emit(code, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_tree(code, ranges, middle, emit);
    code->line[jump].k = code->count - jump - 1;
    emit_tree(code, ranges + middle, count - middle, emit);
}

static unsigned audit_architecture(void) {
#if defined(__x86_64__)
    return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    return AUDIT_ARCH_AARCH64;
#else
#error "no seccomp table for this architecture"
#endif
}

void filter_build(struct filter_code *code, const unsigned actions[static FILTER_NUMBER_COUNT],
                  unsigned rest, filter_emit_action *emit) {
    static struct range ranges[FILTER_NUMBER_COUNT + 1];
    unsigned count = 0;
    for (unsigned i = 0; i < FILTER_NUMBER_COUNT; i++) {
        if (i == 0 || actions[i] != actions[i - 1]) {
            ranges[count++] = (struct range){i, actions[i]};
        }
    }
    ranges[count++] = (struct range){X32_BIT, rest};
    code->count = 0;
    filter_emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, audit_architecture());
    filter_emit_return(code, SECCOMP_RET_KILL_PROCESS);
    filter_emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
    emit_tree(code, ranges, count, emit);
}

void filter_print(FILE *out, const char *name, const struct filter_code *code) {
    (void)fprintf(out, "static const struct sock_filter filter_%s[] = {\n", name);
    for (unsigned i = 0; i < code->count; i++) {
        (void)fprintf(out, "    {0x%04x, %3u, %3u, 0x%08x},\n", code->line[i].code,
                      code->line[i].jt, code->line[i].jf, code->line[i].k);
    }
    (void)fprintf(out, "};\n");
}
