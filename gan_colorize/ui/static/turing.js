// The two-alternative forced choice: start, rounds, end. What is shown when is here; what is true stays with the
// server. Times are measured by the frames that the browser drew.

const part = (name) => document.getElementById(name);
const SECTIONS = ["start", "round", "ready", "end", "trouble"];
let timing = { seconds: 1, before_ms: 900, between_ms: 600 };
let practised = false;
let waitingKeys = null; // what the keys do now: {key: function}

function show(name, focus) {
  for (const section of SECTIONS) part(section).hidden = section !== name;
  if (focus) part(focus).focus();
}

function say(text) {
  part("status").textContent = text; // read aloud, not seen
}

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The program that shows this test does not answer. Is it still running?");
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) {
    const error = new Error(content.error || `The server answered with ${response.status}.`);
    error.status = response.status;
    throw error;
  }
  return content;
}

// Tries until it works: an answer is not lost when the server is away for a while.
async function persist(path, body) {
  for (;;) {
    try {
      return await ask(path, body);
    } catch (error) {
      if (error.status === 404 || error.status === 409) throw error;
      const back = SECTIONS.find((section) => !part(section).hidden);
      part("problem").textContent = error.message;
      show("trouble", "trouble-title");
      await pressed({ again: ["Enter"] });
      show(back);
    }
  }
}

// Waits for one of several buttons, or its keys -> {name of the button, when}.
function pressed(buttons) {
  return new Promise((resolve) => {
    const finish = (name) => {
      waitingKeys = null;
      for (const each of Object.keys(buttons)) part(each).onclick = null;
      resolve({ name, when: performance.now() });
    };
    waitingKeys = {};
    for (const [name, keys] of Object.entries(buttons)) {
      part(name).onclick = () => finish(name);
      for (const key of keys) waitingKeys[key] = () => finish(name);
    }
  });
}

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  // A focused button is pressed by Enter itself.
  if (event.key === "Enter" && event.target instanceof HTMLButtonElement) return;
  const action = waitingKeys?.[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

const tenths = (milliseconds) => Math.round(10 * milliseconds) / 10; // finer than any screen

const frame = () => new Promise(requestAnimationFrame);

async function wait(milliseconds) {
  const begun = await frame();
  while ((await frame()) - begun < milliseconds);
}

// Nothing begins while the page is not looked at.
async function visible() {
  while (document.visibilityState !== "visible") {
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }
}

// Shows one thing for a time -> milliseconds from the frame that had it first to the first without it.
async function flash(element, milliseconds) {
  const begun = await frame();
  element.classList.add("shown");
  let now = begun;
  let step = 1000 / 60;
  // Half a frame early is nearer than half a frame late and more.
  while (now - begun < milliseconds - step / 2) {
    const next = await frame();
    step = Math.min(next - now, 50);
    now = next;
  }
  element.classList.remove("shown");
  return tenths(now - begun);
}

async function load(round) {
  const images = round.pictures.map((address) => {
    const image = new Image(round.width, round.height);
    image.src = address;
    image.alt = "";
    image.draggable = false;
    return image;
  });
  // Both are pixels before the first is seen: decoding takes time that would be the picture's.
  try {
    await Promise.all(images.map((image) => image.decode()));
  } catch {
    throw Object.assign(new Error("A picture did not arrive."), { status: 0 });
  }
  return images;
}

async function play(round) {
  part("question").hidden = part("feedback").hidden = true;
  part("stage").hidden = false;
  part("round").classList.remove("told");
  part("stage").style.setProperty("--room", `${round.height}px`);
  part("count").textContent = `${round.practice ? "Practice" : "Round"} ${round.number} of ${round.count}`;
  show("round");
  const images = await load(round);
  part("stage").replaceChildren(part("mark"), ...images);
  await visible();
  say("Look now: two pictures.");
  await flash(part("mark"), (2 / 3) * timing.before_ms);
  await wait(timing.before_ms / 3);
  const first = await flash(images[0], 1000 * timing.seconds);
  await wait(timing.between_ms);
  const second = await flash(images[1], 1000 * timing.seconds);
  images.forEach((image) => image.remove());
  return { images, shown: [first, second] };
}

async function question() {
  part("question").hidden = false;
  part("ask").focus();
  const asked = await frame();
  const answer = await pressed({ first: ["1", "ArrowLeft"], second: ["2", "ArrowRight"] });
  part("question").hidden = true;
  return { choice: answer.name === "second" ? 1 : 0, took: tenths(Math.max(0, answer.when - asked)) };
}

async function feedback(images, coloured, choice) {
  const which = ["first", "second"][coloured];
  part("verdict").textContent = coloured === choice
    ? `Right: the ${which} had the computer's colours.`
    : `No: the ${which} had the computer's colours.`;
  part("both").replaceChildren(...images.map((image, index) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = `${["First", "Second"][index]}: ${index === coloured ? "the computer's" : "real"}`;
    image.alt = `The photograph in ${index === coloured ? "the computer's" : "its real"} colours`;
    figure.append(image, caption);
    return figure;
  }));
  part("stage").hidden = true;
  part("round").classList.add("told");
  part("feedback").hidden = false;
  part("verdict").focus();
  await pressed({ next: ["Enter", " "] });
  part("feedback").hidden = true;
}

async function rounds() {
  for (;;) {
    const round = await persist("/api/turing/round", {});
    if (round.finished) return end(round);
    if (practised && !round.practice) {
      practised = false;
      show("ready", "ready-title");
      await pressed({ go: ["Enter", " "] });
    }
    practised = practised || round.practice;
    const { images, shown } = await play(round);
    const { choice, took } = await question();
    let told = {};
    try {
      told = await persist("/api/turing/answer", {
        round: round.round, choice, shown_ms: shown, response_ms: took,
      });
    } catch (error) {
      if (error.status !== 409) throw error; // answered in another tab: go on from there
    }
    if (told.coloured !== undefined) await feedback(images, told.coloured, choice);
  }
}

function end(result) {
  const { trials, fooled, rate, wilson95 } = result.own;
  const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
  part("own").textContent = trials
    ? `You took the computer's colours for the real ones in ${fooled} of ${trials} rounds: ${percent(rate)}, `
      + `95\u00a0% interval ${percent(wilson95[0])} to ${percent(wilson95[1])}. `
      + "Where nobody can tell them apart, it is 50\u00a0%."
    : "None of your rounds counts: the pictures were not on the screen for the time they should have been.";
  const { people, reading } = result.everybody;
  part("everybody").textContent = people > 1 ? `All ${people} people so far. ${reading}` : "";
  show("end", "end-title");
  return pressed({ person: [] }).then(() => begin(true));
}

async function begin(another) {
  await persist("/api/turing/start", { another });
  for (;;) {
    try {
      return await rounds();
    } catch (error) {
      part("problem").textContent = error.message;
      show("trouble", "trouble-title");
      await pressed({ again: ["Enter"] });
      await persist("/api/turing/start", { another: false });
    }
  }
}

async function main() {
  const state = await persist("/api/turing");
  timing = state;
  const seconds = state.seconds;
  part("seconds").textContent = seconds === 1 ? "a second" : `${seconds} seconds`;
  if (state.session?.finished) return begin(false); // the result again, and the next person
  if (state.session) {
    const left = state.session.left;
    part("resume").textContent = `You have been here before: ${left} round${left === 1 ? " is" : "s are"} left.`;
    part("resume").hidden = part("another").hidden = false;
    part("begin").textContent = "Continue";
  }
  part("begin").disabled = false;
  part("begin").focus();
  const chosen = await pressed({ begin: ["Enter"], another: [] });
  return begin(chosen.name === "another");
}

main();
