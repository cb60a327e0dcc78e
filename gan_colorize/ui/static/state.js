// The editor's state: the open photograph, its project with unlimited undo, and what is chosen at the moment.
// Panels listen for the events "photo", "project", "selection", "tool" and "paint"; only this file changes
// state.

import { EMPTY } from "./project.js";

export class Editor extends EventTarget {
  about = null; // the server's /api/about
  photo = null; // {id, name, width, height, source}
  project = EMPTY;
  selected = -1; // index of a hint
  target = null; // [x, y]: a place that waits for its colour
  paint = null; // {color} or {ab}: what the next click paints; null: ask
  radius = 10; // of the next hint, in pixels of the photograph
  tool = "point"; // "point", "brush" or "hand"
  past = [];
  future = [];
  #base = null; // the project before a drag that is going on

  emit(kind) {
    this.dispatchEvent(new Event(kind));
  }

  on(kinds, listener) {
    for (const kind of kinds.split(" ")) this.addEventListener(kind, listener);
  }

  /** Whether the loaded model can follow wishes of a kind ("hints", "histogram", "palette", ...). */
  takes(kind) {
    return this.about?.takes?.includes(kind) ?? false;
  }

  get hint() {
    return this.project.hints[this.selected] ?? null;
  }

  /** The place that suggestions are for: the selected hint's, else the one that waits for a colour. */
  get place() {
    return this.hint?.points[0] ?? this.target;
  }

  get dragging() {
    return this.#base !== null;
  }

  openPhoto(photo, project = EMPTY, past = [], future = []) {
    Object.assign(this, { photo, project, past, future, selected: -1, target: null });
    this.#base = null;
    this.radius = Math.max(1, Math.round(Math.max(photo.width, photo.height) * 0.012));
    this.emit("photo");
    this.emit("selection");
    this.emit("project");
  }

  /** Change the project for the time being, as while dragging; commit() makes one step of undo of it. */
  change(changes) {
    this.#base ??= this.project;
    this.project = { ...this.project, ...changes };
    this.emit("project");
  }

  commit() {
    if (this.#base && this.#base !== this.project) {
      this.past.push(this.#base);
      this.future = [];
    }
    this.#base = null;
    this.emit("project");
  }

  cancel() {
    if (!this.#base) return;
    this.project = this.#base;
    this.#base = null;
    this.select(this.selected);
    this.emit("project");
  }

  /** One change that is one step of undo. */
  apply(changes) {
    this.commit();
    this.change(changes);
    this.commit();
  }

  /** -> whether there was a step to take back. */
  undo() {
    return this.#travel(this.past, this.future);
  }

  redo() {
    return this.#travel(this.future, this.past);
  }

  #travel(from, to) {
    this.commit();
    if (!from.length) return false;
    to.push(this.project);
    this.project = from.pop();
    this.target = null;
    this.select(this.selected);
    this.emit("project");
    return true;
  }

  select(index, target = null) {
    this.selected = index < this.project.hints.length ? index : -1;
    this.target = this.selected >= 0 ? null : target;
    this.emit("selection");
  }

  setTool(tool) {
    this.tool = tool;
    this.emit("tool");
  }

  /** Add a point or stroke and select it; `live` leaves the step of undo open. */
  addHint(points, paint, { live = false } = {}) {
    if (!live) this.commit();
    const hint = { points, radius: this.radius, ...paint };
    this.change({ hints: [...this.project.hints, hint] });
    if (!live) this.commit();
    this.select(this.project.hints.length - 1);
  }

  changeHint(index, changes, { live = false } = {}) {
    const hints = this.project.hints.map((hint, i) => (i === index ? { ...hint, ...changes } : hint));
    if (live) this.change({ hints });
    else this.apply({ hints });
  }

  removeHint(index) {
    const selected = this.selected === index ? -1 : this.selected - (this.selected > index ? 1 : 0);
    this.apply({ hints: this.project.hints.filter((_, i) => i !== index) });
    this.select(selected);
  }

  /** Choose a colour: for the selected hint, for the place that waits for one, and for the next clicks. */
  choose(paint, { live = false } = {}) {
    this.paint = paint;
    if (this.hint) {
      const { points, radius } = this.hint;
      const hints = this.project.hints.with(this.selected, { points, radius, ...paint });
      if (live) this.change({ hints });
      else this.apply({ hints });
    } else if (this.target && this.takes("hints")) {
      this.addHint([this.target], paint, { live });
    }
    this.emit("paint");
  }

  forgetPaint() {
    this.paint = null;
    this.emit("paint");
  }

  setRadius(radius, { live = false } = {}) {
    this.radius = radius;
    if (this.hint) this.changeHint(this.selected, { radius }, { live });
    this.emit("paint");
  }
}
