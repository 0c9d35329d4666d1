"""Attacks a server by its files (F9 and F11 of the report). It starts servers of its own in a temporary folder.

    cargo build && python3 tests/attack/folders.py target/debug/jackfield

Each line says what was done, what the server did, and whether it held.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

TOKEN = "an-admin-token-for-attacks"
CONFIG = f"""listen: 127.0.0.1:0
admin: {{ listen: 127.0.0.2:0, token: {TOKEN} }}
providers:
  - name: acme
    executor: openai-compatible
    base-url: http://127.0.0.1:1/v1
    credentials: [ {{ id: a, api-key: key-a }} ]
    models: [ {{ name: gpt-test }} ]
"""


class Server:
    """A server in a folder; `log` is what it wrote so far."""

    def __init__(self, binary, folder):
        (folder / "jackfield.yaml").write_text(CONFIG)
        self.log = ""
        self.process = subprocess.Popen(
            [binary, "serve", "--config", folder / "jackfield.yaml"], stderr=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stderr:
            self.log += line

    def wait(self, text, seconds=60):
        """Waits until the log has a text or the process ends; returns whether the log has it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and text not in self.log and self.process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.2)
        return text in self.log

    def serves(self):
        return self.wait("listening address=127.0.0.2")

    def wait_until_ready(self):
        """Waits until the plugins are compiled."""
        address = self.log.split("listening address=127.0.0.1:")[1].split()[0]
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{address}/readyz", timeout=10).close()
                return
            except OSError:
                time.sleep(0.2)

    def add_credential(self):
        address = self.log.split("listening address=127.0.0.2:")[1].split()[0]
        body = {"id": "new", "provider": "acme", "kind": "api-key", "secrets": {"api-key": "key-b"}}
        asked = urllib.request.Request(
            f"http://127.0.0.2:{address}/admin/v1/credentials",
            data=json.dumps(body).encode(),
            headers={"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    def end(self):
        self.process.kill()
        self.process.wait()


def writable_data(binary, folder):
    (folder / "data").mkdir()
    (folder / "data").chmod(0o777)
    server = Server(binary, folder)
    held = not server.serves() and "is not safe" in server.log
    server.end()
    return "every user may write to `data`", held


def foreign_code(binary, folder):
    server = Server(binary, folder)
    server.serves()
    server.wait_until_ready()
    server.end()
    code = folder / "data/cache/code"
    artifacts = [path for path in code.rglob("*") if path.is_file() and "." not in path.name]
    for path in artifacts:
        path.write_bytes(path.read_bytes()[:-8] + b"\xcc" * 8)
    server = Server(binary, folder)
    held = bool(artifacts) and server.serves() and f"deleted={len(artifacts)}" in server.log
    server.end()
    return "other code in the code cache", held


def foreign_cache_owner(binary, folder):
    if os.geteuid() != 0:
        return "the code cache of another user (needs root)", None
    (folder / "data/cache/code").mkdir(parents=True)
    shutil.chown(folder / "data/cache/code", 65534)
    server = Server(binary, folder)
    held = server.serves() and "code cache not used" in server.log
    server.end()
    return "the code cache of another user", held


def two_processes(binary, folder):
    first = Server(binary, folder)
    first.serves()
    second = Server(binary, folder)
    held = not second.serves() and f"in use by process {first.process.pid}" in second.log
    first.end()
    second.end()
    return "two processes with one `data`", held


def removed_data(binary, folder):
    server = Server(binary, folder)
    server.serves()
    shutil.rmtree(folder / "data")
    status = server.add_credential()
    server.end()
    return f"`data` removed while it runs; a credential is added: {status}", status >= 500


def replaced_plugins(binary, folder):
    server = Server(binary, folder)
    server.serves()
    shutil.rmtree(folder / "plugins")
    (folder / "plugins").mkdir()
    server.wait("plugins folder replaced", 10)
    (folder / "plugins/other.wasm").write_bytes(b"no component")
    held = server.wait('plugin="other"', 10)
    server.end()
    return "`plugins` replaced while it runs", held


def pipe_as_key(binary, folder):
    (folder / "data").mkdir(mode=0o700)
    os.mkfifo(folder / "data/jackfield.key", 0o600)
    server = Server(binary, folder)
    held = not server.serves() and server.process.poll() is not None
    server.end()
    return "a pipe without a writer as the key file", held


ATTACKS = [
    writable_data,
    foreign_code,
    foreign_cache_owner,
    two_processes,
    removed_data,
    replaced_plugins,
    pipe_as_key,
]


def main():
    binary = pathlib.Path(sys.argv[1]).resolve()
    failed = 0
    for attack in ATTACKS:
        with tempfile.TemporaryDirectory() as folder:
            what, held = attack(binary, pathlib.Path(folder))
        failed += held is False
        print({True: "held", False: "GOT THROUGH", None: "not tried"}[held], "-", what, flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
