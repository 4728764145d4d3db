#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Health checks by TLS: who accepts connections and does not speak TLS as the upstream's tls says is down.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

proxy=$AIRLOCK_BUILD_DIR/src/airlock-proxy
load="python3 $AIRLOCK_SOURCE_DIR/tests/e2e/proxy_load.py"
jobs=()
trap '[ ${#jobs[@]} = 0 ] || kill "${jobs[@]}" 2>/dev/null; clean_up' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=authority \
    -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem 2>/dev/null
# make NAME SUBJECTALTNAME: a certificate of the authority's.
make() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" -CA ca.pem -CAkey ca.key \
        -addext basicConstraints=CA:FALSE -addext "subjectAltName=$2" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}
make good DNS:localhost
make named DNS:elsewhere.test
cat >servers.py <<'END'
# servers.py PORT...: speaks TLS, speaks TLS by another name, speaks none, says nothing, ends at once.
import socket, ssl, sys, threading

def context(name):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(name + ".pem", name + ".key")
    return made

def tls(name):
    made = context(name)
    def serve(connection):
        with made.wrap_socket(connection, server_side=True) as one:
            one.recv(100)
    return serve

def plain(connection):
    connection.recv(10)
    connection.sendall(b"220 welcome\r\n" * 10)
    connection.recv(100000)

def silent(connection):
    while connection.recv(65536):
        pass

def listen(port, serve):
    listener = socket.create_server(("127.0.0.1", port))
    def one(connection):
        try:
            serve(connection)
        except OSError:
            pass
        connection.close()
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

for port, serve in zip(map(int, sys.argv[1:]), (tls("good"), tls("named"), plain, silent, lambda connection: None)):
    threading.Thread(target=listen, args=(port, serve), daemon=True).start()
threading.Event().wait()
END
read -r front metrics good named plain silent ends <<<"$(free_ports 7)"
python3 servers.py "$good" "$named" "$plain" "$silent" "$ends" &
jobs+=($!)
tls="tls: {ca: ca.pem, server_name: localhost}"
health="health: {interval: 3s, timeout: 3s, rise: 1, fall: 1, tls: true}"
cat >proxy.yaml <<END
version: 1
metrics: {bind: "tcp://127.0.0.1:$metrics"}
listeners:
- {name: front, bind: "tcp://127.0.0.1:$front", mode: originate, routes: [{to: good}]}
upstreams:
- {name: good, servers: [{addr: "127.0.0.1:$good"}], $tls, $health}
- {name: named, servers: [{addr: "127.0.0.1:$named"}], $tls, $health}
- {name: plain, servers: [{addr: "127.0.0.1:$plain"}], $tls, $health}
- {name: silent, servers: [{addr: "127.0.0.1:$silent"}], $tls, $health}
- {name: ends, servers: [{addr: "127.0.0.1:$ends"}], $tls, $health}
- {name: connects, servers: [{addr: "127.0.0.1:$plain"}], $tls, health: {interval: 3s, timeout: 3s, rise: 1, fall: 1}}
END
chmod 600 proxy.yaml
"$proxy" check -c proxy.yaml >check.out
check "check says how servers are tried" grep -q 'tried by TLS every 3 s' check.out
# Servers first, so that nobody is down because it was not there yet.
for port in $good $named $plain $silent $ends; do
    for _ in $(seq 200); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.05; done
done
"$proxy" -c proxy.yaml 2>proxy.log &
jobs+=($!)
# is_up NAME 0|1
is_up() {
    $load lines "$metrics" airlock_proxy_upstream_server_up | grep -q "^airlock_proxy_upstream_server_up{upstream=\"$1\",.*} $2\$"
}
# becomes NAME 0|1
becomes() {
    for _ in $(seq 400); do
        is_up "$1" "$2" && return 0
        sleep 0.05
    done
    return 1
}
# why NAME: what the log says of it.
why() { grep '"event":"proxy.server-down"' proxy.log | grep "\"upstream\":\"$1\"" | sed 's/.*"reason":"\([^"]*\)".*/\1/' | head -1; }
for name in named plain ends silent; do
    check "$name is down" becomes $name 0
done
check "a certificate for another name is the reason" test "$(why named)" = "hostname mismatch"
check "what is no TLS is the reason" test "$(why plain)" = "wrong version number"
check "an end in the middle is" grep -q 'unexpected eof\|middle of the handshake\|Connection reset' <<<"$(why ends)"
check "and silence is" test "$(why silent)" = "the handshake was not done in time"
check "who speaks TLS is up" is_up good 1
check "and was never anything else" test -z "$(why good)"
check "who only accepts is up where that is all that is asked for" is_up connects 1
finish
