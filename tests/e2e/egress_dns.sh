#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Names whose server is an attacker's: the script runs itself again in a network namespace of its own,
# where it is the DNS server.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

if [ "${1:-}" != inside ]; then
    own=$([ "$(id -u)" = 0 ] || echo --map-root-user)
    # shellcheck disable=SC2086 # nothing, or one word
    if ! unshare --mount --net $own true 2>/dev/null; then
        skip "names of an attacker" "namespaces cannot be made here"
        finish
    fi
    clean_up
    # shellcheck disable=SC2086
    exec unshare --mount --net --pid --fork --kill-child $own bash "$AIRLOCK_SOURCE_DIR/tests/e2e/egress_dns.sh" inside
fi
ip link set lo up 2>/dev/null || python3 - <<'END'
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1))
END
python3 - <<'END' # a public address of this machine's
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8916, struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton("198.51.100.77")))
END
echo "nameserver 127.0.0.1" >"$SCRATCH/resolv.conf"
mount --bind "$SCRATCH/resolv.conf" /etc/resolv.conf || exit 99
mount -t proc proc /proc || exit 99
mkdir -p "$SCRATCH/workspace" "$HOME/.config/airlock"
cd "$SCRATCH/workspace" || exit 99
cat >"$SCRATCH/server.py" <<'END'
import collections, http.server, ipaddress, socket, struct, sys, threading
answers = {"rebind.test": ["203.0.113.10", "127.0.0.1"], "mixed.test": [("203.0.113.10", "127.0.0.1")],
           "mapped.test": ["::ffff:127.0.0.1"], "nat64.test": ["64:ff9b::7f00:1"], "meta.test": ["169.254.169.254"],
           "inner.test": ["10.1.2.3"], "ok.test": ["127.0.0.1"], "sub.wild.test": ["127.0.0.1"], "wild.test": ["127.0.0.1"],
           "own.test": ["198.51.100.77"], "meta.wild.test": ["169.254.169.254"], "own.wild.test": ["198.51.100.77"], "empty.test": [()], "many.test": [tuple(f"203.0.113.{n}" for n in range(40))]}
asked = collections.Counter()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"reached")
    def log_message(self, *_):
        pass
def answer(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode()); at += 1 + query[at]
    name, kind = ".".join(labels).lower(), struct.unpack(">H", query[at + 1:at + 3])[0]
    if name == "silent.test":
        return None
    asked[name, kind] += 1
    print(name, kind, file=log, flush=True)
    steps = answers.get(name, [()])
    now = steps[min(asked[name, kind] - 1, len(steps) - 1)]
    found = [ipaddress.ip_address(text) for text in ((now,) if isinstance(now, str) else now)]
    rows = [a.packed for a in found if (a.version == 4) == (kind == 1) and kind in (1, 28)]
    head = query[:2] + struct.pack(">HHHHH", 0x8580 if name in answers else 0x8583, 1, len(rows), 0, 0)
    return head + query[12:at + 5] + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(row)) + row for row in rows)
log = open(sys.argv[1] + "/asked", "w")
dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dns.bind(("127.0.0.1", 53))
threading.Thread(target=http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever, daemon=True).start()
print("ready", flush=True)
while True:
    query, peer = dns.recvfrom(4096)
    if (reply := answer(query)) is not None:
        dns.sendto(reply, peer)
END
python3 "$SCRATCH/server.py" "$SCRATCH" >"$SCRATCH/ready" 2>"$SCRATCH/server.err" &
eventually test -s "$SCRATCH/ready"
names='rebind mixed mapped nat64 meta inner own empty many silent'
{
    echo "version: 1"
    echo "network: { whitelist: { names: ["
    for name in $names; do echo "  \"$name.test:8080\","; done
    echo "  { host: ok.test, port: 8080, private: true }, { host: \"*.wild.test\", port: 8080, private: true } ] } }"
    echo "rules: [{ name: net, match: { operation: run.exec, network: [names] }, action: allow }]"
} >"$HOME/.config/airlock/policy.yaml"
cat >table.py <<'END'
import socket, ssl
def ask(host):
    connection = socket.create_connection(("127.0.0.1", 3128), timeout=20)
    connection.sendall(f"GET http://{host}:8080/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    data = b""
    while part := connection.recv(65536):
        data += part
    return data.decode()
def row(what, host, *words):
    answer = ask(host)
    good = all(word in answer for word in words) and ("reached" in answer) == (words[0] == " 200 ")
    print("ok" if good else "bad", what if good else f"{what}: {answer!r}")
row("a private name that says so is reached", "ok.test", " 200 ")
row("whatever its case", "OK.Test", " 200 ")
row("a name below a wildcard", "sub.wild.test", " 200 ")
row("the wildcard's own name is not below it", "wild.test", " 403 ", "no network group")
row("first a public address: it is dialled, and no other", "rebind.test", " 502 ")
row("then a loopback one: refused", "rebind.test", " 403 ", "127.0.0.1, which is loopback")
row("a public and a loopback one together", "mixed.test", " 403 ", "loopback")
row("an IPv4-mapped one", "mapped.test", " 403 ", "IPv4-mapped")
row("one behind NAT64", "nat64.test", " 403 ", "NAT64")
row("cloud metadata", "meta.test", " 403 ", "cloud metadata")
row("a private one", "inner.test", " 403 ", "private")
row("a public address of this machine's own", "own.test", " 403 ", "this machine's own")
row("which a private name may have", "own.wild.test", " 200 ")
row("but never that of cloud metadata", "meta.wild.test", " 403 ", "cloud metadata")
row("a name without addresses", "empty.test", " 502 ")
row("more addresses than are taken", "many.test", " 502 ")
row("a server that never answers", "silent.test", "no DNS server answered in time")
def shake(name):
    connection = socket.create_connection(("127.0.0.1", 3128), timeout=20)
    connection.sendall(b"CONNECT ok.test:8080 HTTP/1.1\r\nHost: h\r\n\r\n")
    assert b" 200 " in connection.recv(100)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        context.wrap_socket(connection, server_hostname=name)
    except (ssl.SSLError, OSError) as error:
        return str(error).lower().replace("_", " ")
answer = shake("other.test")
print("ok" if "unrecognized name" in answer else "bad", "TLS for another name is refused in a tunnel", answer)
answer = shake("ok.test")
print("ok" if "unrecognized name" not in answer else "bad", "TLS for the tunnel's name is passed on", answer)
END
"$AIRLOCK" run --workspace "$PWD" --quiet --net names -- python3 table.py >"$SCRATCH/table" 2>&1
while read -r result what; do
    row "$([ "$result" = ok ] && echo 0 || echo 1)" "$what"
done <"$SCRATCH/table"
same "every row was tried" 19 "$(wc -l <"$SCRATCH/table")"
same "a name is looked up once for each connection" 2 "$(grep -c '^rebind.test 1$' "$SCRATCH/asked")"
refuse "names outside of the groups are not looked up" grep -q '^wild.test' "$SCRATCH/asked"
finish
