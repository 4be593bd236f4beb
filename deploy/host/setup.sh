#!/usr/bin/env bash
# Makes a Debian 12 or 13 host ready for the small model: NVIDIA driver, Docker with compose, NVIDIA container toolkit.
# It looks first, says what it will do, asks, and does only what is missing; a second run changes nothing.
# No CUDA toolkit is installed: the images bring their own, the host needs the driver alone.
set -Eeuo pipefail

readonly SELF=${0##*/}
readonly ROOT=${SETUP_ROOT:-}          # tests put a folder here; files are then written below it
readonly CUDA_REPO=https://developer.download.nvidia.com/compute/cuda/repos
readonly TOOLKIT_REPO=https://nvidia.github.io/libnvidia-container
readonly DOCKER_REPO=https://download.docker.com/linux/debian
readonly KEYRINGS=/usr/share/keyrings
readonly LEAST_DRIVER=580              # what CUDA 13 asks for, and with it vLLM's images since 0.20
readonly LEAST_DISK_GIB=45             # the images of vLLM, speech and Open WebUI, weights, caches

dry_run=false
assume_yes=false
card_later=false
branch=$LEAST_DRIVER
release=
codename=
declare -a todo=() problems=()

usage() {
    cat <<END
usage: $SELF [--dry-run] [--yes] [--card-later] [--branch N]

  --dry-run      say what would be done, change nothing (needs no root)
  --yes          do not ask
  --card-later   go on although no NVIDIA card is in the machine yet
  --branch N     the driver's branch; default $LEAST_DRIVER, which is also the least

exit code: 0 all is there (or was made), 1 something stands in the way, 2 usage, 3 restart the machine and run it again
END
}

say() { printf '%s\n' "$*"; }
# give_up MESSAGE [EXIT CODE]
give_up() {
    printf '%s: %s\n' "$SELF" "$1" >&2
    exit "${2:-1}"
}

# Runs a command that changes something, or in a dry run only shows it.
run() {
    printf '    %s\n' "$*"
    if ! $dry_run; then "$@"; fi
}

# write PATH: puts standard input into a file, world-readable.
write() {
    local text
    text=$(cat)
    printf '    write %s\n' "$1"
    if $dry_run; then return; fi
    install -d -m 0755 "$ROOT$(dirname "$1")"
    printf '%s\n' "$text" >"$ROOT$1"
    chmod 0644 "$ROOT$1"
}

has() { command -v "$1" >/dev/null 2>&1; }
installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
apt_install() { run env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; }

# fetch URL PATH: over https alone, whole or not at all.
fetch() {
    run curl --fail --silent --show-error --location --proto '=https' --retry 3 --output "$ROOT$2" "$1"
}

# --- what is there -------------------------------------------------------------------------------------------

read_release() {
    local file=$ROOT/etc/os-release id
    [[ -r $file ]] || give_up "$file cannot be read: is this Debian?"
    id=$(sed -n 's/^ID=//p' "$file")
    release=$(sed -n 's/^VERSION_ID="\?\([0-9]*\).*/\1/p' "$file")
    codename=$(sed -n 's/^VERSION_CODENAME=//p' "$file")
    [[ $id == debian && $release =~ ^1[23]$ ]] ||
        give_up "this is ${id:-unknown} ${release:-unknown}; the script knows Debian 12 and 13"
    [[ $(dpkg --print-architecture) == amd64 ]] || give_up 'only amd64 is known here'
}

has_card() { has lspci && lspci -n | grep -Eq ' 03(00|02): 10de:'; }

# The branch of the loaded driver, or nothing.
loaded_driver() {
    local file=$ROOT/proc/driver/nvidia/version
    [[ -r $file ]] || return 0
    sed -nE '1s/.* ([0-9]+)\.[0-9.]+ .*/\1/p' "$file"
}

secure_boot_is_on() {
    local variable
    for variable in "$ROOT"/sys/firmware/efi/efivars/SecureBoot-*; do
        if [[ -r $variable && $(od -An -t u1 -j 4 -N 1 "$variable") =~ 1 ]]; then return 0; fi
    done
    return 1
}

free_gib() { df --output=avail -BG "${ROOT:-}/var" | sed -n '2s/[^0-9]//gp'; }
has_compose() { has docker && docker compose version >/dev/null 2>&1; }
runtime_is_known() { grep -qs nvidia-container-runtime "$ROOT/etc/docker/daemon.json"; }
nvidia_repo_is_known() { compgen -G "$ROOT/etc/apt/sources.list.d/cuda*.list" >/dev/null || installed cuda-keyring; }
driver_is_installed() { installed nvidia-driver-cuda && installed nvidia-kernel-open-dkms; }

check_card() {
    if has_card; then
        say 'card: an NVIDIA card is there'
    elif $card_later; then
        say 'card: none yet (--card-later)'
    elif ! has lspci; then
        problems+=('lspci is missing, so the card cannot be looked for: apt-get install pciutils, or --card-later')
    else
        problems+=('no NVIDIA card is on the PCI bus: is it seated and powered? --card-later goes on without')
    fi
}

check_other_drivers() {
    if [[ -e $ROOT/usr/bin/nvidia-uninstall ]]; then
        problems+=("a driver was installed by NVIDIA's .run file: run nvidia-uninstall, restart, then this again")
    fi
    if installed nvidia-driver && ! nvidia_repo_is_known; then
        problems+=("Debian's own nvidia-driver is installed and too old for vLLM:
    apt-get purge '*nvidia*', restart, then this again")
    fi
}

check_secure_boot() {
    if [[ ${SETUP_SECURE_BOOT:-} != ok ]] && secure_boot_is_on; then
        problems+=('Secure Boot is on: the kernel loads no module that was built here unless its key is enrolled. Switch
    it off in the firmware, or enrol /var/lib/dkms/mok.pub with mokutil and start with SETUP_SECURE_BOOT=ok')
    fi
}

# What only matters where something is still to be done.
check_room_and_rights() {
    local free
    if ((${#todo[@]} == 0)); then return; fi
    free=$(free_gib)
    if ((${free:-0} < LEAST_DISK_GIB)); then
        problems+=("only ${free:-0} GiB are free under /var; images and weights take $LEAST_DISK_GIB")
    fi
    if ! $dry_run && ((EUID != 0)) && [[ -z $ROOT ]]; then
        problems+=('changing the system needs root: use sudo, or --dry-run')
    fi
}

# --- the steps: `need_` says whether, the function itself does it ---------------------------------------------

base_packages() {
    say '* packages to build the driver'"'"'s module and to fetch keys'
    run apt-get update -q
    apt_install ca-certificates curl pciutils dkms linux-headers-amd64
}
base_is_there() { installed curl && installed pciutils && installed dkms && installed linux-headers-amd64; }

nvidia_repo() {
    say "* NVIDIA's package source for Debian $release, with its key"
    fetch "$CUDA_REPO/debian$release/x86_64/cuda-keyring_1.1-1_all.deb" /tmp/cuda-keyring.deb
    run dpkg -i "$ROOT/tmp/cuda-keyring.deb"
    run rm -f "$ROOT/tmp/cuda-keyring.deb"
    run apt-get update -q
}

driver() {
    say "* the driver, branch $branch: open kernel module, no desktop parts"
    apt_install "nvidia-driver-pinning-$branch"
    apt_install nvidia-driver-cuda nvidia-kernel-open-dkms
}

docker_from_debian() {
    say '* Docker and compose, from Debian'
    apt_install docker.io docker-cli docker-compose
}

docker_from_docker() {
    say "* Docker and compose, from Docker's own source: Debian 12 has compose 1 alone"
    fetch "$DOCKER_REPO/gpg" "$KEYRINGS/docker.asc"
    write /etc/apt/sources.list.d/docker.list \
        <<<"deb [arch=amd64 signed-by=$KEYRINGS/docker.asc] $DOCKER_REPO $codename stable"
    run apt-get update -q
    apt_install docker-ce docker-ce-cli containerd.io docker-compose-plugin
}

docker_engine() { if ((release >= 13)); then docker_from_debian; else docker_from_docker; fi; }

check_docker() {
    if ! has_compose && ((release == 12)) && installed docker.io; then
        problems+=("Debian 12's docker.io has no compose 2 and does not go with Docker's own packages:
    apt-get remove docker.io docker-compose, then this again (images and volumes stay)")
    fi
}

toolkit() {
    say "* NVIDIA's container toolkit"
    fetch "$TOOLKIT_REPO/gpgkey" "$KEYRINGS/nvidia-container-toolkit.asc"
    write /etc/apt/sources.list.d/nvidia-container-toolkit.list \
        <<<"deb [signed-by=$KEYRINGS/nvidia-container-toolkit.asc] $TOOLKIT_REPO/stable/deb/amd64 /"
    run apt-get update -q
    apt_install nvidia-container-toolkit
}

# Without these links a `systemctl daemon-reload` takes the card away from running containers
# ("Failed to initialize NVML: Unknown Error", NVIDIA/nvidia-container-toolkit issue 48).
readonly LINKS='/usr/bin/nvidia-ctk system create-dev-char-symlinks --create-all'
readonly RULE=/etc/udev/rules.d/71-nvidia-dev-char.rules
device_links() {
    say '* links under /dev/char, so that containers keep the card through systemctl daemon-reload'
    write "$RULE" <<<"ACTION==\"add\", DEVPATH==\"/bus/pci/drivers/nvidia\", RUN+=\"$LINKS\""
}

docker_runtime() {
    say '* Docker learns of the toolkit: /etc/docker/daemon.json; Docker restarts, and its containers with it'
    run nvidia-ctk runtime configure --runtime=docker
    run systemctl restart docker
}

plan() {
    if ! base_is_there; then todo+=(base_packages); fi
    if ! nvidia_repo_is_known; then todo+=(nvidia_repo); fi
    if ! driver_is_installed; then todo+=(driver); fi
    if ! has_compose; then todo+=(docker_engine); fi
    if ! installed nvidia-container-toolkit; then todo+=(toolkit); fi
    if [[ ! -e $ROOT$RULE ]]; then todo+=(device_links); fi
    if ! runtime_is_known; then todo+=(docker_runtime); fi
}

show_plan() {
    local step dry=$dry_run
    say "Debian $release ($codename); this will be done:"
    dry_run=true
    for step in "${todo[@]}"; do "$step"; done
    dry_run=$dry
}

confirm() {
    local answer
    if $assume_yes; then return; fi
    [[ -t 0 ]] || give_up 'nobody is there to be asked: start it with --yes'
    read -rp 'Do it? [y/N] ' answer
    [[ $answer == [yY]* ]] || give_up 'nothing was changed'
}

# The step that runs, for the message when it fails.
doing=
carry_out() {
    trap 'give_up "the step \"$doing\" failed, what came before it is done: mend it and run this again"' ERR
    for doing in "${todo[@]}"; do "$doing"; done
    trap - ERR
}

# --- afterwards ----------------------------------------------------------------------------------------------

# What is left when all is installed: a driver that runs, and is new enough.
check_result() {
    local loaded
    loaded=$(loaded_driver)
    if [[ -z $loaded ]]; then
        if $card_later; then
            say 'Everything is installed; put the card in, start the machine, and run this again.'
            return 0
        fi
        say 'The driver is installed and not loaded: restart the machine, then run this again.'
        return 3
    fi
    if ((loaded < LEAST_DRIVER)); then
        say "The driver that runs is of branch $loaded, vLLM needs $LEAST_DRIVER: restart the machine, run this again."
        return 3
    fi
    say "All is there: driver $loaded, Docker with compose, the container toolkit. See for yourself:"
    say '    nvidia-smi && docker run --rm --gpus all debian:13-slim nvidia-smi -L'
}

parse() {
    while (($#)); do
        case $1 in
            --dry-run) dry_run=true ;;
            --yes) assume_yes=true ;;
            --card-later) card_later=true ;;
            --branch)
                branch=${2:-}
                if ! [[ $branch =~ ^[0-9]{3}$ ]] || ((branch < LEAST_DRIVER)); then
                    give_up "--branch takes a number from $LEAST_DRIVER on, 595 for example" 2
                fi
                shift
                ;;
            -h | --help)
                usage
                exit 0
                ;;
            *)
                printf '%s: no option "%s"\n\n' "$SELF" "$1" >&2
                usage >&2
                exit 2
                ;;
        esac
        shift
    done
}

main() {
    parse "$@"
    read_release
    check_card
    check_other_drivers
    check_docker
    check_secure_boot
    plan
    check_room_and_rights
    if ((${#problems[@]})); then
        say 'In the way:'
        printf '  - %s\n' "${problems[@]}"
        if ! $dry_run; then exit 1; fi
    fi
    if ((${#todo[@]})); then
        show_plan
        if $dry_run; then
            say 'Dry run: nothing was changed.'
            exit $((${#problems[@]} > 0))
        fi
        confirm
        carry_out
    fi
    check_result
}

main "$@"
