# SPDX-License-Identifier: Apache-2.0
# airlock policy check, show and explain.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
unset XDG_CONFIG_HOME
config=$HOME/.config/airlock
user=$config/policy.yaml
mkdir -p "$config" ws/src ws/docs ws/.git
ln -s /etc ws/out
ln -s ../docs ws/src/link
ws=$(realpath ws)

status() {
    "$@" >"$SCRATCH/last.out" 2>&1
    echo $?
}
said() { grep -qF -- "$1" "$SCRATCH/last.out"; }
json() { python3 -c 'import json,sys; o = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

cat >bad.yaml <<'END'
version: 1
rules:
  - name: write-sources
    match: { operation: fs.write, pth: "src/**" }
    action: alow
END
cat >good.yaml <<'END'
version: 1
rules:
  - name: write-sources
    match: { operation: fs.write, path: ["src/**", "tests/**"] }
    action: allow
    constraints: { max_file_size: 100KiB }
  - name: newcomers
    match: { operation: fs.write, caller_tag: [third_party] }
    action: require_review
    except: [ { path: ["tests/**"] } ]
    reason: "a person reads it"
  - name: run
    match: { operation: run.exec }
    action: allow
END

same "a bad file is refused" 1 "$(status "$AIRLOCK" policy check bad.yaml)"
check "with file, line and column" said 'bad.yaml:4:35: error: there is no key "pth" in match'
check "the line" said '    4 |     match: { operation: fs.write, pth: "src/**" }'
check "a caret under the place" said '      |                                   ^'
check "what was meant" said 'hint: Did you mean "path"?'
check "and all errors at once" said 'bad.yaml:5:13: error: there is no action "alow"'
same "the same as JSON" "4 35 False" "$("$AIRLOCK" policy check --json bad.yaml |
    json '"%d %d %s" % (o["files"][0]["diagnostics"][0]["line"],
                        o["files"][0]["diagnostics"][0]["column"], o["valid"])')"
same "a good file passes" 0 "$(status "$AIRLOCK" policy check good.yaml)"
same "from standard input too" 0 "$(status sh -c '"$0" policy check - <good.yaml' "$AIRLOCK")"
same "a file that is not there is an error" 74 "$(status "$AIRLOCK" policy check nowhere.yaml)"
head -c 17000000 /dev/zero | tr '\0' '#' >large.yaml
same "one that is too large as well" 75 "$(status "$AIRLOCK" policy check large.yaml)"
same "without a file of one's own the default is checked" 0 "$(status "$AIRLOCK" policy check)"
check "and named" said policy-default.yaml
cp bad.yaml "$user"
same "the file in force is checked" 1 "$(status "$AIRLOCK" policy check)"
same "with a bad one in force nothing is explained" 65 \
    "$(status "$AIRLOCK" policy explain run.exec -w ws)"
check "and the error says where it is bad" said "policy.yaml:4:35: there is no key"
cp good.yaml "$user"
chmod o+w "$user"
same "nor with one that others can write" 65 "$(status "$AIRLOCK" policy check)"
chmod o-w "$user"

same "show names the files" 0 "$(status "$AIRLOCK" policy show -w ws)"
check "with their digests" said "$(sha256sum "$user" | cut -c1-12)"
mkdir ws/.airlock
printf 'version: 1\nrules:\n  - {name: theirs, match: {operation: net.connect}, action: allow}\n' \
    >ws/.airlock/policy.yaml
same "and the workspace's" 0 "$(status "$AIRLOCK" policy show -w ws)"
check "which is not trusted" said "not trusted"
same "as JSON" "not trusted 1" "$("$AIRLOCK" policy show -w ws --json |
    json '"%s %d" % (o["workspace"]["trust"], o["workspace"]["allows_dropped"])')"

cd ws || exit 99
same "explain answers" 0 "$(status "$AIRLOCK" policy explain fs.write src/x.c)"
check "with the outcome" said "allow  fs.write src/x.c"
check "the rule, its file and line" said "write-sources  $user:3"
check "the facts that matched" said "path src/x.c matches src/**"
check "and what each other rule missed" said "no: caller_tag is not given"
same "tags and sizes count" 0 \
    "$(status "$AIRLOCK" policy explain fs.write src/x.c --tag third_party --size 1MiB)"
check "a review" said "require_review  fs.write src/x.c"
check "by its rule" said "newcomers  $user:7"
check "and an allow whose constraint does not hold" said \
    "matches, but the file is larger than the rule lets it be"
same "JSON has file, line and fields" "write-sources 3 ['caller_tag']" "$(
    "$AIRLOCK" policy explain --json fs.write src/x.c |
        json '"%s %d %s" % (o["rule"], o["line"], o["rules"][1]["failed_fields"])')"
same "paths are resolved as they would be opened" "src/y" \
    "$("$AIRLOCK" policy explain --json fs.write src/link/../src/./y | json 'o["path"]')"
same "from the current folder" "src/x.c" \
    "$(cd src && "$AIRLOCK" policy explain --json fs.write x.c | json 'o["path"]')"
same "or absolute" "src/x.c" \
    "$("$AIRLOCK" policy explain --json fs.write "$ws/src/x.c" | json 'o["path"]')"
same "a link out of the workspace is no path of it" 2 \
    "$(status "$AIRLOCK" policy explain fs.write out/passwd)"
same "nor is .." 2 "$(status "$AIRLOCK" policy explain fs.write ../bad.yaml)"
same "nor is another absolute path" 2 "$(status "$AIRLOCK" policy explain fs.write /etc/passwd)"
same "an apply judges the link itself" "deny builtin.link" "$(
    "$AIRLOCK" policy explain --json stage.apply out | json 'o["outcome"] + " " + o["rule"]')"
same "built-in rules speak" "deny builtin" "$("$AIRLOCK" policy explain --json fs.write \
    .airlock/policy.yaml | json 'o["outcome"] + " " + o["layer"]')"
same "what nobody speaks of is denied" "deny none" "$("$AIRLOCK" policy explain --json \
    net.listen | json 'o["outcome"] + " " + o["layer"]')"
same "an untrusted workspace allows nothing" deny "$("$AIRLOCK" policy explain --json \
    net.connect --host example.org --port 443 | json 'o["outcome"]')"
same "another file can stand in" allow "$(sed 's/run.exec/net.listen/' ../good.yaml |
    "$AIRLOCK" policy explain --policy - --json net.listen | json 'o["outcome"]')"
same "a port is a number" 2 "$(status "$AIRLOCK" policy explain net.connect --port 99999)"
same "a size too" 2 "$(status "$AIRLOCK" policy explain fs.write src/x --size 1kb)"
cd ..

same "no sub-command is a usage error" 2 "$(status "$AIRLOCK" policy)"
same "an unknown one too" 2 "$(status "$AIRLOCK" policy frob)"
same "and too many operands" 2 "$(status "$AIRLOCK" policy check a b)"
finish
