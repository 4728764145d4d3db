#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A witness for tests: witness_server.py FOLDER LOG_VKEY [tls]

Speaks C2SP tlog-witness with an Ed25519 key of its own (signing is openssl's), checks the log's
signature and the consistency proof, and keeps the size and root it has seen. FOLDER/mode says how
it behaves: "honest", or one of the lies below. FOLDER/ready gets "PORT VKEY" once it listens;
FOLDER/asked counts the requests.
"""
import base64
import hashlib
import http.server
import pathlib
import ssl
import struct
import subprocess
import sys
import time

NAME = "witness.example/w1"
DER = bytes.fromhex("302a300506032b6570032100")
folder = pathlib.Path(sys.argv[1])


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def sign(message):
    (folder / "message").write_bytes(message)
    return openssl("pkeyutl", "-sign", "-rawin", "-inkey", folder / "key.pem", "-in", folder / "message")


def log_signed(vkey, body, lines):
    name, identity, key = vkey.split("+", 2)
    public = base64.b64decode(key)[1:]
    for line in lines:
        _, signer, text = line.split(" ")
        raw = base64.b64decode(text)
        if signer != name or raw[:4].hex() != identity:
            continue
        (folder / "log.der").write_bytes(DER + public)
        (folder / "log.sig").write_bytes(raw[4:])
        (folder / "log.body").write_bytes(body)
        return subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", folder / "log.der",
             "-in", folder / "log.body", "-sigfile", folder / "log.sig"], capture_output=True).returncode == 0
    return False


def consistent(first, second, first_root, second_root, proof):
    """RFC 9162, 2.1.4.2."""
    if first == 0:
        return not proof
    if first == second:
        return not proof and first_root == second_root
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if not path:
        return False
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr = hashlib.sha256(b"\1" + c + fr).digest()
            sr = hashlib.sha256(b"\1" + c + sr).digest()
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = hashlib.sha256(b"\1" + sr + c).digest()
        fn, sn = fn >> 1, sn >> 1
    return fr == first_root and sr == second_root and sn == 0


class Witness:
    def __init__(self, vkey):
        self.log = vkey
        self.size, self.root, self.old_line = 0, b"", ""
        openssl("genpkey", "-algorithm", "ed25519", "-out", folder / "key.pem")
        self.public = openssl("pkey", "-in", folder / "key.pem", "-pubout", "-outform", "DER")[-32:]
        self.id = key_id(NAME, 4, self.public)
        self.vkey = f"{NAME}+{self.id.hex()}+{base64.b64encode(bytes([4]) + self.public).decode()}"

    def line(self, body, when=None, name=NAME, identity=None, flip=False):
        when = int(time.time()) if when is None else when
        signature = bytearray(sign(b"cosignature/v1\ntime %d\n" % when + body))
        signature[7] ^= flip
        raw = (identity or self.id) + struct.pack(">Q", when) + signature
        return f"\u2014 {name} {base64.b64encode(raw).decode()}\n"

    def add(self, text):
        """Status, headers, body, as the protocol says."""
        head, note = text.split(b"\n\n", 1)
        body, lines = note.split(b"\n\n", 1)
        body += b"\n"
        old, *hashes = head.decode().split("\n")
        origin, size, root = body.decode().splitlines()
        old, size, root = int(old.split(" ")[1]), int(size), base64.b64decode(root)
        if origin != self.log.split("+")[0]:
            return 404, {}, b""
        if not log_signed(self.log, body, lines.decode().splitlines()):
            return 403, {}, b""
        if old > size:
            return 400, {}, b""
        if old != self.size:
            return 409, {"Content-Type": "text/x.tlog.size"}, b"%d\n" % self.size
        if not consistent(old, size, self.root, root, [base64.b64decode(one) for one in hashes]):
            return 422, {}, b""
        self.size, self.root = size, root
        line = self.line(body)
        self.old_line = self.old_line or line
        return 200, {}, line.encode()

    def lie(self, mode, text):
        """The bytes of a whole response."""
        body = text.split(b"\n\n")[1] + b"\n"
        wrong_id = key_id(NAME, 4, b"x" * 32)
        plain = f"\u2014 {NAME} {base64.b64encode(self.id + sign(body)).decode()}\n"
        flipped = bytearray(self.line(body).encode())
        flipped[-10] = ord("A") if flipped[-10] != ord("A") else ord("B")
        lines = {
            "key-id": lambda: self.line(body, identity=wrong_id).encode(),
            "name": lambda: self.line(body, name="witness.example/w2").encode(),
            "future": lambda: self.line(body, when=int(time.time()) + 86400).encode(),
            "no-time": lambda: self.line(body, when=0).encode(),
            "flipped": lambda: self.line(body, flip=True).encode(),
            "flipped-text": lambda: bytes(flipped),
            "other-tree": lambda: self.line(body.replace(b"\n", b"\n1", 1)).encode(),
            "replayed": lambda: self.old_line.encode(),
            "plain": lambda: plain.encode(),
            "empty": lambda: b"",
            "twice": lambda: (self.line(body) * 2).encode(),
            "many-lines": lambda: (self.line(body, name="n/1") * 64 + self.line(body)).encode(),
            "html": lambda: b"<html>cosigned</html>\n",
            "no-newline": lambda: self.line(body).encode()[:-1],
        }
        if mode in lines:
            data = lines[mode]()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data
        good = self.line(body).encode()
        size = b"HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nContent-Length: %d\r\n\r\n%s"
        return {
            "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(good), good),
            "truncated": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(good), good[:-20]),
            "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: %d\r\n\r\n%s" % (len(good), good),
            "oversized": b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000,
            "oversized-open": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70000,
            "garbage": b"\x16\x03\x01\0\0SSH-2.0\r\n\r\n",
            "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "larger": size % (4, b"999\n"),
            "same": size % (len(b"%s\n" % text[4:].split(b"\n")[0]), b"%s\n" % text[4:].split(b"\n")[0]),
            "size-is-text": size % (5, b"many\n"),
            "closed": b"",
            **{str(one): b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % one for one in (400, 403, 404, 409, 422, 500)},
        }[mode]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.close_connection = True
        text = self.rfile.read(int(self.headers["Content-Length"]))
        mode = (folder / "mode").read_text().strip()
        with (folder / "asked").open("a") as asked:
            asked.write(text.split(b"\n")[0].decode() + "\n")
        if self.path != "/base/add-checkpoint":
            self.send_error(404)
        elif mode == "hang":
            time.sleep(60)
        elif mode != "honest":
            self.wfile.write(WITNESS.lie(mode, text))
        else:
            status, headers, body = WITNESS.add(text)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # a client that does not trust the certificate hangs up


WITNESS = Witness(sys.argv[2])
server = Server(("127.0.0.1", 0), Handler)
if sys.argv[3:] == ["tls"]:
    openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", folder / "tls.key", "-out", folder / "tls.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
(folder / "ready.part").write_text(f"{server.server_address[1]} {WITNESS.vkey}\n")
(folder / "ready.part").rename(folder / "ready")
server.serve_forever()
