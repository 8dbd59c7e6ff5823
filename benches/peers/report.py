"""Text and tables of a comparison."""


def head(machine):
    """What the numbers were measured on, as lines."""
    load = " ".join(f"{v:g}" for v in machine["load"])
    lines = [
        f"torch {machine['torch']}, {machine['cpu']}, {machine['threads']} threads of {machine['cores']} cores, "
        f"load average {load}, OMP_WAIT_POLICY {machine['wait_policy']}",
        f"GEMM in single precision (2048 x 2048 x 2048): torch {machine['torch_gemm_gflops']:.1f} GFLOP/s",
    ]
    if machine.get("our_gemm_gflops"):
        lines[1] += f", ours {machine['our_gemm_gflops']:.1f} GFLOP/s"
    if machine["load"][0] > 0.3 * machine["cores"]:
        lines.append("WARNING: others compute on this machine; PyTorch, whose threads wait for each other, suffers most.")
    return lines


def line(row):
    """One case."""
    if "error" in row:
        return f"{row['case']}: FAILED, {row['error']}"
    verdict = "" if row["agrees"] else "  DIFFERS"
    return (
        f"{row['case']}: ours {row['ours']:.4g} s, PyTorch {row['theirs']:.4g} s ({row['variant']}), "
        f"ratio {row['ratio']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f}); "
        f"largest difference: {row['difference']}{verdict}"
    )


def share(row, machine):
    """How much of the GEMM rate of this machine the products of AMP reach."""
    rates = {"torch's GEMM": machine["torch_gemm_gflops"], "our GEMM": machine.get("our_gemm_gflops")}
    texts = []
    for side, gflops in zip(("ours", "PyTorch"), row["product_gflops"]):
        of = ", ".join(f"{100 * gflops / rate:.0f} % of {name}" for name, rate in rates.items() if rate)
        texts.append(f"{side} {gflops:.1f} GFLOP/s ({of})")
    return f"{row['case']}, products alone: {'; '.join(texts)}"


def markdown(machine, rows):
    """All cases as a table."""
    text = [*head(machine), "", "| case | ours, s | PyTorch, s | variant | PyTorch/ours | min to max | largest difference |"]
    text.append("|---|---|---|---|---|---|---|")
    for row in rows:
        if "error" in row:
            text.append(f"| {row['case']} | failed: {row['error'].replace('|', '/')} | | | | | |")
            continue
        text.append(
            f"| {row['case']} | {row['ours']:.4g} | {row['theirs']:.4g} | {row['variant']} | {row['ratio']:.2f} "
            f"| {row['lowest']:.2f} to {row['highest']:.2f} | {row['difference']}{'' if row['agrees'] else ' !'} |"
        )
    shares = [share(row, machine) for row in rows if "product_gflops" in row]
    return "\n".join(text + [""] * bool(shares) + shares) + "\n"
