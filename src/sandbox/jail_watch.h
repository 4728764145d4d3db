/* SPDX-License-Identifier: Apache-2.0
 *
 * What init sees and does where no cgroup does it.
 */
#pragma once

#include <stdint.h>
#include <sys/time.h>

/* jail_watch.c */
/* What the processes of the sandbox take together, without init. */
struct jail_sample {
    uint64_t resident_bytes; /* shared pages once per process */
    uint64_t cpu_us;         /* with that of their own dead children */
    uint32_t thread_count;
};
struct jail_sample jail_sample_take(void);
/* Whether they hold more than that, shared memory counted once; or whether the host is nearly out
 * of memory and lost that much since the first call. *ret_room is what is left until then. */
bool jail_memory_is_over(const struct jail_sample *sample, uint64_t limit_bytes,
                         uint64_t *ret_room);

/* jail_hold.c: init's part in standing still, for a pause and for a quota of the processors. */
struct jail_hold {
    bool is_paused;   /* ordered */
    bool is_over_cpu; /* past its quota; goes on when the time has come */
    uint64_t looked_ns;
    uint64_t cpu_us;   /* used until then */
    int64_t credit_us; /* of processor time, below 0 when it is owed */
    uint64_t held_us;  /* stopped for its quota, in all */
};
/* Stops or continues everything inside but init, as both reasons want it. */
void jail_hold_apply(const struct jail_hold *hold);
/* Charges what was used since the last call to a quota of `percent` (100: one processor), and
 * stops or continues. `cpu_us` is all that was ever used. */
void jail_hold_charge(struct jail_hold *hold, uint64_t now_ns, uint64_t cpu_us, uint32_t percent);

/* What init keeps of the processes it looks at. */
struct jail_meter {
    struct jail_hold hold;
    uint64_t look_at_ns; /* not before; UINT64_MAX: a cgroup does it all */
    uint64_t resident_peak_bytes;
    uint32_t pid_count_peak;
    uint64_t still_at_ns;  /* when what is held is looked at next */
    uint64_t still_cpu_us; /* used when it stood still */
    uint8_t still_looks;
};
struct jail;
/* Stops again what is held, at its pace. True when it goes on by itself: a timer of its own may
 * send SIGCONT (timer_create(2)), and the time that it is held counts against no limit. */
bool jail_meter_runs_on(struct jail_meter *meter);
/* Looks, when it is time and where no cgroup does: charges the quota, remembers the most. True when
 * the payload is past its memory. */
bool jail_meter_look(struct jail_meter *meter, const struct jail *jail);

enum { JAIL_SAMPLE_MS = 50 };
/* When to look again after a look that began then. Not before the room that is left can be filled,
 * nor, where looking is slow, so soon that much of the time goes into it: a thousand sandboxes that
 * wait must cost next to nothing. */
uint64_t jail_next_look(uint64_t before_ns, uint64_t room_bytes);
/* What is left of a limit. */
static inline uint64_t jail_room(uint64_t limit, uint64_t used) {
    return limit > used ? limit - used : 0;
}
uint64_t jail_time_us(struct timeval time);

/* Init's walks through what the sandbox wrote. Zeroed: the first is due. */
struct jail_walk {
    uint64_t soon_ns;         /* the next is not before that */
    uint64_t latest_ns;       /* and then in any case */
    uint64_t room_bytes;      /* what the last one found left of the limit */
    uint64_t disk_room_bytes; /* and what was left of the whole disk */
};
/* Walks, when it is time. True when the sandbox is past its limit of disk. */
bool jail_walk_is_over(struct jail_walk *walk, const struct jail *jail, uint64_t disk_room_bytes);
/* When to call that next. */
uint64_t jail_walk_at_ns(const struct jail_walk *walk, uint64_t now);
