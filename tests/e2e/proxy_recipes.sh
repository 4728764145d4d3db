#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# docs/proxy-recipes.md: every configuration of that page is checked as it stands there, and served, with
# ports and paths of this test's own, in front of a service and to a client. Every message that its last
# table explains is one that exists.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

page=$AIRLOCK_SOURCE_DIR/docs/proxy-recipes.md
proxy=$AIRLOCK_BUILD_DIR/src/airlock-proxy
edges=()
jobs=()
stop() {
    [ ${#edges[@]} = 0 ] || kill "${edges[@]}" 2>/dev/null
    [ ${#edges[@]} = 0 ] || wait "${edges[@]}" 2>/dev/null
    edges=()
}
trap 'stop; [ ${#jobs[@]} = 0 ] || kill "${jobs[@]}" 2>/dev/null; clean_up' EXIT

# --- what the recipes name ---

mkdir doc run
authority() { # name
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout "doc/$1.key" -out "doc/$1.pem" 2>/dev/null
}
issue() { # name, authority, names
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" -CA "doc/$2.pem" \
        -CAkey "doc/$2.key" -addext basicConstraints=CA:FALSE -addext authorityKeyIdentifier=keyid -addext "subjectAltName=$3" \
        -keyout "doc/$1.key" -out "doc/$1.pem" 2>/dev/null
}
own() { # name, names: self-signed, of the kind that the page makes
    openssl req -x509 -newkey ML-DSA-65 -nodes -days 30 -subj "/CN=$1" -addext "subjectAltName=$2" \
        -keyout "doc/$1.key" -out "doc/$1.pem" 2>/dev/null
}
pin() { openssl x509 -in "doc/$1.pem" -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1; }
authority internal-ca
authority clients-ca
issue site internal-ca DNS:localhost
issue service internal-ca DNS:service.internal
issue git internal-ca DNS:git.example.org
issue apps internal-ca "DNS:*.apps.example.org"
issue shop internal-ca DNS:shop.example.org
issue blog internal-ca DNS:blog.example.org
issue someone clients-ca DNS:someone
issue stranger internal-ca DNS:stranger
own server DNS:localhost
own client DNS:client
chmod 600 doc/*.key
openssl list -signature-algorithms | grep -q ML-DSA-65 || { skip "the recipes" "openssl has no ML-DSA-65"; finish; }

awk '/^<!-- recipe: / { name = $3 } /^```$/ && out { close(out); out = "" } out { print >out }
    /^```yaml$/ && name { out = "doc/" name ".yaml"; name = "" }' "$page"
for yaml in doc/*.yaml; do
    sed -i "s/PIN-OF-SERVER/$(pin server)/; s/PIN-OF-CLIENT/$(pin client)/" "$yaml"
done
same "the page has its recipes" "balancer certificates database-client database-server enclave http mtls passthrough reencrypt require servers udp" \
    "$(cd doc && for yaml in *.yaml; do printf '%s ' "${yaml%.yaml}"; done | sed 's/ $//')"
same "no yaml on it is without a name" "$(grep -c '^```yaml$' "$page")" "$(find doc -name '*.yaml' | wc -l)"
for yaml in doc/*.yaml; do
    check "${yaml##*/}: can be put in force" "$proxy" check -c "$yaml"
    refuse "${yaml##*/}: without a warning" grep '^warning' row.out
done

# --- the same with ports, paths and names of here ---

ports=(443 5432 5433 6432 8080 8081 8082 8443 8444 9090 9443 51820 51821 51822)
declare -A port
read -r -a free < <(free_ports ${#ports[@]})
for i in "${!ports[@]}"; do
    port[${ports[i]}]=${free[i]}
done
for yaml in doc/*.yaml; do
    python3 - "$yaml" "${ports[*]}" "${free[*]}" "$SCRATCH/run/" <<'END'
import re, sys
file, ports, free, folder = sys.argv[1:]
text = open(file).read()
mine = dict(zip(ports.split(), free.split()))
text = re.sub(r':(\d+)"', lambda found: ":" + mine[found[1]] + '"', text)
text = text.replace("[::]", "127.0.0.1").replace("db.internal", "localhost").replace("/run/airlock-proxy/", folder)
open(file, "w").write(text)
END
done

# Services: KIND=PORT[=CERTIFICATE]...; web answers with its port, and from where a PROXY header says.
cat >services.py <<'END'
import socket, ssl, sys, threading

def exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            break
        data += more
    return data

def web(connection, port):
    is_plain = not isinstance(connection, ssl.SSLSocket)
    source, first = "nobody", connection.recv(12, socket.MSG_PEEK) if is_plain else b""
    if first == b"\r\n\r\n\0\r\nQUIT\n":
        size = int.from_bytes(exactly(connection, 16)[14:], "big")
        source = socket.inet_ntoa(exactly(connection, size)[:4])
    request = b""
    while b"\r\n\r\n" not in request:
        more = connection.recv(4096)
        if not more:
            return
        request += more
    body = f"{port} told of {source}\n".encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

def echo(connection, port):
    while data := connection.recv(65536):
        connection.sendall(data)

def serve(kind, port, certificate):
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if context:
        context.load_cert_chain(f"doc/{certificate}.pem", f"doc/{certificate}.key")
    def one(connection):
        try:
            with context.wrap_socket(connection, server_side=True) if context else connection as inner:
                {"web": web, "echo": echo}[kind](inner, port)
        except OSError:
            pass
        connection.close()
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

def datagrams(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", port))
        while True:
            data, client = one.recvfrom(65536)
            one.sendto(data + b" and back", client)

for kind, port, *certificate in (word.split("=") for word in sys.argv[1:]):
    arguments = (kind, int(port), certificate[0] if certificate else None)
    target, arguments = (datagrams, arguments[1:2]) if kind == "udp" else (serve, arguments)
    threading.Thread(target=target, args=arguments, daemon=True).start()
threading.Event().wait()
END
cat >client.py <<'END'
# client.py PORT [--name NAME] [--ca NAME] [--cert NAME] [--from ADDRESS] [--groups GROUPS] [--plain]: GET /, and
# the body; what is wrong is an exit status.
import argparse, socket, ssl
parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--name", default="localhost")
parser.add_argument("--cert")
parser.add_argument("--source")
parser.add_argument("--plain", action="store_true")
given = parser.parse_args()
one = socket.create_connection(("127.0.0.1", given.port), timeout=10)
if given.source:
    one.sendall(f"PROXY TCP4 {given.source} 127.0.0.1 1234 443\r\n".encode())
if not given.plain:
    context = ssl.create_default_context(cafile="doc/internal-ca.pem")
    if given.cert:
        context.load_cert_chain(f"doc/{given.cert}.pem", f"doc/{given.cert}.key")
    one = context.wrap_socket(one, server_hostname=given.name)
one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
answer = b""
while part := one.recv(65536):
    answer += part
head, _, body = answer.partition(b"\r\n\r\n")
assert head.startswith(b"HTTP/1.1 200"), answer
print(body.decode().strip())
END
python3 services.py "web=${port[8080]}" "web=${port[8081]}" "web=${port[8082]}" "web=${port[8443]}=git" "web=${port[8444]}=apps" \
    "echo=${port[5432]}" "udp=${port[51821]}" "udp=${port[51822]}" &
jobs+=($!)
answers_at() { python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()' "$1" 2>/dev/null; }
eventually answers_at "${port[8444]}" && eventually answers_at "${port[8080]}"

serve() { # recipe...
    local name
    stop
    for name in "$@"; do
        "$proxy" -c "doc/$name.yaml" 2>"$name.log" &
        edges+=($!)
        eventually grep -q proxy.start "$name.log" || cat "$name.log"
    done
}
get() { timeout 20 python3 client.py "$@" 2>client.err || { tail -1 client.err >&2; false; }; }
web="${port[8080]} told of nobody"

serve http
same "http: the page behind it" "$web" "$(get "${port[443]}")"
serve servers
six=$(for _ in 1 2 3 4 5 6; do get "${port[443]}"; done | sort | uniq -c | awk '{ print $1 "x" $2 }' | xargs)
same "servers: two of three to the first, none to the last" "$(printf '4x%s\n2x%s\n' "${port[8080]}" "${port[8081]}" | sort -t x -k 2 | xargs)" "$six"
serve require
same "require: who can is served" "$web" "$(get "${port[443]}")"
refuse "require: who cannot is not" timeout 10 openssl s_client -connect "127.0.0.1:${port[443]}" -groups X25519 -CAfile doc/internal-ca.pem </dev/null
check "require: and is counted" eventually sh -c "python3 '$AIRLOCK_SOURCE_DIR/tests/e2e/proxy_load.py' lines ${port[9090]} 'airlock_proxy_refusals_total{reason=\"classical\"} 1' | grep ."
serve mtls
same "mtls: who has a certificate" "$web" "$(get "${port[9443]}" --cert someone)"
refuse "mtls: who has none" get "${port[9443]}"
refuse "mtls: who has another's" get "${port[9443]}" --cert stranger
serve passthrough
same "passthrough: by name" "${port[8443]} told of nobody" "$(get "${port[443]}" --name git.example.org)"
same "passthrough: by a pattern" "${port[8444]} told of nobody" "$(get "${port[443]}" --name one.apps.example.org)"
refuse "passthrough: no other name" get "${port[443]}" --name apps.example.org
serve certificates
same "certificates: the one of the first name" "$web" "$(get "${port[443]}" --name shop.example.org)"
same "certificates: the one of the second" "${port[8081]} told of nobody" "$(get "${port[443]}" --name blog.example.org)"
check "certificates: the client's address comes along" eventually grep -q '"listener":"shop","client":"127.0.0.1:' certificates.log
serve balancer
same "balancer: whom the header names" "${port[8080]} told of 192.0.2.7" "$(get "${port[443]}" --source 192.0.2.7)"
refuse "balancer: nobody without" get "${port[443]}"
check "balancer: the log has the client" eventually grep -q '"client":"192.0.2.7:1234"' balancer.log
serve database-server database-client
say() { # kind, port, text
    python3 -c '
import socket, sys
with socket.socket(socket.AF_INET, getattr(socket, sys.argv[1])) as one:
    one.settimeout(10)
    one.connect(("127.0.0.1", int(sys.argv[2])))
    one.sendall(sys.argv[3].encode())
    print(one.recv(1000).decode())' "$@" 2>/dev/null
}
same "database: through both" "select 1" "$(say SOCK_STREAM "${port[5433]}" "select 1")"
refuse "database: nobody but the client's key" get "${port[6432]}"
stop
check "database: by post-quantum TLS" grep -q '"group":"X25519MLKEM768","post_quantum":true' database-server.log
serve udp
same "udp: there and back" "over there and back" "$(say SOCK_DGRAM "${port[51820]}" "over there")"

# Another service where passthrough's first one was.
stop
kill "${jobs[@]}"
wait "${jobs[@]}" 2>/dev/null
python3 services.py "web=${port[8080]}" "web=${port[8443]}=service" &
jobs=($!)
eventually answers_at "${port[8443]}"
serve reencrypt
same "reencrypt: the page behind it" "${port[8443]} told of nobody" "$(get "${port[443]}")"
stop

# The enclave's ends with evidence, where namespaces can be made.
kill "${jobs[@]}"
wait "${jobs[@]}" 2>/dev/null
python3 services.py "web=${port[8080]}" &
jobs=($!)
sed -i 's/bind: .*/bind: "tcp:\/\/127.0.0.1:'"${port[8444]}"'"/' doc/enclave.yaml
check "enclave: a manifest" "$AIRLOCK" enclave manifest -c doc/enclave.yaml -o doc/proxy.manifest
check "enclave: that can be used" "$AIRLOCK" enclave lint doc/proxy.manifest
"$AIRLOCK" enclave sim -m doc/proxy.manifest 2>sim.log &
edges=($!)
if eventually grep -q proxy.start sim.log; then
    check "enclave: evidence of a simulation is refused" status 14 "$AIRLOCK" enclave verify "localhost:${port[8444]}"
    check "enclave: and taken when that is allowed" status 0 "$AIRLOCK" enclave verify "localhost:${port[8444]}" --allow-simulation
else
    skip "enclave: the simulation" "it cannot run here: $(head -1 sim.log)"
fi
stop

# The five minutes, line by line as they stand there; curl by another name where there is none.
awk '/^## 1\./ { on = 1 } /^```$/ && on { blocks++; next } on && blocks == 1' "$page" |
    sed "s/8443/${port[8443]}/g; s/8080/${port[8080]}/g; s/9443/${port[9443]}/g" >five.txt
kill "${jobs[@]}"
wait "${jobs[@]}" 2>/dev/null
jobs=()
mkdir five
# A program, not a function: what is started in the background has to be the proxy itself, which ends with it.
mkdir bin
cat >bin/airlock <<END
#!/bin/sh
[ "\$*" != "proxy init edge" ] || {
    "$AIRLOCK" "\$@" && exec sed -i "s/8443/${port[8443]}/; s/8080/${port[8080]}/; s/9443/${port[9443]}/" edge/proxy.yaml
}
exec "$AIRLOCK" "\$@" 2>>five.log
END
chmod +x bin/airlock
PATH=$SCRATCH/bin:$PATH
curl() {
    python3 -c '
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile="edge/dev-cert.pem") if "--cacert" in sys.argv else None
print(urllib.request.urlopen(sys.argv[-1], context=context).read().decode(), end="")' "$@"
}
five() {
    local line
    while IFS= read -r line; do
        eval "$line"
        case $line in
        *http.server*) jobs+=($!) && eventually answers_at "${port[8080]}" ;;
        *"proxy -c"*) jobs+=($!) && eventually answers_at "${port[8443]}" ;;
        esac
    done <../five.txt
}
cd five || exit 99
five >five.out 2>&1
cd ..
check "five minutes: the page" grep -qx hello five/five.out
check "five minutes: by a post-quantum group" grep -q '^airlock_proxy_handshakes_total{group="X25519MLKEM768",result="ok",retried="false"} 1$' five/five.out
kill "${jobs[@]}"
wait "${jobs[@]}" 2>/dev/null
jobs=()
refuse "five minutes: the proxy ends with its job" answers_at "${port[8443]}"
check "five minutes: as said" grep -q 'OK  the configuration can be put in force' five/five.out

# --- messages ---

messages() { sed -n '/^<!-- messages -->$/,/^<!-- end of messages -->$/p' "$page" | awk -F '|' 'NR > 3 && $3 !~ /client/ { print $2 }' | grep -o '`[^`]*`' | tr -d '`' | sed 's/^"end"://'; }
check "the table explains messages" test "$(messages | wc -l)" -gt 20
unknown=$(messages | while read -r text; do
    grep -rqF -- "$text" "$AIRLOCK_SOURCE_DIR"/src/edge "$AIRLOCK_SOURCE_DIR"/schema || echo "$text"
done)
same "each of which is one that exists" "" "$unknown"
finish
