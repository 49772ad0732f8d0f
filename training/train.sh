#!/usr/bin/env bash
# Trains the embedded model from the base weights: one command. Some two hours on two CPU cores around `learn.sh`,
# which takes half an hour on a GPU and ten hours without.
#   training/train.sh [WORK_DIR]     (default: ~/.cache/jianbao-training; an interrupted run goes on from there)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
shared=$(cd "$root/../shared" && pwd)
work=${1:-$HOME/.cache/jianbao-training}
mkdir -p "$work"

[ -x "$work/venv/bin/python" ] || python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q -r "$here/requirements.txt"
python=$work/venv/bin/python
cd "$here"

cargo build --release --no-default-features --example training_features --manifest-path "$root/Cargo.toml"
features=$root/target/release/examples/training_features

[ -f "$work/base/base.safetensors" ] || "$python" -m jianbao_training.base "$work/base"
"$python" -m jianbao_training.prepare "$work" "$shared" "$features"
"$python" -m jianbao_training.borders "$work" "$features" "$root/models/news/borders.bin"
"$python" -m jianbao_training.seams "$work" "$root/models/news/seams.bin"
# The headline trees read the tables of borders: the program is built again, with them inside.
cargo build --release --no-default-features --example training_features --manifest-path "$root/Cargo.toml"
"$python" -m jianbao_training.headline "$work" "$shared" "$features" "$root/models/news/headline.trees"
[ -f "$work/ngrams.safetensors" ] || "$python" -m jianbao_training.ngrams "$work" "$shared"
[ -f "$work/starts.pt" ] || "$python" -m jianbao_training.starts "$work" "$shared"
cargo build --release --no-default-features --features candle --example training_features --manifest-path "$root/Cargo.toml"
in_context() {
    "$features" context "$1" < "$work/context.jsonl" > "$work/context.feat.jsonl"
    "$features" context "$1" < "$work/context_untitled.jsonl" > "$work/context_untitled.feat.jsonl"
    "$features" context "$1" < "$work/ext_dev.jsonl" > "$work/context_dev.feat.jsonl"
}
if [ ! -f "$work/pack.npz" ]; then
    # What the second reading is told comes from the model that is there.
    in_context "$root/models/news"
    "$python" -m jianbao_training.pack "$work" "$shared"
fi
[ -f "$work/fitted.done" ] || PYTHON=$python "$here/learn.sh" "$work" "$shared/tools"
touch "$work/fitted.done"
"$python" -m jianbao_training.export "$work" "$root/models/news" --weights fitted.safetensors --temperature 0.8
# Heads that read in context and the trees of page repair read what the smaller model says.
in_context "$root/models/news"
"$python" -m jianbao_training.context "$work" "$shared" "$root/models/news"
"$python" -m jianbao_training.repair "$work" "$shared" "$features" "$root/models/news"
"$python" -m jianbao_training.golden "$root/models/news" "$root/tests/fixtures"
echo "models/news is new: run \`just eval\`, then write its figures into models/news/MODEL_CARD.md"
