#!/usr/bin/env bash
# jianbao against its peers on the same texts, tokens and threads: one command.
#   benches/peers/run.sh [--input FILE.jsonl] [--threads N] [--rounds N] [--stage encoder|end-to-end] [--output FILE.md]
# Needs Python 3.11 and PyPI; the environment is made in target/peers-venv. FEATURES=cuda builds jianbao for a GPU.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
venv=${PEERS_VENV:-$root/target/peers-venv}
[ -x "$venv/bin/python" ] || { python3 -m venv "$venv"; "$venv/bin/python" -m pip install -q -r "$here/requirements.txt"; }
cargo build --release ${FEATURES:+--features "$FEATURES"} --manifest-path "$root/Cargo.toml"
exec "$venv/bin/python" "$here/peers.py" --jianbao "$root/target/release/jianbao" "$@"
