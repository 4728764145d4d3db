# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For scripts whose commands leave what they say in a file. Source it behind lib.sh.
#
#   $policy                                    the user's policy file; its folder is there
#   $said                                      what the last command said
#   says TEXT                                  whether that has the text
#   status N command arg...                    whether the command exits with N; it writes $said
export XDG_CONFIG_HOME=$SCRATCH/config
policy=$XDG_CONFIG_HOME/airlock/policy.yaml
said=$SCRATCH/said
mkdir -p "${policy%/*}"

says() { grep -qF -- "$1" "$said" || { cat -v "$said" && false; }; }

status() {
    local wanted=$1 got
    shift
    "$@"
    got=$?
    [ "$got" = "$wanted" ] || { echo "status $got" && cat -v "$said" && false; }
}
