# `just` lists these; `just check` is what CI runs.

default:
    @just --list

# Format, tests, clippy, docs, licences
check:
    .ci/run

# The pure text logic only: seconds
test-text:
    cargo test --no-default-features

# Figures on the shared development data
eval:
    cargo run --release -- eval sectors ../shared/data/sectors/dev.jsonl --articles ../shared/data/dev_articles.jsonl.gz
    cargo run --release -- eval extracts ../shared/data/extracts/dev.jsonl --articles ../shared/data/dev_articles.jsonl.gz
    cargo run --release -- eval pages ../shared/gold

# Train the embedded model from the base weights (about two hours on two cores)
train:
    training/train.sh
