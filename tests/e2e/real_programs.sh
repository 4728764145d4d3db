#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real programs in a sandbox: the tests of a package from npm, tests of Python's own library, the build
# of a C program; each gives inside what it gives outside.
. "$AIRLOCK_SOURCE_DIR/tests/e2e/lib.sh"

export XDG_CONFIG_HOME=$SCRATCH/config
inside() { "$AIRLOCK" run --quiet --workspace "$PWD" -- "$@"; }
packages=$AIRLOCK_BUILD_DIR/npm
modules=$packages/.nvm/node_modules
if [ -e "$modules/.bin/npm" ]; then
    cp -r "$modules/through" "$SCRATCH/package" && mkdir "$SCRATCH/package/node_modules"
    for name in deep-equal defined from inherits jsonify macgyver resumer stream-spec tape through; do
        cp -r "$modules/$name" "$SCRATCH/package/node_modules/"
    done
    cd "$SCRATCH/package" || exit 99
    HOME=$packages PATH=$modules/.bin:$PATH npm test >../outside.txt 2>&1
    same "control: npm test passes outside" 0 $?
    HOME=$packages PATH=$modules/.bin:$PATH inside npm test >../inside.txt 2>&1
    same "npm test of a real package passes" 0 $?
    same "as many tests as outside" "$(grep -c '^ok' ../outside.txt)" "$(grep -c '^ok' ../inside.txt)"
    refuse "and they are some" test "$(grep -c '^ok' ../inside.txt)" -lt 10
    sed -i 's/this/that/' index.js
    HOME=$packages PATH=$modules/.bin:$PATH inside npm test >../broken.txt 2>&1
    refuse "tests that fail outside fail inside" test $? = 0
else
    skip "npm test of a real package" "npm could not install it (tests/npm/install)"
fi

mkdir "$SCRATCH/python" && cd "$SCRATCH/python" || exit 99
cat >test_library.py <<'END'
import asyncio, concurrent.futures, doctest, importlib, pathlib, socket, sqlite3, subprocess, sys, tempfile, unittest

MODULES = ["bisect", "collections", "difflib", "fractions", "heapq", "json", "random", "statistics"]

def load_tests(loader, tests, pattern):
    for name in MODULES:
        tests.addTests(doctest.DocTestSuite(importlib.import_module(name)))
    return tests

class WholeLibrary(unittest.TestCase):
    def test_processes(self):
        with concurrent.futures.ProcessPoolExecutor(2) as pool:
            self.assertEqual(list(pool.map(abs, range(-50, 0))), list(range(50, 0, -1)))

    def test_threads(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(sum(pool.map(len, ["ab"] * 100)), 200)

    def test_network(self):
        async def talk():
            server = await asyncio.start_server(
                lambda r, w: w.write(b"hello") or w.close(), "127.0.0.1", 0)
            reader, _ = await asyncio.open_connection(*server.sockets[0].getsockname())
            return await reader.read()
        self.assertEqual(asyncio.run(talk()), b"hello")

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(folder + "/s")
                server.listen()
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(folder + "/s")

    def test_database(self):
        with tempfile.TemporaryDirectory() as folder:
            base = sqlite3.connect(folder + "/base")
            base.execute("pragma journal_mode=wal")
            base.execute("create table t (n)")
            base.executemany("insert into t values (?)", [(n,) for n in range(100)])
            base.commit()
            self.assertEqual(base.execute("select sum(n) from t").fetchone(), (4950,))

    def test_virtual_environment(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
            out = subprocess.run([folder + "/bin/python", "-c", "import sys; print(sys.prefix)"],
                                 check=True, capture_output=True, text=True)
            self.assertEqual(out.stdout.strip(), str(pathlib.Path(folder).resolve()))
END
python3 -m unittest -v test_library >../outside.txt 2>&1
same "control: a Python test run passes outside" 0 $?
inside python3 -m unittest -v test_library >../inside.txt 2>&1
same "a Python test run passes" 0 $?
same "with the same tests" "$(grep -c ' ok$' ../outside.txt)" "$(grep -c ' ok$' ../inside.txt)"
refuse "and they are some" test "$(grep -c ' ok$' ../inside.txt)" -lt 40
[ -s ../inside.txt ] && grep -E 'FAIL|ERROR|Error' ../inside.txt | head -n 20 | sed 's/^/# /'

cp -r "$AIRLOCK_SOURCE_DIR/examples/verify-receipt" "$SCRATCH/c" && cd "$SCRATCH/c" || exit 99
cat >Makefile <<'END'
verify-receipt: verify-receipt.o
	gcc -o $@ $< -lcrypto
verify-receipt.o: verify-receipt.c
	gcc -O2 -g -c -o $@ $<
END
check "a C program is built" inside make -j2
check "and its binary is staged" sh -c '"$1" diff | grep -q "verify-receipt.o"' sh "$AIRLOCK"
check "applied, it runs outside" sh -c '"$1" apply && ./verify-receipt 2>&1 | grep -qi usage' sh "$AIRLOCK"
finish
