// Small helpers for elements. Colours are set through the style object, which the content policy allows.

export const byId = (id) => document.getElementById(id);

/** element("button", {className, title, ...}, ...children); keys with a dash or "role" become attributes. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...children);
  return node;
}

/** A button that shows a colour; `label` is what a screen reader says and the tooltip shows. */
export function swatchButton(hex, label, onClick, ...children) {
  const button = element(
    "button",
    { type: "button", className: "swatch", title: label, "aria-label": label },
    ...children,
  );
  button.style.backgroundColor = hex;
  button.onclick = onClick;
  return button;
}

/** Arrow keys, Home and End move the focus among the items of a group, of which one is in the tab order. */
export function rove(group, selector, onFocus = () => {}) {
  group.addEventListener("keydown", (event) => {
    const items = [...group.querySelectorAll(selector)].filter((item) => !item.disabled);
    const index = items.indexOf(document.activeElement);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    let next = -1;
    if (step) next = (index + step + items.length) % items.length;
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = items.length - 1;
    if (index < 0 || next < 0) return;
    event.preventDefault();
    items[next].focus();
    onFocus(items[next]);
  });
}

/** A slider's number with live changes while it is dragged, and one step of undo at its end. */
export function wireSlider(input, editor, change) {
  input.addEventListener("input", () => change(Number(input.value)));
  input.addEventListener("change", () => editor.commit());
}

export const percent = (share) => (share < 0.01 ? "<1 %" : `${Math.round(100 * share)} %`);

/** Save bytes under a name, as a link would. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function debounce(delay, work) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), delay);
  };
}
