#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# airlock proxy -c: what `init` writes serves at once, makes its certificate at the first start, reads
# its configuration again, and ends when it is told to.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

read -r front back metrics < <(free_ports 3)
mkdir www && echo "hello from behind" >www/index.html
python3 -m http.server --bind 127.0.0.1 --directory www "$back" >/dev/null 2>&1 &
server=$!
edge=
trap 'kill $server $edge 2>/dev/null; wait; clean_up' EXIT
for _ in $(seq 100); do
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])))' "$back" 2>/dev/null && break
    sleep 0.1
done
"$AIRLOCK" proxy init edge >/dev/null
rm edge/dev-*.pem
sed -i "s/8443/$front/; s/127.0.0.1:8080/127.0.0.1:$back/; s/9443/$metrics/" edge/proxy.yaml

fetch() { # the page, over TLS that trusts the certificate
    python3 - "$front" <<'PY'
import http.client, ssl, sys
context = ssl.create_default_context(cafile="edge/dev-cert.pem")
context.minimum_version = ssl.TLSVersion.TLSv1_3
connection = http.client.HTTPSConnection("localhost", int(sys.argv[1]), context=context, timeout=10)
connection.request("GET", "/index.html")
print(connection.getresponse().read().decode().strip())
PY
}
answers() { # tries until it does
    local _
    for _ in $(seq 100); do
        [ "$(fetch 2>/dev/null)" = "hello from behind" ] && return 0
        kill -0 "$edge" 2>/dev/null || break
        sleep 0.1
    done
    cat out log
    return 1
}
ends() { # within ten seconds; its status in $ended
    local _
    for _ in $(seq 100); do
        kill -0 "$edge" 2>/dev/null || break
        sleep 0.1
    done
    wait "$edge"
    ended=$?
}

check "a configuration that is wrong is not served" status 65 "$AIRLOCK" proxy -c nowhere.yaml
printf 'version: 1\nlisteners: [{name: a, bind: "tcp://127.0.0.1:%s", mode: echo}]\n' "$back" >taken.yaml
check "nor one whose address is taken" status 74 timeout 10 "$AIRLOCK" proxy -c taken.yaml
"$AIRLOCK" proxy -c edge/proxy.yaml >out 2>log &
edge=$!
check "what init wrote serves" answers
check "the certificate was made, and that was said" grep -q 'self-signed.*for development only' out
same "its key is its owner's" 600 "$(stat -c %a edge/dev-key.pem)"
sum=$(sha256sum edge/dev-cert.pem)
sed -i 's/version: 1/version: 9/' edge/proxy.yaml
kill -HUP "$edge"
check "a wrong configuration changes nothing" answers
sed -i 's/version: 9/version: 1/' edge/proxy.yaml
kill -HUP "$edge"
check "a good one neither" answers
kill -TERM "$edge"
ends
same "it ends when it is told to, and well" 0 "$ended"
check "every line of its log is JSON" python3 -c 'import json; [json.loads(line) for line in open("log")]'
"$AIRLOCK" proxy -c edge/proxy.yaml >out 2>log &
edge=$!
check "a second start serves too" answers
same "with the same certificate" "$sum" "$(sha256sum edge/dev-cert.pem)"
same "and makes no other" "" "$(cat out)"
kill -INT "$edge"
ends
same "SIGINT ends it as well" 0 "$ended"
finish
