// Mouse, pen and fingers on the stage: click, drag, paint, pan, pinch, wheel, long press.

const CLICK = 5; // CSS pixels that a click may wander
const LONG_PRESS = 550; // ms
const LONGEST_STROKE = 2000; // points

export class Pointer {
  #pointers = new Map(); // id -> {x, y} on the stage, of every finger that is down
  #gesture = null; // what the first pointer does: {kind, ...}
  #space = false;
  #press = 0;

  /** say: tells the person something. */
  constructor(stage, editor, view, say) {
    Object.assign(this, { stage, editor, view, say, canvas: stage.canvas });
    const listen = (kind, handler, options) =>
      this.canvas.addEventListener(kind, handler.bind(this), options);
    listen("pointerdown", this.#down);
    listen("pointermove", this.#move);
    listen("pointerup", this.#up);
    listen("pointercancel", this.#cancel);
    listen("pointerleave", this.#leave);
    listen("contextmenu", this.#menu);
    listen("wheel", this.#wheel, { passive: false });
    window.addEventListener("keydown", (event) => event.key === " " && this.#hold(true, event));
    window.addEventListener("keyup", (event) => event.key === " " && this.#hold(false, event));
    window.addEventListener("blur", () => this.#hold(false));
  }

  /** Let go of what is being dragged; the project is as before. -> whether there was something. */
  drop() {
    const was = this.#gesture && this.#gesture.kind !== "done";
    if (this.#gesture) this.#gesture = { kind: "done" };
    this.stage.stroke = null;
    clearTimeout(this.#press);
    this.editor.cancel();
    this.stage.draw();
    return Boolean(was);
  }

  #hold(down, event) {
    // the space bar presses buttons and types into fields: it pans only over the stage
    const free = [document.body, this.canvas].includes(document.activeElement);
    if (down && !free) return;
    if (down) event.preventDefault();
    this.#space = down;
    this.#showCursor();
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #reach(event) {
    return event.pointerType === "touch" ? 24 : 14;
  }

  #down(event) {
    if (!this.editor.photo) return;
    const at = this.#at(event);
    this.stage.cursor = null; // the keyboard's
    this.canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, at);
    clearTimeout(this.#press);
    if (this.#pointers.size === 2) return this.#startPinch();
    if (this.#pointers.size > 2 || event.button === 2) return;
    this.#gesture = this.#begin(event, at);
    if (event.pointerType === "touch") this.#press = setTimeout(() => this.#longPress(at), LONG_PRESS);
    this.#showCursor();
  }

  #begin(event, at) {
    const start = { ...at, last: at, moved: false };
    const pans = event.button === 1 || this.#space || this.editor.tool === "hand";
    if (event.button === 1) event.preventDefault();
    if (pans) return { kind: "pan", ...start };
    const index = this.stage.hintAt(at.x, at.y, this.#reach(event));
    if (index >= 0) return { kind: "hint", index, hint: this.editor.project.hints[index], ...start };
    if (this.editor.tool === "brush") return { kind: "brush", ...start };
    return { kind: "place", ...start };
  }

  #startPinch() {
    this.drop();
    const [p, q] = this.#pointers.values();
    this.#gesture = { kind: "pinch", ...between(p, q) };
  }

  #move(event) {
    const at = this.#at(event);
    const place = this.view.toPhoto(at.x, at.y);
    this.stage.hover = event.pointerType === "touch" ? null : place;
    if (this.editor.tool === "brush") this.stage.draw();
    if (!this.#pointers.has(event.pointerId)) return this.#showCursor(at, event);
    this.#pointers.set(event.pointerId, at);
    const gesture = this.#gesture;
    if (!gesture) return;
    if (gesture.kind === "pinch") return this.#pinch(gesture);
    if (!gesture.moved && Math.hypot(at.x - gesture.x, at.y - gesture.y) < CLICK) return;
    gesture.moved = true;
    clearTimeout(this.#press);
    if (gesture.kind === "pan" || gesture.kind === "place") {
      this.view.pan(at.x - gesture.last.x, at.y - gesture.last.y);
    } else if (gesture.kind === "hint") {
      this.#moveHint(gesture, at);
    } else if (gesture.kind === "brush") {
      // what the browser gathered since the last frame: a fast stroke stays round
      const events = event.getCoalescedEvents?.() ?? [];
      for (const one of events.length ? events : [event]) this.#paintTo(gesture, this.#at(one));
    }
    gesture.last = at;
  }

  #pinch(gesture) {
    if (this.#pointers.size < 2) return;
    const [p, q] = this.#pointers.values();
    const now = between(p, q);
    this.view.pan(now.x - gesture.x, now.y - gesture.y);
    if (gesture.distance > 0 && now.distance > 0)
      this.view.zoom(now.distance / gesture.distance, now.x, now.y);
    Object.assign(gesture, now);
  }

  #moveHint(gesture, at) {
    const { width, height } = this.view.photo;
    const limit = (value, end) => Math.min(end - 0.5, Math.max(0.5, value));
    const [dx, dy] = [(at.x - gesture.x) / this.view.scale, (at.y - gesture.y) / this.view.scale];
    const points = gesture.hint.points.map(([x, y]) => [limit(x + dx, width), limit(y + dy, height)]);
    if (this.editor.selected !== gesture.index) this.editor.select(gesture.index);
    this.editor.changeHint(gesture.index, { points }, { live: true });
  }

  #paintTo(gesture, at) {
    if (!this.editor.paint) return;
    this.stage.stroke ??= { points: [this.view.toPhoto(gesture.x, gesture.y)], radius: this.editor.radius };
    const points = this.stage.stroke.points;
    const place = this.view.toPhoto(at.x, at.y);
    const step = Math.max(1.5 / this.view.scale, this.editor.radius / 4);
    const last = points.at(-1);
    if (points.length < LONGEST_STROKE && Math.hypot(place[0] - last[0], place[1] - last[1]) >= step) {
      points.push(place);
    }
    this.stage.draw();
  }

  #up(event) {
    clearTimeout(this.#press);
    this.#pointers.delete(event.pointerId);
    const gesture = this.#gesture;
    if (this.#pointers.size) {
      this.#gesture = { kind: "done" }; // a finger is left of a pinch: it does nothing more
      return;
    }
    this.#gesture = null;
    if (gesture) this.#finish(gesture, this.view.toPhoto(gesture.x, gesture.y));
    this.#showCursor();
  }

  #finish(gesture, place) {
    if (gesture.kind === "hint") {
      this.editor.commit();
      this.editor.select(gesture.index);
    } else if (gesture.kind === "place" && !gesture.moved) {
      this.click(place);
    } else if (gesture.kind === "brush") {
      const stroke = this.stage.stroke;
      this.stage.stroke = null;
      if (!this.editor.paint || !stroke) this.click(place);
      else this.#addStroke(stroke.points);
    }
  }

  #addStroke(points) {
    const inside = points.filter((point) => this.view.contains(point));
    if (inside.length) this.addHint(inside);
    else this.stage.draw();
  }

  /** A click or Enter on an empty place: a hint in the current colour, or a place that waits for one. */
  click(place) {
    if (!this.view.contains(place)) return this.editor.select(-1);
    if (!this.editor.takes("hints")) return this.say("The loaded model takes no hints.");
    if (this.editor.paint) return this.addHint([place]);
    this.editor.select(-1, place);
    return this.say("Now choose a colour for this spot.");
  }

  addHint(points) {
    const most = this.editor.about?.limits?.hints ?? 500;
    if (!this.editor.takes("hints")) return this.say("The loaded model takes no hints.");
    if (this.editor.project.hints.length >= most)
      return this.say(`There are ${most} hints; more are not possible.`);
    this.editor.addHint(points, this.editor.paint);
    return this.say(
      points.length > 1 ? "Stroke added." : "Hint added. Drag it to move it, or choose another colour.",
    );
  }

  remove(index) {
    this.editor.removeHint(index);
    this.say("Hint deleted. Undo brings it back.");
  }

  #longPress(at) {
    const index = this.stage.hintAt(at.x, at.y, 24);
    if (index < 0 || this.#gesture?.moved) return;
    this.drop();
    this.remove(index);
    navigator.vibrate?.(15);
  }

  #menu(event) {
    event.preventDefault();
    const at = this.#at(event);
    // a long press on a touch screen asks for a menu as well; #longPress has dealt with it
    if (event.pointerType === "touch") return;
    const index = this.stage.hintAt(at.x, at.y, 14);
    if (index >= 0) this.remove(index);
  }

  #wheel(event) {
    if (!this.editor.photo) return;
    event.preventDefault();
    const at = this.#at(event);
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1);
    // a pinch on a touchpad arrives as a wheel with Ctrl, in small numbers
    this.view.zoom(Math.exp(-pixels * (event.ctrlKey ? 0.01 : 0.0015)), at.x, at.y);
  }

  #cancel(event) {
    this.#pointers.delete(event.pointerId);
    this.drop();
    this.#gesture = null;
  }

  #leave() {
    this.stage.hover = null;
    this.stage.draw();
  }

  #showCursor(at, event) {
    const kind = this.#gesture?.kind;
    let cursor = "crosshair";
    if (kind === "pan" || (kind === "place" && this.#gesture.moved)) cursor = "grabbing";
    else if (this.#space || this.editor.tool === "hand") cursor = "grab";
    else if (kind === "hint" || (at && this.stage.hintAt(at.x, at.y, this.#reach(event)) >= 0))
      cursor = "move";
    this.canvas.style.cursor = cursor;
  }
}

const between = (p, q) => ({
  x: (p.x + q.x) / 2,
  y: (p.y + q.y) / 2,
  distance: Math.hypot(p.x - q.x, p.y - q.y),
});
