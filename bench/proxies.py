# SPDX-License-Identifier: Apache-2.0
"""The proxies that bench-proxy and bench-attacks measure side by side, their configurations, and what both ask of them."""
import json
import os
import pathlib
import resource
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
from ports import free_ports  # noqa: E402

HYBRID = "X25519MLKEM768"
# A connection takes two descriptors of the proxy.
IDLE = min(10000, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500) // 2)


class Bench:
    def __init__(self, build, folder, seconds, is_guarded=False):
        """Guarded: with the limits for one network that airlock has unless it is told otherwise."""
        self.is_guarded = is_guarded
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        self.load = str(build / "bench" / "proxy_load")
        self.build, self.folder, self.seconds = build, folder, seconds
        self.running = []
        self.echo, self.source, self.datagrams = free_ports(3)
        self.certificate, self.key = str(folder / "cert.pem"), str(folder / "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", self.key, "-out", self.certificate], check=True, stderr=subprocess.DEVNULL)
        os.chmod(self.key, 0o600)
        (folder / "both.pem").write_text(pathlib.Path(self.certificate).read_text() + pathlib.Path(self.key).read_text())

    def start(self, cpu, *command):
        log = open(self.folder / "log", "ab")
        process = subprocess.Popen(["taskset", "-c", str(cpu), *map(str, command)], stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL)
        self.running.append(process)
        return process

    def favour(self, process):
        try:
            os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            print("not as root: the row with a fixed rate shows time slices", file=sys.stderr)

    def stop(self, process):
        self.running.remove(process)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def ask(self, *arguments, before=()):
        done = subprocess.run([*before, "taskset", "-c", "1", self.load, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
        self.said = done.stderr
        return json.loads(done.stdout)


def wait_port(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("a proxy does not listen")


def tree(pid):
    found = [pid]
    for one in found:
        for task in pathlib.Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except FileNotFoundError:
                pass  # a thread that ended meanwhile
    return found


def cpu_seconds(pid):
    total = 0
    for one in tree(pid):
        fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """Bytes that are the processes' own."""
    total = 0
    for one in tree(pid):
        for line in pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Private_Clean", "Private_Dirty")):
                total += int(line.split()[1]) * 1024
    return total


# Each writes its configuration and returns its command line.

def airlock(engine, group="prefer"):
    def write(bench, front, bulk, clear, datagrams):
        file = bench.folder / f"airlock-{engine}.yaml"
        open_limits = "limits: {connections: 20000, connections_per_prefix: 20000, handshake_budget: 60s}"
        limits = "limits: {}" if bench.is_guarded else open_limits
        tls = f"mode: terminate, pq: {group}, tls: {{cert: {bench.certificate}, key: {bench.key}}}, {limits}"
        file.write_text(f"""version: 1
engine: {engine}
workers: 1
listeners:
  - {{name: front, bind: "tcp://127.0.0.1:{front}", {tls}, routes: [{{to: echo}}]}}
  - {{name: bulk, bind: "tcp://127.0.0.1:{bulk}", {tls}, routes: [{{to: source}}]}}
  - {{name: clear, bind: "tcp://127.0.0.1:{clear}", mode: passthrough, routes: [{{to: source}}]}}
  - {{name: datagrams, bind: "udp://127.0.0.1:{datagrams}", mode: passthrough, routes: [{{to: datagrams}}],
     limits: {{connections_per_prefix: 20000}}}}
upstreams:
  - {{name: echo, servers: [{{addr: "127.0.0.1:{bench.echo}"}}]}}
  - {{name: source, servers: [{{addr: "127.0.0.1:{bench.source}"}}]}}
  - {{name: datagrams, servers: [{{addr: "127.0.0.1:{bench.datagrams}"}}]}}
""")
        return [bench.build / "src" / "airlock-proxy", "-c", file]
    return write


def nginx(bench, front, bulk, clear, datagrams):
    server = "\n".join(f"""  server {{ listen 127.0.0.1:{port} ssl; proxy_pass 127.0.0.1:{back};
    ssl_certificate {bench.certificate}; ssl_certificate_key {bench.key}; ssl_protocols TLSv1.3;
    ssl_ecdh_curve {HYBRID}; ssl_session_tickets off; ssl_session_cache off; tcp_nodelay on; }}"""
                       for port, back in ((front, bench.echo), (bulk, bench.source)))
    file = bench.folder / "nginx.conf"
    file.write_text(f"""load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; worker_processes 1; pid {bench.folder}/nginx.pid; error_log {bench.folder}/nginx.log crit; user root;
worker_rlimit_nofile 50000; events {{ worker_connections 40000; }}
stream {{ access_log off;
{server}
  server {{ listen 127.0.0.1:{clear}; proxy_pass 127.0.0.1:{bench.source}; }}
  server {{ listen 127.0.0.1:{datagrams} udp; proxy_pass 127.0.0.1:{bench.datagrams}; proxy_timeout 1s; }}
}}
""")
    return ["nginx", "-c", file]


def haproxy(bench, front, bulk, clear, _):
    file = bench.folder / "haproxy.cfg"
    sections = "".join(f"""
frontend f{port}
  bind 127.0.0.1:{port} ssl crt {bench.folder}/both.pem ssl-min-ver TLSv1.3 curves {HYBRID} no-tls-tickets
  default_backend b{port}
backend b{port}
  server one 127.0.0.1:{back}
""" for port, back in ((front, bench.echo), (bulk, bench.source)))
    file.write_text(f"""global
  nbthread 1
  maxconn {IDLE}
  maxpipes 64
  tune.ssl.cachesize 0
defaults
  mode tcp
  maxconn {IDLE}
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  option splice-auto
{sections}
frontend clear
  bind 127.0.0.1:{clear}
  default_backend b{bulk}
""")
    return ["haproxy", "-f", file]


def hitch(bench, front, *_):
    file = bench.folder / "hitch.conf"
    file.write_text(f"""frontend = "[127.0.0.1]:{front}"
backend = "[127.0.0.1]:{bench.echo}"
pem-file = "{bench.folder}/both.pem"
tls-protos = TLSv1.3
ecdh-curve = "{HYBRID}"
workers = 1
backlog = 4096
daemon = off
user = "root"
quiet = on
""")
    return ["hitch", "--config", file]


def stunnel(bench, front, bulk, *_):
    file = bench.folder / "stunnel.conf"
    file.write_text(f"""foreground = yes
pid =
debug = err
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
cert = {bench.certificate}
key = {bench.key}
sslVersion = TLSv1.3
curves = {HYBRID}
sessionResume = no
[front]
accept = 127.0.0.1:{front}
connect = 127.0.0.1:{bench.echo}
[bulk]
accept = 127.0.0.1:{bulk}
connect = 127.0.0.1:{bench.source}
""")
    return ["stunnel4", file]


PROXIES = {
    "airlock, epoll": airlock("epoll"),
    "airlock, io_uring": airlock("io_uring"),
    "nginx": nginx,
    "HAProxy": haproxy,
    "hitch": hitch,
    "stunnel": stunnel,
}
NO_BULK = ("hitch",)
NO_CLEAR = ("hitch", "stunnel")
NO_DATAGRAMS = ("HAProxy", "hitch", "stunnel")
MANY = ("airlock, epoll", "airlock, io_uring", "nginx", "HAProxy")


class Proxy:
    def __init__(self, bench, name):
        self.bench, self.name = bench, name
        self.front, self.bulk, self.clear, self.datagrams = free_ports(4)
        self.process = bench.start(0, *PROXIES[name](bench, self.front, self.bulk, self.clear, self.datagrams))
        try:
            wait_port(self.front)
        except RuntimeError as problem:
            log = (bench.folder / "log").read_text(errors="replace")
            raise RuntimeError(f"{name}: {problem}\n{log[-2000:]}") from problem
        self.best = {}

    def take(self, key, value, better):
        self.best[key] = value if key not in self.best else better(self.best[key], value)

    def spent(self, *arguments):
        before = cpu_seconds(self.process.pid)
        result = self.bench.ask(*arguments)
        return result, cpu_seconds(self.process.pid) - before


def bar(done, total, what):
    if sys.stderr.isatty():
        filled = 30 * done // total
        print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {what:<24}", end="" if done < total else "\n", file=sys.stderr)


def write_into(path, marks, text):
    whole = path.read_text()
    if marks[0] in whole:
        head, rest = whole.split(marks[0], 1)
        whole = head + text + rest.split(marks[1], 1)[1].lstrip("\n")
    else:
        whole = whole.rstrip("\n") + "\n\n" + text
    path.write_text(whole)
