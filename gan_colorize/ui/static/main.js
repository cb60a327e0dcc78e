// Puts the parts together.

import * as api from "./api.js";
import { Stage } from "./canvas.js";
import { Colours } from "./colours.js";
import { byId, debounce, rove } from "./dom.js";
import { ExportDialog, saveProject } from "./exporting.js";
import { Keys } from "./keys.js";
import { Look } from "./look.js";
import { Opening } from "./opening.js";
import { PalettePanel } from "./palette.js";
import { Pointer } from "./pointer.js";
import { Previews } from "./preview.js";
import { Start } from "./start.js";
import { Editor } from "./state.js";
import { clear, say, sayError } from "./status.js";
import * as storage from "./storage.js";
import { Toolbar } from "./toolbar.js";
import { View } from "./view.js";

const ASKING = "preview"; // kind of the messages that the next preview makes untrue

export const editor = new Editor();
const view = new View();
const stage = new Stage(byId("canvas"), editor, view);
const pointer = new Pointer(stage, editor, view, say);
const opening = new Opening(editor, () => start.show());
const start = new Start(editor, opening);
const exportDialog = new ExportDialog(editor, () => opening.expired());

function onError(error) {
  if (error.status === 404) opening.expired();
  else sayError(error, { kind: ASKING });
}

// before what listens to "photo" and draws: the view must know the size
editor.on("photo", () => {
  view.open(editor.photo);
  stage.cursor = null;
  byId("title").textContent = editor.photo.name;
  document.title = `${editor.photo.name} – gan_colorize`;
});

const previews = new Previews(editor, stage, view, onError);
const colours = new Colours(editor, stage, pointer, onError);
const tabs = wireTabs();
const look = new Look(editor, previews, () => tabs.shown() === "look", onError);
const palette = new PalettePanel(editor, onError);
const toolbar = new Toolbar({ editor, stage, view, previews });

previews.addEventListener("shown", () => {
  clear(ASKING);
  colours.update(); // the lightness of the places may have come only now
  document.body.dataset.previews = Number(document.body.dataset.previews ?? 0) + 1;
});
previews.addEventListener("busy", () => {
  byId("stage").setAttribute("aria-busy", String(previews.busy));
  document.body.classList.toggle("working", previews.busy);
});

function step(back) {
  const done = back ? editor.undo() : editor.redo();
  if (done) say(back ? "Undone." : "Done again.");
  else say(back ? "There is nothing to undo." : "There is nothing to do again.");
}

function walkHints(direction) {
  const count = editor.project.hints.length;
  if (!count) return say("There are no hints yet.");
  const from = editor.selected < 0 && direction < 0 ? 0 : editor.selected;
  editor.select((from + direction + count) % count);
  view.show(editor.hint.points[0]);
  return say(byId("hint-list").children[editor.selected]?.title ?? "");
}

const commands = {
  undo: () => step(true),
  redo: () => step(false),
  open: () => start.show(),
  save: () => saveProject(editor),
  export: () => exportDialog.open(),
  help: () => byId("help-dialog").showModal(),
  point: () => editor.setTool("point"),
  brush: () => editor.setTool("brush"),
  hand: () => editor.setTool("hand"),
  smaller: () => colours.resize(1 / 1.25),
  larger: () => colours.resize(1.25),
  suggestion: ({ key }) =>
    byId("suggestions-part").hidden || byId("suggestions").children[Number(key) - 1]?.click(),
  remove: () => (editor.hint ? pointer.remove(editor.selected) : say("Select a hint first.")),
  previous: () => walkHints(-1),
  next: () => walkHints(1),
  escape: () => {
    if (pointer.drop()) return;
    if (document.body.classList.contains("choosing")) start.hide();
    else if (editor.hint || editor.target) editor.select(-1);
    else if (editor.paint) colours.forget();
  },
  compare: () => toolbar.toggle("compare"),
  unsure: () => toolbar.toggle("unsure"),
  marks: () => toolbar.toggle("marks"),
  original: () => toolbar.original(true),
  originalEnd: () => toolbar.original(false),
  zoomIn: () => view.zoom(1.25),
  zoomOut: () => view.zoom(1 / 1.25),
  fit: () => view.fit(),
};
new Keys({ editor, stage, view, pointer, commands });
for (const name of ["undo", "redo", "open", "save", "export", "help"])
  byId(name).addEventListener("click", commands[name]);
byId("zoom-in").addEventListener("click", commands.zoomIn);
byId("zoom-out").addEventListener("click", commands.zoomOut);
byId("zoom-fit").addEventListener("click", commands.fit);

editor.on("photo project paint", () => {
  for (const button of document.querySelectorAll("[data-photo]")) button.disabled = !editor.photo;
  byId("undo").disabled ||= !editor.past.length;
  byId("redo").disabled ||= !editor.future.length;
});

// a hint that waits for its colour needs the panel with the colours
editor.on("selection", () => editor.target && tabs.show("hints"));

const saveSoon = debounce(200, () => storage.save(editor));
editor.on("photo project", () => editor.dragging || saveSoon());
window.addEventListener("pagehide", () => storage.save(editor));

/** The tabs of the panel; on a phone the open one folds away when it is tapped again. */
function wireTabs() {
  const list = document.querySelector("[role=tablist]");
  const all = [...list.querySelectorAll("[role=tab]")];
  const shown = () =>
    all.find((tab) => tab.getAttribute("aria-selected") === "true").getAttribute("aria-controls");
  const show = (name) => {
    byId("panel").classList.remove("folded");
    for (const tab of all) {
      const mine = tab.getAttribute("aria-controls") === name;
      tab.setAttribute("aria-selected", String(mine));
      tab.tabIndex = mine ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = !mine;
    }
    if (name === "look") look.refresh();
  };
  for (const tab of all) {
    tab.addEventListener("click", () => {
      const name = tab.getAttribute("aria-controls");
      if (name === shown()) byId("panel").classList.toggle("folded");
      else show(name);
    });
  }
  rove(list, "[role=tab]", (tab) => show(tab.getAttribute("aria-controls")));
  return { shown, show };
}

// whatever goes wrong in a corner of the page, the rest goes on and the person is told
window.addEventListener(
  "error",
  (event) => event.message && sayError(new Error(`The page had a problem: ${event.message}`)),
);
window.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  if (event.reason?.name !== "AbortError") onError(event.reason ?? new Error("The page had a problem."));
});

/** Ask the server what it has; while it does not answer, ask again. */
async function begin() {
  try {
    editor.about = await api.about();
  } catch (error) {
    sayError(error);
    setTimeout(begin, 2000);
    return;
  }
  const { model, version, takes } = editor.about;
  byId("about").textContent = `gan_colorize ${version}, model ${model}.`;
  document.querySelector("[data-needs=hints]").hidden = takes.includes("hints");
  toolbar.update();
  storage.prune();
  editor.emit("paint");
  if (!(await opening.restore())) {
    start.show();
    if (!storage.current()) say("Open a photograph to begin.");
  }
  document.body.dataset.ready = "true";
}

begin();
