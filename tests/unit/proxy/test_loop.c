/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "proxy/loop.h"

struct end {
    struct loop_source source;
    struct loop *loop;
    struct end *victim; /* is removed when this one is called */
    unsigned calls;
};

static void on_ready(struct loop_source *source, uint32_t events) {
    struct end *end = (struct end *)source;
    assert_true((events & LOOP_READ) != 0);
    end->calls++;
    if (end->victim != nullptr) {
        loop_remove(end->loop, &end->victim->source);
    }
}

static void a_source_that_was_removed_is_not_called(void **state) {
    (void)state;
    struct loop *loop;
    struct error err;
    int a[2];
    int b[2];
    assert_int_equal(pipe(a) + pipe(b), 0);
    assert_true(status_is_ok(loop_new(&loop, &err)));
    struct end one = {.source = {.fd = -1, .ready = on_ready}, .loop = loop};
    struct end two = {.source = {.fd = -1, .ready = on_ready}, .loop = loop};
    one.victim = &two;
    two.victim = &one;
    assert_true(loop_add(loop, &one.source, a[0], LOOP_READ));
    assert_true(loop_add(loop, &two.source, b[0], LOOP_READ));
    assert_int_equal(write(a[1], "x", 1) + write(b[1], "x", 1), 2);
    assert_true(loop_turn(loop));
    assert_int_equal(one.calls + two.calls, 1);
    struct end *left = one.calls == 1 ? &one : &two;
    loop_set(loop, &left->source, 0);
    loop_set(loop, &left->source, LOOP_READ);
    assert_true(loop_turn(loop));
    assert_int_equal(one.calls + two.calls, 2);
    loop_remove(loop, &left->source);
    loop_remove(loop, &left->source);
    loop_free(loop);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(close(a[i]) + close(b[i]), 0);
    }
}

struct alarm {
    struct timer timer;
    unsigned *order;
    unsigned fired; /* 0: not yet */
};

static void on_alarm(struct timer *timer) {
    struct alarm *alarm = (struct alarm *)timer;
    alarm->fired = ++*alarm->order;
}

/* Timers in a shuffled order, some moved, some taken back. */
static void timers_fire_in_their_order(void **state) {
    (void)state;
    enum { COUNT = 200 };
    static struct alarm alarms[COUNT];
    struct loop *loop;
    struct error err;
    unsigned order = 0;
    assert_true(status_is_ok(loop_new(&loop, &err)));
    for (unsigned i = 0; i < COUNT; i++) {
        alarms[i] = (struct alarm){.timer.fire = on_alarm, .order = &order};
        assert_true(loop_timer_set(loop, &alarms[i].timer, 1000));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned n = i * 77 % COUNT;
        assert_true(loop_timer_set(loop, &alarms[n].timer, 1 + n / 4));
    }
    unsigned left = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        if (i % 3 == 0) {
            loop_timer_clear(loop, &alarms[i].timer);
        } else {
            left++;
        }
    }
    while (order < left) {
        assert_true(loop_turn(loop));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(alarms[i].fired == 0, i % 3 == 0);
        for (unsigned k = 0; k < i && alarms[i].fired != 0; k++) {
            assert_true(alarms[k].fired < alarms[i].fired || k / 4 == i / 4);
        }
    }
    loop_free(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_that_was_removed_is_not_called),
        cmocka_unit_test(timers_fire_in_their_order),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
