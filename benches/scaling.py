#!/usr/bin/env python3
"""Cost and memory against the number of devices, and memory against the number of frames.

Runs `grantfree run configs/scaling.toml` in a process of its own for every point and reads the peak of its memory from the
operating system. Needs only Python; `--binary` is a built grantfree.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(binary, folder, sets, threads):
    """One run; its results and the peak of its resident memory in MiB."""
    command = [binary, "run", str(ROOT / "configs/scaling.toml"), "--out", folder, "--threads", str(threads)]
    command += ["--backend", "flex", "--progress", "none"]
    for item in sets:
        command += ["--set", item]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    results = json.loads(pathlib.Path(folder, "results.json").read_text())
    return results, usage.ru_maxrss / 1024


# Devices where a figure is cheap.
CHEAP = (100, 100, 100, 1000)


def only(figure, values, also=()):
    """Assignments that leave one value in one figure and none of the other figure's large ones."""
    sets = [f"figures.{i}.sweep.values=[{values if i == figure else CHEAP[i]}]" for i in range(4)]
    also = dict(also)
    sets.append("figures.1.sweep.also={" + ", ".join(f'"{k}"=[{v}]' for k, v in also.items()) + "}")
    return sets


def point(results, figure):
    return next(p for p in results["points"] if p["figure"] == figure)


def milliseconds(point):
    return {d["label"]: 1e3 * d["seconds"] / point["frames"] for d in point["detectors"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--largest", type=int, default=100000)
    parser.add_argument("--json")
    args = parser.parse_args()
    small = {"scenario.active_devices": 2, "scenario.pilot_length": 8}
    rows, memory = [], []
    for devices in [n for n in (100, 1000, 10000, 100000) if n <= args.largest]:
        with tempfile.TemporaryDirectory() as folder:
            # Training of one step needs memory of its own: networks up to 10,000 devices.
            large = devices > 10000
            results, peak = run(args.binary, folder, only(0 if large else 2, devices, small), args.threads)
        found = point(results, "fixed-pilots" if large else "networks")
        rows.append({"figure": "L = 100", "devices": devices, "peak_mib": peak, "ms": milliseconds(found)})
    for devices in (100, 400, 1600, 6400):
        active = devices // 50
        also = {"scenario.active_devices": active, "scenario.pilot_length": 4 * active}
        sets = only(1, devices, also)
        with tempfile.TemporaryDirectory() as folder:
            results, peak = run(args.binary, folder, sets, args.threads)
        rows.append({"figure": "L = 4 K", "devices": devices, "peak_mib": peak, "ms": milliseconds(point(results, "growing-pilots"))})
    for devices in [n for n in (1000, 10000, 100000) if n <= args.largest]:
        with tempfile.TemporaryDirectory() as folder:
            results, peak = run(args.binary, folder, only(3, devices, small), args.threads)
        found = point(results, "no-zero-rows")
        rows.append({"figure": "L = 100, 200 active", "devices": devices, "peak_mib": peak, "ms": milliseconds(found)})
    for frames in (32, 256, 1024):
        sets = only(0, 1000, small) + [f"engine.max_frames={frames}", "engine.min_frames=16"]
        with tempfile.TemporaryDirectory() as folder:
            _, peak = run(args.binary, folder, sets, args.threads)
        memory.append({"frames": frames, "devices": 1000, "peak_mib": peak})

    names = list(rows[0]["ms"])
    print("| pilots | N | " + " | ".join(f"{n} (ms)" for n in names) + " | peak memory (MiB) |")
    print("|---|---|" + "---|" * (len(names) + 1))
    for r in rows:
        print(f"| {r['figure']} | {r['devices']} | " + " | ".join(f"{r['ms'][n]:.3g}" if n in r["ms"] else "-" for n in names) + f" | {r['peak_mib']:.0f} |")
    print("\n| frames (N = 1000, L = 100) | peak memory (MiB) |\n|---|---|")
    for m in memory:
        print(f"| {m['frames']} | {m['peak_mib']:.0f} |")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"points": rows, "memory": memory}, indent=1) + "\n")


if __name__ == "__main__":
    main()
