# SPDX-License-Identifier: Apache-2.0
"""Drives `airlock run` on a pseudo-terminal and prints "ok NAME" or "not ok NAME" per row."""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

AIRLOCK = sys.argv[1]


class Terminal:
    def __init__(self, *arguments, program=AIRLOCK):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(program, [program, *arguments])
        self.text = b""
        self.size(30, 100)

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, data):
        os.write(self.fd, data)

    def expect(self, wanted, seconds=10):
        end = time.monotonic() + seconds
        while wanted not in self.text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return False
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return wanted in self.text
            if not data:
                return False
            self.text += data
        self.text = self.text[self.text.index(wanted) + len(wanted):]
        return True

    def wait(self, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.text += os.read(self.fd, 65536)
                except OSError:
                    pass
        os.kill(self.pid, signal.SIGKILL)
        return None


def row(name, good):
    print(("ok " if good else "not ok ") + name, flush=True)


shell = Terminal("run", "-q", "--", "sh", "-i")
before = termios.tcgetattr(shell.fd)[3]
row("the command has a terminal", shell.expect(b"$ ") or shell.expect(b"# ", 1))
shell.send(b"test -t 0 && test -t 1 && test -t 2 && echo all-$((40+2))\r")
row("on all three streams", shell.expect(b"all-42"))
shell.send(b"stty size\r")
row("of the size of ours", shell.expect(b"30 100"))
shell.size(40, 120)
time.sleep(0.3)
shell.send(b"stty size\r")
row("which follows when ours changes", shell.expect(b"40 120"))
shell.send(b"sleep 60\r")
time.sleep(0.5)
shell.send(b"\x03")
shell.send(b"echo after-$((1+1))\r")
row("ctrl-c ends the job, not the shell", shell.expect(b"after-2"))
shell.send(b"printf 'a\\033]52;c;eA==\\007b\\n'\r")
row("a clipboard write is dropped", shell.expect(b"ab\r\n"))
shell.send(b"exit 5\r")
row("its exit status is passed on", shell.wait() == 5)

again = Terminal("run", "-q", "--", "cat")
time.sleep(0.5)
raw = termios.tcgetattr(again.fd)[3]
row("our terminal is raw meanwhile", not raw & termios.ICANON)
again.send(b"\x04")
status = again.wait()
try:
    restored = termios.tcgetattr(again.fd)[3]
    row("and as before afterwards", status == 0 and restored & termios.ICANON)
except termios.error:
    row("and as before afterwards", status == 0)

both = Terminal("run", "-q", "--raw-terminal", "--", "printf", "a\\033]52;c;eA==\\007b")
row("--raw-terminal filters nothing", both.expect(b"a\x1b]52;c;eA==\x07b"))
both.wait()

# No pty: stdin is no terminal. What goes to the terminal is filtered all the same.
PIPED = '"$0" run -q -- sh -c "printf \'a\\033]52;c;eA==\\007b\\n\' >&%d" </dev/null %s; echo done'
for stream, rest in ((1, ""), (2, ">/dev/null")):
    piped = Terminal("-c", PIPED % (stream, rest), AIRLOCK, program="/bin/sh")
    row(f"stream {stream} is filtered without a pty", piped.expect(b"ab\r\n"))
    piped.wait()

staged = Terminal("run", "-q", "--", "sh", "-c", "mkdir .vscode; echo x > .vscode/tasks.json")
staged.wait()
no = Terminal("apply", "@1")
row("apply asks about what wants review", no.expect(b".vscode/tasks.json") and no.expect(b"[y/N]"))
no.send(b"\r")
row("silence is a no", no.wait() == 77 and not os.path.exists(".vscode"))
yes = Terminal("apply", "@1")
yes.expect(b"[y/N]")
yes.send(b"y\r")
row("y is a yes", yes.wait() == 0 and os.path.exists(".vscode/tasks.json"))

stopped = Terminal("run", "-q", "--", "sh", "-c", "echo up; kill -STOP $$; echo on; exit 6")
stopped.expect(b"up")
end = time.monotonic() + 5
state = ""
while time.monotonic() < end and state != "T":
    state = open(f"/proc/{stopped.pid}/stat").read().rsplit(")", 1)[1].split()[0]
    time.sleep(0.05)
row("a command that stops itself stops us", state == "T")
os.kill(stopped.pid, signal.SIGCONT)
row("and goes on with us", stopped.expect(b"on") and stopped.wait() == 6)

gone = Terminal("run", "-q", "--", "sh", "-c", "echo up; exec sleep 60")
gone.expect(b"up")
os.close(gone.fd)
end = time.monotonic() + 9
left = gone.pid
while time.monotonic() < end and left:
    pid, _ = os.waitpid(gone.pid, os.WNOHANG)
    left = 0 if pid else left
    time.sleep(0.05)
row("a terminal that goes away ends the run", left == 0)
if left:
    os.kill(left, signal.SIGKILL)
print("end")
