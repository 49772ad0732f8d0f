#!/usr/bin/env bash
# The GPU encoder's test without a GPU, in all orders of work and threads. Ten minutes to build, six to run on two cores.
# Needs g++ 12 or newer on x86-64, and ../shared/cuda/cuda-toolchain.sh, which fetches nvcc.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/cuda}
libraries=$CARGO_TARGET_DIR/cuda_sim

"$here/build.sh" "$libraries"
cd "$root"
bash ../shared/cuda/cuda-toolchain.sh build --test it
test=$(ls -t "$CARGO_TARGET_DIR"/release/deps/it-* | grep -v '\.d$' | head -1)
export LD_LIBRARY_PATH=$libraries JIANBAO_NEEDS_GPU=1 JIANBAO_GPU_ROUNDS=1
for settings in "late forward" "late backward" "at-once forward" "sometimes forward"; do
    read -r SIM_QUEUE SIM_THREADS <<< "$settings"
    echo "work $SIM_QUEUE, threads $SIM_THREADS"
    SIM_QUEUE=$SIM_QUEUE SIM_THREADS=$SIM_THREADS "$test" gpu --nocapture
done
