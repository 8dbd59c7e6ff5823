#!/bin/bash
# Tries slurm.sh and submit.sh on a real Slurm of one node, started here and stopped at the end: a small experiment with a
# learned detector in three shards, with every way of losing a job, against the same experiment in one run. Exit code 0
# only if all values are equal bit by bit. About three minutes on two cores. Debian, as root:
#
#   apt-get install slurmctld slurmd slurm-client munge python3
#   GRANTFREE=target/release/grantfree configs/cluster/try_slurm.sh
#
# WORK is the folder for everything [a new temporary one, removed after success].
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
GRANTFREE=$(realpath "$(command -v "${GRANTFREE:-grantfree}")")
export GRANTFREE
for tool in munged slurmctld slurmd sbatch python3; do
    command -v "$tool" >/dev/null || { echo "try_slurm.sh: $tool is missing; see the head of this file" >&2; exit 2; }
done
keep=${WORK:+yes}
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
work=$(realpath "$work")
[ -z "$(ls -A "$work")" ] || { echo "try_slurm.sh: WORK=$work is not empty" >&2; exit 2; }

# ---- the cluster ----------------------------------------------------------------------------------------------------

daemons=()
cleanup() {
    local code=$?
    trap - EXIT
    if [ ${#daemons[@]} -gt 0 ]; then
        scancel --user="$(id -un)" 2>/dev/null || true
        for _ in $(seq 20); do
            [ -n "$(squeue -h 2>/dev/null)" ] || break
            sleep 1
        done
        kill "${daemons[@]}" 2>/dev/null || true
        wait "${daemons[@]}" 2>/dev/null || true
    fi
    if [ "$code" = 0 ] && [ -z "$keep" ]; then rm -rf "$work"; else echo "everything is in $work"; fi
    [ "$code" = 0 ] && echo "PASSED" || echo "FAILED ($code)"
    exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

run=$work/slurm
mkdir -p "$run"/{state,spool} "$run/munge"
chmod 700 "$run/munge"
dd if=/dev/urandom of="$run/munge/key" bs=1024 count=1 status=none
chmod 400 "$run/munge/key"
host=$(hostname -s)
export SLURM_CONF=$run/slurm.conf
# cred_expire: a requeued job waits that long before it starts again. config_overrides: three slots on any machine.
cat >"$SLURM_CONF" <<END
ClusterName=try
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$run/munge/socket,cred_expire=5
CredType=cred/munge
SlurmctldPort=${SLURMCTLD_PORT:-26817}
SlurmdPort=${SLURMD_PORT:-26818}
SlurmctldPidFile=$run/slurmctld.pid
SlurmdPidFile=$run/slurmd.pid
StateSaveLocation=$run/state
SlurmdSpoolDir=$run/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=2,sched_interval=2
MailProg=/bin/true
KillWait=10
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=3 State=UNKNOWN
PartitionName=try Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
echo "CgroupAutomount=no" >"$run/cgroup.conf"
munged --foreground --force --key-file="$run/munge/key" --socket="$run/munge/socket" --pid-file="$run/munge/pid" \
    --log-file="$run/munge/log" --seed-file="$run/munge/seed" --num-threads=2 >"$run/munged.out" 2>&1 &
daemons+=($!)
sleep 1
slurmctld -D -c -f "$SLURM_CONF" >"$run/slurmctld.log" 2>&1 &
daemons+=($!)
sleep 1
slurmd -D -f "$SLURM_CONF" >"$run/slurmd.log" 2>&1 &
daemons+=($!)
for _ in $(seq 30); do
    [ "$(sinfo -h -o %T 2>/dev/null)" != idle ] || break
    sleep 1
done
if [ "$(sinfo -h -o %T)" != idle ]; then
    tail -n 5 "$run"/*.log "$run/munged.out"
    exit 1
fi
sinfo --version
sinfo

# ---- helpers --------------------------------------------------------------------------------------------------------

say() { echo "$(date -u +%T) $*"; }

# Waits until a command succeeds.
until_true() {
    local what=$1 deadline=$((SECONDS + 300))
    shift
    until "$@"; do
        if [ $SECONDS -ge $deadline ]; then
            squeue
            say "waited in vain: $what"
            exit 1
        fi
        sleep 0.3
    done
}
gone() { [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]; }
blocks() { cat "$1"/log/*.jsonl 2>/dev/null | grep -c '^{"block"' || true; }
has_blocks() { [ "$(blocks "$1")" -ge "$2" ]; }
logged() { grep -qs -e "$1" "$2"; }
# The process of a step, found by its folder.
pid_of() { pgrep -f -- "--out $1 " | head -n 1; }
state() { scontrol show job "$1" | grep -o 'JobState=[A-Z]*'; }

options=(
    --backend flex
    --set 'sweep.values=[24]'
    --set 'detectors.net.training.phases=[{kind="joint",steps=20,lr=1e-3,scalar_lr=1e-2}]'
    --set detectors.net.training.validation_every=5
    --set detectors.net.training.validation_frames=64
    --set engine.max_frames=1536
    --set engine.min_frames=64
    --set engine.target_events=40
    --set engine.block_frames=16
    --set engine.batch_blocks=1
)
export CONFIG=$here/../quickstart.toml OUT=$work/sweep SHARDS=3 CPUS=1

# Submits and sets train, array, merge.
submit() {
    "$here/submit.sh" "${options[@]}" | tee "$work/ids"
    train=$(awk '/^train/ {print $2}' "$work/ids")
    array=$(awk '/^shards/ {print $2}' "$work/ids")
    merge=$(awk '/^merge/ {print $2}' "$work/ids")
}

# ---- a sweep that loses every job once ------------------------------------------------------------------------------

say "three shards, training first"
submit
until_true "training" logged "step 5:" "$OUT/slurm/train-$train.log"
say "training killed (SIGKILL)"
kill -KILL "$(pid_of "$OUT/train")"

until_true "blocks of shard 1" has_blocks "$OUT/shard-1" 6
say "shard 1 has $(blocks "$OUT/shard-1") blocks: scontrol requeue"
scontrol requeue "${array}_1"
until_true "blocks of shard 2" has_blocks "$OUT/shard-2" 6
say "shard 2 has $(blocks "$OUT/shard-2") blocks: killed (SIGKILL)"
kill -KILL "$(pid_of "$OUT/shard-2")"
until_true "blocks of shard 3" has_blocks "$OUT/shard-3" 6
say "shard 3 has $(blocks "$OUT/shard-3") blocks: SIGTERM to the script, as before the time limit"
scancel --signal=TERM --batch "${array}_3"
squeue
until_true "the merge" gone "$merge"
say "merged"
head -n 3 "$OUT/merged/results.json"
test -s "$OUT/merged/report.html"
for log in "$OUT/slurm/train-$train.log" "$OUT/slurm/shard-${array}"_{1,2,3}.log; do
    if [ "$(grep -c '^step .* restart 1,' "$log")" != 1 ]; then
        say "$log: not restarted once"
        exit 1
    fi
done
if grep -l '^training' "$OUT"/slurm/shard-*.log; then
    say "a shard has trained"
    exit 1
fi

# ---- a cancelled sweep, submitted again -----------------------------------------------------------------------------

say "the same networks in another folder; shard 1 is cancelled"
first=$OUT
export OUT=$work/again
mkdir -p "$OUT"
cp -r "$first/train" "$OUT/train"
submit
until_true "blocks of shard 1" has_blocks "$OUT/shard-1" 3
scancel "${array}_1"
until_true "all jobs of the cancelled sweep" gone "$array"
state "${array}_1" | tee "$work/state"
grep -q CANCELLED "$work/state"
until_true "the removal of the merge" gone "$merge"
test ! -e "$OUT/merged"
say "shard 1 stopped at $(blocks "$OUT/shard-1") blocks; the same command again"
submit
until_true "the merge" gone "$merge"

# ---- one run, and the comparison ------------------------------------------------------------------------------------

say "the same experiment in one run, two threads"
"$GRANTFREE" run "$(realpath -s "$CONFIG")" --out "$work/one" --threads 2 --progress plain "${options[@]}" \
    >"$work/one.log" 2>&1
cat >"$work/compare.py" <<'END'
"""Values of two result files, bit by bit: numbers are compared as they are written. Left out: seconds and the machine."""
import json, sys

def load(path):
    with open(path) as f:
        return json.load(f, parse_float=lambda t: t)

def strip(v):
    if isinstance(v, dict):
        return {k: strip(x) for k, x in v.items() if k not in ("seconds", "machine")}
    return [strip(x) for x in v] if isinstance(v, list) else v

def differences(a, b, where=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for k in sorted(set(a) | set(b)):
            if k in a and k in b:
                yield from differences(a[k], b[k], f"{where}/{k}")
            else:
                yield f"{where}/{k} is in one file only"
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{where}/{i}")
    elif type(a) is not type(b) or a != b:
        yield f"{where}: {a} and {b}"

def count(v):
    if isinstance(v, dict):
        return sum(map(count, v.values()))
    return sum(map(count, v)) if isinstance(v, list) else 1

one, other = (strip(load(p)) for p in sys.argv[1:3])
for p in one["points"]:
    print(f'{p["id"]}: {p["frames"]} frames, {p["termination"]}')
    for d in p["detectors"]:
        m = next(m for m in d["metrics"] if m["metric"] == "ser")
        print(f'  {d["id"]}: ser {m["value"]} [{m["ci_low"]}, {m["ci_high"]}], {m["events"]} events')
found = list(differences(one, other))
print("\n".join(found[:20]))
print(f"{count(one)} values compared, {len(found)} differ")
sys.exit(bool(found) or not one["points"])
END
for merged in "$first/merged" "$OUT/merged"; do
    say "one run against ${merged#"$work"/}"
    python3 "$work/compare.py" "$work/one/results.json" "$merged/results.json"
    for weights in "$work"/one/models/*/weights.safetensors; do
        cmp "$weights" "$merged/models/$(basename "$(dirname "$weights")")/weights.safetensors"
    done
done
say "values and weights are equal"
