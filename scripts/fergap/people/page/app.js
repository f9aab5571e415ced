/* The page: who answers, what the keys do, what is shown and said. */

const page = JSON.parse(document.getElementById("content").textContent);
const attributes = page.questions.map((question) => question.attribute);
const element = (id) => document.getElementById(id);
const pictures = new Pictures(page.side);
const commands = [
  ["Arrows", "to the next face"],
  ["Shift + arrows", "mark several faces; an answer is for all of them"],
  ["U", "unclear: for what has no answer yet"],
  ["X", "not a face"],
  ["Delete", "take this face's answers away"],
  ["Z", "undo; Y does it again"],
  ["N", "to the next face without an answer"],
  ["Enter", "enlarge the face"],
  ["+ −", "larger or smaller faces"],
  ["P", "pause"],
  ["H", "this panel"],
];
const ALL_DONE = "All faces have an answer: save the file now.";
const PASSED = "has no answer yet. When a face has all its answers, the next comes by itself; no arrow is needed.";
const system = matchMedia("(prefers-color-scheme: dark)");
const NOT_KEPT = "This browser keeps nothing more: save a file before you close the page.";
let rater, order, answers, grid, clock, store, widest;
let arrived = -1; // the place to which the last answer has led by itself
let toldOfPassing = false;

/** Makes an element with attributes and children. */
function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function say(text) {
  element("live").textContent = text;
}

/** Shows what is wrong; `passes` where the next command takes it away. */
function warn(text, passes = false) {
  const box = element("warning");
  Object.assign(box, { textContent: text, hidden: !text });
  box.dataset.passes = passes;
}

/** Shows and says what has happened, until the next command. */
function note(text) {
  Object.assign(element("note"), { textContent: text, hidden: !text });
  if (text) say(text);
}

function dismiss() {
  note("");
  if (element("warning").dataset.passes === "true") warn("");
}

/** The attributes that are asked of the face at a place. */
function asked(place) {
  return page.disputed ? page.disputed[order[place].face] : attributes;
}

/* ---- what is shown ---- */

function values(place) {
  return answers.entries[place] ? answers.entries[place].values : {};
}

/** Returns a face's answers, one where all are alike that they cannot be given, and what is asked of it still. */
function pieces(place) {
  const given = attributes.map((name) => values(place)[name]).filter(Boolean);
  const alike = given.length > 1 && new Set(given).size === 1 && [UNCLEAR, NO_FACE].includes(given[0]);
  const open = page.disputed ? asked(place).filter((name) => !values(place)[name]) : [];
  return [...(alike ? given.slice(0, 1) : given), ...open.map((name) => `${name}?`)];
}

/** Returns a face's answers in words; the words of its caption come first and in its order. */
function words(place) {
  const given = values(place);
  if (!Object.keys(given).length) return "no answer";
  const unclear = attributes.filter((name) => given[name] === UNCLEAR);
  const which = unclear.length && unclear.length < asked(place).length ? ` (${unclear.join(", ")} unclear)` : "";
  return pieces(place).join(", ") + which;
}

function suggestion(place) {
  if (!page.suggestions) return "";
  const told = page.suggestions[order[place].face];
  return attributes.map((name) => told[name]).filter((group) => group && group !== "unknown").join(", ");
}

function caption(place) {
  const given = Object.values(values(place));
  if (!given.length && page.suggestions) return { pieces: [`${suggestion(place)}?`], state: "open" };
  const odd = given.includes(UNCLEAR) || given.includes(NO_FACE);
  return { pieces: pieces(place), state: !answers.complete(place) ? "open" : odd ? "odd" : "done" };
}

/** Returns how many lines a face's answers take: one where the longest fit below a face, else one for each, up to 3. */
function captionLines(pixels) {
  if (!widest) {
    const context = document.createElement("canvas").getContext("2d");
    context.font = `13px ${getComputedStyle(document.body).fontFamily}`;
    const long = (texts) => Math.max(...texts.map((text) => context.measureText(text).width));
    const each = page.questions.map((q) => long([...q.answers.map((a) => `${a.group}, `), `${q.attribute}?, `]));
    widest = Math.max(long([NO_FACE]), each.reduce((sum, one) => sum + one) - long([", "]));
  }
  return widest + 4 <= pixels ? 1 : Math.min(3, attributes.length);
}

function label(place) {
  const hint = suggestion(place);
  const open = page.disputed ? `, asked: ${asked(place).join(", ")}` : "";
  return `Face ${place + 1} of ${order.length}: ${words(place)}${open}${hint ? `, suggested: ${hint}` : ""}`;
}

function showNumbers() {
  const { done } = answers;
  const left = order.length - done;
  const pace = done >= 5 ? done / (answers.seconds() / 60) : 0;
  let text = `${done} of ${order.length}`;
  if (Number.isFinite(pace) && pace > 0) {
    text += ` · ${pace.toFixed(pace < 10 ? 1 : 0)} per minute`;
    if (left) text += ` · ${Math.max(1, Math.round(left / pace))} min left`;
  }
  element("numbers").textContent = text;
  element("progress").max = order.length;
  element("progress").value = done;
  if (!answers.past.length && document.activeElement === element("undo")) grid.box.focus(); // it is about to lose it
  element("undo").disabled = !answers.past.length;
}

function showCurrent() {
  const place = grid.current;
  const { face } = order[place];
  const many = grid.places().length;
  pictures.paint(element("preview"), face, Math.max(96, Math.min(224, element("panel").clientWidth - 24)));
  if (!element("zoom").hidden) pictures.paint(element("zoomed"), face, Math.min(innerWidth, innerHeight - 60, 640) - 40);
  element("told").textContent = label(place);
  element("place").textContent = many > 1 ? `${many} faces marked` : label(place);
  const given = values(place);
  for (const box of document.querySelectorAll("fieldset[data-attribute]")) {
    box.disabled = !grid.places().some((one) => asked(one).includes(box.dataset.attribute));
  }
  for (const button of document.querySelectorAll(".answer")) {
    const { attribute, group } = button.dataset;
    const pressed = attribute ? given[attribute] === group : Object.values(given).includes(NO_FACE);
    button.setAttribute("aria-pressed", pressed);
  }
  store.write("place", String(place));
}

function showAll() {
  grid.draw();
  showCurrent();
  showNumbers();
}

/* ---- what the commands do ---- */

/** Answers for the current face or the marked ones, and goes on to the next open face when they are complete. */
function answer(fresh, places = grid.places()) {
  const last = places[places.length - 1];
  answers.answer(places, fresh);
  dismiss();
  arrived = -1;
  if (!store.works) warn(NOT_KEPT);
  showAll();
  const told = words(last);
  const whole = places.every((place) => answers.complete(place));
  if (whole) {
    const next = answers.nextOpen(last);
    grid.go(next >= 0 ? next : last);
    arrived = next;
    if (next < 0) note(ALL_DONE);
    say(`${places.length > 1 ? `${places.length} faces: ` : ""}${told}. ${next >= 0 ? `Face ${next + 1}` : ALL_DONE}`);
  } else say(told);
}

function choose(attribute, group) {
  const places = grid.places().filter((place) => asked(place).includes(attribute));
  if (!places.length) return say(`${attribute} is not asked of this face.`);
  answer((old) => ({ ...(Object.values(old).includes(NO_FACE) ? {} : old), [attribute]: group }), places);
}

const acts = {
  u: () =>
    answer((old, place) =>
      Object.fromEntries(asked(place).map((n) => [n, old[n] && old[n] !== NO_FACE ? old[n] : UNCLEAR])),
    ),
  x: () => answer((old, place) => Object.fromEntries(asked(place).map((name) => [name, NO_FACE]))),
  z: () => stepped(answers.undo(), "Taken back", "Nothing to undo: only answers given since the page was opened can be."),
  y: () => stepped(answers.redo(), "Done again", "Nothing to do again."),
  p: () => pause(element("curtain").hidden),
  h: () => togglePanel(),
  n: () => {
    const next = answers.nextOpen(grid.current);
    if (next >= 0) grid.go(next);
    if (next >= 0) say(label(next));
    else note(ALL_DONE);
  },
  Delete: () => answer(() => ({})),
  Backspace: () => answer(() => ({})),
  Enter: () => zoom(element("zoom").hidden),
  Escape: () => (element("zoom").hidden ? grid.go(grid.current) : zoom(false)),
  "+": () => grid.resize(grid.wanted + 16),
  "=": () => grid.resize(grid.wanted + 16),
  "-": () => grid.resize(grid.wanted - 16),
  "?": () => togglePanel(),
};
const moves = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: () => -grid.columns,
  ArrowDown: () => grid.columns,
  PageUp: () => -grid.columns * Math.max(1, Math.floor(grid.box.clientHeight / grid.rowHeight)),
  PageDown: () => grid.columns * Math.max(1, Math.floor(grid.box.clientHeight / grid.rowHeight)),
  Home: () => -grid.current,
  End: () => order.length,
};
const answerKeys = Object.fromEntries(
  page.questions.flatMap((q) => q.answers.map((a) => [a.key, () => choose(q.attribute, a.group)])),
);

function stepped(places, told, nothing) {
  dismiss();
  if (!places.length) {
    note(nothing);
    return;
  }
  showAll();
  grid.go(places[places.length - 1]);
  say(`${told}. ${label(grid.current)}`);
}

function zoom(open) {
  element("zoom").hidden = !open;
  showCurrent();
}

function pause(stop) {
  element("curtain").hidden = !stop;
  document.querySelector("main").inert = document.querySelector("header").inert = stop;
  if (stop) {
    clock.pause();
    element("resume").focus();
  } else {
    clock.resume();
    grid.box.focus();
  }
  say(stop ? "Paused" : label(grid.current));
}

function togglePanel(open = element("panel").hidden) {
  element("panel").hidden = !open;
  element("guide").setAttribute("aria-expanded", open);
}

/** Shows the theme that was chosen on such a page before, else the system's. */
function followTheme() {
  document.documentElement.dataset.theme = new Store("fergap").read("theme") || (system.matches ? "dark" : "light");
}

function turnTheme() {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  new Store("fergap").write("theme", theme);
}

function save(suffix) {
  dismiss();
  const rows = answerRows(page, order, answers, attributes, rater);
  if (!rows.length) return note("There is no answer to save yet.");
  const name = `${page.study}-${page.disputed ? "adjudication-" : ""}${rater.replace(/[^\p{L}\p{N}]+/gu, "-")}.${suffix}`;
  if (suffix === "csv") download(name, toCsv(rows, attributes), "text/csv");
  else download(name, toJsonLines(rows), "application/x-ndjson");
  const left = order.length - answers.done;
  const goal = left
    ? `${left === 1 ? "One face lacks" : `${left} faces lack`} an answer (N goes there).`
    : "Give the file to the study (people.sources).";
  note(`Saved ${name}: ${answers.done} of ${order.length}. ${goal}`);
}

async function load(file) {
  dismiss();
  grid.box.focus();
  try {
    const changes = changesFrom(fromFile(await file.text()), page, order, attributes, rater);
    answers.past.push(answers.replace(changes));
    answers.future = [];
    showAll();
    note(`${changes.length} answers loaded from ${file.name}.`);
  } catch (error) {
    warn(`${file.name} was not loaded: ${error.message}.`, true);
  }
}

function pressed(event) {
  if (element("start").open || event.altKey) return;
  if (!element("curtain").hidden) {
    if (event.key === "p" || event.key === "Escape") pause(false);
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    (key === "y" || event.shiftKey ? acts.y : acts.z)();
    return;
  }
  const elsewhere = event.target !== grid.box && event.target !== document.body;
  if (elsewhere && (key.length > 1 || key === " ")) return; // a button keeps its own keys
  const move = moves[key];
  const act = acts[key] || answerKeys[key];
  if (!move && !act) return;
  event.preventDefault();
  dismiss();
  if (move) go(move(), event.shiftKey);
  else act();
}

/** Goes some places on; who goes on from a face that had come by itself is told of it, once. */
function go(step, mark) {
  const from = grid.current;
  grid.go(from + step, mark);
  const marked = grid.selected.size;
  const where = marked ? `${marked} faces marked` : label(grid.current);
  if (from === arrived && step > 0 && !mark && !answers.complete(from) && !toldOfPassing) {
    toldOfPassing = true;
    note(`Face ${from + 1} ${PASSED}`);
    say(`Face ${from + 1} ${PASSED} ${where}`);
  } else say(where);
  arrived = -1;
}

/* ---- how it begins ---- */

function buildPanel() {
  for (const { attribute, answers: given } of page.questions) {
    const box = make("fieldset", {}, make("legend", { textContent: attribute }));
    box.dataset.attribute = attribute;
    for (const { group, key, definition } of [...given, { group: UNCLEAR, key: "u", definition: "cannot be told" }]) {
      const about = definition === `looks ${group}` ? "" : definition;
      const words = make("span", {}, group, " ", make("small", { textContent: about }));
      const button = make("button", { type: "button", className: "answer" }, make("kbd", { textContent: key }), words);
      Object.assign(button.dataset, { attribute, group });
      button.addEventListener("mousedown", (event) => event.preventDefault()); // the grid keeps the keys
      button.addEventListener("click", () => choose(attribute, group));
      box.append(button);
    }
    element("answers").append(box);
  }
  const none = make("button", { type: "button", className: "answer" }, make("kbd", { textContent: "x" }), NO_FACE);
  none.addEventListener("mousedown", (event) => event.preventDefault());
  none.addEventListener("click", acts.x);
  element("answers").append(make("fieldset", {}, make("legend", { textContent: "otherwise" }), none));
  for (const [keys, what] of commands) {
    const shown = keys.split(" + ").flatMap((key, i) => [...(i ? [" + "] : []), make("kbd", { textContent: key })]);
    element("keys").append(make("dt", {}, ...shown), make("dd", { textContent: what }));
  }
}

function buildStart() {
  const options = page.raters.map((name) => make("option", { textContent: name, value: name }));
  const typed = { id: "rater", required: true, maxLength: 60, pattern: ".*\\S.*", autocomplete: "off" };
  const listed = options.length && !page.disputed; // whoever decides need not be one of the raters
  const field = listed ? make("select", { id: "rater" }, ...options) : make("input", typed);
  element("rater-box").append(field);
  if (options.length && !listed) {
    element("rater-box").append(make("datalist", { id: "raters" }, ...options));
    field.setAttribute("list", "raters");
  }
  const before = new Store("fergap").read("rater");
  const known = before && (!listed || page.raters.includes(before));
  if (known) field.value = before;
  element("start").addEventListener("cancel", (event) => event.preventDefault());
  element("start").addEventListener("close", () => begin(field.value.trim()));
  element("start").showModal();
  if (known && listed) element("begin").focus(); // Enter on a list would open it
}

function begin(name) {
  rater = name;
  new Store("fergap").write("rater", rater);
  store = new Store(`fergap/${page.page}/${encodeURIComponent(rater)}`);
  if (!store.works) warn(NOT_KEPT);
  addEventListener("storage", (event) => {
    if (event.key && event.key.startsWith(`${store.prefix}/block-`)) {
      warn(`${rater} answers in another window, too: close one of the two, or answers are lost.`);
    }
  });
  clock = new Clock();
  order = viewingOrder(page.ids.length, page.repeats, `${page.seed}/${rater}`);
  answers = new Answers(order.length, asked, store, clock, page.suggestions ? 1 : 0);
  const paint = (box, place, pixels) => pictures.paint(box, order[place].face, pixels);
  grid = new Grid(element("grid"), { count: order.length, paint, caption, captionLines, label }, showCurrent);
  grid.current = grid.anchor = Math.min(Number(store.read("place")) || 0, order.length - 1);
  grid.layout();
  new ResizeObserver(showCurrent).observe(element("panel"));
  showAll();
  grid.box.focus();
  say(`${answers.done} of ${order.length} answered. ${label(grid.current)}`);
  document.documentElement.dataset.ready = "true";
}

function build() {
  followTheme();
  system.addEventListener("change", followTheme);
  buildPanel();
  document.addEventListener("keydown", pressed);
  for (const [id, act] of Object.entries({
    undo: acts.z,
    pause: acts.p,
    resume: acts.p,
    smaller: acts["-"],
    larger: acts["+"],
    guide: acts.h,
    theme: turnTheme,
    "save-csv": () => save("csv"),
    "save-jsonl": () => save("jsonl"),
  })) {
    element(id).addEventListener("click", act);
  }
  document.querySelector("header").addEventListener("click", (event) => {
    // after a click by mouse the keys are the grid's again; who came by Tab stays
    if (event.detail > 0 && element("curtain").hidden && !event.target.closest("label")) grid.box.focus();
  });
  element("load").addEventListener("cancel", () => grid.box.focus());
  element("load").addEventListener("change", (event) => {
    if (event.target.files[0]) load(event.target.files[0]);
    event.target.value = "";
  });
  buildStart();
}

takenOver().then(build);
