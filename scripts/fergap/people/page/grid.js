/* The grid of faces: only the rows in view are in the document, however many faces there are. */

const GAP = 8; // pixels between two faces
const LINE = 18; // pixels of a line of the answers below a face

/**
 * An ARIA grid with one current face and a selection.
 *
 * `view` has count, paint(element, place, pixels), caption(place) → {pieces, state}, captionLines(pixels), the lines
 * below a face of that width, and label(place); `moved` is called after the current face or the selection has changed.
 */
class Grid {
  constructor(box, view, moved) {
    Object.assign(this, { box, view, moved });
    this.rows = box.firstElementChild;
    this.wanted = 104;
    this.current = 0;
    this.anchor = 0;
    this.selected = new Set();
    this.shown = new Map();
    box.addEventListener("scroll", () => this.draw());
    box.addEventListener("mousedown", (event) => this.pointed(event));
    new ResizeObserver(() => this.layout()).observe(box);
  }

  get rowHeight() {
    return this.size + this.lines * LINE + 2 + GAP;
  }

  layout() {
    const width = this.box.clientWidth - GAP;
    this.columns = Math.max(1, Math.floor(width / (this.wanted + GAP)));
    this.size = Math.max(32, Math.floor(width / this.columns) - GAP); // the rows are full
    this.lines = this.view.captionLines(this.size);
    this.box.dataset.lines = this.lines;
    const count = Math.ceil(this.view.count / this.columns);
    this.rows.style.height = `${count * this.rowHeight + GAP}px`;
    this.box.setAttribute("aria-rowcount", count);
    this.box.setAttribute("aria-colcount", this.columns);
    this.rows.replaceChildren();
    this.shown.clear();
    this.reveal();
    this.draw();
  }

  /** Brings the current face into view. */
  reveal() {
    const top = Math.floor(this.current / this.columns) * this.rowHeight;
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + this.rowHeight + GAP > scrollTop + clientHeight) {
      this.box.scrollTop = top + this.rowHeight + GAP - clientHeight;
    }
  }

  draw() {
    if (!this.columns) return;
    const last = Math.ceil(this.view.count / this.columns) - 1;
    const from = Math.max(0, Math.floor(this.box.scrollTop / this.rowHeight) - 1);
    const to = Math.min(last, Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.rowHeight) + 1);
    for (const [index, row] of this.shown) {
      if (index < from || index > to) {
        row.remove();
        this.shown.delete(index);
      }
    }
    for (let index = from; index <= to; index++) {
      if (!this.shown.has(index)) this.shown.set(index, this.rowElement(index));
      for (const cell of this.shown.get(index).children) this.refresh(cell);
    }
    // readers follow the document, in which rows that come into view later must not stand last
    const sorted = [...this.shown.keys()].sort((a, b) => a - b);
    sorted.forEach((index, i) => {
      const row = this.shown.get(index);
      if (this.rows.children[i] !== row) this.rows.insertBefore(row, this.rows.children[i] || null);
    });
    this.box.setAttribute("aria-activedescendant", `place-${this.current}`);
  }

  rowElement(index) {
    const row = document.createElement("div");
    row.className = "row";
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", index + 1);
    row.style.transform = `translateY(${index * this.rowHeight + GAP}px)`;
    const end = Math.min(this.view.count, (index + 1) * this.columns);
    for (let place = index * this.columns; place < end; place++) {
      const cell = document.createElement("div");
      cell.id = `place-${place}`;
      cell.className = "cell";
      cell.dataset.place = place;
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-colindex", place - index * this.columns + 1);
      cell.style.width = `${this.size}px`;
      const picture = document.createElement("div");
      picture.className = "face";
      this.view.paint(picture, place, this.size);
      const caption = document.createElement("div");
      caption.className = "caption";
      caption.style.height = `${this.lines * LINE + 2}px`;
      cell.append(picture, caption);
      row.append(cell);
    }
    return row;
  }

  refresh(cell) {
    const place = Number(cell.dataset.place);
    const { pieces, state } = this.view.caption(place);
    const text = pieces.join(this.lines === 1 || pieces.length > this.lines ? ", " : "\n");
    if (cell.lastChild.textContent !== text) cell.lastChild.textContent = text;
    cell.dataset.state = state;
    cell.setAttribute("aria-label", this.view.label(place));
    cell.setAttribute("aria-selected", this.selected.has(place));
    cell.classList.toggle("current", place === this.current);
  }

  /** The faces that an answer is for: the selection, or else the current face. */
  places() {
    return this.selected.size ? [...this.selected].sort((a, b) => a - b) : [this.current];
  }

  /** Goes to a place; with `extend` the selection grows from where it began. */
  go(place, extend = false) {
    this.current = Math.max(0, Math.min(this.view.count - 1, place));
    if (extend) {
      const [from, to] = [Math.min(this.anchor, this.current), Math.max(this.anchor, this.current)];
      this.selected = new Set(Array.from({ length: to - from + 1 }, (_, i) => from + i));
    } else {
      this.anchor = this.current;
      this.selected.clear();
    }
    this.reveal();
    this.draw();
    this.moved();
  }

  pointed(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    event.preventDefault();
    this.box.focus();
    const place = Number(cell.dataset.place);
    if (event.ctrlKey || event.metaKey) {
      if (!this.selected.size) this.selected.add(this.current);
      if (!this.selected.delete(place)) this.selected.add(place);
      this.current = this.anchor = place;
      this.draw();
      this.moved();
    } else this.go(place, event.shiftKey);
  }

  resize(pixels) {
    this.wanted = Math.max(48, Math.min(384, pixels));
    this.layout();
  }
}
