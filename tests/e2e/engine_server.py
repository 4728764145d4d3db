#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An engine that does as it is told: engine_server.py SOCKET MODE LOG

It answers the calls of the Engine API that airlock makes, without any container behind them, and in
one place lies, breaks off or takes its time, as MODE says. Every request line goes to LOG, and the
bodies of those that make something.
"""
import json
import os
import socket
import struct
import sys
import threading
import time

PATH, MODE, LOG = sys.argv[1:4]
ID = "sha256:" + "ab" * 32
lock = threading.Lock()
state = {"pulled": MODE not in ("missing", "pull", "pull-error", "pull-garbage"), "ended": threading.Event(), "gated": threading.Event()}


def note(text):
    with lock, open(LOG, "a", encoding="utf-8") as log:
        log.write(text + "\n")


def frame(stream, data):
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


class Connection(threading.Thread):
    def __init__(self, peer):
        super().__init__(daemon=True)
        self.peer = peer

    def read(self):
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.peer.recv(65536)
            if not more:
                return None, None, b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            body += self.peer.recv(65536)
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
        return method, path, body

    def send(self, data):
        self.peer.sendall(data)

    def reply(self, status, value=None, raw=None):
        body = raw if raw is not None else b"" if value is None else json.dumps(value).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)

    def run(self):
        try:
            method, path, body = self.read()
            if method:
                note(f"{method} {path}")
                if body:
                    note(body.decode(errors="replace"))
                self.answer(method, path)
        except OSError:
            pass
        finally:
            try:
                self.peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.peer.close()

    def answer(self, method, path):
        where = path.split("?")[0]
        if where == "/version":
            self.version()
        elif where == "/info":
            name = "name=rootless" if MODE.startswith("rootless") else "name=seccomp"
            self.reply(200, {"SecurityOptions": [name], "CgroupVersion": "2" if MODE.startswith("rootless-") else "1", "MemTotal": 1.5e300})
        elif where.startswith("/images/create"):
            self.pull()
        elif where.startswith("/images/"):
            self.image()
        elif where == "/volumes/create":
            if MODE == "other-volume":
                return self.reply(201, {"Name": "another"})
            self.reply(201, {"Name": "airlock-" + self.volume_id()})
        elif method == "DELETE":
            if MODE == "stuck":
                return self.reply(500, {"message": "device or resource busy"})
            self.reply(204)
        elif where == "/containers/create":
            self.create()
        else:
            self.container(where)

    @staticmethod
    def volume_id():
        with lock, open(LOG, encoding="utf-8") as log:
            for line in reversed(log.read().splitlines()):
                if line.startswith("{") and "DriverOpts" in line:
                    return json.loads(line)["Name"][len("airlock-"):]
        return ""

    def version(self):
        good = {"Version": "1.2.3", "Components": [{"Name": "Podman Engine"}]}
        if MODE == "silent":
            self.peer.recv(1)
        elif MODE == "garbage":
            self.send(os.urandom(4096))
        elif MODE == "close":
            pass
        elif MODE == "no-json":
            self.reply(200, raw=b"<html>")
        elif MODE == "huge-head":
            self.send(b"HTTP/1.1 200 OK\r\n" + b"A: " + b"a" * 100000 + b"\r\n\r\n")
        elif MODE == "huge-body":
            self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(200):
                self.send(b"10000\r\n" + b"[" * 65536 + b"\r\n")
        elif MODE == "deep":
            self.reply(200, raw=b"[" * 100000 + b"]" * 100000)
        elif MODE == "two-lengths":
            self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}")
        elif MODE == "cut":
            self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{\"Version\":")
        elif MODE == "redirect":
            self.send(b"HTTP/1.1 301 X\r\nLocation: http://example.org/\r\nContent-Length: 0\r\n\r\n")
        elif MODE == "twice":
            self.reply(200, raw=b'{"Version":"1","Version":"2"}')
        elif MODE == "upgrade":
            self.send(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n")
        elif MODE == "is-docker":
            self.reply(200, {"Version": "1", "Components": [{"Name": "Engine"}]})
        elif MODE == "byte-by-byte":
            body = json.dumps(good).encode()
            for byte in f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body:
                self.send(bytes([byte]))
        else:
            self.reply(200, good)

    def pull(self):
        self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        lines = [{"status": "Pulling from somewhere"}]
        for percent in (10, 60, 100):
            lines += [{"id": layer, "status": "Downloading", "progressDetail": {"current": percent, "total": 100}}
                      for layer in ("aaa", "bbb")]
        if MODE == "pull-error":
            lines.append({"error": "no such \x1b[31mimage\x07"})
        for line in lines:
            data = json.dumps(line).encode() + b"\r\n"
            if MODE == "pull-garbage":
                data = b"{" * 30 + b"\n"
            for piece in (data[:7], data[7:]):
                if piece:
                    self.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.send(b"0\r\n\r\n")
        state["pulled"] = MODE != "pull-error"

    def image(self):
        if not state["pulled"]:
            self.reply(404, {"message": "no such image"})
        elif MODE == "bad-id":
            self.reply(200, {"Id": "sha256:../../etc/passwd"})
        elif MODE == "no-id":
            self.reply(200, {"Id": None})
        else:
            self.reply(200, {"Id": ID, "RepoDigests": ["x@" + ID], "Size": 18446744073709551615})

    def create(self):
        if MODE == "refuse":
            self.reply(500, {"message": "no \x1b]52;c;Zm9v\x07 way: \u202e done"})
        elif MODE == "warn":
            self.reply(201, {"Id": "1", "Warnings": ["something"]})
        else:
            self.reply(201, {"Id": "1", "Warnings": []})

    @staticmethod
    def created():
        with lock, open(LOG, encoding="utf-8") as log:
            return [json.loads(line) for line in log if line.startswith("{") and "Entrypoint" in line][-1]

    def gate(self):
        """What airlock-gate does in a container, and what it never would."""
        reply = lambda state, number=0: b"gtr1" + struct.pack("<BI", state, number)
        binds = self.created()["HostConfig"]["Binds"]
        path = [bind.split(":")[0] for bind in binds if bind.split(":")[1] == "/run/airlock-gate.socket"][0]
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        peer.connect(path)
        setup = peer.recv(65536)
        magic, port, memory, pids, lines = struct.unpack_from("<4sHQQxI", setup)
        note(f"GATE {magic.decode()} port {port} lines {lines} rest {len(setup) - 27 - 8 * lines}"
             f" memory {memory} pids {pids}")
        try:
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(path)
            note("GATE again")
        except OSError:
            note("GATE once")
        fds = []
        if port != 0 or MODE == "gate-gift":
            listener = socket.create_server(("127.0.0.1", 0))
            fds = [listener.fileno()]
        fds = {"gate-no-listener": [], "gate-two": fds * 2, "gate-file": [os.open("/dev/null", os.O_RDONLY)],
               "gate-udp": [socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()],
               "gate-unix": [socket.socket(socket.AF_UNIX).detach()]}.get(MODE, fds)
        first = {"gate-garbage": b"\x1b]52;c;Zm9v", "gate-long": reply(1) * 100, "gate-state": reply(77), "gate-zero": reply(0),
                 "rootless-unlimited": reply(5), "gate-down": reply(2, 100), "gate-busy": reply(3, 98), "gate-close": b""}.get(MODE, reply(1))
        if first:
            socket.send_fds(peer, [first], fds)
        if first != reply(1):
            peer.close()
            return
        go = peer.recv(16)
        note(f"GATE go {go!r}")
        last = {"gate-filter": reply(4, 38), "gate-landlock": reply(6, 38), "no-program": reply(7, 2), "no-right": reply(7, 13), "gate-late": reply(1)}.get(MODE)
        if go and last:
            peer.send(last)
        peer.close()

    def container(self, where):
        what = where.rsplit("/", 1)[1]
        if what == "attach":
            self.attach()
        elif what == "start":
            if MODE == "no-start":
                return self.reply(400, {"message": 'exec: "/run/airlock-gate": no such file or directory'})
            self.reply(204)
            if MODE not in ("gate-never", "gate-ended"):
                self.gate()
            state["gated"].set()
        elif what == "wait":
            self.wait()
        elif what == "pause" and MODE == "no-pause":
            self.reply(500, {"message": "no \x1b[31mfreezer"})
        elif what == "kill":
            state["ended"].set()
            self.reply(204)
        elif what == "stats":
            self.send(b"HTTP/1.1 200 OK\r\n\r\n")
            sample = {"memory_stats": {"usage": 1000, "max_usage": 5000000},
                      "cpu_stats": {"cpu_usage": {"usage_in_usermode": 7000000, "usage_in_kernelmode": 2000000}}}
            self.send(json.dumps(sample).encode() + b"\n")
            state["ended"].wait(20)
        elif what == "json":
            if MODE == "vanish":
                return self.reply(404, {"message": "no such container"})
            code = 137 if MODE == "oom" else 5
            self.reply(200, {"State": {"Status": "exited", "Running": False, "Paused": False, "Error": "",
                                       "OOMKilled": MODE == "oom", "ExitCode": code}})
        else:
            self.reply(204)

    def attach(self):
        if MODE == "attach-lie":
            return self.reply(204)
        self.send(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        if MODE == "bad-frames":
            self.send(b"\x07\x00\x00\x00\x00\x00\x00\x01x")
            state["ended"].wait(20)
        elif MODE == "echo":
            while data := self.peer.recv(65536):
                self.send(frame(1, data))
            self.send(frame(1, b"end of input\n"))
            state["ended"].set()
        else:
            text = frame(1, b"out\n") + frame(2, b"err\n") + frame(1, b"") + frame(0, b"more\n")
            for byte in text:
                self.send(bytes([byte]))
            if MODE in ("hang", "die", "no-pause"):
                state["ended"].wait(20)

    def wait(self):
        state["gated"].wait(20)
        if MODE == "die":
            note("DIE")
            os._exit(0)
        if MODE == "vanish":
            return self.reply(404, {"message": "no such container"})
        if MODE in ("hang", "echo", "bad-frames", "no-pause", "gate-never"):
            state["ended"].wait(20)
        if MODE == "wait-cut":
            return self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{")
        time.sleep(0.2)
        self.reply(200, {"StatusCode": 137 if MODE in ("oom", "hang", "no-pause") else 5, "Error": None})


server = socket.socket(socket.AF_UNIX)
server.bind(PATH + ".new")
server.listen(16)
os.rename(PATH + ".new", PATH)
while True:
    peer, _ = server.accept()
    Connection(peer).start()
