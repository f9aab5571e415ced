/* Answers as files: CSV and JSON Lines, one row per answered place, in the order in which the rater saw the faces. */

const FIXED = ["rater", "time", "seconds", "order", "repeat", "suggestion_shown", "adjudication", "page"];

/** Returns the rows of a rater's answers; an attribute without an answer is empty. */
function answerRows(page, order, answers, attributes, rater) {
  const adjudication = page.disputed ? 1 : 0;
  const rows = [];
  answers.entries.forEach((entry, place) => {
    if (!entry) return;
    const row = { image_id: page.ids[order[place].face] };
    for (const name of attributes) row[name] = entry.values[name] || "";
    const { time, seconds, shown } = entry;
    const { repeat } = order[place];
    const seen = { rater, time, seconds, order: place + 1, repeat, suggestion_shown: shown };
    rows.push({ ...row, ...seen, adjudication, page: page.page });
  });
  return rows;
}

function csvCell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function toCsv(rows, attributes) {
  const columns = ["image_id", ...attributes, ...FIXED];
  return [columns, ...rows.map((row) => columns.map((name) => row[name]))]
    .map((cells) => cells.map(csvCell).join(",") + "\n")
    .join("");
}

function toJsonLines(rows) {
  return rows.map((row) => JSON.stringify(row) + "\n").join("");
}

/** Returns the cells of a CSV as lists of texts. */
function csvCells(text) {
  const lines = [];
  let line = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  while (cell.lastIndex < text.length) {
    const found = cell.exec(text);
    if (!found) throw new Error(`line ${lines.length + 1} is not CSV`);
    line.push(found[1] === undefined ? found[2] : found[1].replaceAll('""', '"'));
    if (found[3] !== ",") {
      lines.push(line);
      line = [];
    }
  }
  return lines;
}

/** Returns the rows of a saved file, which may be CSV or JSON Lines. */
function fromFile(text) {
  const body = text.replace(/^\uFEFF/, "");
  if (body.trimStart().startsWith("{")) {
    return body.split("\n").filter((line) => line.trim()).map((line) => JSON.parse(line));
  }
  const [names, ...lines] = csvCells(body);
  return lines.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ""])));
}

/** Returns the changes that a saved file makes: [[place, entry]]; an error where it is not this rater's of this page. */
function changesFrom(rows, page, order, attributes, rater) {
  if (!rows.length) throw new Error("the file holds no answers");
  if (rows[0].page === undefined) throw new Error("it is not a file of this page");
  return rows.map((row, i) => {
    const where = `row ${i + 1}`;
    if (row.page !== page.page) throw new Error(`${where} was answered on another page (${row.page})`);
    if (row.rater !== rater) throw new Error(`${where} is by ${row.rater || "nobody"}, and you are ${rater}`);
    const place = Number(row.order) - 1;
    if (!order[place] || page.ids[order[place].face] !== row.image_id) throw new Error(`${where} names no face here`);
    const values = {};
    for (const name of attributes) {
      const known = [...page.questions.find((q) => q.attribute === name).answers.map((a) => a.group), UNCLEAR, NO_FACE];
      if (row[name] && !known.includes(row[name])) throw new Error(`${where}: ${row[name]} is no answer here`);
      if (row[name]) values[name] = row[name];
    }
    return [place, { values, time: row.time, seconds: Number(row.seconds), shown: Number(row.suggestion_shown) }];
  });
}

/** Hands a text to the browser as a download. */
function download(name, text, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
