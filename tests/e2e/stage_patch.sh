#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A patch becomes a stage, or nothing at all.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
. "$AIRLOCK_SOURCE_DIR/tests/e2e/said.sh"

patch() { "$AIRLOCK" patch --workspace work "$@" >"$said" 2>&1; }
runs() { find "$AIRLOCK_STATE_DIR/runs" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*' | wc -l; }
entries() { "$AIRLOCK" log --json | grep -c '"type"'; }
fill() {
    rm -rf work
    mkdir -p work/src/deep work/docs
    printf 'one\ntwo\nthree\n' >work/src/a.c
    printf 'dos\r\nlines\r\n' >work/dos.txt
    printf 'no newline' >work/tail
    printf 'gone\n' >work/docs/old
    printf '#!/bin/sh\n' >work/tool
    printf 'deep\n' >work/src/deep/d
    ln -s /etc work/link
    ln -s src work/into
    printf 'hidden\n' >"$SCRATCH/outside"
    cp -a work before
}
rm -rf before
fill

# What does not fit leaves nothing behind.
"$AIRLOCK" runs >/dev/null 2>&1
head='--- a/src/a.c
+++ b/src/a.c'
refused() { # what, slug, patch text
    printf '%s\n' "$3" >bad.patch
    refuse "$1" patch bad.patch
    check "  is $2" says "$2"
}
refused "a wrong line of context" patch.mismatch "$head
@@ -1,2 +1,2 @@
 ONE
-two
+2"
refused "the right lines one further down" patch.mismatch "$head
@@ -2,2 +2,2 @@
 one
-two
+2"
refused "a file that is not there" patch.mismatch '--- a/none
+++ b/none
@@ -1 +1 @@
-x
+y'
refused "a new file that is there" patch.mismatch '--- /dev/null
+++ b/tail
@@ -0,0 +1 @@
+x'
refused "a deletion that leaves lines" patch.mismatch '--- a/src/a.c
+++ /dev/null
@@ -1,2 +0,0 @@
-one
-two'
refused "LF for CR LF" patch.mismatch '--- a/dos.txt
+++ b/dos.txt
@@ -1 +1 @@
-dos
+DOS'
refused "a newline that is not there" patch.mismatch '--- a/tail
+++ b/tail
@@ -1 +1 @@
-no newline
+x'
refused "a rename onto a file" patch.mismatch 'diff --git a/src/a.c b/tail
rename from src/a.c
rename to tail'
refused "another mode" patch.mismatch 'diff --git a/tool b/tool
old mode 100755
new mode 100644'
refused "a file that becomes a link by its mode" patch.mismatch 'diff --git a/tool b/tool
new mode 120000'
refused "a link that becomes a file" patch.mismatch 'diff --git a/into b/into
new mode 100644'
refused "a path through a link to the system" patch.refused '--- /dev/null
+++ b/link/x
@@ -0,0 +1 @@
+x'
refused "a path through a link inside" patch.refused '--- a/into/a.c
+++ b/into/a.c
@@ -1 +1 @@
-one
+1'
refused "a link and a file behind it" patch.refused 'diff --git a/l b/l
new file mode 120000
--- /dev/null
+++ b/l
@@ -0,0 +1 @@
+/tmp
\ No newline at end of file
diff --git a/l/x b/l/x
new file mode 100644
--- /dev/null
+++ b/l/x
@@ -0,0 +1 @@
+x'
refused "a path that leaves" patch.refused '--- a/../outside
+++ b/../outside
@@ -1 +1 @@
-hidden
+x'
refused "an absolute path" patch.refused "--- $SCRATCH/outside
+++ $SCRATCH/outside
@@ -1 +1 @@
-hidden
+x"
refused "a git hook" patch.refused '--- /dev/null
+++ b/.git/hooks/pre-commit
@@ -0,0 +1 @@
+x'
refused "the policy" patch.refused '--- /dev/null
+++ b/.airlock/policy.yaml
@@ -0,0 +1 @@
+x'
refused "a binary file" patch.refused 'diff --git a/x b/x
new file mode 100644
index 0000000..1111111
GIT binary patch
literal 1
IcmZPo000310RR91'
refused "setuid" patch.refused 'diff --git a/tool b/tool
old mode 100644
new mode 104755'
refused "no patch" patch.malformed 'hello'
refuse "a file that is not there" patch nothing.patch
refuse "two files" patch bad.patch bad.patch
same "none of them left a run" 0 "$(runs)"
same "nor an entry" 0 "$(entries)"
check "nor a mark" test -z "$(ls -A "$AIRLOCK_STATE_DIR/runs/.live" 2>/dev/null)"
check "nor a change" diff -r --no-dereference before work

# One that fits: everything a patch can say.
(cd before && git init -q . && git add -A && git -c user.name=a -c user.email=a@b commit -qm a)
cp -a before after
(
    cd after || exit
    sed -i s/two/2/ src/a.c
    printf 'dos\r\nLINES\r\n' >dos.txt
    printf 'no newline, still' >tail
    git rm -q docs/old
    chmod 755 tool
    mkdir -p new/folder
    printf 'x\n' >new/folder/file
    : >new/empty
    ln -s ../tool new/link
    git mv src/deep/d src/moved
    echo more >>src/moved
    git add -A
    git diff --cached -M >"$SCRATCH/whole.patch"
    git diff --cached --no-renames >"$SCRATCH/plain.patch"
)
check "a patch of git's becomes a stage" patch whole.patch
check "which says what it holds" says "+3 added ~3 modified -2 deleted"
check "nothing is applied yet" diff -r --no-dereference -x .git before work
check "the intent names operation and mode" \
    grep -q '"mode":"patch".*"operation":"stage.patch"' <(newest run_started)
check "the outcome holds the stage" grep -q '"outcome":"patched".*"stage":{' <(newest run_finished)
check "the log is whole" "$AIRLOCK" log verify
check "it has a receipt" sh -c "cd work && '$AIRLOCK' receipt @1 >../receipt && '$AIRLOCK' verify ../receipt"
check "diff shows what the patch said" diff -u \
    <(grep '^[-+]' plain.patch | sort) <("$AIRLOCK" diff --workspace work | grep '^[-+]' | sort)
check "it is applied like any other" "$AIRLOCK" apply --workspace work
check "a folder that it empties stays" rmdir work/docs
check "to what git makes of it" diff -r --no-dereference -x .git after work
same "modes too" 755 "$(stat -c %a work/tool)"
check "the log has no gap" "$AIRLOCK" log gaps
rm -rf before after

# Modes, attributes and folders stay those of the file.
fill
chmod 640 work/src/a.c
chmod 750 work/src
attributes=no
setfattr -n user.note -v kept work/src/a.c 2>/dev/null && attributes=yes
printf -- '--- src/a.c\n+++ src/a.c\n@@ -2 +2 @@\n-two\n+2\n' | patch
same "only the file changes" "M src/a.c" "$("$AIRLOCK" diff --workspace work --names)"
"$AIRLOCK" apply --workspace work >/dev/null
same "its mode stays" "640 750" "$(stat -c %a work/src/a.c work/src | xargs)"
if [ $attributes = yes ]; then
    check "its attributes stay" grep -q kept <(getfattr -n user.note work/src/a.c 2>&1)
else
    skip "its attributes stay" "no user.* attributes or no setfattr here"
fi

# Standing on each other; commands on patches, patches on commands.
fill
printf -- '--- a/src/a.c\n+++ b/src/a.c\n@@ -1 +1 @@\n-one\n+1\n' | patch
printf -- '--- a/src/a.c\n+++ b/src/a.c\n@@ -1,2 +1,2 @@\n 1\n-two\n+2\n' | patch --on @1
check "a patch stands on a patch" says "~1 modified"
check "a command on a patch" "$AIRLOCK" run --quiet --workspace work --on @1 -- \
    sh -c 'grep -q ^1 src/a.c && grep -q ^2 src/a.c && sed -i s/three/3/ src/a.c && rm docs/old && echo new >n'
printf -- '--- a/src/a.c\n+++ b/src/a.c\n@@ -3 +3 @@\n-3\n+drei\ndiff --git a/n b/n\ndeleted file mode 100644\n--- a/n\n+++ /dev/null\n@@ -1 +0,0 @@\n-new\n' |
    patch --on @1
printf -- '--- a/docs/old\n+++ b/docs/old\n@@ -1 +1 @@\n-gone\n+x\n' >bad.patch
refuse "a patch sees what the command deleted" patch --on @1 bad.patch
check "the stack is applied" "$AIRLOCK" apply --workspace work
same "all of it" "1 2 drei" "$(xargs <work/src/a.c)"
refuse "what came and went is not there" test -e work/n
refuse "what was deleted neither" test -e work/docs/old

# Policy.
fill
printf 'version: 1\nrules:\n  - { name: apply, match: { operation: stage.apply }, action: allow }\n' >"$policy"
printf -- '--- a/src/a.c\n+++ b/src/a.c\n@@ -1 +1 @@\n-one\n+1\n' >good.patch
before=$(runs)
refuse "what no rule allows is denied" patch good.patch
check "and recorded" grep -q '"operation":"stage.patch"' <(newest decision)
printf 'version: 1\nrules:\n  - { name: look, match: { operation: stage.patch }, action: require_review }\n' >"$policy"
refuse "a review without a person is refused" patch good.patch
same "neither left a run" "$before" "$(runs)"
check "a person agrees" python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/probes/at_terminal.py" "stage it?" y \
    "$AIRLOCK" patch --workspace work good.patch
check "as the entry says" grep -q '"reviewer":"terminal"' <(newest run_started)
rm "$policy"
printf -- '--- /dev/null\n+++ b/.github/workflows/ci.yml\n@@ -0,0 +1 @@\n+on: push\n' | patch
"$AIRLOCK" apply --workspace work "$(sed -n 's/.* as run \([0-9a-f]*\) .*/\1/p' "$said")" >"$said" 2>&1 </dev/null
check "its paths are judged when it is applied" says "policy.review"

# The answer as JSON.
check "the answer as JSON" sh -c "printf -- '--- a/tail\n+++ b/tail\n@@ -1 +1 @@\n-no newline\n\\\\ No newline at end of file\n+x\n' |
    '$AIRLOCK' patch --json --workspace work | python3 -c 'import json,sys; a=json.load(sys.stdin); assert a[\"modified\"] == 1 and len(a[\"digest\"]) == 64'"
finish
