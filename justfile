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

# Train the embedded model from the base weights (some three hours on two cores)
train:
    training/train.sh

# Fuzz everything that parses, ten minutes each (needs nightly and cargo-fuzz)
fuzz:
    for target in decode split_page sentences json_lines choices; do \
        mkdir -p fuzz/corpus/$target && \
        ASAN_OPTIONS=detect_leaks=0 cargo +nightly fuzz run $target fuzz/corpus/$target fuzz/seeds/$target -- -max_total_time=600 || exit 1; done

# All that wants an NVIDIA GPU: the encoder's test, CPU against GPU with its plot, PyTorch on the same card
gpu:
    JIANBAO_NEEDS_GPU=1 cargo test --release --features cuda --test it gpu -- --nocapture
    cargo run --release --features cuda -- bench --device cpu,cuda --mix article --stage encoder \
        --batch-tokens 256,1024,4096,16384,65536 --plot benches/gpu.svg -o benches/gpu.json
    FEATURES=cuda benches/peers/run.sh --stage gpu --batch-tokens 32768 --rounds 3 --threads "$(nproc)"

# The GPU encoder's test on a machine without a GPU, by a simulation that is strict about waiting
gpu-sim:
    tests/cuda_sim/run.sh

# Criterion benches; `just bench-compare` measures HEAD first and then what stands here against it
bench *ARGS:
    cargo bench --bench pipeline -- {{ARGS}}

bench-compare:
    git stash && (cargo bench --bench pipeline -- --save-baseline head; git stash pop)
    cargo bench --bench pipeline -- --baseline head
