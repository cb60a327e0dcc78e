// The colour map: the ab plane at one lightness, of which only what a screen can show is there to choose.

import { abOf, labToRgb, nearestPossible, rgbToLab, toHex } from "./lab.js";

const CELL = 2; // CSS pixels that share one computed colour
const SMALLEST = 8; // ab units: near black and white hardly any colours are possible
const SOFT = 5; // 8-bit levels outside sRGB over which the map's edge fades

export class Gamut extends EventTarget {
  #lightness = 60;
  #range = 110; // ab units from the centre to the nearer edge of the canvas
  #paint = null;
  #dots = [];
  #plane = null; // the coloured part, drawn once a lightness
  #enabled = true;

  /** Sends "pick" with detail {ab, live}; live: the drag goes on. */
  constructor(canvas) {
    super();
    this.canvas = canvas;
    new ResizeObserver(() => this.#render()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#drag(event, true));
    canvas.addEventListener("pointermove", (event) => this.#drag(event, false));
    canvas.addEventListener("pointerup", () => this.#pick(this.#paint, false));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** paint: {ab} or {color} or null; dots: [[a, b], ...] of the suggestions. */
  show({ lightness, paint, dots, enabled }) {
    const other = Math.abs(lightness - this.#lightness) > 0.2;
    [this.#paint, this.#dots, this.#enabled] = [paint, dots, enabled];
    this.canvas.setAttribute("aria-disabled", String(!enabled));
    if (other || !this.#plane) {
      this.#lightness = lightness;
      this.#render();
    } else this.#draw();
  }

  /** CSS pixels for one unit of a or b. */
  get #unit() {
    return Math.min(this.canvas.clientWidth, this.canvas.clientHeight) / 2 / this.#range;
  }

  #toAb(event) {
    const box = this.canvas.getBoundingClientRect();
    const a = (event.clientX - box.left - box.width / 2) / this.#unit;
    const b = (box.height / 2 - (event.clientY - box.top)) / this.#unit;
    return nearestPossible(this.#lightness, a, b);
  }

  #toCanvas([a, b]) {
    return [this.canvas.clientWidth / 2 + a * this.#unit, this.canvas.clientHeight / 2 - b * this.#unit];
  }

  #drag(event, down) {
    if (!this.#enabled || (!down && !event.buttons)) return;
    if (down) this.canvas.setPointerCapture(event.pointerId);
    this.#pick({ ab: this.#toAb(event) }, true);
  }

  #key(event) {
    const step = event.shiftKey ? 1 : 4;
    const [da, db] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[
      event.key
    ] ?? [0, 0];
    if (!this.#enabled || (!da && !db)) return;
    event.preventDefault();
    const [a, b] = this.#paint ? abOf(this.#paint) : [0, 0];
    this.#pick({ ab: nearestPossible(this.#lightness, a + step * da, b + step * db) }, false);
  }

  #pick(paint, live) {
    if (!paint || !this.#enabled) return;
    const ab = abOf(paint).map((v) => Number(v.toFixed(1)));
    this.#paint = { ab };
    this.dispatchEvent(new CustomEvent("pick", { detail: { ab, live } }));
    this.#draw();
  }

  /** The map is as large as the colours at this lightness allow; grey stays in the middle. */
  #findRange() {
    const wide = this.canvas.clientHeight / this.canvas.clientWidth; // there is more room from left to right
    const extents = cornersAt(this.#lightness).map(([a, b]) => Math.max(Math.abs(a) * wide, Math.abs(b)));
    this.#range = Math.max(SMALLEST, ...extents) * 1.06;
  }

  #render() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.#findRange();
    const [columns, rows] = [Math.ceil(width / CELL), Math.ceil(height / CELL)];
    const plane = new OffscreenCanvas(columns, rows);
    const context = plane.getContext("2d");
    const image = context.createImageData(columns, rows);
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const a = ((column + 0.5) * CELL - width / 2) / this.#unit;
        const b = (height / 2 - (row + 0.5) * CELL) / this.#unit;
        const rgb = labToRgb(this.#lightness, a, b);
        const outside = Math.max(...rgb.map((v) => Math.max(v - 255, -v)));
        if (outside < SOFT)
          image.data.set([...rgb, 255 * Math.min(1, 1 - outside / SOFT)], 4 * (row * columns + column));
      }
    }
    context.putImageData(image, 0, 0);
    this.#plane = plane;
    this.#draw();
  }

  #draw() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!this.#plane || !width) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.globalAlpha = this.#enabled ? 1 : 0.35;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#plane, 0, 0, this.#plane.width * CELL, this.#plane.height * CELL);
    context.globalAlpha = 1;
    if (!this.#enabled) return;
    const circle = (ab, radius, width) =>
      this.#circle(context, this.#toCanvas(nearestPossible(this.#lightness, ...ab)), radius, width);
    for (const ab of this.#dots) circle(ab, 3, 1);
    if (this.#paint) circle(abOf(this.#paint), 8, 2.5);
    const colour = this.#paint ? toHex(labToRgb(this.#lightness, ...abOf(this.#paint))) : "none";
    canvas.setAttribute("aria-description", `Chosen: ${colour}`);
  }

  #circle(context, [x, y], radius, width) {
    for (const [extra, style] of [
      [1.5, "#000"],
      [0, "#fff"],
    ]) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.lineWidth = width + extra;
      context.strokeStyle = style;
      context.stroke();
    }
  }
}

/**
 * [a, b] of the corners of what is possible at a lightness: where it cuts the edges of the RGB cube, along
 * which L only rises. A search on a grid would miss the thin wedge of yellows near white.
 */
function cornersAt(lightness) {
  const corners = [];
  for (let edge = 0; edge < 12; edge += 1) {
    const at = (value) => {
      const rgb = [edge & 1 ? 255 : 0, edge & 2 ? 255 : 0];
      rgb.splice(edge >> 2, 0, value);
      return rgbToLab(rgb);
    };
    let [low, high] = [0, 255];
    if (at(low)[0] > lightness || at(high)[0] < lightness) continue;
    while (high - low > 0.1) {
      const middle = (low + high) / 2;
      if (at(middle)[0] < lightness) low = middle;
      else high = middle;
    }
    corners.push(at(low).slice(1));
  }
  return corners;
}
