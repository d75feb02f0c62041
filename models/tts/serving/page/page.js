// The page: a form for the speech endpoint, and what is shown while it is answered.

import { Player } from "./player.js";
import { PAGE_SECONDS, Spectrogram } from "./spectrogram.js";

const $ = (id) => document.getElementById(id);
const FIELDS = ["text", "voice", "language", "speed", "pitch", "energy"];
const SLIDERS = ["speed", "pitch", "energy"];
const REMEMBERED = 20; // texts in the history
const EXAMPLE = `<speak>
  This is <emphasis level="strong">important</emphasis>. <break time="600ms"/>
  Room <say-as interpret-as="characters">B12</say-as>, <prosody rate="slow" pitch="+2st">very slowly</prosody>.
</speak>`;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const player = new Player();
const spectrogram = new Spectrogram($("spectrogram"));
let rate = 0; // samples a second, of this server's voice
let call = new AbortController(); // what the server was asked last ...
let asking = false; // ... and whether it still answers
let words = []; // {start, end, place}, place is its element
let lit = null; // the element of the word that is heard

// What the browser keeps; it may be told to keep nothing.
const store = {
  read(name, otherwise) {
    try { return JSON.parse(localStorage.getItem(`speak.${name}`)) ?? otherwise; } catch { return otherwise; }
  },
  write(name, value) {
    try {
      if (value === null) localStorage.removeItem(`speak.${name}`);
      else localStorage.setItem(`speak.${name}`, JSON.stringify(value));
    } catch { /* then it is not kept */ }
  },
};

function fail(message) {
  $("status").textContent = "";
  $("error").hidden = false;
  $("error").textContent = message;
}

// The server's answer; an Error with its own words.
async function ask(path, body, signal) {
  const key = $("key").value.trim();
  const headers = { ...(body && { "Content-Type": "application/json" }), ...(key && { Authorization: `Bearer ${key}` }) };
  let answer;
  try {
    answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    throw signal?.aborted ? error : new Error("The server does not answer. Does it still run?");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) {
    $("key-details").open = true;
    $("key").focus();
  }
  const told = await answer.json().catch(() => null);
  throw new Error(told?.error?.message ?? `The server answered ${answer.status} ${answer.statusText}`);
}

// Server-sent events of an answer, as objects, up to the one that ends it.
async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true }));
    if (done) throw new Error("The server's answer broke off.");
    const parts = (text + value).split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const event = JSON.parse(part.replace(/^data: /, ""));
      if (event.type === "speech.audio.done") return;
      yield event;
    }
  }
}

async function speak() {
  call.abort();
  const mine = (call = new AbortController());
  const asked = Object.fromEntries(FIELDS.map((name) => [name, $(name).value]));
  const numbers = Object.fromEntries(SLIDERS.map((name) => [name, Number(asked[name])]));
  const body = {
    model: "tts-1", input: asked.text, voice: asked.voice || "default", language: asked.language || null, ...numbers,
    response_format: "pcm", stream_format: "sse", return_timestamps: true,
  };
  $("error").hidden = true;
  if (!rate) await load(); // the server has been asked in vain before
  if (!rate || mine.signal.aborted) return;
  $("status").textContent = "Waiting for the server …";
  const began = performance.now();
  let wait = 0;
  asking = true;
  try {
    player.open(rate);
    show();
    const answer = await ask("v1/audio/speech", body, mine.signal);
    if (mine.signal.aborted) return;
    rate = Number(answer.headers.get("X-Sample-Rate")); // the server may be another one by now
    begin(asked);
    for await (const event of events(answer)) {
      if (mine.signal.aborted) return;
      if (event.type === "speech.audio.words") write(event);
      else if (event.type === "speech.audio.delta") {
        if (!wait) {
          wait = performance.now() - began;
          $("status").textContent = "Speaking …";
        }
        const bytes = Uint8Array.from(atob(event.audio), (sign) => sign.charCodeAt(0));
        const samples = Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32768);
        player.add(samples);
        spectrogram.add(samples);
      }
    }
    $("status").textContent = `${player.seconds.toFixed(1)} seconds of speech; the first of it came after ${Math.round(wait)} ms.`;
  } catch (error) {
    if (!mine.signal.aborted) fail(error.message);
  }
  if (mine === call) asking = false;
}

// What was heard before goes, now that something new comes.
function begin(asked) {
  player.open(rate);
  player.begin();
  spectrogram.begin(rate);
  words = [];
  $("words").replaceChildren();
  $("words").lang = asked.language;
  $("spoken").hidden = false;
  remember(asked);
}

// A sentence's text, its words to be lit up.
function write({ text, words: rows }) {
  const line = [];
  let at = 0;
  for (const { word, offset, start_time: start, end_time: end } of rows) {
    const place = document.createElement("span");
    place.textContent = word;
    line.push(text.slice(at, offset), place);
    at = offset + word.length;
    words.push({ start, end, place });
  }
  $("words").append(...line, text.slice(at), " ");
}

function stop() {
  call.abort();
  asking = false;
  player.stop();
  $("status").textContent = "Stopped.";
}

// What changes while something is heard.
let shown = 0;
function show() {
  cancelAnimationFrame(shown);
  const at = player.position, { seconds } = player, active = asking || player.active;
  enable("pause", seconds > 0 && (player.active || !asking));
  enable("stop", active);
  enable("download", seconds > 0);
  $("pause").textContent = !active ? "Play" : player.paused ? "Resume" : "Pause";
  $("position").max = seconds.toFixed(1);
  $("position").value = at;
  $("position").setAttribute("aria-valuetext", `${at.toFixed(1)} of ${seconds.toFixed(1)} seconds`);
  $("clock").textContent = `${at.toFixed(1)} / ${seconds.toFixed(1)} s`;
  const from = spectrogram.draw(at), place = calm.matches ? Math.floor(at) : at;
  $("from").textContent = `${from} s`;
  $("to").textContent = `${from + PAGE_SECONDS} s`;
  $("cursor").style.transform = `translateX(${(100 * (place - from)) / PAGE_SECONDS}%)`;
  light(words.findLast((word) => word.start <= at && at < word.end)?.place ?? null);
  if (active) shown = requestAnimationFrame(show);
}

function light(place) {
  if (place === lit) return;
  lit?.classList.remove("now");
  lit = place;
  if (!place) return;
  place.classList.add("now");
  const box = $("words");
  if (place.offsetTop < box.scrollTop || place.offsetTop + place.offsetHeight > box.scrollTop + box.clientHeight)
    box.scrollTop = place.offsetTop - place.offsetHeight;
}

// A button that is off keeps the focus, unlike one that is disabled.
function enable(id, on) {
  $(id).setAttribute("aria-disabled", !on);
}

function press(id, action) {
  $(id).addEventListener("click", () => {
    if ($(id).getAttribute("aria-disabled") !== "true") action();
    show();
  });
}

function seek(seconds) {
  player.seek(seconds);
  show();
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(player.wav());
  link.download = "speech.wav";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function describe(slider) {
  const text = `${slider.value}${slider.dataset.unit}`;
  slider.setAttribute("aria-valuetext", text);
  slider.parentElement.querySelector(".value").textContent = text;
}

function fill(values, names = FIELDS) {
  for (const name of names) if (values[name] !== undefined) $(name).value = values[name];
  for (const select of [$("voice"), $("language")]) if (select.selectedIndex < 0) select.selectedIndex = 0;
  SLIDERS.forEach((name) => describe($(name)));
}

function remember(asked) {
  const others = store.read("history", []).filter((entry) => JSON.stringify(entry) !== JSON.stringify(asked));
  store.write("history", [asked, ...others].slice(0, REMEMBERED));
  list();
}

function list() {
  const entries = store.read("history", []);
  enable("forget", entries.length > 0);
  $("history").replaceChildren(...entries.map((entry) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.textContent = entry.text.trim().slice(0, 200);
    button.addEventListener("click", () => { fill(entry); $("text").focus(); });
    item.append(button);
    return item;
  }));
}

function nameOf(language) {
  try { return new Intl.DisplayNames(["en"], { type: "language" }).of(language); } catch { return language; }
}

// Who speaks here, and in which languages.
async function load(chosen = { voice: $("voice").value, language: $("language").value }) {
  try {
    const told = await (await ask("v1/audio/voices")).json();
    const languages = told.languages.map((language) => new Option(nameOf(language), language));
    const own = new Option("Its own", "");
    $("voice").replaceChildren(...told.voices.map(({ id, name }) => new Option(name, id)));
    $("language").replaceChildren(...(languages.length > 1 ? [own] : []), ...languages);
    fill(chosen, ["voice", "language"]);
    rate = told.sample_rate;
    $("error").hidden = true;
  } catch (error) {
    fail(error.message);
  }
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); speak(); });
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); speak(); }
});
press("pause", () => {
  if (player.active) { player.paused = !player.paused; return; }
  player.paused = false;
  player.seek(player.position < player.seconds - 0.1 ? player.position : 0);
});
press("stop", stop);
press("download", save);
press("plain", () => fill({ speed: 1, pitch: 0, energy: 0 }));
press("example", () => { $("text").value = EXAMPLE; $("text").focus(); });
press("forget", () => { store.write("history", null); list(); });
$("position").addEventListener("input", () => {
  if (!player.active) player.paused = true; // moved, and not yet to be heard
  seek(Number($("position").value));
});
$("words").addEventListener("click", ({ target }) => {
  const word = words.find(({ place }) => place === target);
  if (!word) return;
  player.paused = false;
  seek(word.start);
});
SLIDERS.forEach((name) => $(name).addEventListener("input", () => describe($(name))));
for (const name of ["key", "keep"])
  $(name).addEventListener("change", () => {
    store.write("key", $("keep").checked ? $("key").value.trim() : null);
    if (name === "key") load().then(() => { if ($("error").hidden) $("status").textContent = "The server takes this key."; });
  });

$("key").value = store.read("key", "");
$("keep").checked = $("key").value !== "";
list();
const last = store.read("history", [])[0] ?? {};
fill(last);
show();
load(last);
