#!/usr/bin/env bash
# The GPU encoder's test without a GPU, with work done late, at once and now and then, and threads in either order. Ten
# minutes to build, half an hour to run on two cores. Needs g++ 12 or newer on x86-64, and ../shared/cuda/cuda-toolchain.sh,
# which fetches nvcc.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-$root/target/cuda}")
libraries=$CARGO_TARGET_DIR/cuda_sim

"$here/build.sh" "$libraries"
cd "$root"
test=$(bash ../shared/cuda/cuda-toolchain.sh build --test it --message-format json | python3 -c '
import json, sys
for line in sys.stdin:
    if line.startswith("{") and (made := json.loads(line)).get("executable") and made["target"]["name"] == "it":
        print(made["executable"])')
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} JIANBAO_NEEDS_GPU=1 JIANBAO_GPU_ROUNDS=1
for settings in "late forward" "late backward" "at-once forward" "sometimes backward"; do
    read -r SIM_QUEUE SIM_THREADS <<< "$settings"
    echo "work $SIM_QUEUE, threads $SIM_THREADS"
    SIM_QUEUE=$SIM_QUEUE SIM_THREADS=$SIM_THREADS "$test" gpu --nocapture
done
