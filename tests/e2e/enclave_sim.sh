#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `airlock enclave sim`: a program sees exactly what a manifest shows, each file checked first, and can
# do what Gramine lets it do.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
probe=$(realpath "$AIRLOCK_BUILD_DIR/tests/e2e/probes/enclave_probe")
if grep -q sanitize "$AIRLOCK_BUILD_DIR/build.ninja" && ldd "$probe" 2>/dev/null | grep -q san; then
    echo "1..0 # SKIP a sanitizer's own calls are none of Gramine's"
    exit 0
fi

cp "$probe" probe
hash=$(sha256sum <probe | cut -d ' ' -f 1)
echo "of the host" >allowed
echo "nobody's" >hidden
manifest() { # words of the program; more lines come from standard input
    local word list=""
    for word in "$@"; do list="$list, \"$word\""; done
    cat <<END
libos.entrypoint = "/bin/probe"
loader.argv = [ "probe"$list ]
fs.root = { type = "tmpfs" }
fs.mounts = [
  { path = "/bin/probe", uri = "file:probe" },
  { path = "/data", uri = "file:." },
  { path = "/scratch", type = "tmpfs" },
]
sgx.trusted_files = [ { uri = "file:probe", sha256 = "$hash" } ]
END
    cat
}
sim() { "$AIRLOCK" enclave sim -m "${1:-manifest}"; }

manifest see <<'END' >manifest
loader.env.GIVEN = "a b"
loader.env.TABLE = { value = "" }
loader.env.PASSED = { passthrough = true }
loader.env.ABSENT = { passthrough = true }
sgx.allowed_files = [ "file:allowed" ]
sys.fds.limit = 128
loader.uid = 7
loader.gid = 8
fs.start_dir = "/scratch"
END
exec 9<hidden # is nothing of the program's
PASSED=1 UNSAID=1 sim >see.out 2>see.err
same "the program ran" 0 $?
same "arguments are the manifest's" "probe see" "$(sed -n 's/^argument //p' see.out | xargs)"
same "variables are the manifest's" "GIVEN=a b,TABLE=,PASSED=1" \
    "$(sed -n 's/^variable //p' see.out | paste -sd,)"
same "ids, folder and limit are the manifest's; it is the first process" "7 8 1 /scratch 128" \
    "$(sed -n 's/^ids //p; s/^folder //p; s/^descriptors //p' see.out | xargs)"
same "no descriptor is handed on" 0 "$(grep -c '^open' see.out)"
same "files: what is trusted and allowed, and what Gramine itself has" \
    "/bin/probe /data/allowed /data/probe /dev/attestation/airlock-simulation \
/dev/attestation/attestation_type /dev/null /dev/random /dev/urandom /dev/zero" \
    "$(sed -n 's/^file //p' see.out | sort | xargs)"
check "it says that it is none" grep -q "no enclave: nothing vouches for it" see.err
exec 9<&-

manifest calls <<'END' >manifest
sys.disallow_subprocesses = true
sgx.enclave_size = "256M"
END
sim >calls.out 2>/dev/null
for call in io_uring_setup splice tee timerfd signalfd eventfd memfd statx openat2 clone3 prctl ptrace \
    mount unshare bpf mremap epoll_pwait2 x32 flock fork clone; do
    same "$call is not there" "$call ENOSYS" "$(grep "^$call " calls.out)"
done
for call in thread epoll pipe getrandom stream unix-stream internet-datagram nodelay reuseport; do
    same "$call works" "$call works" "$(grep "^$call " calls.out)"
done
for answer in "memory ENOMEM" "unix-datagram EPROTONOSUPPORT" "unix-seqpacket EPROTONOSUPPORT" \
    "netlink EAFNOSUPPORT" "packet EPROTONOSUPPORT" "ulp ENOPROTOOPT" "zerocopy ENOPROTOOPT" \
    "incoming-cpu ENOPROTOOPT" "pktinfo ENOPROTOOPT" "send-zerocopy EOPNOTSUPP" \
    "send-oob EOPNOTSUPP"; do
    same "as in Gramine: $answer" "$answer" "$(grep "^${answer%% *} " calls.out)"
done
manifest calls <<'END' >manifest
sys.insecure__allow_eventfd = true
sys.experimental__enable_flock = true
END
sim >calls.out 2>/dev/null
same "what a manifest permits is there" "clone works,eventfd works,flock works,fork works" \
    "$(grep -E '^(eventfd|fork|clone|flock) ' calls.out | sort -u | paste -sd,)"

manifest write /bin/probe write /new write /scratch/new write /data/allowed write /data/new \
    write /dev/null quote exit 5 <<'END' >manifest
sgx.allowed_files = [ "file:allowed" ]
END
sim >write.out 2>/dev/null
same "its exit status is the program's" 5 $?
same "what can be written is what the manifest says" \
    "/bin/probe EACCES,/new EROFS,/scratch/new works,/data/allowed works,/data/new EROFS,/dev/null works" \
    "$(grep ^/ write.out | paste -sd,)"
same "an allowed file is the host's" "xf the host" "$(cat allowed)"
same "quotes are made, and are simulations" "quote airlock-simulation-quote holds" \
    "$(grep ^quote write.out)"

# The network is the host's, as with Gramine; sockets with a name of their own in it are not there in Gramine.
name=airlock-test-$$-$RANDOM
python3 -c 'import socket, sys, time
listener = socket.socket(socket.AF_UNIX)
listener.bind("\0" + sys.argv[1])
listener.listen()
open("abstract.ready", "w").close()
time.sleep(60)' "$name" &
listener=$!
eventually test -e abstract.ready
manifest abstract "$name" </dev/null >manifest
if printf '6.12\n%s\n' "$(uname -r)" | sort -CV; then
    same "an abstract socket of the host is out of reach" "abstract EPERM" "$(sim 2>/dev/null)"
else
    skip "an abstract socket of the host is out of reach" "Landlock has no scopes before Linux 6.12"
fi
kill $listener

# Before anything is started.
manifest see </dev/null >manifest
cp probe probe.good
printf '\001' | dd of=probe bs=1 seek=4000 conv=notrunc status=none
check "one byte of a trusted file is another" fails 65 "not the file that the manifest trusts" sim
cp probe.good probe
check "the right file again" sim
mv probe probe.away
check "a trusted file that is gone" fails 74 "cannot open probe" sim
mv probe.away probe
sed 's/, sha256 = "[0-9a-f]*"//' manifest >unhashed
check "a trusted file without a hash" fails 65 "without a hash" sim unhashed
sed 's,"file:probe"\, sha,"file:./"\, sha,' manifest >folder
check "a trusted folder" fails 65 "without a hash" sim folder
manifest see >broken <<'END'
sgx.thread_num = 4
END
check "what Gramine refuses" fails 65 "sgx.thread_num is gone" sim broken
manifest see >broken <<'END'
loader.insecure__use_cmdline_argv = true
END
check "arguments from elsewhere" fails 65 "from the manifest alone" sim broken
sed 's,type = "tmpfs" }\,,type = "encrypted"\, uri = "file:e" }\,,' manifest >broken
check "an encrypted mount" fails 65 "there is no key" sim broken
sed 's,path = "/data",path = "/data/../..",' manifest >broken
check "a path that leads out" fails 65 "has .. in it" sim broken
sed 's,"/bin/probe",0,' manifest | sed 's,entrypoint = 0,entrypoint = "/nowhere",; s,path = 0,path = "/bin/probe",' >broken
check "a program that nothing shows" fails 65 "cannot execute /nowhere inside" sim broken
check "a manifest that is not there" fails 74 "cannot open" sim nowhere
check "no manifest" fails 2 "name a manifest" "$AIRLOCK" enclave sim

# A program with libraries: what the manifest lists is all it needs.
if [ -x /usr/bin/openssl ]; then
    printf 'version: 1\n' >empty.yaml
    sed 's/^loader.argv = .*/loader.argv = ["openssl", "version"]/' \
        "$AIRLOCK_SOURCE_DIR/packaging/gramine/proxy.manifest.template" >dynamic.template
    "$AIRLOCK" enclave manifest -c empty.yaml -p /usr/bin/openssl --template dynamic.template -o dynamic
    same "a program runs with exactly the libraries that its manifest names" "$(openssl version)" \
        "$(sim dynamic 2>/dev/null)"
    libz=$(sed -n 's/.*path = "\([^"]*libz\.[^"]*\)".*/\1/p' dynamic)
    sed "/path = .*libz\./d" dynamic >lacking
    check "and not without one of them" fails 127 "${libz##*/}" sim lacking
else
    skip "a program with libraries" "no openssl here"
fi

# Signals.
manifest wait <<'END' >manifest
sys.enable_sigterm_injection = true
END
started() { for _ in $(seq 200); do grep -q waiting "$1" && return; sleep 0.05; done; return 1; }
sim >wait.out 2>/dev/null &
started wait.out
kill -TERM "$(pgrep -P $! || echo $!)" 2>/dev/null
wait $!
same "SIGTERM goes to a program that the manifest lets have it" "7 term" "$? $(tail -1 wait.out)"
manifest wait </dev/null >manifest
: >wait.out # what the one before said is not looked at
"$AIRLOCK" enclave sim -m manifest >wait.out 2>/dev/null &
started wait.out
kill -TERM $!
wait $!
same "and ends another" "137 waiting" "$? $(tail -1 wait.out)"
"$AIRLOCK" enclave sim -m manifest >wait.out 2>/dev/null &
started wait.out
kill -KILL $!
wait $! 2>/dev/null
gone=1
for _ in $(seq 100); do
    pgrep -f "^probe wait$" -u "$(id -u)" >/dev/null || { gone=0; break; }
    sleep 0.05
done
same "the program does not outlive the simulation" 0 $gone
finish
