#!/bin/bash
# One step of a sharded sweep as a Slurm job. submit.sh submits all steps; by hand:
#
#   export CONFIG=experiment.toml OUT=results SHARDS=8
#   sbatch                configs/cluster/slurm.sh train     # the networks, once; also without learned detectors
#   sbatch --array=1-8    configs/cluster/slurm.sh shard     # one task per shard, once training is done
#   sbatch                configs/cluster/slurm.sh merge     # once all shards are done: OUT/merged
#
# Further arguments go to grantfree (--set KEY=VALUE, --seed, --backend); give all steps the same ones.
# Environment: CONFIG   experiment file; the same path in all steps (merge compares the paths of channel files)
#              OUT      folder on a file system that all nodes see
#              SHARDS   number of shards; the array is 1-SHARDS
#              GRANTFREE  the program [grantfree]
#              RESTARTS   how often a killed or interrupted step puts itself back into the queue [20]
#SBATCH --job-name=grantfree
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
# Two minutes before the time limit the program is asked to save; the step then queues again.
set -euo pipefail

fail() {
    echo "slurm.sh: $*" >&2
    exit 2
}

[ $# -ge 1 ] || fail "which step? train, shard or merge"
step=$1
shift
: "${CONFIG:?is not set; it names the experiment file}"
: "${OUT:?is not set; it names the folder of the results, on a file system that all nodes see}"
: "${SHARDS:?is not set; it is the number of shards, the size of the array}"
[[ $SHARDS =~ ^[1-9][0-9]*$ ]] || fail "SHARDS is '$SHARDS'; expected a number from 1"
[ -f "$CONFIG" ] || fail "there is no experiment file $CONFIG"
program=${GRANTFREE:-grantfree}
command -v "$program" >/dev/null || fail "there is no program $program; put grantfree on the path or name it by GRANTFREE"
for option in "$@"; do
    [ "$option" != --fresh ] || fail "--fresh would begin again after every restart; name an empty OUT instead"
done
common=(--threads "${SLURM_CPUS_PER_TASK:-1}" --progress plain)

case $step in
train)
    command=("$program" train "$CONFIG" --out "$OUT/train" "${common[@]}" "$@")
    ;;
shard)
    i=${SLURM_ARRAY_TASK_ID:?is not set; the step shard is a job array: sbatch --array=1-$SHARDS}
    if [ "$i" -lt 1 ] || [ "$i" -gt "$SHARDS" ]; then fail "task $i of the array is not one of 1-$SHARDS"; fi
    shard=$OUT/shard-$i
    mkdir -p "$shard"
    # All shards read the networks of the train step. `evaluate` is `run` that never trains: a missing network is an error.
    if [ -d "$OUT/train/models" ] && [ ! -e "$shard/models" ]; then
        ln -sfn ../train/models "$shard/models"
    fi
    command=("$program" evaluate "$CONFIG" --shard "$i/$SHARDS" --out "$shard" "${common[@]}" "$@")
    ;;
merge)
    shards=()
    for ((i = 1; i <= SHARDS; i++)); do shards+=("$OUT/shard-$i"); done
    # --fresh replaces an earlier merge only; the shards are not touched.
    command=("$program" merge "${shards[@]}" --out "$OUT/merged" --fresh)
    ;;
*) fail "there is no step $step; expected train, shard or merge" ;;
esac

job=${SLURM_JOB_ID:-}
# The last task of an array has the id of the whole array: name the task.
[ -z "${SLURM_ARRAY_TASK_ID:-}" ] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
restarts=${SLURM_RESTART_COUNT:-0}
echo "step $step, job ${job:-none}, restart $restarts, $(date -u +%FT%TZ): ${command[*]}"

"${command[@]}" &
child=$!
signalled=0
trap 'signalled=1; kill -TERM "$child" 2>/dev/null || true' TERM
code=0
wait "$child" || code=$?
# A signal ends the wait, not the program.
while [ "$signalled" = 1 ]; do
    signalled=0
    code=0
    wait "$child" || code=$?
done

# 130: interrupted, everything saved; 137, 143: killed. The next start goes on from what is on disk.
if [ -n "$job" ] && { [ "$code" = 130 ] || [ "$code" = 137 ] || [ "$code" = 143 ]; }; then
    # A job that was cancelled is not running any more and stays cancelled.
    if [ "$(squeue -h -o %T -j "$job" 2>/dev/null)" != RUNNING ]; then
        echo "step $step ended with code $code; Slurm is ending the job, no restart from here"
    elif [ "$restarts" -ge "${RESTARTS:-20}" ]; then
        echo "step $step ended with code $code after $restarts restarts; giving up (RESTARTS)" >&2
    else
        echo "step $step ended with code $code; back into the queue"
        scontrol requeue "$job"
        # Slurm ends this script; its own code would count as the job's.
        sleep 60
    fi
fi
exit "$code"
