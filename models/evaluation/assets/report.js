"use strict";
// Draws the report from the two JSON blocks of the page. Nothing is fetched.
const DATA = JSON.parse(document.getElementById("data").textContent);
let parsedMedia = null; // tens of megabytes: read when the first row opens
const mediaOf = (id) => (parsedMedia ||= JSON.parse(document.getElementById("media").textContent))[id];
const M = DATA.measures, KEYS = Object.keys(M), byId = (id) => document.getElementById(id);
// Columns that the table of utterances shows where there is room; any other one joins when it is sorted by.
const COLUMNS = ["wer", "cer", "dnsmos_ovrl", "mcd", "log_f0_rmse", "log_f0_correlation", "voicing_error",
  "energy_correlation", "duration_ratio", "characters_per_second", "copy_stft_distance", "zero_durations"];
const COLOURS = ["#e8710a", "#12805c", "#a142f4", "#c2185b", "#00838f"];

function el(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "line", "text", "circle", "rect", "g", "polyline"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}
const plain = (value) => (value === null || value === undefined ? null : Array.isArray(value) ? value[0] / value[1] : value);
const figure = (record, key) => { const x = plain(record.values[key]); return Number.isFinite(x) ? x : null; };
function show(value, key) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return (value * M[key].scale).toFixed(M[key].decimals).replace("-", "−");
}
const ci = (e, key) => (e && e.low !== null && e.high !== null ? `[${show(e.low, key)}, ${show(e.high, key)}]` : "");
const arrow = (key) => ({ lower: "↓", higher: "↑", one: "→ 1", recording: "" })[M[key].better];
// How bad an utterance's value is, larger is worse; null where it has none.
function badness(record, key) {
  const value = figure(record, key), own = plain(record.recording_values[key]);
  if (value === null) return null;
  return { lower: value, higher: -value, one: Math.abs(Math.log(Math.max(value, 1e-3))),
    recording: own === null ? 0 : Math.abs(value - own) }[M[key].better];
}

// --- head, tiles, summary
function drawHead() {
  const failed = DATA.utterances.filter((u) => u.failures.length).length;
  const chips = Object.entries(DATA.source).map(([key, value]) => el("span", {}, `${key} `, el("b", {}, value)));
  chips.push(el("span", {}, "utterances ", el("b", {}, `${DATA.utterances.length} judged`),
    failed ? el("b", { class: "bad" }, `, ${failed} failed`) : ", none failed",
    DATA.skipped.length ? el("b", { class: "bad" }, `, ${DATA.skipped.length} skipped`) : ""));
  byId("head").append(el("h1", {}, DATA.system), el("div", { class: "chips" }, chips));
  byId("notes").append(...DATA.notes.map((note) => el("div", { class: "note" }, note)));
  const wanted = ["wer", "dnsmos_ovrl", "mcd", "log_f0_rmse", "duration_ratio", "characters_per_second", "copy_stft_distance"];
  byId("tiles").append(...wanted.filter((key) => DATA.summary[key]).map((key) => {
    const e = DATA.summary[key], ceiling = DATA.recordings[key];
    return el("div", { class: "card tile", title: M[key].definition },
      el("div", { class: "label" }, M[key].label),
      el("div", { class: "value" }, show(e.value, key), el("small", {}, M[key].unit)),
      el("div", { class: "below" }, ceiling ? `recordings ${show(ceiling.value, key)}` : ci(e, key) || `n = ${e.n}`));
  }));
}
const SYSTEMS = [{ name: DATA.system, summary: DATA.summary, colour: "var(--accent)" },
  ...(Object.keys(DATA.recordings).length ? [{ name: "recordings", summary: DATA.recordings, colour: "var(--other)" }] : []),
  ...DATA.others.map((other, i) => ({ name: other.system, summary: other.summary, colour: COLOURS[i % COLOURS.length] }))];

function intervalPlot(key) {
  const shown = SYSTEMS.map((s) => [s, s.summary[key]]).filter(([, e]) => e);
  if (shown.length < 2) return "";
  const values = shown.flatMap(([, e]) => [e.low, e.high, e.value].filter((x) => x !== null));
  const low = Math.min(...values), high = Math.max(...values), span = high - low || Math.abs(high) || 1;
  const x = (value) => 6 + 228 * (value - low) / span;
  const svg = el("svg", { viewBox: "0 0 240 26", role: "img", "aria-label": `Intervals of ${M[key].label}` });
  shown.forEach(([system, e], i) => {
    const y = shown.length === 1 ? 13 : 4 + 18 * i / (shown.length - 1);
    if (e.low !== null) svg.append(el("line", { x1: x(e.low), x2: x(e.high), y1: y, y2: y, "stroke-width": 2.5,
      "stroke-linecap": "round", style: `stroke:${system.colour};opacity:.45` }));
    svg.append(el("circle", { cx: x(e.value), cy: y, r: 3.6, style: `fill:${system.colour}` }));
  });
  return svg;
}
function drawSummary() {
  const body = el("tbody");
  let group = "";
  for (const key of KEYS) {
    if (M[key].group !== group) {
      group = M[key].group;
      body.append(el("tr", { class: "group" }, el("td", { colspan: SYSTEMS.length + 2 }, group)));
    }
    const cells = SYSTEMS.map((system, i) => {
      const e = system.summary[key];
      return el("td", {}, el("span", { class: i ? "" : "own" }, e ? show(e.value, key) : "–"),
        e ? el("span", { class: "ci" }, ci(e, key)) : null);
    });
    body.append(el("tr", {}, el("td", {}, el("abbr", { title: M[key].definition }, M[key].label),
      el("span", { class: "unit" }, `${M[key].unit} ${arrow(key)}`)), cells, el("td", { class: "plot" }, intervalPlot(key))));
  }
  const head = el("tr", {}, el("th"), SYSTEMS.map((s) => el("th", { scope: "col" }, s.name)), el("th", { class: "plot" }));
  byId("summary").append(el("h2", {}, "Summary"),
    el("div", { class: "card scroll" }, el("table", {}, el("thead", {}, head), body)),
    el("div", { class: "legend" }, SYSTEMS.map((s) => el("span", {}, el("i", { class: "dot", style: `background:${s.colour}` }), s.name)),
      el("span", {}, `Brackets and bars: ${Math.round(DATA.confidence * 100)} % confidence, bootstrap over utterances`)));
}
function drawGroups() {
  if (!DATA.groups.length) return;
  const keys = KEYS.filter((key) => DATA.groups.some((group) => group.summary[key]));
  const head = ["speaker", "language", "utterances", ...keys.map((key) => `${M[key].label} ${M[key].unit} ${arrow(key)}`)];
  const rows = DATA.groups.map((group) => el("tr", {}, el("td", {}, group.speaker || "all"), el("td", {}, group.language),
    el("td", {}, group.utterances), keys.map((key) => {
      const e = group.summary[key], own = group.recordings[key];
      return el("td", {}, e ? show(e.value, key) : "–", own ? ` (${show(own.value, key)})` : "",
        e ? el("span", { class: "ci" }, ci(e, key)) : null);
    })));
  byId("summary").append(el("h2", {}, "By speaker and language"), el("div", { class: "card scroll" },
    el("table", {}, el("thead", {}, el("tr", {}, head.map((title) => el("th", { scope: "col" }, title)))), el("tbody", {}, rows))),
    el("div", { class: "legend" }, "In parentheses: the recordings"));
}
function drawProblems() {
  const lists = [["Failed", DATA.utterances.filter((u) => u.failures.length).map((u) => [u.id, u.failures.join("; ")])],
    ["Skipped", DATA.skipped.map((s) => [s.id, s.reason])]];
  for (const [title, entries] of lists) {
    if (!entries.length) continue;
    byId("problems").append(el("h2", {}, `${title} (${entries.length})`), el("div", { class: "card" },
      el("ul", {}, entries.map(([id, reason]) => el("li", {}, el("b", {}, id), `: ${reason}`)))));
  }
}

// --- one utterance in full
function words(edits) {
  const line = el("div", { class: "words" });
  for (const [kind, expected, heard] of edits) {
    if (kind === "same") line.append(expected);
    if (kind === "replaced" || kind === "missing") line.append(el("del", { title: "in the text" }, expected));
    if (kind === "replaced") line.append(" ", el("ins", { title: "heard" }, heard));
    if (kind === "extra") line.append(el("ins", { class: "extra", title: "heard, not in the text" }, heard));
    line.append(" ");
  }
  return line;
}
const ICONS = { play: "M3 1.5v13l11-6.5z", pause: "M3 2h4v12H3zM9 2h4v12H9z" };
const icon = (name) => el("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, el("path", { d: ICONS[name] }));
let playing = null;
function clipView(title, clip, longest, reference, media) {
  const width = `${Math.max(12, 100 * clip.seconds / longest)}%`;
  const head = el("div", { class: "head" });
  const picture = el("div", { class: "picture", style: `width:${width}`, role: "slider", tabindex: 0, "aria-valuemin": 0,
    "aria-valuemax": clip.seconds.toFixed(2), "aria-valuenow": 0, "aria-label": `Position in ${title}` },
  el("img", { src: clip.spectrogram, alt: `Spectrogram: ${title}` }), head);
  const button = el("button", { class: "play", "aria-label": `Play ${title}`, disabled: !clip.audio }, icon("play"));
  const time = el("span", {}, `${clip.seconds.toFixed(2)} s`);
  let audio = null;
  const tick = () => {
    head.style.left = `${100 * audio.currentTime / clip.seconds}%`;
    picture.setAttribute("aria-valuenow", audio.currentTime.toFixed(2));
    if (!audio.paused) requestAnimationFrame(tick);
  };
  const open = () => {
    if (audio) return audio;
    audio = new Audio(clip.audio);
    audio.addEventListener("play", () => {
      if (playing && playing !== audio) playing.pause();
      playing = audio;
      picture.classList.add("playing");
      button.replaceChildren(icon("pause"));
      tick();
    });
    audio.addEventListener("pause", () => button.replaceChildren(icon("play")));
    audio.addEventListener("ended", () => { audio.currentTime = 0; picture.classList.remove("playing"); });
    return audio;
  };
  const seek = (seconds) => { open().currentTime = Math.min(Math.max(seconds, 0), clip.seconds - 0.01); tick(); };
  button.addEventListener("click", () => (open().paused ? audio.play() : audio.pause()));
  if (clip.audio) {
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      seek(clip.seconds * (event.clientX - box.left) / box.width);
      audio.play();
    });
    picture.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 0.25, ArrowLeft: -0.25 }[event.key];
      if (step) { seek(open().currentTime + step); event.preventDefault(); }
      if (event.key === " " || event.key === "Enter") { button.click(); event.preventDefault(); }
    });
  }
  const view = el("div", { class: `clip${reference ? " reference" : ""}${clip.audio ? "" : " mute"}` },
    el("h3", {}, title, time), button, picture);
  if (media && media.tokens) {
    const strip = el("div", { class: "tokens", style: `width:${width}`, "aria-hidden": "true" });
    let at = 0;
    media.tokens.forEach((token, i) => {
      const size = 100 * media.durations[i] * media.hop_seconds / clip.seconds;
      if (size > 0) strip.append(el("span", { style: `left:${at}%;width:${size}%`, title: token }, size > 1 ? token.replace(/\d$/, "") : ""));
      at += size;
    });
    view.append(strip);
  }
  return view;
}
function melody(media) {
  const curves = [[media.recording_f0, "var(--other)"], [media.f0, "var(--accent)"]].filter(([c]) => c);
  const voiced = curves.flatMap(([c]) => c.filter((f) => f > 0));
  if (voiced.length < 3) return null;
  const low = Math.log2(Math.min(...voiced)) - 0.08, high = Math.log2(Math.max(...voiced)) + 0.08;
  const W = innerWidth > 760 ? 520 : 340, H = 170, left = 34, count = media.f0.length;
  const y = (f) => H - 22 - (H - 32) * (Math.log2(f) - low) / (high - low);
  const x = (i) => left + (W - left - 6) * i / Math.max(1, count - 1);
  const svg = el("svg", { class: "chart", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": "F0 curves" });
  for (const f of [60, 80, 100, 125, 150, 200, 250, 300, 400, 500]) {
    if (Math.log2(f) < low || Math.log2(f) > high) continue;
    svg.append(el("line", { x1: left, x2: W - 6, y1: y(f), y2: y(f), style: "stroke:var(--line)" }),
      el("text", { x: left - 5, y: y(f) + 4, "text-anchor": "end" }, f));
  }
  const total = count * media.hop_seconds;
  for (let s = 0; s <= total; s += total > 6 ? 2 : total > 3 ? 1 : 0.5) {
    svg.append(el("text", { x: x(s / media.hop_seconds), y: H - 5, "text-anchor": s ? "middle" : "start" }, `${s} s`));
  }
  for (const [f0, colour] of curves) {
    let d = "", pen = false;
    f0.forEach((f, i) => {
      if (f > 0) d += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(f).toFixed(1)}`;
      pen = f > 0;
    });
    svg.append(el("path", { d, fill: "none", "stroke-width": 2.2, "stroke-linejoin": "round", "stroke-linecap": "round",
      style: `stroke:${colour}` }));
  }
  return svg;
}
function alignmentView(media) {
  const frames = media.path.reduce((a, b) => a + b, 0), tokens = media.path.length;
  let d = "M0 " + tokens, at = 0;
  media.path.forEach((size, i) => { d += `H${at} V${tokens - i - 0.5}`; at += size; d += `H${at}`; });
  const svg = el("svg", { viewBox: `0 0 ${frames} ${tokens}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    el("path", { d, fill: "none", "vector-effect": "non-scaling-stroke", "stroke-width": 1.2, style: "stroke:#5ad1ff" }));
  return el("div", { class: "align" }, el("img", { src: media.alignment, alt: "Alignment of text and recording" }), svg);
}
const panel = (title, ...content) => el("div", { class: "card panel" }, title ? el("h3", {}, title) : null, ...content);
function detail(record) {
  const media = mediaOf(record.id), left = [], right = [];
  const text = [];
  if (record.failures.length) text.push(el("p", {}, record.failures.map((f) => el("span", { class: "flag" }, f))));
  const diff = DATA.diffs[record.id];
  if (diff) {
    if (diff.recording) text.push(el("h3", {}, "Heard in the recording"), words(diff.recording));
    text.push(el("h3", {}, "Heard in the synthesis"), words(diff.synthesis));
  } else text.push(el("h3", {}, "Text"), el("div", { class: "words" }, record.text));
  text.push(...record.notes.map((note) => el("div", { class: "note" }, note)));
  left.push(panel("", ...text));
  if (media) {
    const longest = Math.max(...Object.values(media.clips).map((clip) => clip.seconds));
    const titles = { recording: "Recording", synthesis: DATA.system, copy: "Copy synthesis" };
    left.push(panel("", ...Object.entries(media.clips).map(([name, clip]) => clipView(titles[name] || name, clip, longest,
      name !== "synthesis", name === "synthesis" ? media : null))));
    const f0 = melody(media);
    if (f0) right.push(panel(`F0 in Hz: ${DATA.system}${media.recording_f0 ? ", and the recording (grey, time-warped)" : ""}`, f0));
    if (media.alignment) right.push(panel("Alignment of the recording: frames to the right, tokens upwards", alignmentView(media)));
  } else left.push(el("p", { class: "soft" }, "Players and pictures were made for the first utterances only (evaluate.report_players)."));
  const facts = el("div", { class: "facts" });
  for (const key of KEYS) {
    if (record.values[key] === undefined) continue;
    const name = M[key].label + (M[key].unit ? `, ${M[key].unit}` : "");
    const ceiling = plain(record.recording_values[key]);
    facts.append(el("div", { title: M[key].definition }, el("span", {}, name), el("b", {}, show(plain(record.values[key]), key)),
      el("span", {}, ceiling === null ? "" : show(ceiling, key))));
  }
  const figures = panel("Figures of this utterance, and of its recording", facts);
  if (!right.length) return el("div", { class: "panels" }, el("div", {}, left), figures);
  return el("div", { class: "panels" }, el("div", {}, left), el("div", {}, right), el("div", { class: "wide" }, figures));
}

// --- the table of utterances
const shownKeys = KEYS.filter((key) => DATA.summary[key]);
let sortKey = shownKeys.find((key) => ["cer", "mcd"].includes(key)) || shownKeys[0] || "";
let worstFirst = true, query = "", onlyFailed = false;
const heats = {};
for (const key of shownKeys) { // share of utterances that are better
  const order = DATA.utterances.map((u) => badness(u, key)).filter((b) => b !== null).sort((a, b) => a - b);
  heats[key] = (record) => {
    const b = badness(record, key), below = order.findIndex((x) => x >= b);
    return b === null || order[0] === order[order.length - 1] ? 0 : below / order.length;
  };
}
function sorted() {
  const value = (u) => (sortKey === "text" ? u.text.toLowerCase() : badness(u, sortKey));
  const rows = DATA.utterances.filter((u) => (!onlyFailed || u.failures.length) && `${u.id} ${u.text}`.toLowerCase().includes(query));
  return rows.map((u) => [value(u), u]).sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return (a < b ? -1 : a > b ? 1 : 0) * (sortKey === "text" || !worstFirst ? 1 : -1);
  }).map(([, u]) => u);
}
function drawRows() {
  const columns = shownKeys.filter((key) => COLUMNS.includes(key) || key === sortKey);
  const heading = (key, label) => {
    const direction = sortKey !== key ? null : key === "text" || (worstFirst === ["higher"].includes(M[key].better)) ? "ascending" : "descending";
    return el("th", { scope: "col", "aria-sort": direction, class: key === sortKey ? "chosen" : "", title: M[key] ? M[key].definition : null },
      el("button", { onclick: () => { worstFirst = sortKey === key ? !worstFirst : true; sortKey = key; drawRows(); } }, label));
  };
  const body = el("tbody");
  for (const record of sorted()) {
    const row = el("tr", { class: "row" }, el("td", {}, el("button", { class: "opener", "aria-expanded": "false" },
      el("span", {}, record.text, " ", el("span", { class: "id" }, record.id), " ", record.failures.length ? el("span", { class: "flag" }, "failed") : null))),
    columns.map((key) => {
      const value = figure(record, key), heat = Math.max(0, heats[key](record) - 0.7) * 0.9;
      return el("td", { class: key === sortKey ? "chosen" : "" },
        el("span", { class: "heat", style: heat > 0.01 ? `background:rgba(var(--bad),${heat.toFixed(2)})` : null }, show(value, key)));
    }));
    let more = null;
    row.addEventListener("click", () => {
      more = more ? (more.remove(), null) : el("tr", { class: "detail" }, el("td", { colspan: columns.length + 1 }, detail(record)));
      if (more) row.after(more);
      row.classList.toggle("open", !!more);
      row.querySelector("button").setAttribute("aria-expanded", String(!!more));
    });
    body.append(row);
  }
  const label = (key) => M[key].label;
  byId("rows").replaceChildren(el("thead", {}, el("tr", {}, heading("text", "Utterance"), columns.map((key) => heading(key, label(key))))), body);
  byId("sort").value = sortKey;
  byId("shown").textContent = `${body.children.length} of ${DATA.utterances.length}`;
}
function drawUtterances() {
  const option = (key) => el("option", { value: key }, M[key].label);
  byId("utterances").append(el("h2", {}, "Utterances"),
    el("div", { class: "tools" },
      el("input", { type: "search", placeholder: "Find text or id", "aria-label": "Find text or id", oninput: (e) => { query = e.target.value.toLowerCase(); drawRows(); } }),
      el("label", {}, "Worst first by", el("select", { id: "sort", onchange: (e) => { sortKey = e.target.value; worstFirst = true; drawRows(); } },
        shownKeys.map(option), el("option", { value: "text" }, "Text"))),
      DATA.utterances.some((u) => u.failures.length) ? el("label", {}, el("input", { type: "checkbox", onchange: (e) => { onlyFailed = e.target.checked; drawRows(); } }), "failed only") : null,
      el("span", { class: "soft", id: "shown" })),
    el("div", { class: "card" }, el("table", { id: "rows" })));
  drawRows();
}
function drawMethod() {
  const settings = Object.entries(DATA.settings).map(([key, value]) => `${key} ${value}`).join(", ");
  byId("method").append(el("h2", {}, "What the figures are"), el("dl", { class: "card" },
    KEYS.flatMap((key) => [el("dt", {}, M[key].label), el("dd", {}, M[key].definition)]),
    el("dt", {}, "Measured with"), el("dd", {}, settings)));
}
drawHead(); drawSummary(); drawGroups(); drawProblems(); drawUtterances(); drawMethod();
if (location.hash.length > 1) { // report.html#ID opens that utterance
  const wanted = decodeURIComponent(location.hash.slice(1));
  const row = [...document.querySelectorAll("tr.row")].find((r) => r.querySelector(".id").textContent === wanted);
  if (row) { row.click(); row.scrollIntoView(); }
}
