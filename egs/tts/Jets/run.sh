#!/bin/sh
# The JETS recipe, stage by stage. POSIX sh; works from any folder. `sh run.sh --help` lists every flag.

usage() {
    cat <<'USAGE'
usage: sh egs/tts/Jets/run.sh --stage STAGE [flags]

stages, one (--stage 2) or a range (--stage 1-3)
  0  get the data            downloads the corpora that the config names
  1  make features           corpus -> processed_dir
  2  train                   features -> <log_dir>/<name>; needs --name
  3  speak                   trained voice -> wav files; your own text needs no other flag: the bundled voice speaks it
  4  measure                 trained voice -> a report on a held-out split; needs --infer_expt_dir or --name

flags, as `--flag value` or `--flag=value`
  -s, --stage STAGE          what to do (no default)
  -c, --config FILE          config (default: exp_config.json beside run.sh; stages 3 and 4: the experiment's own)
  -n, --name NAME            name of the experiment (no default)
      --set KEY=VALUE        change one config value, for instance --set train.batch_size=8; repeatable (default: none)
      --gpu IDS              CUDA devices, for instance 0 or 0,1; "cpu" for none (default: CUDA_VISIBLE_DEVICES
                             of your environment if it is set, otherwise 0; without CUDA: the CPU)
  -h, --help                 this text

stage 2
      --resume               go on from the newest checkpoint of --name (default: start a new experiment)
      --finetune_from DIR    start from the weights of another experiment or packed voice (default: random weights)

stages 3 and 4
      --infer_expt_dir DIR   experiment or packed voice (default: <log_dir>/<name> of the config and --name; for your
                             own text the bundled voice, egs/tts/Jets/voice); looked for in the current folder, then
                             in the project's
      --infer_output_dir DIR where the wavs or the report go (default: <expt_dir>/result, for stage 4
                             <expt_dir>/evaluation; for the bundled voice
                             ckpts/tts/voice/result, ckpts/tts/voice/evaluation)
      --infer_dataset NAME   corpus of the split (default: the first of the config; stage 4: all of them)
      --infer_testing_set S  split: test, valid or train (default: test)

stage 3
      --infer_mode MODE      batch: a split of a corpus; single: your own text (default: batch; with a text: single)
      --infer_text TEXT      text to speak; - reads lines from standard input, a wav for each (no default)
      --infer_text_file FILE plain text or SSML (one wav), or lines of id|text (a wav for each; no default)
      --infer_stream         raw 16-bit mono audio to standard output while it is made, for aplay (default: off)
      --infer_speed X        tempo, 2 is twice as fast (default: inference.speed of the config, 1.0)
      --infer_pitch X        pitch shift in semitones (default: inference.pitch_semitones of the config, 0.0)
      --infer_energy X       vocal effort in dB (default: inference.energy_db of the config, 0.0)
USAGE
}

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 2
}

note() {
    printf 'note: %s\n' "$1" >&2
}

# The folder of this script, through symbolic links.
script=$0
while [ -h "$script" ]; do
    target=$(readlink "$script")
    case $target in
        /*) script=$target ;;
        *) script=$(dirname -- "$script")/$target ;;
    esac
done
here=$(CDPATH='' cd -- "$(dirname -- "$script")" && pwd -P) || exit 2
root=$(CDPATH='' cd -- "$here/../../.." && pwd -P) || exit 2
bundled=$here/voice

if [ $# -eq 0 ]; then
    usage
    exit 0
fi

stage='' config='' name='' gpu='0' resume='' finetune_from=''
expt_dir='' output_dir='' mode='' dataset='' testing_set='' text='' text_file='' stream='' speed='' pitch='' energy=''
has_text='' has_gpu=''

is_flag() {
    case $1 in
        -[csnh]) return 0 ;;
        --config | --name | --stage | --gpu | --set | --resume | --finetune_from | --help) return 0 ;;
        --infer_expt_dir | --infer_output_dir | --infer_mode | --infer_dataset | --infer_testing_set) return 0 ;;
        --infer_text | --infer_text_file | --infer_stream | --infer_speed | --infer_pitch | --infer_energy) return 0 ;;
    esac
    return 1
}

# Every argument is taken from the front; overrides are put back at the end, so that afterwards "$@" holds only them.
# Nothing is ever re-read by the shell: quotes, `$` and newlines in values stay as they are.
left=$#
while [ "$left" -gt 0 ]; do
    flag=$1
    shift
    left=$((left - 1))
    has_value=''
    case $flag in
        --*=*)
            value=${flag#*=}
            flag=${flag%%=*}
            has_value=yes
            ;;
    esac
    if ! is_flag "$flag"; then
        case $flag in
            -*) fail "unknown flag $flag; sh run.sh --help lists all flags" ;;
            *) fail "unexpected argument \"$flag\"; values belong to a flag, and text with spaces needs quotes" ;;
        esac
    fi
    case $flag in
        --resume | --infer_stream | -h | --help)
            [ -z "$has_value" ] || fail "$flag takes no value"
            ;;
        *)
            if [ -z "$has_value" ]; then
                [ "$left" -gt 0 ] || fail "$flag needs a value"
                ! is_flag "$1" || fail "$flag needs a value; if \"$1\" is meant as one, write $flag=$1"
                value=$1
                shift
                left=$((left - 1))
            fi
            case $flag in
                --set | --infer_text) ;;
                *) [ -n "$value" ] || fail "$flag needs a value that is not empty" ;;
            esac
            ;;
    esac
    case $flag in
        -c | --config) config=$value ;;
        -n | --name) name=$value ;;
        -s | --stage) stage=$value ;;
        --gpu) gpu=$value has_gpu=yes ;;
        --set)
            case $value in
                ?*=*) set -- "$@" "--set=$value" ;;
                *) fail "--set $value: expected key=value, for instance --set train.batch_size=8" ;;
            esac
            ;;
        --resume) resume=yes ;;
        --finetune_from) finetune_from=$value ;;
        --infer_expt_dir) expt_dir=$value ;;
        --infer_output_dir) output_dir=$value ;;
        --infer_mode) mode=$value ;;
        --infer_dataset) dataset=$value ;;
        --infer_testing_set) testing_set=$value ;;
        --infer_text) text=$value has_text=yes ;;
        --infer_text_file) text_file=$value ;;
        --infer_stream) stream=yes ;;
        --infer_speed) speed=$value ;;
        --infer_pitch) pitch=$value ;;
        --infer_energy) energy=$value ;;
        -h | --help)
            usage
            exit 0
            ;;
    esac
done

# What the flags mean together; nothing is started before all of it is checked.
case $stage in
    [0-4]) first=$stage last=$stage ;;
    [0-4]-[0-4]) first=${stage%-*} last=${stage#*-} ;;
    '') fail "--stage is missing: 0 to 4, or a range such as 1-3" ;;
    *) fail "--stage must be 0 to 4 or a range such as 1-3, but \"$stage\" is given" ;;
esac
[ "$first" -le "$last" ] || fail "--stage $stage runs backwards; write $last-$first"

includes() {
    [ "$1" -ge "$first" ] && [ "$1" -le "$last" ]
}

# A script that gives the same flags to one stage after another says in JETS_STAGES which: what another one of them
# uses is not without effect.
served_first=$first served_last=$last
case ${JETS_STAGES-} in
    [0-4]-[0-4]) served_first=${JETS_STAGES%-*} served_last=${JETS_STAGES#*-} ;;
esac

serves() {
    includes "$1" || { [ "$1" -ge "$served_first" ] && [ "$1" -le "$served_last" ]; }
}

# A relative folder that is not here is looked for in the project's folder, where relative paths of a config start.
from_root() {
    found=$1
    case $1 in
        '' | /*) ;;
        *) [ -d "$1" ] || [ ! -d "$root/$1" ] || found=$root/$1 ;;
    esac
}

[ -z "$config" ] || [ -f "$config" ] || fail "--config $config: no such file"
exp_config=${config:-$here/exp_config.json}
case $gpu in
    cpu | CPU) gpu='' ;;
    *[!0-9,]* | ,* | *, | *,,*) fail "--gpu must be device numbers such as 0 or 0,1, or cpu, but \"$gpu\" is given" ;;
esac
case $name in
    */* | .* | -*) fail "--name \"$name\" names a folder below log_dir: no slash, and no dot or dash in front" ;;
esac
if includes 2; then
    [ -n "$name" ] || fail "stage 2 needs --name, the name of the experiment"
fi
if serves 2; then
    [ -z "$resume" ] || [ -z "$finetune_from" ] || fail "--resume and --finetune_from exclude each other"
    from_root "$finetune_from"
    finetune_from=$found
    [ -z "$finetune_from" ] || [ -d "$finetune_from" ] || fail "--finetune_from $finetune_from: no such folder"
fi
if serves 3; then
    case $mode in
        '' | single | batch) ;;
        *) fail "--infer_mode must be batch or single, but \"$mode\" is given" ;;
    esac
fi
if includes 3; then
    [ -z "$has_text" ] || [ -z "$text_file" ] || fail "--infer_text and --infer_text_file exclude each other"
    if [ -z "$mode" ]; then
        mode=batch
        [ -z "$has_text$text_file" ] || mode=single
    fi
    case $mode in
        single)
            [ -n "$has_text$text_file" ] || fail "--infer_mode single needs --infer_text or --infer_text_file"
            [ ! -d "$text_file" ] || fail "--infer_text_file $text_file is a folder; give a text file"
            [ -z "$text_file" ] || [ -e "$text_file" ] || fail "--infer_text_file $text_file: no such file"
            [ -z "$text_file" ] || [ -r "$text_file" ] || fail "--infer_text_file $text_file cannot be read"
            [ -z "$dataset$testing_set" ] || includes 4 ||
                note "--infer_dataset and --infer_testing_set are not used with --infer_mode single"
            ;;
        batch)
            [ -z "$stream" ] || fail "--infer_stream speaks a text: give --infer_text or --infer_text_file, not a split"
            [ -z "$has_text$text_file" ] || note "the text is not used with --infer_mode batch"
            ;;
    esac
fi
setup=''
if includes 3 || includes 4; then
    if [ -z "$expt_dir$name" ]; then
        needed="stage $last needs --infer_expt_dir (or --name), the folder of a trained experiment"
        [ "$first$last$mode" = 33single ] || fail "$needed"
        [ -d "$bundled" ] || fail "$needed: there is no bundled voice in $bundled"
        expt_dir=$bundled setup=yes
    fi
    # A split that nothing reads is only noted, like every flag without effect.
    case $testing_set in
        '' | test | valid | train) ;;
        *) [ "$last$mode" = 3single ] ||
            fail "--infer_testing_set must be test, valid or train, but \"$testing_set\" is given" ;;
    esac
    # Stage 2 may be about to make the folder.
    from_root "$expt_dir"
    includes 2 || [ -z "$expt_dir" ] || [ -d "$found" ] ||
        fail "--infer_expt_dir $expt_dir: no such folder, neither here nor in $root"
fi

# Flags of stages that are not run are named and not refused: scripts give the same flags to one stage after another.
unused=''
unused_if() {
    [ -z "$2" ] || unused="$unused${unused:+, }$1"
}
if ! serves 2; then
    unused_if --resume "$resume"
    unused_if --finetune_from "$finetune_from"
fi
if ! serves 3; then
    unused_if --infer_mode "$mode"
    unused_if --infer_text "$has_text"
    unused_if --infer_text_file "$text_file"
    unused_if --infer_stream "$stream"
    unused_if --infer_speed "$speed"
    unused_if --infer_pitch "$pitch"
    unused_if --infer_energy "$energy"
    if ! serves 4; then
        unused_if --infer_expt_dir "$expt_dir"
        unused_if --infer_output_dir "$output_dir"
        unused_if --infer_dataset "$dataset"
        unused_if --infer_testing_set "$testing_set"
    fi
fi
[ -z "$unused" ] || note "no effect in stage $stage: $unused; sh run.sh --help says which stage a flag belongs to"

find_python() {
    python=$root/.venv/bin/python
    [ -x "$python" ] || python=${PYTHON:-python3}
}

has_packages() {
    "$python" -c 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ("torch", "json5", "pydantic"))))'
}

find_python
# The bundled voice speaks in a fresh clone: what it lacks is set up. Standard output may be a stream of audio.
if [ -n "$setup" ] && ! has_packages >/dev/null 2>&1; then
    sh "$root/bins/setup.sh" >&2 || exit $?
    find_python
fi
command -v "$python" >/dev/null 2>&1 || fail "no Python at \"$python\"; set everything up with: sh $root/bins/setup.sh"
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
PYTHONUTF8=1
# Without --gpu, devices that the user or a job scheduler has chosen stay chosen; "" is a choice, too.
if [ -z "$has_gpu" ]; then
    gpu=${CUDA_VISIBLE_DEVICES-$gpu}
    case $gpu in
        *[!,\ ]*,*[!,\ ]*)
            ! includes 2 ||
                note "training uses every GPU of CUDA_VISIBLE_DEVICES=$gpu, which your environment sets; --gpu 0 uses one"
            ;;
    esac
fi
CUDA_VISIBLE_DEVICES=$gpu
# The stages' programs name their flags in messages as the user typed them here.
JETS_FLAG_PREFIX=infer_
# Idle threads sleep: spinning ones slow the CPU down by an order of magnitude when other programs use it too.
: "${OMP_WAIT_POLICY:=PASSIVE}"
export PYTHONPATH PYTHONUTF8 CUDA_VISIBLE_DEVICES JETS_FLAG_PREFIX OMP_WAIT_POLICY
has_packages ||
    fail "\"$python\" lacks this project's packages; set everything up with: sh $root/bins/setup.sh"

if { includes 3 || includes 4; } && [ -z "$expt_dir" ]; then
    expt_dir=$("$python" "$root/bins/expt_dir.py" "--config=$exp_config" "--name=$name" "$@") || exit $?
fi

# Runs one stage. The last one replaces the shell, so that signals reach it.
run() {
    number=$1
    shift
    if [ "$number" -eq "$last" ]; then
        exec "$python" "$@"
    fi
    "$python" "$@" || exit $?
}

# A voice that stage 2 would refuse to start from is refused now, and not after all the work of stage 1.
if includes 1 && serves 2 && [ -n "$finetune_from" ]; then
    "$python" "$root/bins/check_finetune.py" "--config=$exp_config" "--finetune_from=$finetune_from" \
        ${name:+"--name=$name"} "$@" || exit $?
fi
if includes 0; then
    run 0 "$root/bins/download.py" "--config=$exp_config" "$@"
fi
if includes 1; then
    run 1 "$root/bins/preprocess.py" "--config=$exp_config" "$@"
fi
if includes 2; then
    run 2 "$root/bins/launch.py" "$root/bins/train.py" "--config=$exp_config" "--name=$name" \
        ${resume:+--resume} ${finetune_from:+"--finetune_from=$finetune_from"} "$@"
fi
from_root "$expt_dir"
expt_dir=$found
# The bundled voice is part of the project: what it says goes elsewhere.
home=$expt_dir
! [ -d "$bundled" ] || [ "$(CDPATH='' cd -- "$expt_dir" 2>/dev/null && pwd -P)" != "$bundled" ] ||
    home=$root/ckpts/tts/voice
# Stages 3 and 4 each write a manifest: never into the same folder.
report_dir=${output_dir:-$home/evaluation}
! includes 3 || [ -z "$output_dir" ] || report_dir=$output_dir/evaluation
: "${output_dir:=$home/result}"

if includes 3; then
    if [ "$mode" = single ]; then
        split_of='' split=''
    else
        has_text='' text_file='' split_of=$dataset split=$testing_set
    fi
    run 3 "$root/bins/inference.py" "--expt_dir=$expt_dir" "--output_dir=$output_dir" "--mode=$mode" \
        ${config:+"--config=$config"} ${split_of:+"--dataset=$split_of"} ${split:+"--testing_set=$split"} \
        ${has_text:+"--text=$text"} ${text_file:+"--text_file=$text_file"} ${stream:+--stream} \
        ${speed:+"--speed=$speed"} ${pitch:+"--pitch=$pitch"} ${energy:+"--energy=$energy"} "$@"
fi
if includes 4; then
    run 4 "$root/bins/evaluate.py" "--expt_dir=$expt_dir" "--output_dir=$report_dir" \
        ${config:+"--config=$config"} ${dataset:+"--dataset=$dataset"} \
        ${testing_set:+"--testing_set=$testing_set"} "$@"
fi
