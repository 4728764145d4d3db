#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the network edge says when something is wrong: options, addresses that cannot be had, streams that
# are closed, reloads that fail or wait for a restart, connections that fail.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

proxy=$AIRLOCK_BUILD_DIR/src/airlock-proxy
load="python3 $AIRLOCK_SOURCE_DIR/tests/e2e/proxy_load.py"
edge=
jobs=()
trap 'kill $edge "${jobs[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$other"; clean_up' EXIT
other=$(mktemp -d "${TMPDIR:-/tmp}/airlock-other-XXXXXX")
read -r front auth out near metrics gone plain wrong ragged sloppy < <(free_ports 10)

# Options.
check "an option that is none is named" says 'airlock proxy has no option --jsn' "$proxy" check --jsn
check "with the nearest" says 'Did you mean: --json' "$proxy" check --jsn
check "one without its value" says '--seconds takes a value' "$proxy" bench --seconds
check "one that the verb does not look at" says 'airlock proxy check does not look at --to' "$proxy" check -c x --to 127.0.0.1:7
check "serving neither" says 'airlock proxy does not look at --seconds' "$proxy" -c x --seconds 3
same "is a usage error" 2 "$("$proxy" -c x --seconds 3 2>/dev/null; echo $?)"
check "an operand too many is named" says 'there is an operand too many: b' "$proxy" init a b
check "a folder without the one above it" says 'mkdir -p a/b/c' "$proxy" init a/b/c

# Colours: at a terminal that wants them, in every program.
cat >terminal.py <<'END'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
try:
    while part := os.read(terminal, 4096):
        sys.stdout.buffer.write(part)
except OSError:
    pass
os.waitpid(pid, 0)
END
escape=$(printf '\033')
for program in airlock-proxy airlock-enclave airlock-release; do
    check "$program: errors in colour at a terminal" says "$escape" env TERM=xterm NO_COLOR= python3 terminal.py "${proxy%/*}/$program" nonsense
    refuse "$program: none with NO_COLOR" says "$escape" env TERM=xterm NO_COLOR=1 python3 terminal.py "${proxy%/*}/$program" nonsense
    refuse "$program: none without a terminal" says "$escape" env TERM=xterm NO_COLOR= "${proxy%/*}/$program" nonsense
done

# A table that is wider than the terminal: a line for each cell.
cat >narrow.py <<'END'
import fcntl, os, pty, struct, sys, termios
master, terminal = pty.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
if os.fork() == 0:
    os.dup2(terminal, 1)
    os.execv(sys.argv[2], sys.argv[2:])
os.close(terminal)
try:
    while part := os.read(master, 4096):
        sys.stdout.buffer.write(part.replace(b"\r", b""))
except OSError:
    pass
os.wait()
END
"$AIRLOCK" proxy init edge >/dev/null
python3 narrow.py 60 "$proxy" check -c edge/proxy.yaml >narrow.txt
check "at 60 columns check has a line for each cell" grep -qx '  LISTENER  front' narrow.txt
check "heads are as wide as each other" grep -qx '  BIND      tcp://127.0.0.1:8443' narrow.txt
refuse "and no row of a table" grep -q 'LISTENER.*BIND' narrow.txt
python3 narrow.py 200 "$proxy" check -c edge/proxy.yaml >wide.txt
check "at 200 columns the same as without a terminal" cmp wide.txt <("$proxy" check -c edge/proxy.yaml)

# What it listens at.
listens() { # address
    printf 'version: 1\nlisteners: [{name: a, bind: "%s", mode: echo}]\n' "$1" >listen.yaml
    timeout 10 "$proxy" -c listen.yaml
}
check "a socket in no folder" says "mkdir -p $SCRATCH/none" listens "unix://$SCRATCH/none/a.sock"
: >file
check "one where a file is" says "is no socket has this path" listens "unix://$SCRATCH/file"
check "an address of nobody's here" says 'No interface has this address' listens tcp://192.0.2.1:8443
python3 -c '
import socket, sys, time
one = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(flush=True)
while True:
    one.accept()[0].close()' "$plain" >ready 2>&1 &
jobs+=($!)
eventually test -s ready
check "a port that is taken" says 'see which with ss -ltnup' listens "tcp://127.0.0.1:$plain"
if [ "$(id -u)" != 0 ] && [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 443 ]; then
    check "a port below 1024" says 'ip_unprivileged_port_start=443' listens tcp://127.0.0.1:443
else
    skip "a port below 1024" "this user may have it"
fi

make() { # name, more
    local name=$1
    shift
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$name" \
        -addext subjectAltName=DNS:localhost -keyout "$name.key" -out "$name.pem" "$@" 2>/dev/null && chmod 600 "$name.key"
}
make cert
make friend
make stranger
pin=$(openssl x509 -in friend.pem -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1)
cat >proxy.yaml <<END
version: 1
workers: 1
metrics: {bind: "tcp://127.0.0.1:$metrics"}
listeners:
  - {name: front, bind: "tcp://127.0.0.1:$front", mode: terminate, tls: {cert: cert.pem, key: cert.key}, routes: [{to: gone}]}
  - name: auth
    bind: "tcp://127.0.0.1:$auth"
    mode: echo
    tls: {cert: cert.pem, key: cert.key, client: {auth: require, pins: ["$pin"]}}
  - {name: out, bind: "tcp://127.0.0.1:$out", mode: originate, routes: [{to: wrong}]}
  - {name: near, bind: "tcp://127.0.0.1:$near", mode: originate, routes: [{to: plain}]}
  - {name: ragged, bind: "tcp://127.0.0.1:$ragged", mode: reencrypt, tls: {cert: cert.pem, key: cert.key}, routes: [{to: sloppy}]}
upstreams:
  - {name: sloppy, servers: [{addr: "127.0.0.1:$sloppy"}], tls: {ca: cert.pem, server_name: localhost}}
  - {name: gone, servers: [{addr: "127.0.0.1:$gone"}]}
  - {name: wrong, servers: [{addr: "127.0.0.1:$wrong"}], tls: {ca: friend.pem, server_name: localhost}}
  - {name: plain, servers: [{addr: "127.0.0.1:$plain"}], tls: {ca: friend.pem, server_name: localhost}}
END
openssl s_server -accept "127.0.0.1:$wrong" -cert stranger.pem -key stranger.key -quiet >/dev/null 2>&1 &
jobs+=($!)
python3 -c '
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "cert.key")
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    with context.wrap_socket(listener.accept()[0], server_side=True) as one:
        one.sendall(b"x" * 100000)' "$sloppy" 2>/dev/null &
jobs+=($!)
cp proxy.yaml good.yaml
"$proxy" -c proxy.yaml 2>log &
edge=$!
eventually $load page "$metrics" /ready >/dev/null || cat log

# Connections.
ask() { # port, more: s_client, until the other end closes or is gone
    local port=$1
    shift
    (sleep 1) | timeout 10 openssl s_client -connect "127.0.0.1:$port" -quiet -no_ign_eof "$@" >/dev/null 2>&1
}
of() { # listener, member: of its last connection
    python3 -c '
import json, sys
lines = [json.loads(line) for line in open("log")]
lines = [line for line in lines if line["event"] == "connection" and line["listener"] == sys.argv[1]]
print(lines[-1].get(sys.argv[2], "-") if lines else "none")' "$1" "$2"
}
is() { [ "$(of "$1" "$2")" = "$3" ]; }
ask "$front"
eventually is front end connect
same "a server that refuses: so it says" "connect: Connection refused" "$(of front end): $(of front why)"
(sleep 1) | timeout 10 openssl s_client -connect "127.0.0.1:$front" -verify_return_error -CAfile friend.pem >/dev/null 2>&1
eventually is front end handshake
check "a client that does not trust us: its alert" grep -q 'unknown ca' <(of front why)
ask "$auth" -cert stranger.pem -key stranger.key
eventually is auth end client-certificate
check "a client's certificate that is refused: why" grep -q 'certificate' <(of auth why)
ask "$auth" -cert friend.pem -key friend.key
eventually is auth end "done"
same "one that is accepted: whose key" "$pin" "$(of auth client_key)"
same "and nothing is wrong" - "$(of auth why)"
talk() { python3 -c '
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as one:
    try:
        one.sendall(b"hello")
        one.recv(100)
    except OSError:
        pass' "$1"; }
talk "$out"
eventually is out end upstream-handshake
check "a server that is not trusted: why" grep -q 'certificate' <(of out why)
talk "$near"
eventually is near end upstream-handshake
check "a server that speaks no TLS and goes: so it says" grep -Eq 'closed in the middle|reset|unexpected eof' <(of near why)

# A server that ends without a word of TLS: what it sent is passed on, and its end as what it was.
same "a server that ends without close_notify: so does the edge, behind the last byte" "100000 ragged" "$(python3 - "$ragged" <<'END'
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10) as plain:
    one, got = context.wrap_socket(plain, suppress_ragged_eofs=False), 0
    try:
        while data := one.recv(65536):
            got += len(data)
        print(got, "closed")
    except ssl.SSLEOFError:
        print(got, "ragged")
END
)"
eventually is ragged end truncated
same "and the log has it" truncated "$(of ragged end)"

# Reloads.
last() { # event, member
    python3 -c '
import json, sys
lines = [json.loads(line) for line in open("log")]
print([line.get(sys.argv[2], "-") for line in lines if line["event"] == sys.argv[1]][-1:])' "$1" "$2"
}
reloads() { [ "$(grep -c "proxy.reload" log)" = "$1" ]; }
sed "s/$near/$plain/" good.yaml >proxy.yaml
kill -HUP "$edge"
eventually reloads 1
same "a reload that cannot listen: why" "['Address already in use']" "$(last proxy.reload-failed why)"
same "and where" "['in listener near']" "$(last proxy.reload-failed in)"
mv proxy.yaml away.yaml
kill -HUP "$edge"
eventually reloads 2
same "a configuration that is gone" "['No such file or directory']" "$(last proxy.reload-failed why)"
cp good.yaml proxy.yaml
kill -HUP "$edge"
eventually reloads 3
same "a reload that changes nothing waits for nothing" "['-']" "$(last proxy.reloaded after_restart)"
sed "s/workers: 1/workers: 2\nengine: epoll/; s/$metrics/$gone/" good.yaml >proxy.yaml
kill -HUP "$edge"
eventually reloads 4
same "what needs a restart is said" "['engine workers metrics']" "$(last proxy.reloaded after_restart)"
cp cert.pem "$other"
sed "s|cert: cert.pem, key: cert.key|cert: $other/cert.pem, key: cert.key|" good.yaml >proxy.yaml
kill -HUP "$edge"
eventually reloads 5
if grep -q '"confined":"yes"' log; then
    check "a folder that it did not name at its start: so it says" grep -q 'restart it' <(last proxy.reload-failed hint)
else
    skip "a folder that it did not name at its start: so it says" "this kernel has no Landlock"
fi
kill "$edge"
wait "$edge"

# Unix sockets: their paths go with who listens there.
cat >unix.yaml <<END
version: 1
metrics: {bind: "unix://$SCRATCH/metrics.sock"}
listeners:
  - {name: stays, bind: "unix://$SCRATCH/stays.sock", mode: echo}
  - {name: goes, bind: "unix://$SCRATCH/goes.sock", mode: echo}
END
"$proxy" -c unix.yaml 2>log &
edge=$!
eventually grep -q proxy.start log
same "three sockets" "goes.sock metrics.sock stays.sock" "$(echo *.sock)"
sed -i '/goes/d' unix.yaml
kill -HUP "$edge"
eventually reloads 1
same "that of a listener that is gone is gone, and nobody called at the other" "metrics.sock stays.sock 0" "$(echo *.sock) $(grep -c '"event":"connection"' log)"
kill "$edge"
wait "$edge"
same "at the end all are" "*.sock" "$(echo *.sock)"

# Streams that are closed: no connection gets their numbers, and what is said to them.
cp good.yaml proxy.yaml
for closed in 0 1 2; do
    case $closed in
    0) "$proxy" -c proxy.yaml <&- 2>log & ;;
    1) "$proxy" -c proxy.yaml >&- 2>log & ;;
    2) "$proxy" -c proxy.yaml 2>&- & ;;
    esac
    edge=$!
    eventually $load page "$metrics" /ready >/dev/null
    if [ "$(id -u)" = 0 ]; then
        same "started without stream $closed it has /dev/null there" /dev/null "$(readlink "/proc/$edge/fd/$closed")"
    else
        skip "started without stream $closed it has /dev/null there" "the proxy shows its files to root alone"
    fi
    kill "$edge"
    wait "$edge"
done
edge=
finish
