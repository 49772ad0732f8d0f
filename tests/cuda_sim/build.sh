#!/usr/bin/env bash
# build.sh OUT: the simulator as libcuda, libcublas, libcublasLt and libcurand in the folder OUT. Needs g++ 12 or newer, x86-64.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p "$1"
# _FORTIFY_SOURCE takes jumps between fibers for an attack.
"${CXX:-g++}" -std=c++17 -O3 -march=native -fopenmp -fno-strict-aliasing -fPIC -shared -fvisibility=hidden -U_FORTIFY_SOURCE -Wall -Wextra -Wno-unknown-pragmas \
    -Iinclude -I. driver.cpp launch.cpp libraries.cpp -o "$1/libcuda.so"
for name in cublas cublasLt curand; do ln -sf libcuda.so "$1/lib$name.so"; done
