"""The Rust side: building the worker, starting it on a case, asking it for repetitions."""

import json
import pathlib
import subprocess
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build(features):
    """Path of the freshly built `peers` bench."""
    command = ["cargo", "bench", "--bench", "peers", "--no-run", "--message-format=json"]
    command += ["--features", features] if features else []
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for line in done.stdout.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("target", {}).get("name") == "peers" and message.get("executable"):
            return message["executable"]
    raise RuntimeError("cargo named no executable of the bench peers")


def cases(binary):
    """Names of the cases the worker knows."""
    return subprocess.run([binary, "list"], capture_output=True, text=True, check=True).stdout.split()


def gemm(binary, threads):
    """GFLOP/s of the worker's own matrix product, None where it has no such command."""
    done = subprocess.run([binary, "gemm", "--threads", str(threads)], capture_output=True, text=True)
    try:
        return float(done.stdout.split()[0]) if done.returncode == 0 else None
    except (IndexError, ValueError):
        return None


class Worker:
    """One case on the Rust side; a context manager that ends the process."""

    def __init__(self, binary, case, threads):
        self.folder = tempfile.TemporaryDirectory(prefix="peers-")
        self.errors = tempfile.TemporaryFile("w+")
        command = [binary, case, self.folder.name, "--threads", str(threads)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self.errors, text=True, bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()
        self.folder.cleanup()

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            tail = self.errors.read()[-2000:].strip()
            raise RuntimeError(f"the worker ended with status {self.process.wait()}: {tail}")
        return line.strip()

    def arrays(self):
        """Inputs and outputs, as soon as the worker is ready."""
        while self._line() != "ready":
            pass
        found = []
        for name in ("inputs", "outputs"):
            with np.load(f"{self.folder.name}/{name}.npz") as file:
                found.append({key: file[key] for key in file.files})
        return found

    def __call__(self, count):
        """Seconds of `count` repetitions."""
        try:
            self.process.stdin.write(f"{count}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return float(self._line())
