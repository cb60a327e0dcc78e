// The line at the bottom that says what happened, and the bar for slow steps.

import { byId } from "./dom.js";

let kind = "";

/**
 * Tell the person something; action: {label, run} adds a button. kind names messages that clear() takes away.
 */
export function say(text, { error = false, action = null, kind: newKind = "" } = {}) {
  kind = newKind;
  const line = byId("status");
  line.textContent = text;
  line.title = text;
  line.classList.toggle("error", error);
  const button = byId("status-action");
  button.hidden = !action;
  button.textContent = action?.label ?? "";
  button.onclick = () => {
    button.hidden = true;
    action.run();
  };
}

/** Take away a message of a kind whose cause is gone. */
export function clear(oldKind, text = "") {
  if (kind === oldKind) say(text);
}

/** Show an error of the server or of the page, in one line; an abort is none. */
export function sayError(error, options = {}) {
  if (error?.name === "AbortError") return;
  const text = error?.message || String(error);
  say(text.charAt(0).toUpperCase() + text.slice(1), { error: true, ...options });
}

/** share: 0..1, NaN for "some time", null to hide the bar. */
export function progress(share, bar = byId("progress")) {
  bar.hidden = share === null;
  if (share === null) return;
  if (Number.isNaN(share)) bar.removeAttribute("value");
  else bar.value = share;
}
