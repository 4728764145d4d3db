# SPDX-License-Identifier: Apache-2.0
"""What the RFCs ask of a TLS 1.3 server, asked of the data plane, for proxy_conform.sh.

proxy_conform.py ENGINE PROXY [GROUP...]   in a folder with certificates; prints a row a line:
                                           "ok" or "not ok", the name, and why, with tabs between

After each row an honest client is served, exactly what was expected has been counted, no connection is left, and
the program has as many descriptors open as before (where root asks). A row's alert is what the RFC names, or the comment beside
it says why another one is what libssl gives.
"""
import contextlib
import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time

import proxy_conform_crypto as crypto
import proxy_conform_hellos
import proxy_conform_messages
import proxy_conform_records
import proxy_conform_servers
import proxy_conform_shares
from ports import free_ports
from proxy_attack_tools import Counters, changes, secure, start_service, turn
from proxy_conform_messages import CERTIFICATES
from proxy_conform_peer import ECDSA, ED25519, MLDSA65, Alert

engine, program = sys.argv[1], sys.argv[2]
NAMES = ("main", "strict", "farewell", "auth", "asking", "out")
PINNED = {"ecdsa": ECDSA, "ed25519": ED25519, "mldsa65": MLDSA65}
GROUPS = {"shares": proxy_conform_shares, "hellos": proxy_conform_hellos, "records": proxy_conform_records,
          "messages": proxy_conform_messages,
          "servers": proxy_conform_servers}


def say(is_good, name, why=""):
    print("ok" if is_good else "not ok", f"{engine}: {name}", " ".join(str(why).split()), sep="\t", flush=True)


def welcome(connection):
    """Says one word and no more, but hears on until the other end has said all."""
    connection.sendall(b"welcome")
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass


def read_certificates():
    for name, algorithm in {**PINNED, "stranger": ECDSA, "cert": ECDSA}.items():
        with open(f"{name}.pem", encoding="ascii") as text:
            CERTIFICATES[name] = (ssl.PEM_cert_to_DER_cert(text.read()), crypto.file_key(f"{name}.key"), algorithm)


class Edge:
    certificates = CERTIFICATES

    def __init__(self):
        *ports, metrics = free_ports(len(NAMES) + 1)
        for name, port in zip(NAMES, ports):
            setattr(self, name, port)
        tls = "tls: {cert: cert.pem, key: cert.key"
        pins = "pins: [" + ", ".join(f'"{hashlib.sha256(crypto.public_key(CERTIFICATES[name][0])).hexdigest()}"'
                                     for name in PINNED) + "]"
        limits = "limits: {connections_per_prefix: 100000, handshake_budget: 1m}"
        kinds = {"main": f"mode: echo, pq: prefer, {tls}}}", "strict": f"mode: echo, pq: require, {tls}}}",
                 "auth": f"mode: echo, {tls}, client: {{auth: require, {pins}}}}}",
                 "asking": f"mode: echo, {tls}, client: {{auth: request, {pins}}}}}",
                 "out": "mode: originate, routes: [{to: tls}]", "farewell": f"mode: terminate, {tls}}}, routes: [{{to: welcome}}]"}
        lines = ["version: 1", f"engine: {engine}", "workers: 1", "drain: 500ms", f'metrics: {{bind: "tcp://127.0.0.1:{metrics}"}}',
                 "listeners:"]
        lines += [f'  - {{name: {name}, bind: "tcp://127.0.0.1:{getattr(self, name)}", {kinds[name]}, {limits}}}' for name in NAMES]
        self.service = socket.create_server(("127.0.0.1", 0))
        lines += ["upstreams:", f'  - {{name: welcome, servers: [{{addr: "127.0.0.1:{start_service(welcome)}"}}]}}',
                  f'  - {{name: tls, servers: [{{addr: "127.0.0.1:{self.service.getsockname()[1]}"}}], pq: require, '
                  'tls: {ca: cert.pem, server_name: cert}}']
        with open("proxy.yaml", "w", encoding="ascii") as out:
            out.write("\n".join(lines) + "\n")
        with open("log", "ab") as log:
            self.process = subprocess.Popen([program, "-c", os.path.abspath("proxy.yaml")], stderr=log, stdout=log)
        self.counters = None
        for _ in range(200):
            with contextlib.suppress(OSError):
                self.counters = Counters(metrics)
                self.counters.read()
                return
            time.sleep(0.05)
            self.counters = None

    def descriptors(self):
        """How many; only root can look into a process that shows nobody its memory."""
        try:
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except PermissionError:
            return None

    def honest(self):
        connection = secure(self.main)
        turn(connection, 1000)
        connection.unwrap().close()

    def settled(self, before, wanted, descriptors):
        """What was counted since, and what is still open; waits a while for it to be as it should."""
        for _ in range(400):
            now = self.counters.read()
            found = changes(before, now, wanted)
            live = [name for name, value in now.items() if name.startswith("connections_live") and value]
            if found == wanted and not live and self.descriptors() == descriptors:
                break
            time.sleep(0.005)
        return found, live


def run(edge, row):
    before, descriptors, why = edge.counters.read(), edge.descriptors(), []
    for number, talk in enumerate(row.talks):
        try:
            found = talk.run(edge)
            if found != row.wants:
                why.append(f"conversation {number}: {found}, not {row.wants}")
        except (AssertionError, Alert, OSError, ValueError, LookupError) as problem:
            why.append(f"conversation {number}: {type(problem).__name__} {problem}")
    try:
        edge.honest()
    except (AssertionError, OSError, ssl.SSLError) as problem:
        why.append(f"an honest client: {problem!r}")
    service = "{}:{}".format(*edge.service.getsockname())
    wanted = {name.replace("SERVICE", service): value * len(row.talks) for name, value in row.counts.items()}
    found, live = edge.settled(before, wanted, descriptors)
    if found != wanted:
        why.append(f"counted {found}, not {wanted}")
    if live:
        why.append(f"still there: {live}")
    elif edge.descriptors() != descriptors:
        why.append(f"{edge.descriptors()} descriptors, not {descriptors}")
    say(not why, row.name, "; ".join(why))


def log_says_why():
    """Of what broke behind the handshake: of those before it the log says only some."""
    with open("log", encoding="utf-8") as log:
        said = {(line.get("end"), line.get("why")) for line in map(json.loads, log) if line.get("event") == "connection"}
    wanted = {("tls", why) for why in (
        "not on record boundary", "decryption failed or bad record mac", "unexpected message", "bad key update")}
    say(wanted <= said, "the log says why", f"{sorted(map(str, said))}")


def main():
    read_certificates()
    edge = Edge()
    if edge.counters is None:
        with open("log", encoding="utf-8") as log:
            print(f"skip\t{engine}: conversations\t{log.read()[-300:].splitlines()[-1]}", flush=True)
        return
    try:
        descriptors, before = edge.descriptors(), edge.counters.read()
        edge.honest()
        edge.settled(before, {}, descriptors)
        for name, module in GROUPS.items():
            if len(sys.argv) < 4 or name in sys.argv[3:]:
                for row in module.rows():
                    run(edge, row)
        edge.process.send_signal(signal.SIGTERM)
        say(edge.process.wait(30) == 0, "it ends when it is told to")
        if len(sys.argv) < 4:
            log_says_why()
    finally:
        if edge.process.poll() is None:
            edge.process.kill()


main()
