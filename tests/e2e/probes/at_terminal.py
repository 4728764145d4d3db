# SPDX-License-Identifier: Apache-2.0
"""Runs a command at a terminal of its own: at_terminal.py QUESTION ANSWER COMMAND [ARG...]

Types ANSWER and Enter once QUESTION has appeared, prints all that the terminal showed, and exits as
the command did; 99 when the question never came although the command waited.
"""
import os
import pty
import select
import sys
import time

question, answer, command = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
shown = b""
typed = False
end = time.monotonic() + 30
while time.monotonic() < end:
    if not select.select([terminal], [], [], 0.1)[0]:
        continue
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    if not data:
        break
    shown += data
    if not typed and question in shown:
        os.write(terminal, answer + b"\n")
        typed = True
else:
    os.kill(child, 9)
sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(99 if status < 0 else status)
