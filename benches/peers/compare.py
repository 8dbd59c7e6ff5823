#!/usr/bin/env python3
"""Side by side with PyTorch: the same work on the same arrays, in alternation and never at the same time.

    python3 benches/peers/compare.py --cases amp-large,score --pairs 7 --markdown peers.md

Builds the Rust worker (`cargo bench --bench peers`), checks that both sides agree, takes the fastest way PyTorch has
and times pairs. Needs torch and numpy. Ends with status 1 when a case fails or differs.
"""

import argparse
import gc
import json
import os
import sys


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = lambda text: [name for name in text.split(",") if name]
    parser.add_argument("--cases", type=names, help="names, separated by commas; default: all of the worker's")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of measurements per case")
    parser.add_argument("--threads", type=int, default=2, help="threads of each side")
    parser.add_argument("--variants", type=names, default=[], help="try these variants only, where a case has them")
    parser.add_argument("--wait-policy", choices=("passive", "active", "default"), default="passive",
                        help="what PyTorch's threads do between operations: sleep, spin, spin for a while")
    parser.add_argument("--binary", help="a worker that is built already")
    parser.add_argument("--features", help="features for cargo")
    parser.add_argument("--json", help="file for everything measured")
    parser.add_argument("--markdown", help="file for the table")
    args = parser.parse_args()
    if args.pairs < 1 or args.threads < 1:
        parser.error("--pairs and --threads are at least 1")
    return args


def main():
    args = arguments()
    # Before torch is imported: sleeping threads do not steal the other side's cores.
    os.environ.pop("OMP_WAIT_POLICY", None)
    if args.wait_policy != "default":
        os.environ["OMP_WAIT_POLICY"] = args.wait_policy
    import torch

    import machine
    import measure
    import report
    import worker

    log = lambda text: print(text, flush=True)
    binary = os.path.abspath(args.binary) if args.binary else worker.build(args.features)
    torch.set_num_threads(args.threads)
    about = machine.describe(args.threads) | {"our_gemm_gflops": worker.gemm(binary, args.threads)}
    log("\n".join(report.head(about)))
    rows = []
    for case in args.cases or worker.cases(binary):
        log(f"\n{case}")
        try:
            row = measure.compare(binary, case, args.pairs, args.threads, args.variants, log)
        except Exception as error:  # the other cases go on
            row = {"case": case, "error": " ".join(f"{type(error).__name__}: {error}".split())[:500]}
        row["load"] = os.getloadavg()[0]
        rows.append(row)
        log(report.line(row))
        if "product_gflops" in row:
            log(report.share(row, about))
        torch.compiler.reset()
        gc.collect()
    table = report.markdown(about, rows)
    log("\n" + table)
    if args.markdown:
        with open(args.markdown, "w") as file:
            file.write(table)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"machine": about, "pairs": args.pairs, "cases": rows}, file, indent=1)
    return 0 if all(row.get("agrees") for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
