// What survives a reload. The tab's own project is in sessionStorage, so that two tabs cannot mix; a copy per
// photograph in localStorage outlives the tab. A full or forbidden storage costs the memory, never the work.

const PREFIX = "gan_colorize.";
const CURRENT = `${PREFIX}current`;
const PROJECT = `${PREFIX}project.`;
const RECENT = `${PREFIX}recent`;
const KEPT_STEPS = 50; // of undo and redo each: storage holds about 5 MB
const KEPT_PHOTOS = 20;

function write(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

function read(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

export function save(editor) {
  if (!editor.photo) return;
  const kept = {
    photo: editor.photo,
    project: editor.project,
    past: editor.past.slice(-KEPT_STEPS),
    future: editor.future.slice(-KEPT_STEPS),
    saved: Date.now(),
  };
  for (const [storage, key] of [
    [sessionStorage, CURRENT],
    [localStorage, PROJECT + editor.photo.id],
  ]) {
    if (!write(storage, key, kept)) write(storage, key, { ...kept, past: [], future: [] });
  }
}

/** The tab's project as it was, or null. */
export function current() {
  const kept = read(sessionStorage, CURRENT);
  return kept?.photo?.id && Array.isArray(kept.project?.hints) ? kept : null;
}

export function forgetCurrent() {
  sessionStorage.removeItem(CURRENT);
}

function allKept() {
  try {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(PROJECT));
    return keys
      .map((key) => ({ key, ...read(localStorage, key) }))
      .sort((p, q) => (q.saved ?? 0) - (p.saved ?? 0));
  } catch {
    return [];
  }
}

/** The latest project with something in it of a photograph of the same name and size, or null. */
export function earlier(photo) {
  const same = (kept) => ["name", "width", "height"].every((key) => kept.photo?.[key] === photo[key]);
  const asked = (kept) => kept.project?.hints?.length || kept.project?.palette || kept.project?.reference;
  return allKept().find((kept) => kept.photo?.id !== photo.id && same(kept) && asked(kept)) ?? null;
}

/** Drop the oldest projects, so that storage does not fill up over the years. */
export function prune() {
  for (const { key } of allKept().slice(KEPT_PHOTOS)) localStorage.removeItem(key);
}

/** Recently used colours: [{ab: [a, b]}], newest first. */
export function recentPaints() {
  const kept = read(localStorage, RECENT);
  const valid = (paint) =>
    Array.isArray(paint?.ab) && paint.ab.length === 2 && paint.ab.every(Number.isFinite);
  return Array.isArray(kept) ? kept.filter(valid) : [];
}

export function keepRecentPaints(paints) {
  write(localStorage, RECENT, paints);
}
