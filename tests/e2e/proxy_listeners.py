# SPDX-License-Identifier: Apache-2.0
"""What becomes of a listener that a reload takes away or brings back, and of all of them at the end, for
proxy_listeners.sh.

proxy_listeners.py ENGINE PROXY   prints a row a line: "ok" or "not ok", and the name, with a tab between

A client that came by a listener stays until the very end, so that what it began under is never free.
"""
import os
import signal
import socket
import stat
import subprocess
import sys
import time

from ports import free_ports

engine, program = sys.argv[1], sys.argv[2]
kept, gone = free_ports(2)
LISTENERS = {"kept": f"tcp://127.0.0.1:{kept}", "gone": f"tcp://127.0.0.1:{gone}", "path": f"unix://{os.getcwd()}/path.sock"}
failed = False


def write_config(*names):
    rows = "".join(f'  - {{name: {name}, bind: "{LISTENERS[name]}", mode: echo}}\n' for name in names)
    with open("listeners.yaml", "w", encoding="ascii") as out:
        out.write(f"version: 1\nengine: {engine}\nworkers: 2\ndrain: 60s\nlisteners:\n{rows}")


def say(is_good, name):
    global failed
    failed = failed or not is_good
    print("ok" if is_good else "not ok", f"{engine}: {name}", sep="\t", flush=True)


def eventually(holds):
    for _ in range(200):
        if holds():
            return True
        time.sleep(0.05)
    return False


def logged(event):
    with open("log", encoding="utf-8") as log:
        return log.read().count(f'"event":"proxy.{event}"')


def connect(name):
    if name == "path":
        client = socket.socket(socket.AF_UNIX)
        client.connect(f"{os.getcwd()}/path.sock")
        return client
    return socket.create_connection(("127.0.0.1", kept if name == "kept" else gone))


def is_served(client):
    client.settimeout(10)
    try:
        client.sendall(b"x")
        return client.recv(1) == b"x"
    except OSError:
        return False


def is_refused(name):
    try:
        connect(name).close()
        return False
    except (ConnectionRefusedError, FileNotFoundError):  # a path goes with its listener
        return True


def mode_of_path():
    return stat.S_IMODE(os.stat("path.sock").st_mode)


def reload(*names):
    """Whether what it says is in force."""
    write_config(*names)
    before = logged("reloaded"), logged("reload-failed")
    process.send_signal(signal.SIGHUP)
    return eventually(lambda: (logged("reloaded"), logged("reload-failed")) != before) and logged("reload-failed") == before[1]


write_config(*LISTENERS)
with open("log", "wb") as log_file:
    process = subprocess.Popen([program, "-c", os.path.abspath("listeners.yaml")], stderr=log_file)
try:
    say(eventually(lambda: logged("start")), "the proxy starts")
    clients = {name: connect(name) for name in LISTENERS}
    say(all(is_served(client) for client in clients.values()), "all listeners serve")
    say(mode_of_path() == 0o660, "a socket with a path is its user's and group's")
    say(reload("kept"), "a reload without two of them")
    say(all(is_served(client) for client in clients.values()), "who came by them is served on")
    for one in ("gone", "path"):
        say(eventually(lambda one=one: is_refused(one)), f"nobody else gets in there: {one}")
    say(reload(*LISTENERS), "another reload brings them back")
    for one in LISTENERS:
        say(not is_refused(one) and is_served(connect(one)), f"they serve again: {one}")
    say(mode_of_path() == 0o660, "a socket that was made again is, too")
    process.send_signal(signal.SIGTERM)
    say(eventually(lambda: logged("draining")), "it is told to end")
    for one in LISTENERS:
        say(eventually(lambda one=one: is_refused(one)), f"who comes then is turned away at once: {one}")
    say(all(is_served(client) for client in clients.values()), "who is there is served on")
    for client in clients.values():
        client.close()
    say(process.wait(30) == 0, "and it ends when they leave")
finally:
    process.kill()
    process.wait()
if failed:
    with open("log", encoding="utf-8") as log_file:
        sys.stderr.write("".join(line for line in log_file if '"connection"' not in line))
