#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Codex CLI, driven by a model whose answers are written down here, works in a sandbox, and what it
# changes is a stage: first with the model inside the sandbox, which needs no network at all, then with the
# model outside, behind the one way out that policy gives.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

packages=$AIRLOCK_BUILD_DIR/npm
if [ ! -e "$packages/.nvm/node_modules/.bin/codex" ]; then
    skip "the Codex CLI" "npm could not install it (tests/npm/install)"
    finish
fi
export XDG_CONFIG_HOME=$SCRATCH/config
export HOME=$packages PATH=$packages/.nvm/node_modules/.bin:$PATH
mkdir -p "$SCRATCH/workspace" "$XDG_CONFIG_HOME"
cd "$SCRATCH/workspace" || exit 99
git init -q .
mkdir src
echo 'print(1 + 1 == 3)' >src/sum.py
cp "$AIRLOCK_SOURCE_DIR/tests/e2e/model_server.py" .
cat >steps.json <<'END'
[{"call": "exec_command", "arguments": {"cmd": "echo key:$SCRIPTED_KEY; python3 src/sum.py"}},
 {"call": "exec_command", "arguments": {"cmd": "sed -i 's/3/2/' src/sum.py && python3 src/sum.py && echo ok >notes.txt"}},
 {"call": "exec_command", "arguments": {"cmd": "apply_patch <<'P'\n*** Begin Patch\n*** Add File: src/added.py\n+print('added')\n*** End Patch\nP\n"}},
 {"call": "exec_command", "arguments": {"cmd": "cat /etc/shadow; ls /root/.ssh; echo x >.git/hooks/pre-commit; true"}},
 {"say": "The sum is right now."}]
END
codex=(codex exec --dangerously-bypass-approvals-and-sandbox --skip-git-repo-check --color never
    -c model=scripted -c model_provider=scripted -c 'model_providers.scripted.name="scripted"'
    -c 'model_providers.scripted.wire_api="responses"')

cat >inside.sh <<'END'
python3 model_server.py steps.json /tmp/port /tmp/asked &
server=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -s /tmp/port ] || sleep 0.2; done
"$@" -c "model_providers.scripted.base_url=\"http://127.0.0.1:$(cat /tmp/port)/v1\"" "make the sum right" </dev/null
status=$?
cat /tmp/asked >&2
kill $server
exit $status
END
"$AIRLOCK" run --workspace . --quiet -- sh inside.sh "${codex[@]}" >said.txt 2>events.txt
same "codex exec ends well in a sandbox" 0 $?
check "it says what its model says" grep -q "The sum is right now" said.txt
check "it ran what its model asked for" grep -q '"results".*False' events.txt
check "and its model saw what came of it" grep -q '"results".*True' events.txt
refuse "what the model tried to read was not there" grep -q 'root:.*:[0-9]*:0:99999' events.txt
same "the workspace is as it was" "print(1 + 1 == 3)" "$(cat src/sum.py)"
check "the change is staged" sh -c '"$1" diff | grep -q "^+print(1 + 1 == 2)"' sh "$AIRLOCK"
check "so is the new file" sh -c '"$1" diff | grep -q "notes.txt"' sh "$AIRLOCK"
check "so is what it patched itself" sh -c '"$1" diff | grep -q "^+print(.added.)"' sh "$AIRLOCK"
check "a hook is not among what can be applied" sh -c '! "$1" apply 2>refused.txt && grep -q pre-commit refused.txt' sh "$AIRLOCK"
check "the rest is applied" "$AIRLOCK" apply --skip-refused
same "and is there" "True ok" "$(python3 src/sum.py | tr '\n' ' ')$(cat notes.txt)"
refuse "without the hook" test -e .git/hooks/pre-commit

# Its address is not 127.0.0.1, which is the sandbox's own and goes through no proxy.
echo 'print(1 + 1 == 3)' >src/sum.py
rm -f notes.txt
python3 model_server.py steps.json "$SCRATCH/port" "$SCRATCH/asked" 127.0.0.2 &
server=$!
trap 'kill $server 2>/dev/null; clean_up' EXIT
eventually test -s "$SCRATCH/port"
port=$(cat "$SCRATCH/port")
mkdir -p "$XDG_CONFIG_HOME/airlock"
cat >"$XDG_CONFIG_HOME/airlock/policy.yaml" <<END
version: 1
network: { whitelist: { model: [{ host: "127.0.0.2", port: $port, private: true }] } }
rules:
  - { name: agents, match: { operation: run.exec, network: [model] }, action: allow }
  - { name: run, match: { operation: run.exec }, action: allow }
  - { name: files, match: { operation: stage.apply }, action: allow }
END
export SCRIPTED_KEY=the-real-key
"$AIRLOCK" run --net model --inject "http://127.0.0.2:$port: Authorization: Bearer \${SCRIPTED_KEY}" \
    --env SCRIPTED_KEY=a-word --workspace . --quiet -- "${codex[@]}" \
    -c "model_providers.scripted.base_url=\"http://127.0.0.2:$port/v1\"" \
    -c 'model_providers.scripted.env_key="SCRIPTED_KEY"' "make the sum right" >said.txt 2>said.err </dev/null
same "codex exec ends well with its model outside" 0 $?
check "which it reached" grep -q "The sum is right now" said.txt
check "with a key that was added outside" grep -q '"Bearer the-real-key"' "$SCRATCH/asked"
refuse "and no other" grep -q 'Bearer a-word' "$SCRATCH/asked"
check "while inside there is a word that is none" grep -q 'key:a-word' "$SCRATCH/asked"
refuse "and nothing else" grep -q 'key:the-real-key' "$SCRATCH/asked"
check "and whose calls it ran" grep -q 'True' "$SCRATCH/asked"
same "the workspace is as it was" "print(1 + 1 == 3)" "$(cat src/sum.py)"
check "the change is staged" sh -c '"$1" diff | grep -q "^+print(1 + 1 == 2)"' sh "$AIRLOCK"
# As it is in earnest: the model speaks TLS, and so does the agent, to the proxy and its certificate.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$SCRATCH/key" -out "$SCRATCH/ca" -days 2 \
    -subj /CN=model -addext subjectAltName=IP:127.0.0.2 2>/dev/null
python3 model_server.py steps.json "$SCRATCH/tls" "$SCRATCH/asked-tls" 127.0.0.2 "$SCRATCH/ca" "$SCRATCH/key" &
tls_server=$!
trap 'kill $server $tls_server 2>/dev/null; clean_up' EXIT
eventually test -s "$SCRATCH/tls"
tls=$(cat "$SCRATCH/tls")
sed -i "s/port: $port,/port: $tls,/" "$XDG_CONFIG_HOME/airlock/policy.yaml"
SSL_CERT_FILE=$SCRATCH/ca "$AIRLOCK" run --net model --inject "127.0.0.2:$tls: Authorization: Bearer \${SCRIPTED_KEY}" \
    --env SCRIPTED_KEY=a-word --workspace . --quiet -- timeout 60 "${codex[@]}" \
    -c "model_providers.scripted.base_url=\"https://127.0.0.2:$tls/v1\"" \
    -c model_providers.scripted.request_max_retries=0 -c model_providers.scripted.stream_max_retries=0 \
    -c 'model_providers.scripted.env_key="SCRIPTED_KEY"' "make the sum right" >said.txt 2>said.err </dev/null
same "codex exec ends well with its model behind TLS" 0 $?
check "which it reached" grep -q "The sum is right now" said.txt
check "with the key that was added outside" grep -q '"Bearer the-real-key"' "$SCRATCH/asked-tls"
grep -iE 'error|certificate' said.err | head -n 5 | sed 's/^/# /'

reach="import socket; socket.create_connection(('127.0.0.2', $port), 5)"
check "control: the model answers outside" python3 -c "$reach"
refuse "and nobody without --net" "$AIRLOCK" run --workspace . --quiet -- python3 -c "$reach"
finish
