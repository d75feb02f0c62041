// A spectrogram, page by page: nothing scrolls.

export const PAGE_SECONDS = 6;
const TOP_HZ = 8000;
const SIZE = 1024; // samples of a window
const QUIET_DB = -85, LOUD_DB = -20; // of a bin, against full scale
const STOPS = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]; // dark to light

const PALETTE = Array.from({ length: 256 }, (_, level) => {
  const place = (level / 256) * (STOPS.length - 1), low = Math.floor(place);
  return STOPS[low].map((value, i) => value + (place - low) * (STOPS[low + 1][i] - value));
});
const WINDOW = Float32Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
const COS = Float32Array.from({ length: SIZE / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / SIZE));
const SIN = Float32Array.from({ length: SIZE / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / SIZE));

export class Spectrogram {
  #canvas;
  #rate = 0;
  #columns = []; // Uint8Array of levels, low frequencies first
  #pending = new Float32Array(0);
  #passed = 0; // samples in front of the pending ones
  #drawn = "";

  constructor(canvas) {
    this.#canvas = canvas;
  }

  begin(rate) {
    this.#rate = rate;
    this.#columns = [];
    this.#pending = new Float32Array(SIZE / 2); // a window lies around its time
    this.#passed = 0;
  }

  add(samples) {
    const all = new Float32Array(this.#pending.length + samples.length);
    all.set(this.#pending);
    all.set(samples, this.#pending.length);
    const step = (PAGE_SECONDS * this.#rate) / this.#canvas.width;
    let at = 0;
    while ((at = Math.round(this.#columns.length * step) - this.#passed) + SIZE <= all.length)
      this.#columns.push(this.#levels(all.subarray(at, at + SIZE)));
    this.#pending = all.slice(at);
    this.#passed += at;
  }

  #levels(wave) {
    const power = powers(wave), rows = this.#canvas.height, bins = (TOP_HZ / this.#rate) * SIZE;
    return Uint8Array.from({ length: rows }, (_, row) => {
      let most = 0;
      for (let bin = Math.floor((row * bins) / rows); bin < ((row + 1) * bins) / rows; bin++) most = Math.max(most, power[bin] || 0);
      const db = 10 * Math.log10(most + 1e-12);
      return Math.min(Math.max((db - QUIET_DB) / (LOUD_DB - QUIET_DB), 0), 1) * 255;
    });
  }

  // Show the page with a position; the number of the first second on it.
  draw(seconds) {
    const { width, height } = this.#canvas, page = Math.floor(seconds / PAGE_SECONDS);
    const columns = this.#columns.slice(page * width, (page + 1) * width);
    const state = `${page} ${columns.length}`;
    if (state !== this.#drawn) {
      const image = new ImageData(width, height);
      for (let x = 0; x < width; x++)
        for (let y = 0; y < height; y++)
          image.data.set([...PALETTE[columns[x]?.[height - 1 - y] ?? 0], 255], 4 * (y * width + x));
      this.#canvas.getContext("2d").putImageData(image, 0, 0);
      this.#drawn = state;
    }
    return page * PAGE_SECONDS;
  }
}

// Power of each frequency: Cooley and Tukey's transform, in place after putting samples into bit-reversed order.
function powers(wave) {
  const re = new Float32Array(SIZE), im = new Float32Array(SIZE);
  for (let i = 0, j = 0; i < SIZE; i++) {
    re[j] = wave[i] * WINDOW[i];
    let bit = SIZE >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j |= bit;
  }
  for (let half = 1; half < SIZE; half *= 2)
    for (let start = 0; start < SIZE; start += 2 * half)
      for (let k = 0; k < half; k++) {
        const turn = (k * SIZE) / (2 * half), a = start + k, b = a + half;
        const x = re[b] * COS[turn] - im[b] * SIN[turn], y = re[b] * SIN[turn] + im[b] * COS[turn];
        re[b] = re[a] - x; im[b] = im[a] - y;
        re[a] += x; im[a] += y;
      }
  const scale = (4 / SIZE) ** 2; // a sine of full scale has power 1
  return re.map((value, i) => (value * value + im[i] * im[i]) * scale);
}
