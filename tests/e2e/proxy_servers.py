# SPDX-License-Identifier: Apache-2.0
"""Servers behind the data plane, good and bad. FOLDER/ports names them, one "NAME=PORT" a line.

good_a, good_b  read "N" and the rest of the line, answer N bytes, and close when the client does;
                FOLDER/NAME.count holds how many requests they had
closes          reads something and closes without a byte
stalls          accepts and never says anything
dies            answers half of what it should and resets
floods          sends for as long as it can
gone            a port where nobody listens
SIGUSR1: the good ones close their doors; SIGUSR2: they open them again.
"""
import os
import pathlib
import signal
import socket
import struct
import sys
import threading

from ports import free_ports

folder = pathlib.Path(sys.argv[1])
counts = {}
counting = threading.Lock()


def read_line(connection):
    line = b""
    while not line.endswith(b"\n"):
        more = connection.recv(65536)
        if not more:
            return None
        line += more
    return int(line.split()[0])


def drain(connection):
    while connection.recv(65536):
        pass


def good(name, connection):
    wanted = read_line(connection)
    if wanted is not None: # else it was a health check
        with counting:
            counts[name] = counts.get(name, 0) + 1
            (folder / (name + ".new")).write_text(f"{counts[name]}\n")
            os.rename(folder / (name + ".new"), folder / (name + ".count"))
        connection.sendall(b"x" * wanted)
        drain(connection)


def closes(_, connection):
    connection.recv(65536)


def stalls(_, connection):
    drain(connection)


def dies(_, connection):
    wanted = read_line(connection)
    connection.sendall(b"x" * (wanted // 2))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def floods(_, connection):
    block = b"f" * 65536
    while True:
        connection.sendall(block)


def serve_one(handler, name, connection):
    try:
        handler(name, connection)
    except (OSError, ValueError):
        pass
    finally:
        connection.close()


def serve(handler, name, listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve_one, args=(handler, name, connection), daemon=True).start()


def listen(handler, name, port=0):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    threading.Thread(target=serve, args=(handler, name, listener), daemon=True).start()
    return listener


# They go and come back: nobody else may get their ports meanwhile.
listeners = {name: listen(good, name, port) for name, port in zip(("good_a", "good_b"), free_ports(2))}
bad = {name: listen(handler, name)
       for name, handler in (("closes", closes), ("stalls", stalls), ("dies", dies), ("floods", floods))}
ports = {name: listener.getsockname()[1] for name, listener in {**listeners, **bad}.items()}
ports["gone"] = free_ports(1)[0]
(folder / "ports.new").write_text("".join(f"{name}={port}\n" for name, port in ports.items()))
os.rename(folder / "ports.new", folder / "ports")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2])
while True:
    if signal.sigwait([signal.SIGUSR1, signal.SIGUSR2]) == signal.SIGUSR1:
        for listener in listeners.values():
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
    else:
        listeners = {name: listen(good, name, ports[name]) for name in listeners}
