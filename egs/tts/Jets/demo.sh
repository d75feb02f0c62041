#!/bin/sh
# The bundled voice, then everything once, small, in a few minutes: set-up, a corpus that it reads, features,
# training, speech.
# Needs Python 3.10 or newer and pip's access to its index. Flags go to run.sh: sh demo.sh --gpu cpu
set -u
case ${1-} in
    -h | --help)
        sed -n '2,4s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
esac
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../../.." && pwd -P) || exit 1
recipe=$root/egs/tts/Jets
config=$recipe/demo_config.json
expt_dir=$root/ckpts/tts/demo
spoken=$root/ckpts/tts/voice/result
# The flags are for all three stages, so that run.sh need not say which of them a stage has no use for.
JETS_STAGES=1-3
export JETS_STAGES
begin=$(date +%s)

step() {
    printf '\n== %s (%s s)\n' "$1" "$(($(date +%s) - begin))"
}

# A person in front of a loudspeaker hears it; anyone else is told where it is.
play() {
    [ -t 1 ] || return 0
    for player in afplay paplay aplay; do
        if command -v "$player" >/dev/null 2>&1; then
            "$player" "$1" >/dev/null 2>&1 || :
            return 0
        fi
    done
}

[ -d "$recipe/voice" ] || {
    printf 'error: there is no bundled voice in %s, which the demonstration begins with; fetch the project anew\n' \
        "$recipe/voice" >&2
    exit 2
}

step "set-up"
sh "$root/bins/setup.sh" || exit $?

step "the bundled voice, trained on a real person's recordings ($recipe/voice/README.md)"
sh "$recipe/run.sh" --stage 3 --infer_mode single --infer_output_dir "$spoken" \
    --infer_text "Hello. I have learned to speak from a person's recordings, and I read whatever you type." \
    "$@" || exit $?
play "$spoken/0001.wav"

# The demonstration's network is too small to gain from more threads.
: "${OMP_NUM_THREADS:=1}"
export OMP_NUM_THREADS

# Lines of id|text, which stage 3 reads aloud, are a corpus' metadata.csv as well.
demo=$root/corpora/demo
if [ ! -f "$demo/metadata.csv" ]; then
    step "a corpus: the bundled voice reads preprocessors/demo_sentences.txt"
    mkdir -p "$demo" || exit $?
    awk '!/^#/ && NF { printf "demo-%03d|%s\n", ++n, $0 }' "$root/preprocessors/demo_sentences.txt" \
        >"$demo/lines.txt" || exit $?
    sh "$recipe/run.sh" --stage 3 --infer_mode single --infer_output_dir "$demo/wavs" \
        --infer_text_file "$demo/lines.txt" "$@" || exit $?
    mv "$demo/lines.txt" "$demo/metadata.csv" || exit $?
fi

step "stage 1: features"
sh "$recipe/run.sh" --stage 1 --config "$config" "$@" || exit $?

step "stage 2: training"
resume=''
[ ! -d "$expt_dir/checkpoints" ] || resume=--resume
sh "$recipe/run.sh" --stage 2 --config "$config" --name demo ${resume:+"$resume"} "$@" || exit $?

step "stage 3: speech, first the test split, then a sentence it has never seen"
sh "$recipe/run.sh" --stage 3 --infer_expt_dir "$expt_dir" --infer_mode batch "$@" || exit $?
sh "$recipe/run.sh" --stage 3 --infer_expt_dir "$expt_dir" --infer_output_dir "$expt_dir/result/single" \
    --infer_mode single --infer_text "A quiet stranger asked for the way to the harbour." "$@" || exit $?

step "done"
count=$(find "$expt_dir/result" -name '*.wav' | wc -l | tr -d ' ')
cat <<DONE
The bundled voice:
  $spoken/0001.wav
another sentence:
  sh "$recipe/run.sh" --stage 3 --infer_mode single --infer_text "Any sentence."

The three stages made a demonstration: a toy network, trained for 400 steps on four minutes of the bundled voice.

$count wavs below $expt_dir/result; the new sentence, and the first of the test split:
  $expt_dir/result/single/0001.wav
$(find "$expt_dir/result" -name '*.wav' ! -path '*/single/*' | sort | head -n 2 | sed 's/^/  /')

curves, spectrograms, alignments and sounds of the training:
  "$root/.venv/bin/tensorboard" --logdir "$expt_dir"

next, a real voice (LJSpeech, 2.6 GB; a CUDA card):
  sh "$recipe/run.sh" --stage 0-3 --name my_voice
DONE
