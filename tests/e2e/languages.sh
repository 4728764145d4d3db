#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Programs of every kind under both filters: what one prints outside it prints inside, under standard and
# under strict. Then what standard is for beyond starting programs: builds, debuggers, version control.
# What is not installed where the tests run is skipped, each with its reason.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

export XDG_CONFIG_HOME=$SCRATCH/config
own=$XDG_CONFIG_HOME/airlock
mkdir -p "$own/templates" "$SCRATCH/work"
cat >"$own/policy.yaml" <<'END'
version: 1
rules:
  - name: both-filters
    match: { operation: run.exec, template: [code-executor, sealed] }
    action: allow
END
cat >"$own/templates/sealed.yaml" <<'END'
version: 1
name: sealed
based_on: code-executor
summary: "the strict filter, and nothing else that is different"
seccomp: strict
END
cd "$SCRATCH/work" || exit 99
work=$(realpath .)

standard() { "$AIRLOCK" run --quiet --workspace "$work" -- "$@"; }
strict() { "$AIRLOCK" run --quiet --template sealed --workspace "$work" -- "$@"; }
has() { command -v "$1" >/dev/null; }
prints() { # what it must print and nothing else, command...
    local wanted=$1 got status
    shift
    got=$("$@" 2>"$SCRATCH/stderr" </dev/null)
    status=$?
    if [ "$status" != 0 ] || [ "$got" != "$wanted" ]; then
        echo "status $status, printed '$got' instead of '$wanted'"
        cat "$SCRATCH/stderr"
        return 1
    fi
}
both() { # what, command...
    local name=$1 wanted
    shift
    wanted=$("$@" 2>"$SCRATCH/stderr" </dev/null)
    check "control: $name runs outside" test $? = 0 -a -n "$wanted"
    check "$name, standard" prints "$wanted" standard "$@"
    check "$name, strict" prints "$wanted" strict "$@"
}
missing() { # what, why
    skip "$1, standard" "$2"
    skip "$1, strict" "$2"
}

# C, in every way of linking: memory, threads, time, random numbers, the file system, floating point.
cat >native.c <<'END'
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile sig_atomic_t signals;
static long sum;

static void count(int number) {
    signals = signals + (number == SIGUSR1);
}

static void *add(void *number) {
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&lock);
        sum += (long)number;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[4];
    unsigned char noise[32] = {0}, nothing[32] = {0};
    struct timespec now, nap = {.tv_nsec = 1000};
    char folder[4096], *big = malloc(64u << 20);
    FILE *self = fopen(argv[argc - 1], "rb");
    for (long i = 0; i < 4; i++) {
        if (pthread_create(&threads[i], NULL, add, (void *)i) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    signal(SIGUSR1, count);
    raise(SIGUSR1);
    void *map = mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (big == NULL || self == NULL || fgetc(self) != 0x7f || map == MAP_FAILED ||
        getrandom(noise, sizeof noise, 0) != sizeof noise || memcmp(noise, nothing, 32) == 0 ||
        clock_gettime(CLOCK_MONOTONIC, &now) != 0 || nanosleep(&nap, NULL) != 0 ||
        getcwd(folder, sizeof folder) == NULL || isatty(0)) {
        return 2;
    }
    memset(big, 1, 64u << 20);
    printf("%ld %d %.3f %s\n", sum, (int)signals, sqrt(argc + 1.0), folder);
    free(big);
    return 0;
}
END
musl=/usr/lib/$(cc -print-multiarch 2>/dev/null | sed 's/-gnu$/-musl/')
if has gcc; then
    gcc -O1 -pthread -o dynamic native.c -lm || exit 99
    gcc -O1 -pthread -static -o static native.c -lm || exit 99
    both "a dynamic program of glibc" ./dynamic ./dynamic
    both "a static program of glibc" ./static ./static
    loader=$(grep -o '/lib[^ ]*/ld-[^ ]*' <(ldd dynamic))
    both "a program by its loader" "$loader" ./dynamic ./dynamic
else
    missing "programs of glibc" "there is no gcc here"
fi
if has gcc && [ -e "$musl/libc.a" ]; then
    "$AIRLOCK_SOURCE_DIR/tools/build-musl" musl-static musl-static.d -std=gnu17 -- native.c || exit 99
    both "a static program of musl" ./musl-static ./musl-static
    if [ -e "$musl/musl-gcc.specs" ] && ls /lib/ld-musl-*.so.1 >/dev/null 2>&1; then
        gcc -specs "$musl/musl-gcc.specs" -O1 -o musl-dynamic native.c || exit 99
        both "a dynamic program of musl" ./musl-dynamic ./musl-dynamic
    else
        missing "a dynamic program of musl" "its loader is not here"
    fi
else
    missing "programs of musl" "there is no libc.a of musl here"
fi

# Interpreters and runtimes with threads, collectors and compilers of their own.
both "a pipeline of a shell" sh -c 'printf "b\na\n" | while read -r word; do echo "<$word>"; done |
    { read -r first && read -r second && echo "$first then $second"; }'
both "a pipeline of bash" bash -c 'set -o pipefail
    while read -r n; do echo $((n * 2)); done < <(echo 21; echo 4) |
        { mapfile -t all; echo "${all[*]}"; }'
check "a pipeline of programs, standard" prints "2 b" standard sh -c \
    'printf "b\na\nb\n" | sort | uniq -c | sort -rn | head -n 1 | tr -s " " | sed "s/^ //"'
refuse "strict executes no other program" strict sh -c 'printf "b\na\n" | sort'
if has python3; then
    both "Python" python3 -c 'import asyncio, decimal, hashlib, json, os, re, sys, threading, zlib
total = []
threads = [threading.Thread(target=lambda n=n: total.append(n)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
async def nap(n):
    await asyncio.sleep(0.001)
    return n
async def main():
    return sum(await asyncio.gather(*[nap(n) for n in range(100)]))
print(sum(total), asyncio.run(main()), hashlib.sha256(b"x").hexdigest()[:8], json.dumps({"a": [1]}),
      re.sub("a+", "b", "caat"), decimal.Decimal(2).sqrt(), len(zlib.compress(b"a" * 1000)), os.getcwd(), len(os.urandom(9)))'
else
    missing "Python" "there is no python3 here"
fi
if has perl; then
    both "Perl" perl -MPOSIX=floor -MTime::HiRes=usleep -MList::Util=sum -MCwd -e 'pipe(my $r, my $w); my $child = fork // die "fork: $!";
if (!$child) { print $w "child\n"; close $w; POSIX::_exit(0) }
close $w; my $line = <$r>; waitpid($child, 0); usleep(10); chomp $line;
print join(" ", $line, $?, sum(map { $_ ** 2 } 1 .. 10), floor(2.5), getcwd()), "\n";'
else
    missing "Perl" "there is no perl here"
fi

cat >program.js <<'END'
const { Worker, isMainThread, parentPort } = require("worker_threads");
if (!isMainThread) {
  parentPort.postMessage([1, 2, 3].reduce((a, b) => a + b));
} else {
  const fs = require("fs"), crypto = require("crypto"), zlib = require("zlib");
  const file = fs.promises.readFile(__filename, "utf8");
  const hash = new Promise((done, wrong) => crypto.scrypt("a", "b", 16, (e, key) => e ? wrong(e) : done(key.toString("hex"))));
  const packed = new Promise((done, wrong) => zlib.gzip("a".repeat(1000), (e, all) => e ? wrong(e) : done(all.length > 0)));
  const worker = new Promise((done, wrong) => new Worker(__filename).on("message", done).on("error", wrong));
  let hot = 0;
  for (let i = 0; i < 3e6; i++) hot = (hot * 31 + i) | 0;
  Promise.all([file, hash, packed, worker]).then(all => console.log(all[0].length, all[1], all[2], all[3], hot, process.cwd()));
}
END
if has node; then
    both "Node" node program.js
elif [ -e "$AIRLOCK_BUILD_DIR/npm/.nvm/node_modules/.bin/node" ]; then
    HOME=$AIRLOCK_BUILD_DIR/npm PATH=$AIRLOCK_BUILD_DIR/npm/.nvm/node_modules/.bin:$PATH both "Node" node program.js
else
    missing "Node" "there is no node here, and npm could not install one (tests/npm/install)"
fi

mkdir java
cat >java/Main.java <<'END'
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Main {
    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<Integer>> all = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            int n = i;
            all.add(pool.submit(() -> n * n));
        }
        int sum = 0;
        for (Future<Integer> one : all) {
            sum += one.get();
        }
        pool.shutdown();
        for (int i = 0; i < 50; i++) {
            byte[] garbage = new byte[4 << 20];
            sum += garbage[i];
        }
        System.gc();
        long hot = IntStream.range(0, 2_000_000).mapToLong(i -> i * 31L % 7).sum();
        Path self = Path.of(arguments[0]);
        System.out.println(sum + " " + hot + " " + Files.readAllLines(self).size() + " " + System.getProperty("user.dir"));
    }
}
END
javac=(java -m jdk.compiler/com.sun.tools.javac.Main)
if ! has java; then
    missing "Java" "there is no java here"
    skip "Java is compiled" "there is no java here"
elif ! java --list-modules | grep -q '^jdk.compiler'; then
    missing "Java" "the java here has no compiler"
    skip "Java is compiled" "the java here has no compiler"
else
    "${javac[@]}" -d java java/Main.java || exit 99
    both "Java" java -cp java Main java/Main.java
    check "Java is compiled" standard sh -c '"$@" -d /tmp java/Main.java && test -s /tmp/Main.class' sh "${javac[@]}"
fi

cat >program.go <<'END'
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

func main() {
	var group sync.WaitGroup
	results := make(chan int, 100)
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			time.Sleep(time.Microsecond)
			results <- n
		}(i)
	}
	group.Wait()
	close(results)
	sum := 0
	for n := range results {
		sum += n
	}
	var keep [][]byte
	for i := 0; i < 64; i++ {
		keep = append(keep, make([]byte, 1<<20))
	}
	runtime.GC()
	text, err := os.ReadFile("program.go")
	folder, err2 := os.Getwd()
	reader, writer, err3 := os.Pipe()
	if err != nil || err2 != nil || err3 != nil {
		panic(fmt.Sprint(err, err2, err3))
	}
	go func() { fmt.Fprint(writer, "piped"); writer.Close() }()
	word := make([]byte, 5)
	if _, err := reader.Read(word); err != nil {
		panic(err)
	}
	fmt.Println(sum, len(keep), len(text), string(word), folder)
}
END
if has go; then
    export GOFLAGS=-mod=mod GO111MODULE=off GOCACHE=$SCRATCH/go-cache GOTOOLCHAIN=local
    go build -o go-program program.go || exit 99
    both "Go" ./go-program
    check "Go is compiled" standard env GO111MODULE=off GOCACHE=/tmp/cache GOTOOLCHAIN=local go build -o built program.go
else
    missing "Go" "there is no go here"
    skip "Go is compiled" "there is no go here"
fi

# What standard is for.
mkdir project
for part in a b c d e f g h; do
    printf 'int %s(void) { return 1; }\n' $part >project/$part.c
    printf 'int %s(void);\n' $part >>project/parts.h
done
printf '#include "parts.h"\nint main(void) { return a() + b() + c() + d() + e() + f() + g() + h() != 8; }\n' >project/main.c
printf 'all: program\n\t./program && echo checked\nprogram: $(patsubst %%.c,%%.o,$(wildcard *.c))\n\tgcc -o $@ $^\n%%.o: %%.c\n\tgcc -c -o $@ $<\n' >project/Makefile
cat >leaks.c <<'END'
#include <stdlib.h>
int main(int argc, char **argv) {
    (void)argv;
    char *volatile lost = malloc(argc * 1234u);
    lost = NULL;
    return lost != NULL;
}
END
printf '#include <stdio.h>\nstatic int deepest(int n) {\n    return n == 0 ? puts("at the end") : deepest(n - 1);\n}\nint main(void) {\n    return deepest(3) < 0;\n}\n' >debugged.c
if has gcc && has make; then
    check "make -j4" says '^checked$' standard make -C project -j4
    standard make -C project -j4 >/dev/null 2>&1
    refuse "and nothing of it is in the workspace" test -e project/program
    check "gcc with its link-time optimisation" standard gcc -flto=auto -O2 -o optimised native.c -lm
    # Tracing its own threads is what both forms ask of a sandbox.
    finds_the_leak() { # options of gcc...
        says '1234 byte(s) leaked in 1 allocation' standard sh -c \
            'gcc -g "$@" -o leaks leaks.c && ./leaks; test $? != 0 && rm leaks' sh "$@" &&
            ! grep -qi 'ptrace\|fatal error' "$SCRATCH/says.out"
    }
    finds_nothing() { # options of gcc...
        standard sh -c 'gcc -g "$@" -pthread -o clean native.c -lm && ./clean ./clean' sh "$@"
    }
    check "LeakSanitizer finds a leak" finds_the_leak -fsanitize=leak
    check "and nothing where nothing is lost" finds_nothing -fsanitize=leak
    if ! [[ $(standard sh -c 'ulimit -d') =~ ^[0-9]+$ ]]; then
        check "so does AddressSanitizer" finds_the_leak -fsanitize=address
        check "and finds nothing either" finds_nothing -fsanitize=address
    else
        why="without a cgroup each process has a data limit, and the shadow of AddressSanitizer counts as data"
        skip "so does AddressSanitizer" "$why"
        skip "and finds nothing either" "$why"
    fi
else
    for what in "make -j4" "gcc with its link-time optimisation" "LeakSanitizer" "AddressSanitizer"; do
        skip "$what" "there is no gcc or no make here"
    done
fi
if has gdb && has gcc; then
    gcc -g -o debugged debugged.c || exit 99
    standard gdb -nx -batch -ex 'break deepest if n == 0' -ex run -ex bt -ex 'print n' -ex 'set var n = 1' \
        -ex 'delete' -ex continue ./debugged >"$SCRATCH/gdb" 2>&1 </dev/null
    sed 's/^/# /' "$SCRATCH/gdb"
    check "gdb stops its own child" grep -q '^Breakpoint 1, deepest (n=0)' "$SCRATCH/gdb"
    check "sees its stack" grep -Eq '^#4 .* main \(\)' "$SCRATCH/gdb"
    check "changes it, and lets it go on to its end" grep -q 'exited normally' "$SCRATCH/gdb"
    check "attaches to a child that runs" says '(gdb attached)' standard sh -c \
        'sleep 60 & gdb -nx -batch -p $! -ex "info registers rip" -ex "echo (gdb attached)\n" -ex kill 2>&1'
else
    skip "gdb on an own child" "there is no gdb here"
fi
if has strace; then
    check "strace of an own child" says 'execve(.*"echo", "traced"' standard strace -f -e trace=process sh -c 'echo traced; env echo traced'
else
    skip "strace of an own child" "there is no strace here"
fi
if has git; then
    check "git commit" prints "2 second" standard sh -c 'set -e
        git init -q repository && cd repository
        git config user.name a && git config user.email a@b
        echo 1 >f && git add f && git commit -qm first && git checkout -qb other && echo 2 >>f && git commit -qam second
        git gc -q && git fsck --no-progress >/dev/null && git stash list && git clone -q . ../cloned && cd ../cloned
        echo "$(git rev-list --count HEAD) $(git log -1 --format=%s)"'
else
    skip "git commit" "there is no git here"
fi
finish
