#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Headers that are added outside: the program inside uses a service with a credential it never has.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

mkdir -p "$SCRATCH/workspace" "$HOME/.config/airlock"
cd "$SCRATCH/workspace" || exit 99
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$SCRATCH/key" -out "$SCRATCH/ca" -days 2 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
cat >"$SCRATCH/server.py" <<'END'
import http.server, ssl, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        names = ("Authorization", "X-Key", "Host")
        seen = " ".join(f"{name}={value}" for name in names for value in self.headers.get_all(name, ["-"]))
        body = f"{seen} {self.path}\n".encode() if self.path != "/large" else b"x" * 3000000
        print(seen, file=log, flush=True)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.headers.get("X-Quiet") is None else b"-" * len(body))
    def log_message(self, *_):
        pass
log = open(sys.argv[1] + "/seen", "w")
plain, tls = (http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.minimum_version = ssl.TLSVersion.TLSv1_3
context.load_cert_chain(sys.argv[1] + "/ca", sys.argv[1] + "/key")
tls.socket = context.wrap_socket(tls.socket, server_side=True)
print(plain.server_address[1], tls.server_address[1], flush=True)
threading.Thread(target=plain.serve_forever, daemon=True).start()
tls.serve_forever()
END
python3 "$SCRATCH/server.py" "$SCRATCH" >"$SCRATCH/ports" 2>/dev/null &
server=$!
trap 'kill $server 2>/dev/null; clean_up' EXIT
eventually test -s "$SCRATCH/ports"
read -r plain tls <"$SCRATCH/ports"
cat >"$HOME/.config/airlock/policy.yaml" <<END
version: 1
network: { whitelist: { api: [{ host: localhost, port: $tls, private: true }, { host: localhost, port: $plain, private: true }] } }
rules:
  - { name: run, match: { operation: run.exec }, action: allow }
  - { name: net, match: { operation: run.exec, network: [api] }, action: allow }
END
cat >fetch.py <<'END'
import http.client, os, ssl, sys
what, port, *rest = sys.argv[1:]
headers = dict(word.split("=", 1) for word in rest)
if what == "tls":
    connection = http.client.HTTPSConnection("127.0.0.1", 3128, context=ssl.create_default_context(), timeout=20)
    connection.set_tunnel("localhost", int(port))
    paths = ["/one", "/two", "/large", "/three"]
else:
    connection = http.client.HTTPConnection("127.0.0.1", 3128, timeout=20)
    paths = [f"http://localhost:{port}/one"]
for path in paths:
    connection.request("GET", path, headers=headers)
    body = connection.getresponse().read()
    print(len(body) if len(body) > 1000 else body.decode().strip())
END
inside() { "$AIRLOCK" run --workspace "$PWD" --quiet --net api "$@"; }
says() {
    local words=$1
    shift
    "$@" >"$SCRATCH/said" 2>&1
    grep -qF -- "$words" "$SCRATCH/said" || { cat "$SCRATCH/said"; return 1; }
}
export SSL_CERT_FILE=$SCRATCH/ca TOKEN=a-secret-word
printf 'from-a-file\n' >"$SCRATCH/token"

check "TLS: the server sees the header" says "Authorization=Bearer a-secret-word" \
    inside --inject "localhost:$tls: Authorization: Bearer \${TOKEN}" -- python3 fetch.py tls "$tls"
check "on every request of the connection" grep -q /three "$SCRATCH/said"
check "and large answers come whole" grep -q 3000000 "$SCRATCH/said"
check "what a program sends under that name is replaced" says "Authorization=Bearer a-secret-word X-Key=-" \
    inside --inject "localhost:$tls: authorization: Bearer \${TOKEN}" -- python3 fetch.py tls "$tls" Authorization=mine
check "in clear" says "X-Key=from-a-file" \
    inside --inject "http://localhost:$plain: X-Key: @$SCRATCH/token" -- python3 fetch.py plain "$plain"
check "two headers" says "Authorization=one X-Key=two" \
    inside --inject "http://localhost:$plain: X-Key: two" --inject "http://localhost:$plain: Authorization: one" \
    -- python3 fetch.py plain "$plain"
check "a program that answers quietly" inside --inject "localhost:$tls: Authorization: Bearer \${TOKEN}" \
    -- sh -c "python3 fetch.py tls $tls X-Quiet=1 >/dev/null && env && cat /proc/*/environ /proc/*/cmdline 2>/dev/null; true"
refuse "the secret is nowhere in the sandbox" grep -aq a-secret-word "$SCRATCH/row.out"
inside --inject "localhost:$tls: Authorization: Bearer \${TOKEN}" -- sh -c \
    "python3 fetch.py tls $tls X-Quiet=1 >/dev/null; tr '\\0' '\\n' </proc/self/environ" >"$SCRATCH/environ" 2>&1
refuse "nor in its environment" grep -aq a-secret-word "$SCRATCH/environ"
last=$(find "$AIRLOCK_STATE_DIR/runs" -mindepth 1 -maxdepth 1 | sort | tail -1)
refuse "nor in what is kept of the run" grep -rq a-secret-word "$last"
refuse "nor in the log" sh -c '"$1" log --json | grep -q a-secret-word' sh "$AIRLOCK"
check "the entry has its name" says '"header":"Authorization"' "$AIRLOCK" log --json

check "without the header the tunnel is passed on untouched" says "certificate verify failed" \
    inside --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt -- python3 fetch.py tls "$tls"
SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt check "a server that is not trusted gets no header" says "TLS with the server failed" \
    inside --inject "localhost:$tls: Authorization: never-sent-word" -- python3 fetch.py tls "$tls"
refuse "it saw nothing" grep -q never-sent-word "$SCRATCH/seen"
check "a host outside of the groups" says "which no network group of the run has" \
    inside --inject "example.org: Authorization: x" -- true
for bad in "nonsense" "a b: X: y" "localhost:0: X: y" "localhost: X Y: z" "localhost: : z" "localhost: Host: z" \
    "localhost: Content-Length: 3" $'localhost: X: a\rb' $'localhost: X: a\nY: b' "localhost: X: \${UNSET_VARIABLE}" \
    "localhost: X: \${" "localhost: X:  y" "127.1: X: y" "localhost.: X: y"; do
    refuse "refused: $(printf %q "$bad")" inside --inject "$bad" -- true
done
finish
