#!/bin/sh
# From a corpus to a voice in minutes on one GPU: features, training and the test split spoken, each with its time.
# usage: sh egs/tts/Jets/speedrun.sh CORPUS_FOLDER [NAME] [flags of run.sh, such as --gpu 1 or --set train.max_epoch=20]
#   CORPUS_FOLDER  metadata.csv (id|text, or id|text|text as spoken) and wavs/<id>.wav or .flac, or a layout of CORPORA.md
#   NAME           of the experiment (default: speedrun)
# Settings: speedrun_config.json. A stopped run goes on with --resume.
set -u

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 2
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P) || exit 1
case ${1-} in
    -h | --help)
        sed -n '2,6s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    '' | -*) fail "the first argument is the corpus: sh egs/tts/Jets/speedrun.sh CORPUS_FOLDER [NAME] [flags]" ;;
esac
[ -d "$1" ] || fail "there is no folder $1"
corpus=$(CDPATH='' cd -- "$1" && pwd -P) || exit 1
shift
name=speedrun
case ${1-} in
    '' | -*) ;;
    *)
        name=$1
        shift
        ;;
esac
# The features' folder and the key of the corpus: of all characters only those that every config and disk takes.
dataset=$(printf '%s\n' "${corpus##*/}" | tr -c 'A-Za-z0-9_\n-' _ | sed 's/^-/_/')
# The flags are for all three stages, so that run.sh need not say which of them a stage has no use for.
JETS_STAGES=1-3
export JETS_STAGES
begin=$(date +%s)
times=''

# Runs a stage of the recipe and notes how long it took.
stage() {
    label=$1
    shift
    printf '\n== %s\n' "$label"
    started=$(date +%s)
    sh "$here/run.sh" --config "$here/speedrun_config.json" --name "$name" \
        --set "dataset=[\"$dataset\"]" --set "dataset_path.$dataset=$corpus" "$@" || exit $?
    took=$(($(date +%s) - started))
    times="$times$(printf '%-10s %4d:%02d' "$label" $((took / 60)) $((took % 60)))
"
    printf '== %s took %d:%02d\n' "$label" $((took / 60)) $((took % 60))
}

stage features --stage 1 "$@"
stage training --stage 2 "$@"
stage speech --stage 3 --infer_mode batch --infer_testing_set test "$@"

took=$(($(date +%s) - begin))
printf '\n%s%-10s %4d:%02d  (minutes:seconds)\n' "$times" together $((took / 60)) $((took % 60))
