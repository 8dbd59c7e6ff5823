#!/bin/bash
# Submits a sharded sweep to Slurm: training, then the shards as an array, then the merge.
#
#   CONFIG=experiment.toml OUT=results SHARDS=8 configs/cluster/submit.sh [--set KEY=VALUE ...] [--seed N] [--backend B]
#
# Prints the job ids. The end is OUT/merged/results.json and OUT/merged/report.html, Slurm's logs are OUT/slurm/.
# The same command again resumes: what is on disk is not computed twice.
# CPUS is the number of cores of a task [4]; for partition, account, time limit, node type and memory sbatch reads
# SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT, SBATCH_CONSTRAINT, SBATCH_MEM_PER_CPU.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${CONFIG:?is not set; it names the experiment file}"
: "${OUT:?is not set; it names the folder of the results, on a file system that all nodes see}"
: "${SHARDS:?is not set; it is the number of shards}"
if ! [[ $SHARDS =~ ^[1-9][0-9]*$ ]]; then
    echo "submit.sh: SHARDS is '$SHARDS'; expected a number from 1" >&2
    exit 2
fi
if [ ! -f "$CONFIG" ]; then
    echo "submit.sh: there is no experiment file $CONFIG" >&2
    exit 2
fi
for option in "$@"; do
    if [ "$option" = --fresh ]; then
        echo "submit.sh: --fresh would begin again after every restart; name an empty OUT instead" >&2
        exit 2
    fi
done
# Jobs do not start in this folder everywhere.
CONFIG=$(realpath -s "$CONFIG")
OUT=$(realpath -sm "$OUT")
export CONFIG OUT SHARDS
mkdir -p "$OUT/slurm"

submit() {
    local name=$1
    shift
    local id
    id=$(sbatch --parsable --export=ALL --cpus-per-task="${CPUS:-4}" --job-name="grantfree-$name" "$@")
    # ID;CLUSTER where there are several.
    echo "${id%%;*}"
}

# A job whose predecessor failed is removed: correct what was wrong and submit again.
after=(--kill-on-invalid-dep=yes)
log=$OUT/slurm
train=$(submit train --output="$log/train-%j.log" "$here/slurm.sh" train "$@")
echo "train $train"
array=$(submit shard --output="$log/shard-%A_%a.log" --array="1-$SHARDS" "${after[@]}" --dependency="afterok:$train" \
    "$here/slurm.sh" shard "$@")
echo "shards $array"
CPUS=1
merge=$(submit merge --output="$log/merge-%j.log" "${after[@]}" --dependency="afterok:$array" "$here/slurm.sh" merge)
echo "merge $merge"
