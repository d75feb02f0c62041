"""Stage 0 against a server on this machine: whole, broken, wrong and hostile archives."""

from __future__ import annotations

import bz2
import errno
import hashlib
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config.schema import ExperimentConfig
from models.registry import load_config
from preprocessors.download import download_dataset, download_datasets, unpack_archive
from utils.errors import UserError

FILES = {"metadata.csv": b"a|Hello.|Hello.\n", "README": b"a corpus", "wavs/a.wav": bytes(range(256)) * 400}


class Server:
    """What the test wants the server to do, and what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges: list[str | None] = []
        self.honour_ranges = True
        self.break_after: list[int] = []  # bytes after which the next connections break
        self.address = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            body = state.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start = 0
            if wanted and state.honour_ranges:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                if start >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            body = body[start:]
            self.wfile.write(body[: state.break_after.pop(0)] if state.break_after else body)

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{http.server_port}"
    yield state
    http.shutdown()
    http.server_close()


def tar_of(files: dict[str, bytes], top: str = "Corpus-1.0/") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:bz2") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(top + name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def make(tmp_path: Path, server: Server) -> Callable[..., ExperimentConfig]:
    """A config whose corpus lies in tmp_path and comes from the server."""

    def config(content: bytes, name: str = "corpus.tar.bz2", **wrong: object) -> ExperimentConfig:
        server.files[f"/{name}"] = content
        figures = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), **wrong}
        path = tmp_path / "exp.json"
        path.write_text(
            f"""{{base_config: "config/jets.json", dataset: ["Tiny"],
                 dataset_path: {{Tiny: "{tmp_path}/corpora/Tiny"}},
                 download: {{Tiny: {{url: "{figures.get("url", f"{server.address}/{name}")}",
                                    size: {figures["size"]}, sha256: "{figures["sha256"]}"}}}}}}"""
        )
        return load_config(path)

    return config


def assert_complete(tmp_path: Path) -> None:
    """The corpus is there with its contents, and nothing else is left beside it."""
    folder = tmp_path / "corpora" / "Tiny"
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == FILES
    assert [path.name for path in (tmp_path / "corpora").iterdir()] == ["Tiny"]


def test_downloads_unpacks_and_then_does_nothing(make, server, tmp_path, capsys):
    config = make(tar_of(FILES))
    assert download_datasets(config) == [tmp_path / "corpora" / "Tiny"]
    assert_complete(tmp_path)
    assert len(server.ranges) == 1
    download_datasets(config)
    assert len(server.ranges) == 1
    assert "already" in capsys.readouterr().out


def test_zip_and_archive_without_a_top_folder(make, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, content in FILES.items():
            zipped.writestr(name, content)
    download_datasets(make(buffer.getvalue(), "corpus.zip"))
    assert_complete(tmp_path)


@pytest.mark.parametrize(
    "breaks, part, honour, ranges",
    [
        pytest.param([100, 50], 0, True, [None, "bytes=100-", "bytes=150-"], id="continued where it broke"),
        pytest.param([], 64, True, ["bytes=64-"], id="an earlier attempt's part is continued"),
        pytest.param([100], 0, False, [None, "bytes=100-"], id="a server without ranges starts over"),
    ],
)
def test_interrupted_downloads(make, server, tmp_path, breaks, part, honour, ranges):
    content = tar_of(FILES)
    server.break_after, server.honour_ranges = breaks, honour
    if part:
        (tmp_path / "corpora").mkdir()
        (tmp_path / "corpora" / "corpus.tar.bz2.part").write_bytes(content[:part])
    download_datasets(make(content))
    assert server.ranges == ranges
    assert_complete(tmp_path)


def test_connection_that_keeps_breaking_keeps_what_it_has(make, server, tmp_path):
    server.break_after = [10] * 5
    with pytest.raises(UserError, match=r"ended after 50 of \d+ bytes; run stage 0 again"):
        download_datasets(make(tar_of(FILES)))
    assert (tmp_path / "corpora" / "corpus.tar.bz2.part").stat().st_size == 50
    download_datasets(make(tar_of(FILES)))
    assert_complete(tmp_path)


def test_wrong_digest_is_moved_aside_and_not_unpacked(make, tmp_path):
    with pytest.raises(UserError, match="SHA-256 digest .* expected.*moved to .*corpus.tar.bz2.bad"):
        download_datasets(make(tar_of(FILES), sha256="0" * 64))
    assert [path.name for path in (tmp_path / "corpora").iterdir()] == ["corpus.tar.bz2.bad"]
    download_datasets(make(tar_of(FILES)))


def test_wrong_size_is_refused_before_it_is_downloaded(make, tmp_path):
    content = tar_of(FILES)
    for size in (len(content) - 1, len(content) + 1):
        with pytest.raises(UserError, match=f"offers {len(content)} bytes, but {size} are expected"):
            download_datasets(make(content, size=size))
    assert list((tmp_path / "corpora").iterdir()) == []


def test_missing_file_and_dead_server(make, tmp_path):
    content = tar_of(FILES)
    config = make(content)
    gone = make(content, url=config.download["Tiny"].url.replace("corpus", "nothing"))
    with pytest.raises(UserError, match="answers 404"):
        download_datasets(gone)
    with pytest.raises(UserError, match="cannot be reached.*check the connection"):
        download_datasets(make(content, url="http://127.0.0.1:9/corpus.tar.bz2"))
    with pytest.raises(UserError, match="no usable address"):
        download_datasets(make(content, url="corpus.tar.bz2"))


def test_what_is_in_the_way_is_never_touched(make, server, tmp_path):
    folder = tmp_path / "corpora" / "Tiny"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="exists and is no corpus"):
        download_datasets(make(tar_of(FILES)))
    assert (folder / "thesis.txt").read_text() == "years of work"
    assert server.ranges == []
    (folder / "thesis.txt").unlink()
    with pytest.raises(UserError, match=r"download\.Tiny gives no address"):
        download_dataset(make(tar_of(FILES)).model_copy(update={"download": {}}), "Tiny")


def test_entries_that_leave_the_folder_and_links_are_refused(make, tmp_path):
    for number, name in enumerate(("../evil", "/tmp/evil", "a/../../evil")):
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as file:
            file.writestr(name, "x")
        for content, suffix in ((tar_of({**FILES, name: b"x"}, top=""), "tar.bz2"), (zipped.getvalue(), "zip")):
            with pytest.raises(UserError, match="refused"):
                download_datasets(make(content, f"corpus{number}.{suffix}"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        link = tarfile.TarInfo("wavs")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
    with pytest.raises(UserError, match="'wavs' is a link"):
        download_datasets(make(buffer.getvalue(), "corpus.tar"))
    assert not list(tmp_path.rglob("evil")) and not (tmp_path / "corpora" / "Tiny").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive at all" * 100, "broken, or no .tar"),
        (tar_of(FILES)[:-40], "broken"),
        (bz2.compress(b"not a tar" * 1000), "broken"),
        (tar_of({"readme": b"x"}), "no corpus in it"),
    ],
)
def test_bad_archives_leave_nothing_unpacked(make, tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        download_datasets(make(content))
    assert [path.name for path in (tmp_path / "corpora").iterdir()] == ["corpus.tar.bz2"]


def test_full_disk(make, tmp_path, monkeypatch):
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    config = make(tar_of(FILES))
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(UserError, match="cannot write to .*: the disk is full"):
        download_datasets(config)


def test_leftovers_of_a_killed_unpacking_are_replaced(tmp_path):
    archive = tmp_path / "corpus.tar.bz2"
    archive.write_bytes(tar_of(FILES))
    (tmp_path / ".unpack-Tiny" / "archive" / "wavs").mkdir(parents=True)
    (tmp_path / ".unpack-Tiny" / "archive" / "metadata.csv").write_text("half")
    unpack_archive(archive, tmp_path / "Tiny")
    assert (tmp_path / "Tiny" / "metadata.csv").read_bytes() == FILES["metadata.csv"]
    assert not (tmp_path / ".unpack-Tiny").exists()
