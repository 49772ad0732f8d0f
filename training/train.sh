#!/usr/bin/env bash
# Trains the embedded model from the base weights: one command.
#   training/train.sh [WORK_DIR]     (default: ~/.cache/jianbao-training; an interrupted run goes on from there)
# What `learn.sh` does depends on whether there is a GPU; how long each stage takes stands in README.md and in WORK/stages.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
shared=$(cd "$root/../shared" && pwd)
mkdir -p "${1:-$HOME/.cache/jianbao-training}"
work=$(cd "${1:-$HOME/.cache/jianbao-training}" && pwd)
model=$root/models/news
if [ -e "$work/stages.done" ]; then
    echo "$work is finished: give another folder, or remove it" >&2
    exit 2
fi
cd "$here"
export PYTHON=$work/venv/bin/python

# A stage runs once: WORK/stages has its name and how many seconds it took. What stages write into the checkout is taken as it is.
stage() { # name, command
    local name=$1 began=$SECONDS
    shift
    ! grep -qs "^$name " "$work/stages" || return 0
    echo "== $name, $(date +%T)"
    "$@"
    echo "$name $((SECONDS - began))" >> "$work/stages"
}
python() { # module, arguments
    "$PYTHON" -m "jianbao_training.$1" "${@:2}"
}
environment() {
    [ -x "$PYTHON" ] || python3 -m venv "$work/venv"
    "$PYTHON" -m pip install -q -r requirements.txt
}
# What text and model say of articles and pages is asked of the program itself, with the tables inside that there are by then.
program() { # cargo's features
    cargo build --release --no-default-features "$@" --example training_features --manifest-path "$root/Cargo.toml"
}
features=$root/target/release/examples/training_features
in_context() {
    "$features" context "$model" < "$work/context.jsonl" > "$work/context.feat.jsonl"
    "$features" context "$model" < "$work/context_untitled.jsonl" > "$work/context_untitled.feat.jsonl"
    "$features" context "$model" < "$work/ext_dev.jsonl" > "$work/context_dev.feat.jsonl"
}

environment
stage base python base "$work/base"
program
stage prepare python prepare "$work" "$shared" "$features"
stage borders python borders "$work" "$features" "$model/borders.bin"
stage seams python seams "$work" "$model/seams.bin"
program
stage headline python headline "$work" "$shared" "$features" "$model/headline.trees" "$model/headline_context.trees"
stage ngrams python ngrams "$work" "$shared"
stage starts python starts "$work" "$shared"
told=()
if [ "${ROUTE:-}" = long ] || "$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    # Both readings are learnt together; what the second one is told comes from the model that is there.
    program --features candle
    stage told in_context
    told=(--told)
fi
stage pack python pack "$work" "$shared" "${told[@]}"
stage learn ./learn.sh "$work" "$shared/tools"
stage export python export "$work" "$model" --weights fitted.safetensors --temperature 0.8
program --features candle
# Heads that read in context and the trees of page repair read what the smaller model says.
stage in_context in_context
stage context python context "$work" "$shared" "$model"
stage repair python repair "$work" "$shared" "$features" "$model"
stage golden python golden "$model" "$root/tests/fixtures"
cat "$work/stages"
mv "$work/stages" "$work/stages.done"
echo "models/news is new: run \`just eval\`, then write its figures into models/news/MODEL_CARD.md"
