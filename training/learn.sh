#!/usr/bin/env bash
# The encoder and its heads from WORK/pack.npz and the base weights: WORK/fitted.safetensors.
#   training/learn.sh WORK TOOLS       TOOLS: the folder with score_extracts.py
# Needs nothing else of `train.sh`: on a lent machine this repository, pack.npz, pack.json and base.safetensors are enough.
# With a GPU the long way: language models, teachers, a student, sectors twice. Without one the short way: a language model,
# sectors, everything together, in MINUTES of learning (default 100) beside some for loading and looking.
# ROUTE=long takes the long way without a GPU, each step in an eighth of MINUTES: to see that it runs.
set -euo pipefail
work=$(cd "$1" && pwd)
tools=$(cd "$2" && pwd)
cd "$(dirname "$0")"
python=${PYTHON:-python3}
minutes=${MINUTES:-100}
tokenizer=../models/news/tokenizer.json
base=$work/base/base.safetensors

# Each step writes its file at its end: an interrupted run goes on with the step that was not finished.
learn() { # module, name, options
    local module=$1 name=$2
    shift 2
    [ -f "$work/$name.safetensors" ] || "$python" -m "jianbao_training.$module" "$work/pack.npz" "$work/$name.safetensors" \
        --tokenizer "$tokenizer" "${limit[@]}" "$@" 2>&1 | tee "$work/$name.log"
}
language() { # name, layers of the base that are kept, other options
    learn language "$1" --start "$base" --keep "$2" "${@:3}"
}
joint() { # name, start, other options
    learn joint "$1" --start "$work/$2.safetensors" --tools "$tools" "${@:3}"
}
labels() { # name, start, other options: sectors by labels
    learn anchored "$1" --start "$work/$2.safetensors" "${@:3}"
}
hundredths() { # of MINUTES
    limit=(--minutes "$("$python" -c "print($minutes * $1 / 100)")")
}

long() {
    local seed pid jobs=() states=()
    language language6 0,1,2,3,4,5 --epochs 9 &
    jobs+=($!)
    language language4 0,1,2,5 --epochs 11 &
    jobs+=($!)
    for pid in "${jobs[@]}"; do wait "$pid"; done
    jobs=()
    for seed in 1 2 3; do
        joint "teacher$seed" language6 --epochs 3.4 --seed "$seed" &
        jobs+=($!)
        states+=("$work/teacher$seed.state.pt")
    done
    for pid in "${jobs[@]}"; do wait "$pid"; done
    joint learnt language4 --keep 0,1,2,3 --epochs 5.4 --peak 2.5e-4 --teachers "${states[@]}"
    if [ ! -f "$work/refitted" ]; then
        "$python" -m jianbao_training.sectors "$work/pack.npz" "$work/learnt.safetensors" "$work"/teacher[0-9].safetensors --tokenizer "$tokenizer"
        touch "$work/refitted"
    fi
    # Held by what the other heads read, and without an anchor: the mean of both, two fifths of the free one, has better sectors
    # than either. Then the other heads once more.
    labels anchored learnt
    labels free learnt --anchor 0
    [ -f "$work/mean.safetensors" ] || "$python" -m jianbao_training.mean "$work/mean.safetensors" \
        "$work/anchored.safetensors" "$work/free.safetensors" --share 0.4
    joint fitted mean --keep 0,1,2,3 --epochs 1 --peak 0 --heads-peak 2e-4 --noisy 0.4
}

short() { # smaller steps: a GPU reads more tokens in a minute than there are here in all
    # Memory of one step serves the next: given back and asked for again, a fifth of a step goes into clearing its pages.
    export GLIBC_TUNABLES=glibc.malloc.mmap_threshold=8589934592:glibc.malloc.trim_threshold=17179869184:glibc.malloc.arena_max=1
    hundredths 22
    language short_language 0,1,2,5 --blocks 12
    hundredths 24
    labels short_labels short_language --anchor 0 --peak 2e-4
    hundredths 54
    joint fitted short_labels --keep 0,1,2,3 --peak 2e-4 --tokens 8000 --sectors 12 --seams 8
}

limit=()
if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    long
elif [ "${ROUTE:-short}" = long ]; then
    hundredths 12.5
    long
else
    short
fi
