"""Atomic writes and disk errors."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils import files
from utils.errors import UserError
from utils.files import PROJECT_ROOT


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"a": "ä"})
    assert path.read_text(encoding="utf-8") == '{\n  "a": "ä"\n}\n'

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError):
        files.write_json(path, {"b": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"] and '"a"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "number, words", [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission denied"), (errno.EFBIG, "no file")]
)
def test_disk_errors_become_a_sentence(number: int, words: str) -> None:
    with pytest.raises(UserError, match=f"cannot write to .*data: .*{words}"), files.disk_errors(Path("data")):
        raise OSError(number, "x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("unbuffered", [[], ["-u"]])
def test_full_standard_output_is_told_from_a_full_folder(unbuffered: list[str]) -> None:
    program = (
        "from pathlib import Path; from utils.files import disk_errors; from utils.errors import command\n"
        "def main():\n    with disk_errors(Path('data')):\n        print('done', flush=True)\n"
        "raise SystemExit(command(main)())"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, *unbuffered, "-c", program], stdout=full, stderr=subprocess.PIPE, cwd=PROJECT_ROOT
        )
    assert done.returncode == 2
    assert done.stderr.decode().startswith("error: cannot write to standard output: the disk is full")
    assert done.stderr.count(b"\n") == 1


def test_what_is_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "link to file").symlink_to("file")
    dangling = f"{tmp_path}/link is a symbolic link to nowhere, which is not there; make that, or choose another folder"
    for name, message in (
        ("file", f"{tmp_path}/file is a file, not a folder; choose another folder"),
        ("file/x/y", f"{tmp_path}/file is a file, not a folder; choose another folder"),
        ("link to file", f"{tmp_path}/link to file is a file, not a folder; choose another folder"),
        ("link", dangling),
        ("link/x", dangling),
        ("n" * 300, "no folder can be made there (File name too long); choose another one"),
    ):
        with pytest.raises(UserError) as refused:
            files.make_folder(tmp_path / name, "--out")
        assert str(refused.value) == f"--out {tmp_path / name}: {message}"
    files.make_folder(tmp_path / "new/folder", "--out")
    files.make_folder(tmp_path / "new/folder", "--out")
    assert (tmp_path / "new/folder").is_dir()
