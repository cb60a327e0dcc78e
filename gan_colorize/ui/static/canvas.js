// Draws the stage: the photograph in grey and in colour, the sureness, the marks of the hints.

import { hexAt, rgbToLab } from "./lab.js";

const MARK = 9; // radius of a hint's mark in CSS pixels
const GREY_SIDE = 512; // of the picture that lightness is read from

export class Stage {
  before = null; // ImageBitmap: the photograph in grey
  after = null; // ImageBitmap: in colour
  unsure = null; // canvas or bitmap with alpha where the model was guessing
  divider = null; // share of the stage's width left of which "before" shows; null: off
  showOriginal = false;
  showMarks = true;
  cursor = null; // [x, y] of the keyboard's cursor, in pixels of the photograph
  hover = null; // [x, y] of the pointer, for the brush's outline
  stroke = null; // {points, radius} being painted
  #lightness = null;
  #pending = false;

  constructor(canvas, editor, view) {
    Object.assign(this, { canvas, editor, view, context: canvas.getContext("2d") });
    new ResizeObserver(() => this.#resize()).observe(canvas);
    view.addEventListener("change", () => this.draw());
    editor.on("project selection photo tool paint", () => this.draw());
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.view.resize(width, height);
    this.#paint(); // at once: a canvas whose size changed is empty until it is painted
  }

  setAfter(bitmap) {
    this.after?.close(); // tens of megabytes that would wait for the garbage collector
    this.after = bitmap;
    this.draw();
  }

  setBefore(bitmap) {
    this.before?.close();
    this.before = bitmap;
    this.#lightness = null;
    if (bitmap) {
      const scale = Math.min(1, GREY_SIDE / Math.max(bitmap.width, bitmap.height));
      const [width, height] = [bitmap.width, bitmap.height].map((side) =>
        Math.max(1, Math.round(side * scale)),
      );
      const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
      context.drawImage(bitmap, 0, 0, width, height);
      this.#lightness = { width, height, data: context.getImageData(0, 0, width, height).data };
    }
    this.draw();
  }

  /** L 0..100 of a place of the photograph; 60 as long as the photograph is not there. */
  lightnessAt([px, py]) {
    const table = this.#lightness;
    if (!table) return 60;
    const { width, height } = this.view.photo;
    const index = (value, size, count) =>
      Math.min(count - 1, Math.max(0, Math.floor((value / size) * count)));
    const start = 4 * (index(py, height, table.height) * table.width + index(px, width, table.width));
    return rgbToLab([...table.data.slice(start, start + 3)])[0];
  }

  /**
   * Index of the hint whose mark or line is within `reach` CSS pixels of a place on the stage; -1 for none.
   */
  hintAt(x, y, reach) {
    if (!this.showMarks) return -1;
    const hints = this.editor.project.hints;
    let [best, nearest] = [-1, reach];
    for (let i = hints.length - 1; i >= 0; i -= 1) {
      const points = hints[i].points.map((point) => this.view.toStage(...point));
      const distance = Math.min(
        ...points.map((point, k) => toSegment([x, y], points[Math.max(0, k - 1)], point)),
      );
      if (distance < nearest) [best, nearest] = [i, distance];
    }
    return best;
  }

  draw() {
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    this.#pending = false;
    const { context, view, canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.editor.photo) return;
    const [width, height] = [view.photo.width * view.scale, view.photo.height * view.scale];
    context.imageSmoothingQuality = "high";
    context.imageSmoothingEnabled = view.scale < 4;
    const place = (image) => image && context.drawImage(image, view.x, view.y, width, height);
    // the amber of the guesses shows on grey
    const top = this.showOriginal || this.unsure ? this.before : (this.after ?? this.before);
    if (!top) {
      context.fillStyle = "#5a5a5a";
      context.fillRect(view.x, view.y, width, height);
    }
    place(top);
    if (!this.showOriginal) place(this.unsure);
    if (this.divider !== null && this.before) {
      context.save();
      context.beginPath();
      context.rect(0, 0, this.divider * view.stage.width, view.stage.height);
      context.clip();
      place(this.before);
      context.restore();
    }
    if (this.showMarks) this.#marks();
    if (this.stroke) this.#line(this.stroke, hexAt(this.editor.paint, 60), 0.7);
    this.#cursors();
  }

  #marks() {
    const { editor } = this;
    editor.project.hints.forEach((hint, i) => {
      const colour = hexAt(hint, this.lightnessAt(hint.points[0]));
      const selected = i === editor.selected;
      if (hint.points.length > 1) this.#line(hint, colour, selected ? 0.55 : 0.3);
      else if (selected) this.#ring(hint.points[0], hint.radius * this.view.scale, [4, 4]);
      this.#mark(this.view.toStage(...hint.points[0]), colour, selected);
    });
    if (editor.target) this.#crosshair(editor.target, "#ffffff");
  }

  #mark([x, y], colour, selected) {
    const { context } = this;
    const rings = selected
      ? [
          [MARK + 4, "#000"],
          [MARK + 3, "#fff"],
          [MARK, "#000"],
        ]
      : [
          [MARK + 1, "#000"],
          [MARK, "#fff"],
        ];
    for (const [radius, fill] of [...rings, [MARK - 2, colour]]) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fillStyle = fill;
      context.fill();
    }
  }

  #line({ points, radius }, colour, alpha) {
    const { context, view } = this;
    context.save();
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    points.forEach((point) => context.lineTo(...view.toStage(...point)));
    if (points.length === 1) context.lineTo(...view.toStage(...points[0]));
    context.globalAlpha = alpha;
    context.lineWidth = Math.max(2, 2 * radius * view.scale);
    context.strokeStyle = colour;
    context.stroke();
    context.globalAlpha = 1;
    for (const [width, style] of [
      [4, "#000"],
      [2, "#fff"],
    ]) {
      context.lineWidth = width;
      context.strokeStyle = style;
      context.stroke();
    }
    context.restore();
  }

  /** A circle that can be seen on any picture: white on black. */
  #ring([px, py], radius, dash = []) {
    const { context } = this;
    const [x, y] = this.view.toStage(px, py);
    context.save();
    for (const [width, style] of [
      [3, "rgba(0, 0, 0, 0.6)"],
      [1.5, "#fff"],
    ]) {
      context.beginPath();
      context.setLineDash(dash);
      context.arc(x, y, Math.max(2, radius), 0, 2 * Math.PI);
      context.lineWidth = width;
      context.strokeStyle = style;
      context.stroke();
    }
    context.restore();
  }

  #crosshair(place, colour) {
    const { context } = this;
    const [x, y] = this.view.toStage(...place).map(Math.round);
    for (const [width, style] of [
      [4, "#000"],
      [2, colour],
    ]) {
      context.beginPath();
      context.lineWidth = width;
      context.strokeStyle = style;
      for (const [dx, dy] of [
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1],
      ]) {
        context.moveTo(x + 5 * dx, y + 5 * dy);
        context.lineTo(x + 16 * dx, y + 16 * dy);
      }
      context.stroke();
    }
  }

  #cursors() {
    const brush = this.editor.tool === "brush" && !this.showOriginal;
    if (brush && this.hover) this.#ring(this.hover, this.editor.radius * this.view.scale);
    if (this.cursor && document.activeElement === this.canvas) {
      this.#crosshair(this.cursor, "#ffe58a");
      if (brush) this.#ring(this.cursor, this.editor.radius * this.view.scale);
    }
  }
}

/** Distance of a point from the line between two others. */
function toSegment([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
