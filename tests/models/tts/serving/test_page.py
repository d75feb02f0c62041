# ruff: noqa: E402
"""The web page: its files, and the page itself in a headless Chromium, used by the keyboard alone."""

from __future__ import annotations

import io
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

for package in ("starlette", "uvicorn", "httpx"):
    pytest.importorskip(package, reason=f"{package} is not installed: egs/tts/Jets/requirements-serve.txt")

import httpx
import uvicorn

from models.tts.jets.synthesizer import Synthesizer
from models.tts.serving.server import SpeechServer
from processors.speaker import Speaker
from tests.tiny_voice import make_experiment

TEXT = "Hello there. It costs $5, and that is that."
WORDS = ["Hello", "there", "It", "costs", "$5", "and", "that", "is", "that"]
# What is given to the loudspeaker, and which words are lit up.
WATCH = """
window.played = []; window.lit = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, offset) {
  window.clock = this.context;
  window.played.push({ when, offset, seconds: this.buffer.duration, samples: [...this.buffer.getChannelData(0)] });
  return start.call(this, when, offset);
};
addEventListener("DOMContentLoaded", () => new MutationObserver((changes) => {
  for (const { target } of changes) if (target.className === "now") window.lit.push(target.textContent);
}).observe(document.getElementById("words"), { subtree: true, attributeFilter: ["class"] }));
"""
# Whether all that was given to the loudspeaker has been heard.
NOTHING_LEFT = "() => window.played.some(({ when, seconds }) => window.clock.currentTime > when + seconds)"


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    folder = make_experiment(tmp_path_factory.mktemp("paged"), ("model.generator=istft",), steps=(4,))
    return Synthesizer.from_experiment(folder, "cpu")


@contextmanager
def serving(voice: Speaker, **settings: Any) -> Iterator[str]:
    """The address of a server of its own thread."""
    config = uvicorn.Config(SpeechServer(voice, "tiny", **settings).app(), port=0, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: tests/requirements.txt")
    with api.sync_playwright() as driver:
        names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        path = next(filter(None, map(shutil.which, names)), driver.chromium.executable_path)
        if not Path(path).is_file():
            pytest.skip("no Chromium is installed: the system's package `chromium`, or `playwright install chromium`")
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@contextmanager
def visit(chromium: Any, address: str) -> Iterator[Any]:
    """The page in a new profile, which asks nobody else for anything and breaks none of its own rules."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    page, asked, wrong = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.add_init_script(WATCH)
    try:
        page.goto(address)
        until(lambda: page.locator("#voice option").count() or page.is_visible("#error"))
        yield page
    finally:
        context.close()
    assert all(url.startswith((address, "data:", f"blob:{address}")) for url in asked)
    # The browser itself notes answers that are errors, or broken off.
    assert [text for text in wrong if not text.startswith("Failed to load resource: ")] == []


def until(condition: Callable[[], object]) -> None:
    """Wait: the page's policy forbids what Playwright would wait with."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def tab_to(page: Any, name: str) -> None:
    """Press Tab until something has the focus, which has to be seen."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == name:
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    raise AssertionError(f"{name} is out of reach of the keyboard")


def finished(page: Any) -> None:
    until(lambda: "seconds of speech" in page.inner_text("#status") and page.inner_text("#pause") == "Play")


def played(page: Any) -> tuple[np.ndarray, list[float]]:
    """Samples that were given to the loudspeaker, and the seconds of silence in front of each piece but the first."""
    parts = page.evaluate("window.played")
    gaps = [after["when"] - part["when"] - part["seconds"] for part, after in zip(parts, parts[1:])]
    return np.concatenate([part["samples"] for part in parts]), gaps


def test_files_come_without_a_key_under_a_strict_policy(voice: Synthesizer) -> None:
    with serving(voice, api_key="secret") as address, httpx.Client(base_url=address) as client:
        page = client.get("/")
        names = re.findall(r'(?:src|href)="(page/[^"]+)"', page.text)
        names += re.findall(r'from "\./([^"]+)"', client.get("/page/page.js").text)
        assert page.headers["content-type"] == "text/html; charset=utf-8" and len(names) == 4
        for name in names:
            answer = client.get(name if name.startswith("page/") else f"page/{name}")
            assert answer.status_code == 200
            assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        for wrong in ("page/__init__.py", "page/../server.py", "page/%2e%2e/server.py", "page/"):
            assert client.get(wrong).status_code == 404
        assert client.get("v1/audio/voices").status_code == 401


def test_a_text_is_spoken_word_by_word(voice: Synthesizer, chromium: Any, tmp_path: Path) -> None:
    with serving(voice) as address, visit(chromium, address) as page:
        tab_to(page, "text")
        page.keyboard.type(TEXT)
        tab_to(page, "speed")
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        assert page.get_attribute("#speed", "aria-valuetext") == "1.25×"
        tab_to(page, "speak")
        page.keyboard.press("Enter")
        finished(page)
        expected = voice.tts(TEXT, speed=1.25)[0]
        samples, gaps = played(page)
        np.testing.assert_allclose(samples, expected, atol=1e-4)
        assert gaps and min(gaps) > -1e-6
        lit, words = page.evaluate("window.lit"), iter(WORDS)
        # In order; a busy machine may skip a frame.
        assert all(word in words for word in lit) and len(lit) >= 7
        assert page.inner_text("#words").strip() == TEXT
        assert page.evaluate(
            "new Set(document.getElementById('spectrogram').getContext('2d').getImageData(0, 0, 99, 99).data).size > 50"
        )
        with page.expect_download() as download:
            tab_to(page, "download")
            page.keyboard.press("Enter")
        wave, rate = soundfile.read(io.BytesIO(Path(download.value.path()).read_bytes()))
        assert rate == voice.sample_rate
        np.testing.assert_allclose(wave, expected, atol=1e-4)
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_position_pause_and_stop(voice: Synthesizer, chromium: Any) -> None:
    with serving(voice) as address, visit(chromium, address) as page:
        page.fill("#text", " ".join([TEXT] * 4))
        page.keyboard.press("Control+Enter")
        until(lambda: float(page.input_value("#position")) > 0.3)
        tab_to(page, "pause")
        page.keyboard.press("Enter")
        until(lambda: page.inner_text("#pause") == "Resume")
        time.sleep(0.1)
        place = page.input_value("#position")
        time.sleep(0.2)
        assert page.input_value("#position") == place
        page.evaluate("window.lit = []")
        tab_to(page, "position")
        page.keyboard.press("End")
        page.keyboard.press("PageDown")
        assert float(page.input_value("#position")) > float(place)
        page.focus("#stop")
        page.keyboard.press("Enter")
        assert page.inner_text("#status") == "Stopped."
        # It keeps the focus, and has no effect.
        assert page.evaluate("document.activeElement.id") == "stop"
        assert page.get_attribute("#stop", "aria-disabled") == "true"


def test_errors_are_the_servers_and_history_stays(voice: Synthesizer, chromium: Any) -> None:
    with serving(voice) as address, visit(chromium, address) as page:
        page.fill("#text", "Well.")
        page.keyboard.press("Control+Enter")
        finished(page)
        page.fill("#text", "<speak>oh <b>no</speak>")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#error:not([hidden])")
        assert page.get_attribute("#error", "role") == "alert"
        assert page.inner_text("#error").startswith("SSML, line 1, column 18: this closing tag does not match <b>")
        page.reload()
        assert page.input_value("#text") == "Well."
        assert page.locator("#history li").count() == 1
        page.locator("summary", has_text="History").click()
        page.focus("#forget")
        page.keyboard.press("Enter")
        page.reload()
        assert page.locator("#history li").count() == 0 and page.input_value("#text") == ""


def test_a_key_is_asked_for_and_kept_only_on_demand(voice: Synthesizer, chromium: Any) -> None:
    with serving(voice, api_key="secret") as address, visit(chromium, address) as page:
        assert page.inner_text("#error") == "give this server's API key: Authorization: Bearer KEY"
        for keep in (False, True):
            until(lambda: page.evaluate("document.activeElement.id") == "key")
            assert page.input_value("#key") == ""
            page.keyboard.type("secret")
            if keep:
                page.check("#keep")
            page.press("#key", "Enter")
            until(lambda: page.inner_text("#status") == "The server takes this key.")
            assert page.is_hidden("#error")
            page.fill("#text", "Well.")
            page.keyboard.press("Control+Enter")
            finished(page)
            page.reload()
        assert page.input_value("#key") == "secret"
        until(lambda: page.locator("#voice option").count())


class FailingVoice(Synthesizer):
    """Speaks when it is told to, and fails in the middle."""

    go: threading.Semaphore

    def stream(self, text: Any, timeline: Any = None, **controls: Any) -> Iterator[np.ndarray]:
        """A second of noise, and the end."""
        for _ in range(4):
            assert self.go.acquire(timeout=30)
            yield np.full(self.sample_rate // 4, 0.1, np.float32)
        assert self.go.acquire(timeout=30)
        raise RuntimeError


def test_a_slow_answer_is_played_and_a_broken_one_told(voice: Synthesizer, chromium: Any) -> None:
    failing = FailingVoice.__new__(FailingVoice)
    failing.__dict__ |= voice.__dict__
    failing.go = threading.Semaphore(0)
    with serving(failing) as address, visit(chromium, address) as page:
        page.fill("#text", TEXT)
        page.keyboard.press("Control+Enter")
        until(lambda: page.inner_text("#status") == "Waiting for the server …")
        failing.go.release()
        until(lambda: page.evaluate(f"({NOTHING_LEFT})()"))
        failing.go.release(3)
        until(lambda: page.evaluate("window.played.length") == 4)
        failing.go.release()
        page.wait_for_selector("#error:not([hidden])")
        assert page.inner_text("#error") == "The server's answer broke off."
        samples, gaps = played(page)
        assert len(samples) == voice.sample_rate // 4 * 4
        # One gap, in which enough is gathered, instead of one behind each piece.
        assert gaps[0] > 0.5 and max(np.abs(gaps[1:])) < 1e-6
