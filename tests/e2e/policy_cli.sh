#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# airlock policy: check, show, explain, replay, update, edit and trust.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
unset XDG_CONFIG_HOME
export NO_COLOR=1
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

cat >cases.yaml <<'END'
version: 1
cases:
  - name: sources may be written
    request: { operation: fs.write, path: src/x.c }
    expect: allow
    rule: write-sources
  - name: newcomers are read
    request: { operation: fs.write, path: src/x.c, caller_tag: [third_party] }
    expect: require_review
  - name: hooks never
    request: { operation: fs.write, path: .git/hooks/pre-commit, size: 1KiB }
    expect: deny
END
same "cases that are as expected pass" 0 "$(status "$AIRLOCK" policy test -w ws cases.yaml)"
check "in a matrix" grep -Eq "^ok +sources may be written +fs.write +src/x.c +allow +allow +write-sources +$user:3" \
    "$SCRATCH/last.out"
check "with a count" said "3 passed, 0 failed"
same "another file fails them" 1 "$(printf 'version: 1\n' |
    status "$AIRLOCK" policy test -w ws --policy - cases.yaml)"
check "and shows which" grep -Eq "^FAIL +sources may be written .* allow +deny +default.deny" "$SCRATCH/last.out"
same "so does the wrong rule" 1 "$(sed 's/rule: write-sources/rule: other/' cases.yaml |
    status "$AIRLOCK" policy test -w ws -)"
same "as JSON" "2 1 sources may be written" "$(sed 's/expect: allow/expect: deny/' cases.yaml |
    "$AIRLOCK" policy test -w ws --json - | json '"%d %d %s" % (o["passed"], o["failed"],
        [c["name"] for c in o["cases"] if not c["passed"]][0])')"
same "what is no case is refused" 65 "$(sed 's/caller_tag/callertag/; s/expect: deny/expect: no/' cases.yaml |
    status "$AIRLOCK" policy test -w ws -)"
check "with its place" said '-:8:52: error: there is no key "callertag" in a request'
check "what was meant" said 'Did you mean "caller_tag"?'
check "and all at once" said '-:12:13: error: there is no outcome "no"'
same "no YAML is refused too" 65 "$(printf 'version: [' | status "$AIRLOCK" policy test -w ws -)"
same "nor is nothing a table" 65 "$(status "$AIRLOCK" policy test -w ws /dev/null)"

# History: four runs that the default policy allowed, an apply of eight files, a refusal.
rm "$user"
rm -r ws/.airlock
cd ws || exit 99
for _ in 1 2 3; do "$AIRLOCK" run --quiet -- true; done
"$AIRLOCK" run --quiet -- sh -c 'for i in 1 2 3 4 5 6; do echo x >src/f$i.c; done; echo d >docs/d; echo r >r.md'
same "history is made" 0 "$(status "$AIRLOCK" apply)"
cat >../new.yaml <<'END'
version: 1
rules:
  - name: run
    match: { operation: run.exec }
    action: allow
  - name: docs-only
    match: { operation: stage.apply, path: [ "docs/**", "*.md" ] }
    action: allow
  - name: no-code
    match: { operation: stage.apply, path: "src/**" }
    action: deny
    reason: "code is not applied"
END
same "what is in force changes nothing" "0 0" "$("$AIRLOCK" policy replay --json | tail -1 |
    json '"%d %d" % (o["summary"]["changed_count"], o["summary"]["without_facts"])')"
same "replay answers" 0 "$(status "$AIRLOCK" policy replay ../new.yaml)"
check "what would break is marked" said "allow > deny  BREAKING  "
check "with path, rule, file and line" grep -q "src/f3.c .*no-code .*../new.yaml:9" "$SCRATCH/last.out"
check "and counted" grep -Eq "decisions judged again: [6-9] changed, [6-9] BREAKING" "$SCRATCH/last.out"
refuse "what stays is not listed" grep -q "docs/d " "$SCRATCH/last.out"
same "the same as JSON lines" 6 "$("$AIRLOCK" policy replay ../new.yaml --json |
    grep -c '"breaking":true.*"line":9.*"path":"src/f')"
same "only the newest entries" "1" "$("$AIRLOCK" policy replay ../new.yaml --json --limit 1 | tail -1 |
    json 'o["summary"]["entries"]')"
same "--limit is a number" 2 "$(status "$AIRLOCK" policy replay --limit x)"
same "a bad file replays nothing" 65 "$(status "$AIRLOCK" policy replay ../bad.yaml)"
applied=$(echo "$AIRLOCK_STATE_DIR"/runs/*/facts)
mv "$applied" ../facts
same "a list that is gone is told" 0 "$(status "$AIRLOCK" policy replay ../new.yaml)"
check "as expired" said "the list of their paths has expired"
mv ../facts "$applied"

terminal() { # question answer command...
    python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/probes/at_terminal.py" "$@"
}
same "without a terminal nothing is changed" 77 "$(status "$AIRLOCK" policy update ../new.yaml)"
check "and no option helps" said "needs a person at a terminal"
same "--yes is none" 2 "$(status "$AIRLOCK" policy update --yes ../new.yaml)"
same "nor is anything changed from inside a run" 77 \
    "$(status env AIRLOCK_RUN=1 python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/probes/at_terminal.py" \
        "[y/N]" y "$AIRLOCK" policy update ../new.yaml)"
check "which says why" said "a program must not play the person"
same "a bad file is not put in force" 65 "$(status terminal "]" y "$AIRLOCK" policy update ../bad.yaml)"
check "and shown" said "bad.yaml:4:35: error"
same "more than 5 that break need the phrase" 77 \
    "$(status terminal "type " y "$AIRLOCK" policy update ../new.yaml)"
check "which is told" said "break 6 decisions"
refuse "nothing is in force yet" test -e "$user"
same "with the phrase it is put in force" 0 \
    "$(status terminal "type " "break 6 decisions" "$AIRLOCK" policy update ../new.yaml)"
check "as it was given" cmp "$user" ../new.yaml
same "the user's alone" 600 "$(stat -c %a "$user")"
new_digest=$(sha256sum ../new.yaml | cut -d' ' -f1)
same "the log has both digests and the counts" "$new_digest 64 6 6 terminal" "$(
    "$AIRLOCK" log --json --type policy_updated | json '"%s %d %d %d %s" % (o["new_digest"],
        len(o["old_digest"]), o["breaking"], o["changed"]["allow>deny"], o["decision"]["reviewer"])')"
same "the same once more changes nothing" 0 "$(status "$AIRLOCK" log verify)"
same "and asks nothing" 0 "$(status terminal "[y/N]" n "$AIRLOCK" policy update ../new.yaml)"
check "but says so" said "in force already"
same "a no leaves it" 77 "$(status terminal "type " n "$AIRLOCK" policy update ../good.yaml)"
check "as it is" cmp "$user" ../new.yaml

printf '#!/bin/sh\necho "# edited" >>"$2"\n' >../editor
chmod +x ../editor
same "edit changes a copy" 0 \
    "$(status env VISUAL="$SCRATCH/editor --wait" TMPDIR="$SCRATCH" python3 \
        "$AIRLOCK_SOURCE_DIR/tests/e2e/probes/at_terminal.py" "type " "break 6 decisions" "$AIRLOCK" policy edit)"
check "and puts it in force" grep -q '^# edited' "$user"
refuse "the copy is gone" ls "$SCRATCH"/airlock-policy-*
printf '#!/bin/sh\necho "nonsense: 1" >>"$1"\n' >../editor
same "what does not compile is not" 65 \
    "$(status env -u VISUAL EDITOR="$SCRATCH/editor" TMPDIR="$SCRATCH" python3 \
        "$AIRLOCK_SOURCE_DIR/tests/e2e/probes/at_terminal.py" "[y/N]" y "$AIRLOCK" policy edit)"
check "but kept" grep -q '^nonsense' "$SCRATCH"/airlock-policy-*.yaml
check "where it says" said "kept in $SCRATCH/airlock-policy-"
refuse "and not in force" grep -q nonsense "$user"
mkdir ../dotfiles
mv "$user" ../dotfiles/p.yaml
ln -s "$SCRATCH/dotfiles/p.yaml" "$user"
sed '$d; s/action: deny/action: allow/' ../new.yaml >../third.yaml
same "a link into dotfiles" 0 "$(status terminal "[y/N]" y "$AIRLOCK" policy update ../third.yaml)"
check "stays a link" test -L "$user"
check "to the new file" cmp ../dotfiles/p.yaml ../third.yaml

same "there is nothing to trust" 66 "$(status "$AIRLOCK" policy trust)"
same "nor to drop" 66 "$(status "$AIRLOCK" policy trust --drop)"
mkdir .airlock
printf 'version: 1\nrules:\n  - {name: theirs, match: {operation: net.connect, host: a.org}, action: allow}\n' \
    >.airlock/policy.yaml
connect() {
    "$AIRLOCK" policy explain --json net.connect --host a.org | json 'o["outcome"]'
}
same "trust needs a person" 77 "$(status "$AIRLOCK" policy trust)"
same "a no trusts nothing" 77 "$(status terminal "[y/N]" n "$AIRLOCK" policy trust)"
check "the rules that would count are shown" grep -q "line 3 .*allow.*theirs.*host: a.org" "$SCRATCH/last.out"
same "so it allows nothing" deny "$(connect)"
same "a yes does" 0 "$(status terminal "[y/N]" y "$AIRLOCK" policy trust)"
same "and now it allows" allow "$(connect)"
same "as JSON" True "$("$AIRLOCK" policy trust --json | json 'o["trusted"]')"
same "trusting is in the log" "policy.trust $(sha256sum .airlock/policy.yaml | cut -d' ' -f1)" "$(
    "$AIRLOCK" log --json --type policy_trusted | json 'o["operation"] + " " + o["digest"]')"
echo "# changed" >>.airlock/policy.yaml
same "any change drops it" deny "$(connect)"
same "dropping needs nobody" 0 "$(status "$AIRLOCK" policy trust --drop)"
sed -i '$d' .airlock/policy.yaml
same "and holds for the old file too" deny "$(connect)"
same "the log holds that as well" policy.untrust "$(
    "$AIRLOCK" log --json --type policy_trusted | tail -1 | json 'o["operation"]')"
same "the log verifies" 0 "$(status "$AIRLOCK" log verify)"
cd ..

same "no sub-command is a usage error" 2 "$(status "$AIRLOCK" policy)"
same "an unknown one too" 2 "$(status "$AIRLOCK" policy frob)"
same "and too many operands" 2 "$(status "$AIRLOCK" policy check a b)"
finish
