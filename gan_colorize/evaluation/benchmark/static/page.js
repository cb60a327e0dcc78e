"use strict";

// Tables: a click on a heading sorts by it, a second one turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const sign = down ? -1 : 1;
      const keyOf = (row) => row.cells[column].dataset.value;
      const order = (a, b) => {
        const [x, y] = [keyOf(a), keyOf(b)];
        if (x === "" || y === "") return (x === "") - (y === ""); // what is not there comes last
        const [p, q] = [Number(x), Number(y)];
        return sign * (Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q);
      };
      body.append(...[...body.rows].sort(order));
    });
  });
}

// One dot a photograph, placed by two entries' values.
const points = JSON.parse(document.getElementById("points").textContent);
const place = document.getElementById("scatter");
if (place) {
  const SIDE = 420;
  const MARGIN = 56;
  const pick = Object.fromEntries(["of-set", "metric", "across", "up"].map((id) => [id, document.getElementById(id)]));
  const fill = (select, values, chosen) => {
    const before = values.some(([value]) => value === select.value) ? select.value : chosen;
    select.replaceChildren(...values.map(([value, text]) => new Option(text, value)));
    if (before !== undefined) select.value = before;
  };
  const element = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const draw = () => {
    const set = points[pick["of-set"].value];
    fill(pick.metric, Object.entries(set.metrics).map(([key, of]) => [key, of.title]), Object.keys(set.metrics)[0]);
    const key = pick.metric.value;
    const metric = set.metrics[key];
    if (metric === undefined) { // a set on which all entries but one failed
      place.replaceChildren();
      document.getElementById("scatter-says").textContent = "Nothing to compare.";
      return;
    }
    const entries = Object.keys(set.entries).filter((name) => key in set.entries[name]);
    const own = entries.filter((name) => name !== "grey" && !name.startsWith("truth through "));
    const first = own[0] ?? entries[0];
    const second = own[1] ?? entries.find((name) => name !== first) ?? first;
    fill(pick.across, entries.map((name) => [name, name]), second);
    fill(pick.up, entries.map((name) => [name, name]), first);
    const [xs, ys] = [set.entries[pick.across.value][key], set.entries[pick.up.value][key]];
    const both = xs.map((x, i) => [x, ys[i], set.names[i]]).filter(([x, y]) => x !== null && y !== null);
    const all = both.flatMap(([x, y]) => [x, y]);
    const low = Math.min(...all);
    const span = Math.max(...all) - low || 1;
    const at = (value) => MARGIN + ((value - low) / span) * SIDE;
    const up = (value) => SIDE + 12 - ((value - low) / span) * SIDE;
    const size = SIDE + MARGIN + 14;
    const svg = element("svg", {
      viewBox: `0 0 ${size} ${size}`, role: "img",
      "aria-label": `${metric.title} of ${pick.up.value} against ${pick.across.value}, photograph by photograph`,
    });
    svg.append(element("rect", { class: "frame", x: MARGIN, y: 12, width: SIDE, height: SIDE }));
    svg.append(element("line", { class: "ideal", x1: at(low), y1: up(low), x2: at(low + span), y2: up(low + span) }));
    for (const [x, y, name] of both) {
      const dot = element("circle", { class: "point", cx: at(x), cy: up(y), r: 4 });
      dot.append(element("title", {}, `${name}: ${x.toFixed(metric.decimals)} | ${y.toFixed(metric.decimals)}`));
      svg.append(dot);
    }
    const digits = Math.min(metric.decimals, 2);
    const bottom = SIDE + 28;
    svg.append(element("text", { class: "tick", x: MARGIN, y: bottom }, low.toFixed(digits)));
    svg.append(element("text", { class: "tick", x: MARGIN + SIDE, y: bottom, "text-anchor": "end" }, (low + span).toFixed(digits)));
    svg.append(element("text", { class: "tick", x: MARGIN - 6, y: 22, "text-anchor": "end" }, (low + span).toFixed(digits)));
    svg.append(element("text", { x: MARGIN + SIDE / 2, y: bottom + 16, "text-anchor": "middle" }, pick.across.value));
    svg.append(element("text", { transform: `translate(18 ${SIDE / 2 + 12}) rotate(-90)`, "text-anchor": "middle" }, pick.up.value));
    place.replaceChildren(svg);
    const better = both.filter(([x, y]) => (metric.better === "higher" ? y > x : y < x)).length;
    const says = document.getElementById("scatter-says");
    says.textContent = metric.better === null
      ? `${both.length} photographs.`
      : `${pick.up.value} is the better one on ${better} of ${both.length} photographs (${metric.better} is better).`;
  };

  const sets = Object.keys(points);
  fill(pick["of-set"], sets.map((name) => [name, name]), sets[0]);
  pick["of-set"].parentElement.hidden = sets.length < 2;
  for (const select of Object.values(pick)) select.addEventListener("change", draw);
  draw();
}
