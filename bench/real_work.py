#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What real work takes in Airlock's sandbox, in bubblewrap, and bare: `npm test` of a package from npm (eighteen
files, each in a process of its own) and a build in C with meson and ninja.

    bench/real_work.py BUILD_FOLDER [--seconds N] [--work WORDS] [--ways WORDS]

Also a part of bench/sandbox, which writes the table into docs/bench.md. Bare and sandboxes take turns, each round in
another order, and what a run left for the disk is written before the next begins; the first round warms caches and is
not counted. Rounds go on until the seconds are used up. Two measures: wall clock, which means something on a quiet
machine only, and processor time (user and system) of a command and everything below it, which other programs on the
machine disturb far less. bubblewrap with the workspace bound and with an overlay on it are the peers: between the
two lies what overlayfs takes, and beside the second lies what Airlock adds, its log and the digest of every
changed file among it.
"""
import argparse
import ctypes
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
MODULES = pathlib.Path("npm") / ".nvm" / "node_modules"
ROUNDS_MIN = 3
ASKED = 1.05
PR_SET_CHILD_SUBREAPER = 36


def note(text):
    print(text, file=sys.stderr, flush=True)


def measure_here(folder, output, command):
    """Prints (seconds, seconds of processor time) of a command, and of what outlives the process that was
    started: bubblewrap's leaves its init to whoever reaps it."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with open(output, "wb") as out:
        start = time.monotonic()
        code = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False).returncode
        seconds = time.monotonic() - start
    try:
        while True:
            os.wait()
    except ChildProcessError:
        pass
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"code": code, "wall": seconds, "processor": used.ru_utime + used.ru_stime}))


class Work:
    def __init__(self, title, command, folder, made):
        self.title, self.command, self.folder, self.made = title, command, folder, made


class Scene:
    """A folder with the works, and a state folder for Airlock."""

    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.airlock = str(build / "src" / "airlock")
        self.home = build / "npm"  # its .nvm is a toolchain, as airlock run knows them
        self.environment = dict(
            os.environ, AIRLOCK_STATE_DIR=str(folder / "state"), XDG_CONFIG_HOME=str(folder / "config"), CI="1",
            PATH=f"{build / MODULES / '.bin'}:" + os.environ["PATH"])
        self.works = [work for work in (self.npm_test(), self.c_build()) if work]

    def npm_test(self):
        modules = self.build / "npm-test" / "node_modules"
        if not (modules / "detective" / "test").exists() or not (self.build / MODULES / "npm").exists():
            note("SKIPPED: npm test, the packages are not installed (tests/npm/install, bench/npm-test/install)")
            return None
        package = self.folder / "package"
        shutil.copytree(modules / "detective", package, symlinks=True)
        shutil.copytree(modules, package / "node_modules", symlinks=True, dirs_exist_ok=True)
        return Work("`npm test` of a package", ["npm", "test"], package, [])

    def c_build(self):
        tree = self.folder / "tree"
        tree.mkdir()
        files = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=HERE, check=True,
                               capture_output=True).stdout
        copy = 'tar --null --files-from=- --ignore-failed-read -cf - 2>/dev/null | tar -C "$1" -xf -'
        subprocess.run(["sh", "-c", copy, "sh", str(tree)], check=True, cwd=HERE, input=files)
        build = "meson setup b >/dev/null && ninja -C b src/airlock-keys src/airlock-jail"
        return Work("a build in C", ["sh", "-c", build], tree, ["b"])

    def ways(self):
        """name -> function of a work and an empty folder: (command, environment)."""
        return {"bare": self.bare, "bwrap --bind": self.bound, "bwrap --overlay": self.overlaid, "airlock run": self.sealed}

    def bare(self, work, fresh):
        return work.command, dict(self.environment, HOME=str(fresh), TMPDIR=str(fresh))

    def bubblewrap(self, work, fresh, workspace):
        for name in ("tmp", "home", "upper", "work"):
            (fresh / name).mkdir()
        command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr",
                   "--ro-bind", "/etc", "/etc", "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin",
                   "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev",
                   "--bind", fresh / "tmp", "/tmp", "--bind", fresh / "home", self.home, "--ro-bind-try", self.home / ".nvm", self.home / ".nvm", *workspace, "--chdir", work.folder]
        return [*map(str, command), *work.command], dict(self.environment, HOME=str(self.home))

    def bound(self, work, fresh):
        return self.bubblewrap(work, fresh, ["--bind", work.folder, work.folder])

    def overlaid(self, work, fresh):
        return self.bubblewrap(work, fresh, ["--overlay-src", work.folder, "--overlay", fresh / "upper", fresh / "work",
                                             work.folder])

    def sealed(self, work, _):
        command = [self.airlock, "run", "--quiet", "--workspace", str(work.folder), "--", *work.command]
        return command, dict(self.environment, HOME=str(self.home))

    def discard(self, work):
        subprocess.run([self.airlock, "discard", "--workspace", str(work.folder)], stdin=subprocess.DEVNULL,
                       env=dict(self.environment, HOME=str(self.home)), capture_output=True, check=False)

    def cost(self, work, name, make):
        """{"wall", "processor"} of one run, and everything as before it afterwards."""
        fresh = pathlib.Path(tempfile.mkdtemp(prefix="fresh-", dir=self.folder))
        output = self.folder / "output"
        command, environment = make(work, fresh)
        os.sync()
        found = subprocess.run([sys.executable, __file__, "measure", str(work.folder), str(output), *command],
                               env=environment, check=True, capture_output=True, text=True).stdout
        found = json.loads(found)
        if found["code"] != 0:
            raise RuntimeError(f"{name}: {output.read_text(errors='replace')[-500:]}")
        for made in work.made:
            shutil.rmtree(work.folder / made, ignore_errors=True)
        if name == "airlock run":
            self.discard(work)
        subprocess.run(["rm", "-rf", str(fresh)], check=False)
        return found


def measure_work(scene, work, ways, seconds):
    """{way: [cost]}; a way that does not run here is named and left out."""
    makers = {name: make for name, make in scene.ways().items() if name == "bare" or name in ways}
    costs = {name: [] for name in makers}
    end, number = time.monotonic() + seconds, 0
    while number <= ROUNDS_MIN or time.monotonic() < end:
        names = list(costs)
        for name in names[number % len(names):] + names[:number % len(names)]:
            note(f"real work: {work.title}, round {number}, {name}")
            try:
                costs[name].append(scene.cost(work, name, makers[name]))
            except (OSError, RuntimeError) as failed:
                if name == "bare":
                    raise
                note(f"  SKIPPED: {failed}")
                del costs[name]
        number += 1
    return {name: found[1:] for name, found in costs.items()}


def real_work(build, folder, seconds, words="", ways=None):
    """[(work, {way: [cost]})] of every work whose title holds the words."""
    scene = Scene(build, folder)
    chosen = [work for work in scene.works if words in work.title]
    ways = ways or list(scene.ways())
    return [(work, measure_work(scene, work, ways, seconds / len(chosen))) for work in chosen]


def figures(costs, name, what):
    """Least and median of a way, and their ratios to bare's."""
    mine, bare = ([one[what] for one in costs[way]] for way in (name, "bare"))
    least, middle = min(mine), statistics.median(mine)
    return least, middle, least / min(bare), middle / statistics.median(bare)


def work_table(results):
    lines = ["| work | | rounds | s: least | median | of bare: least | median | processor s: least | median | of bare: least | median |",
             "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    verdicts = []
    for work, costs in results:
        for name in costs:
            wall, used = (figures(costs, name, what) for what in ("wall", "processor"))
            cells = " | ".join("{:.2f} | {:.2f} | {:.3f} | {:.3f}".format(*row) for row in (wall, used))
            lines.append(f"| {work.title} | {name} | {len(costs[name])} | {cells} |")
        if "airlock run" in costs:
            wall, used = (figures(costs, "airlock run", what)[3] for what in ("wall", "processor"))
            verdicts.append(f"{work.title} {wall:.3f} ({'reached' if wall <= ASKED else 'missed'}; {used:.3f} in processor time)")
    lines.append(f"\nAsked of `airlock run`: at most {ASKED} of bare. Medians: " + ", ".join(verdicts) + ".")
    return "\n".join(lines)


REMARKS = """
In turns, after one round that is not counted; everything left for the disk is written before each. Bare, the work begins with an
empty HOME and temporary folder, as it does inside. Processor time is that of the command and all it started, Airlock's own (log,
digest of every changed file) among it. Between `--bind` and `--overlay` lies what overlayfs takes. On a machine that does other things
too, wall clock says little, processor time something."""


def real_work_section(build, folder, seconds):
    load = os.getloadavg()[0]
    results = real_work(build, folder, seconds)
    return (f"Real work: load of the machine when it began: {load:.1f}.\n\n{work_table(results)}\n{REMARKS}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--work", default="", help="only works whose title holds this")
    parser.add_argument("--ways", nargs="*", help="beside bare")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="work-", dir=options.build.resolve()))
    try:
        print(work_table(real_work(options.build.resolve(), folder, options.seconds, options.work, options.ways)))
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=False)


if __name__ == "__main__" and sys.argv[1:2] == ["measure"]:
    measure_here(sys.argv[2], sys.argv[3], sys.argv[4:])
elif __name__ == "__main__":
    main()
