# SPDX-License-Identifier: Apache-2.0
"""A dialogue at a terminal: dialogue.py [--size COLSxROWS] [QUESTION ANSWER]... -- COMMAND [ARG...]

Types each ANSWER once its QUESTION has appeared behind the ones before; \\n, \\r, \\t, \\e and \\xHH are
read as escapes, and nothing is added. An answer "SIGNAL:TERM" sends that signal instead, "SIZE:80x24"
resizes the terminal, "CLOSE:" closes it. Prints all that the terminal showed, then one line with the
exit status and whether the terminal was left as it had been: "[exit N, terminal restored|changed]".
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


def unescape(text):
    return text.replace("\\e", "\\x1b").encode().decode("unicode_escape").encode("latin-1")


def resize(fd, size):
    columns, rows = map(int, size.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


arguments = sys.argv[1:]
size = "80x24"
if arguments[0] == "--size":
    size, arguments = arguments[1], arguments[2:]
split = arguments.index("--")
steps, command = arguments[:split], arguments[split + 1:]
terminal, inner = pty.openpty()
resize(terminal, size)
before = termios.tcgetattr(inner)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(inner, fd)
    os.closerange(3, 256)
    os.execvp(command[0], command)
shown = b""
seen = 0
end = time.monotonic() + 40
status = None
while time.monotonic() < end:
    if terminal is not None and select.select([terminal], [], [], 0.05)[0]:
        shown += os.read(terminal, 65536)
    found = shown.find(unescape(steps[0]), seen) if steps and terminal is not None else -1
    if found >= 0:
        question, answer = steps[0], steps[1]
        steps = steps[2:]
        seen = found + len(unescape(question))
        if answer.startswith("SIGNAL:"):
            os.kill(child, getattr(signal, "SIG" + answer[7:]))
        elif answer.startswith("SIZE:"):
            resize(terminal, answer[5:])
            os.kill(child, signal.SIGWINCH)
        elif answer.startswith("CLOSE:"):
            os.close(inner)
            os.close(terminal)
            terminal = None
        else:
            os.write(terminal, unescape(answer))
    done, wait_status = os.waitpid(child, os.WNOHANG)
    if done:
        status = os.waitstatus_to_exitcode(wait_status)
        break
else:
    os.kill(child, 9)
    os.waitpid(child, 0)
while terminal is not None and select.select([terminal], [], [], 0.05)[0]:
    shown += os.read(terminal, 65536)
sys.stdout.buffer.write(shown.replace(b"\r\n", b"\n"))
restored = terminal is None or termios.tcgetattr(inner) == before
left = "" if not steps else ", never asked: " + steps[0]
print("\n[exit %s, terminal %s%s]" % (status, "restored" if restored else "changed", left))
