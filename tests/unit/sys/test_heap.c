/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/heap.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const uint64_t SECRET = UINT64_C(0x5bd1e9955bd1e995);

static struct heap fresh(void) {
    return (struct heap){.secret = SECRET};
}

/* Whether `misuse` ends its process by abort(). */
static bool is_ended(void (*misuse)(struct heap *heap)) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct heap heap = fresh();
        (void)close(STDERR_FILENO);
        misuse(&heap);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void free_twice(struct heap *heap) {
    void *data = heap_allocate(heap, 40);
    heap_free(heap, data);
    heap_free(heap, data);
}

static void free_twice_what_is_large(struct heap *heap) {
    void *data = heap_allocate(heap, 100000);
    heap_free(heap, data);
    heap_free(heap, data);
}

static void free_inside(struct heap *heap) {
    uint8_t *data = heap_allocate(heap, 200);
    heap_free(heap, data + HEAP_ALIGNMENT);
}

static void free_unaligned(struct heap *heap) {
    uint8_t *data = heap_allocate(heap, 200);
    heap_free(heap, data + 1);
}

static void free_of_another_heap(struct heap *heap) {
    struct heap other = {.secret = ~SECRET};
    heap_free(heap, heap_allocate(&other, 40));
}

static void write_beyond_the_end(struct heap *heap) {
    uint8_t *first = heap_allocate(heap, 40);
    uint8_t *second = heap_allocate(heap, 40);
    memset(first, 'x', heap_usable(heap, first) + 1);
    heap_free(heap, second);
}

static void write_after_free(struct heap *heap) {
    uint8_t *first = heap_allocate(heap, 40);
    heap_free(heap, heap_allocate(heap, 40));
    heap_free(heap, first);
    memset(first, 'x', 8);
    (void)heap_allocate(heap, 40);
    memset(heap_allocate(heap, 40), 'x', 8);
}

static void resize_what_was_freed(struct heap *heap) {
    void *data = heap_allocate(heap, 40);
    heap_free(heap, data);
    (void)heap_resize(heap, data, 4000);
}

static void misuse_ends_the_program(void **state) {
    (void)state;
    assert_true(is_ended(free_twice));
    assert_true(is_ended(free_twice_what_is_large));
    assert_true(is_ended(free_inside));
    assert_true(is_ended(free_unaligned));
    assert_true(is_ended(free_of_another_heap));
    assert_true(is_ended(write_beyond_the_end));
    assert_true(is_ended(resize_what_was_freed));
}

/* The link of a list that was overwritten leads to no block, or to nothing that is mapped. */
static void a_broken_list_is_not_followed(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct heap heap = fresh();
        (void)signal(SIGSEGV, SIG_DFL); /* cmocka's would go on with the next test */
        (void)close(STDERR_FILENO);
        write_after_free(&heap);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void what_is_not_there_is_refused(void **state) {
    (void)state;
    struct heap heap = fresh();
    assert_null(heap_allocate(&heap, SIZE_MAX));
    assert_null(heap_allocate(&heap, SIZE_MAX - 64));
    assert_null(heap_allocate(&heap, (size_t)1 << 60));
    char *data = heap_allocate(&heap, 10);
    memcpy(data, "123456789", 10);
    assert_null(heap_resize(&heap, data, (size_t)1 << 60));
    assert_string_equal(data, "123456789");
    heap_free(&heap, data);
    heap_free(&heap, nullptr);
}

/* Around every step of sizes: aligned, as large as asked for, and apart from its neighbours. */
static void every_size_has_its_block(void **state) {
    (void)state;
    struct heap heap = fresh();
    for (size_t base = 1; base <= 4 * HEAP_BLOCK_BYTES_MAX; base += base < 2048 ? 1 : base / 9) {
        uint8_t *before = heap_allocate(&heap, 24);
        uint8_t *data = heap_allocate(&heap, base);
        uint8_t *after = heap_allocate(&heap, 24);
        assert_non_null(data);
        assert_int_equal((uintptr_t)data % HEAP_ALIGNMENT, 0);
        assert_true(heap_usable(&heap, data) >= base);
        assert_true(base < 2048 || heap_usable(&heap, data) <= base + base / 4 + 4096);
        memset(before, 1, 24);
        memset(after, 2, 24);
        memset(data, 3, heap_usable(&heap, data));
        assert_int_equal(before[23], 1);
        assert_int_equal(after[0], 2);
        heap_free(&heap, data);
        heap_free(&heap, before);
        heap_free(&heap, after);
    }
}

static void what_was_freed_is_used_again(void **state) {
    (void)state;
    struct heap heap = fresh();
    void *first = heap_allocate(&heap, 100);
    void *second = heap_allocate(&heap, 100);
    heap_free(&heap, first);
    heap_free(&heap, second);
    assert_ptr_equal(heap_allocate(&heap, 100), second);
    assert_ptr_equal(heap_allocate(&heap, 100), first);
    size_t left = heap.left;
    for (int i = 0; i < 10000; i++) {
        heap_free(&heap, heap_allocate(&heap, 3000));
    }
    assert_true(left - heap.left < 4096);
}

static void zeroed_memory_is_zero(void **state) {
    (void)state;
    static const uint8_t zeros[200000];
    struct heap heap = fresh();
    for (size_t size = 1; size <= sizeof zeros; size = size * 2 + 1) {
        uint8_t *data = heap_allocate_zeroed(&heap, size);
        assert_memory_equal(data, zeros, size);
        memset(data, 'x', size);
        heap_free(&heap, data);
        data = heap_allocate_zeroed(&heap, size);
        assert_memory_equal(data, zeros, size);
        heap_free(&heap, data);
    }
}

static void resizing_keeps_what_is_there(void **state) {
    (void)state;
    struct heap heap = fresh();
    uint8_t *data = nullptr;
    for (size_t size = 1; size < 600000; size = size * 3 / 2 + 1) {
        data = heap_resize(&heap, data, size);
        assert_non_null(data);
        for (size_t i = 0; i < size / 2; i++) {
            assert_int_equal(data[i], (uint8_t)i);
        }
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t)i;
        }
    }
    data = heap_resize(&heap, data, 100);
    assert_true(heap_usable(&heap, data) < 4096);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(data[i], (uint8_t)i);
    }
    heap_free(&heap, data);
}

/* Many of all sizes at once, freed in another order, each still holding its own number. */
static void many_live_side_by_side(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    static uint32_t *blocks[COUNT];
    struct heap heap = fresh();
    uint32_t random = 1;
    for (unsigned round = 0; round < 6; round++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            random = random * 1664525 + 1013904223;
            if (blocks[i] == nullptr) {
                size_t size = 4 + (random >> 8) % (i % 50 == 0 ? 200000 : 700);
                blocks[i] = heap_allocate(&heap, size);
                assert_non_null(blocks[i]);
                *blocks[i] = i;
            } else if (random >> 30 != 0) {
                assert_int_equal(*blocks[i], i);
                heap_free(&heap, blocks[i]);
                blocks[i] = nullptr;
            }
        }
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_true(blocks[i] == nullptr || *blocks[i] == i);
        heap_free(&heap, blocks[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(misuse_ends_the_program),
        cmocka_unit_test(a_broken_list_is_not_followed),
        cmocka_unit_test(what_is_not_there_is_refused),
        cmocka_unit_test(every_size_has_its_block),
        cmocka_unit_test(what_was_freed_is_used_again),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(resizing_keeps_what_is_there),
        cmocka_unit_test(many_live_side_by_side),
    };
    return cmocka_run_group_tests_name("heap", tests, nullptr, nullptr);
}
