// Speech that is played while it arrives, from any place in it.

const SOON = 0.05; // seconds: what is to be heard sooner might come too late
const PATIENCE = 0.6; // ... and how long to gather more once nothing was left to play

export class Player {
  rate = 0;
  seconds = 0; // of what has arrived
  #context = null;
  #parts = []; // {at, buffer}
  #sounding = []; // {at, when, seconds, source}, in order
  #start = 0; // where playing began ...
  #next = 0; // ... and when what is scheduled ends

  // To be called when the user presses something: browsers allow no sound before.
  open(rate) {
    this.stop();
    if (this.rate !== rate) {
      this.#context?.close();
      this.#context = new AudioContext({ sampleRate: rate });
      this.rate = rate;
    }
    this.#context.resume();
  }

  // Something new.
  begin() {
    this.#silence();
    this.#parts = [];
    this.seconds = this.#start = this.#next = 0;
  }

  // Samples are float, in [-1, 1].
  add(samples) {
    const buffer = this.#context.createBuffer(1, samples.length, this.rate);
    buffer.copyToChannel(samples, 0);
    const part = { at: this.seconds, buffer };
    this.#parts.push(part);
    this.seconds += buffer.duration;
    this.#schedule(part, part.at);
  }

  #schedule({ at, buffer }, from) {
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(this.#context.destination);
    const now = this.#context.currentTime;
    const when = this.#next > now ? this.#next : now + (this.#next ? PATIENCE : SOON);
    source.start(when, from - at);
    const seconds = buffer.duration - (from - at);
    this.#sounding.push({ at: from, when, seconds, source });
    this.#next = when + seconds;
  }

  seek(seconds) {
    this.#silence();
    this.#start = seconds;
    this.#next = 0;
    for (const part of this.#parts) {
      const from = Math.max(part.at, seconds);
      if (from < part.at + part.buffer.duration) this.#schedule(part, from);
    }
  }

  #silence() {
    for (const { source } of this.#sounding) source.stop();
    this.#sounding = [];
  }

  stop() {
    this.#start = this.position;
    this.#silence();
  }

  // Where the listener is, in seconds.
  get position() {
    if (!this.#context) return 0;
    const now = this.#context.currentTime - (this.#context.outputLatency || 0);
    while (this.#sounding[1]?.when <= now) this.#sounding.shift();
    const [first] = this.#sounding;
    return first ? first.at + Math.min(Math.max(now - first.when, 0), first.seconds) : this.#start;
  }

  // Whether something is left to be heard.
  get active() {
    return this.#sounding.length > 0 && this.position < this.seconds - 0.001;
  }

  get paused() {
    return this.#context?.state === "suspended";
  }

  set paused(wanted) {
    if (wanted) this.#context.suspend();
    else this.#context.resume();
  }

  // A wav file of what has arrived.
  wav() {
    const counts = this.#parts.map(({ buffer }) => buffer.length);
    const size = 2 * counts.reduce((sum, count) => sum + count, 0);
    const view = new DataView(new ArrayBuffer(44 + size));
    const name = (at, text) => [...text].forEach((sign, i) => view.setUint8(at + i, sign.charCodeAt(0)));
    name(0, "RIFF"); name(8, "WAVE"); name(12, "fmt "); name(36, "data");
    [[4, 36 + size], [16, 16], [24, this.rate], [28, 2 * this.rate], [40, size]].forEach(([at, n]) => view.setUint32(at, n, true));
    [[20, 1], [22, 1], [32, 2], [34, 16]].forEach(([at, n]) => view.setUint16(at, n, true));
    let at = 44;
    for (const { buffer } of this.#parts)
      for (const sample of buffer.getChannelData(0)) {
        view.setInt16(at, Math.round(sample * 32768), true);
        at += 2;
      }
    return new Blob([view], { type: "audio/wav" });
  }
}
