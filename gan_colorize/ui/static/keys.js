// Keyboard shortcuts: one table, which the help dialog shows as well.

import { byId, element } from "./dom.js";

const STEP = 1 / 40; // of the shorter side of the stage, for one press of an arrow key
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Keys {
  /** commands: functions by their names in the tables below. */
  constructor({ editor, stage, view, pointer, commands }) {
    Object.assign(this, { editor, stage, view, pointer, commands });
    this.table = [
      // [keys as shown, what they do, test of the event (null: none), command, needs a photograph]
      ["Right click", "Delete the hint there (touch screen: press long)", null],
      ["Wheel", "Zoom (touch screen: two fingers)", null],
      ["Space (hold)", "Drag the photograph; the middle button and two fingers do as well", null],
      ["Ctrl Z", "Undo", (e) => ctrl(e, "z") && !e.shiftKey, "undo", true],
      ["Ctrl Shift Z, Ctrl Y", "Redo", (e) => (ctrl(e, "z") && e.shiftKey) || ctrl(e, "y"), "redo", true],
      ["Ctrl O", "Open", (e) => ctrl(e, "o"), "open", false],
      ["Ctrl S", "Save the project", (e) => ctrl(e, "s"), "save", true],
      ["Ctrl E", "Export", (e) => ctrl(e, "e"), "export", true],
      ["V, B, M", "Point, brush, hand", (e) => plain(e, "v"), "point", true],
      [null, null, (e) => plain(e, "b"), "brush", true],
      [null, null, (e) => plain(e, "m"), "hand", true],
      ["[ ]", "Smaller, larger", (e) => plain(e, "["), "smaller", true],
      [null, null, (e) => plain(e, "]"), "larger", true],
      [
        "1 … 9",
        "Take the likely colour of that rank",
        (e) => /^[1-9]$/.test(e.key) && !e.ctrlKey,
        "suggestion",
        true,
      ],
      [
        "Delete",
        "Delete the selected hint",
        (e) => plain(e, "delete") || plain(e, "backspace"),
        "remove",
        true,
      ],
      [", .", "Select the hint before, after", (e) => plain(e, ","), "previous", true],
      [null, null, (e) => plain(e, "."), "next", true],
      ["Esc", "Let go, select nothing", (e) => e.key === "Escape", "escape", true],
      ["Arrows", "On the photograph: move the cursor (Shift: by one pixel)", null],
      ["Alt arrows", "On the photograph: move the selected hint", null],
      ["Enter", "On the photograph: add a hint at the cursor", null],
      ["C", "Before and after", (e) => plain(e, "c"), "compare", true],
      ["O (hold)", "Show the original", (e) => plain(e, "o"), "original", true],
      ["G", "Show where the computer is guessing", (e) => plain(e, "g"), "unsure", true],
      ["H", "Show or hide the marks", (e) => plain(e, "h"), "marks", true],
      ["+ − 0", "Zoom in, out, fit", (e) => plain(e, "+") || plain(e, "="), "zoomIn", true],
      [null, null, (e) => plain(e, "-"), "zoomOut", true],
      [null, null, (e) => plain(e, "0"), "fit", true],
      ["?", "This help", (e) => plain(e, "?"), "help", false],
    ];
    window.addEventListener("keydown", (event) => this.#press(event));
    window.addEventListener("keyup", (event) => plain(event, "o") && commands.originalEnd());
    stage.canvas.addEventListener("keydown", (event) => this.#onCanvas(event));
    stage.canvas.addEventListener("focus", () => stage.draw());
    stage.canvas.addEventListener("blur", () => stage.draw());
    this.#fillHelp();
  }

  #fillHelp() {
    const shown = this.table.filter(([keys]) => keys);
    byId("keys").append(
      ...shown.flatMap(([keys, text]) => [element("dt", {}, keys), element("dd", {}, text)]),
    );
  }

  #press(event) {
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const typing = event.target.matches?.("input:not([type=range]), select, textarea");
    if (typing && event.key !== "Escape" && !(event.ctrlKey || event.metaKey)) return;
    // in a text field these keys undo what was typed there
    if (typing && (ctrl(event, "z") || ctrl(event, "y"))) return;
    const row = this.table.find(([, , test]) => test?.(event));
    if (!row || (row[4] && !this.editor.photo)) return;
    event.preventDefault();
    this.commands[row[3]](event);
  }

  #onCanvas(event) {
    const { editor, stage, view } = this;
    const arrow = ARROWS[event.key];
    if (!editor.photo || event.ctrlKey || event.metaKey) return;
    if (arrow) {
      event.preventDefault();
      const stride = event.shiftKey ? 1 : (Math.min(view.stage.width, view.stage.height) * STEP) / view.scale;
      if (event.altKey && editor.hint) this.#moveHint(arrow, stride);
      else this.#moveCursor(arrow, stride);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!stage.cursor) return this.#moveCursor([0, 0], 0);
      const index = stage.hintAt(...view.toStage(...stage.cursor), 10);
      if (index >= 0 && index !== editor.selected) editor.select(index);
      else this.pointer.click(stage.cursor);
    }
    return undefined;
  }

  #inside([x, y]) {
    const { width, height } = this.view.photo;
    return [Math.min(width - 0.5, Math.max(0.5, x)), Math.min(height - 0.5, Math.max(0.5, y))];
  }

  #moveCursor([dx, dy], stride) {
    const { stage, view } = this;
    const [x, y] = stage.cursor ?? this.editor.place ?? [view.photo.width / 2, view.photo.height / 2];
    stage.cursor = this.#inside([x + dx * stride, y + dy * stride]);
    view.show(stage.cursor);
    stage.draw();
    this.pointer.say(`Cursor at ${stage.cursor.map(Math.round).join(", ")}. Enter adds a hint.`);
  }

  #moveHint([dx, dy], stride) {
    const { hint, selected } = this.editor;
    const points = hint.points.map(([x, y]) => this.#inside([x + dx * stride, y + dy * stride]));
    this.editor.changeHint(selected, { points });
    this.view.show(points[0]);
  }
}

const ctrl = (event, key) =>
  (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === key;
const plain = (event, key) =>
  !event.ctrlKey && !event.metaKey && !event.altKey && event.key.toLowerCase() === key;
