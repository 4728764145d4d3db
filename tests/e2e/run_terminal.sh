#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Interactive programs, through a real pseudo-terminal.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"
mkdir -p ws/.git && cd ws || exit 99
python3 "$AIRLOCK_SOURCE_DIR/tests/e2e/probes/terminal.py" "$AIRLOCK" >"$SCRATCH/terminal.out" 2>&1
while IFS= read -r line; do
    case $line in
    "ok "*) row 0 "${line#ok }" ;;
    "not ok "*) row 1 "${line#not ok }" ;;
    *) echo "# $line" ;;
    esac
done <"$SCRATCH/terminal.out"
same "all rows were reached" end "$(tail -1 "$SCRATCH/terminal.out" | sed 's/^# //')"
finish
