#!/usr/bin/env bash
# The big model on the gaming PC without Docker: vLLM in a virtual environment inside WSL2 (Ubuntu).
# The same model, name, window and share as compose.yaml beside it; a test compares them.
set -euo pipefail

readonly VLLM=0.32.0
readonly FOLDER=${BIG_FOLDER:-$HOME/vllm-big}

usage() {
    cat <<END
usage: serve-big.sh install      make $FOLDER with vLLM $VLLM in it (about 10 GB)
       serve-big.sh serve        run the server in the foreground, on port \${BIG_PORT:-8000}
       serve-big.sh unit         print a systemd user unit that runs it; to have it started with WSL:
                                 serve-big.sh unit > ~/.config/systemd/user/vllm-big.service
                                 systemctl --user enable --now vllm-big; loginctl enable-linger

environment: BIG_MODEL, BIG_SHARE, BIG_TOOL_PARSER, BIG_ADDRESS, BIG_PORT, BIG_FOLDER, HF_TOKEN
END
}

give_up() {
    printf 'serve-big.sh: %s\n' "$*" >&2
    exit 1
}

install_vllm() {
    [[ -e /usr/lib/wsl/lib/libcuda.so.1 || -n ${BIG_NOT_WSL:-} ]] ||
        give_up "there is no CUDA library of WSL: update the NVIDIA driver in Windows and run wsl --update; a driver
    inside WSL would be wrong (on plain Linux: BIG_NOT_WSL=1)"
    python3 -c 'import ensurepip' 2>/dev/null ||
        give_up 'python3 cannot make virtual environments: sudo apt install python3-venv'
    python3 -m venv "$FOLDER"
    "$FOLDER/bin/pip" install --quiet "vllm==$VLLM"
    "$FOLDER/bin/vllm" --version
}

# FlashInfer's sampler is off since it compiles kernels at first use, which needs nvcc; WSL has none.
serve() {
    [[ -x $FOLDER/bin/vllm ]] || give_up "there is no vLLM in $FOLDER: serve-big.sh install"
    export VLLM_NO_USAGE_STATS=1 VLLM_USE_FLASHINFER_SAMPLER=0
    exec "$FOLDER/bin/vllm" serve "${BIG_MODEL:-QuantTrio/Qwen3-Coder-30B-A3B-Instruct-AWQ}" \
        --served-model-name=qwen3-coder-14b \
        --max-model-len=32768 \
        --max-num-seqs=4 \
        --max-num-batched-tokens=2048 \
        --gpu-memory-utilization="${BIG_SHARE:-0.90}" \
        --enable-auto-tool-choice \
        --tool-call-parser="${BIG_TOOL_PARSER:-qwen3_coder}" \
        --host="${BIG_ADDRESS:-0.0.0.0}" --port="${BIG_PORT:-8000}"
}

unit() {
    cat <<END
[Unit]
Description=vLLM, the big model behind sluice's gate
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
ExecStart=$(realpath "$0") serve
Environment=BIG_FOLDER=$FOLDER
Restart=on-failure
RestartSec=15

[Install]
WantedBy=default.target
END
}

case ${1:-} in
    install) install_vllm ;;
    serve) serve ;;
    unit) unit ;;
    -h | --help | '') usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac
