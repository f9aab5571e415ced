/* What a rater has answered: one entry per place in the order, kept in the browser, with undo. */

const UNCLEAR = "unclear";
const NO_FACE = "not a face";
const IDLE = 60; // seconds after which time no longer counts as work
const PATIENCE = 10_000; // milliseconds

/** Counts the seconds of work between answers; a pause or a long silence is none. */
class Clock {
  constructor(now = () => Date.now()) {
    this.now = now;
    this.last = now();
    this.paused = false;
  }

  /** Returns the seconds since the last call, at most IDLE, and starts anew. */
  lap() {
    const seconds = this.paused ? 0 : Math.min(IDLE, (this.now() - this.last) / 1000);
    this.last = this.now();
    return seconds;
  }

  pause() {
    this.paused = true;
  }

  resume() {
    this.paused = false;
    this.last = this.now();
  }
}

/**
 * Waits until the browser has taken the page over. A busy Chromium hands a page that asks for localStorage before that an
 * empty one, which takes all that is written and keeps nothing; the answer to any other request comes after it.
 */
async function takenOver() {
  const patience = new Promise((done) => setTimeout(done, PATIENCE));
  try {
    await Promise.race([indexedDB.databases(), patience]);
  } catch {
    // a browser that keeps nothing says so when it is asked to
  }
}

/** Keeps small texts in the browser under a prefix; `works` is false where the browser keeps nothing. */
class Store {
  constructor(prefix) {
    this.prefix = prefix;
    this.works = this.write("probe", "1");
  }

  write(name, text) {
    try {
      localStorage.setItem(`${this.prefix}/${name}`, text);
      return true;
    } catch {
      this.works = false;
      return false;
    }
  }

  read(name) {
    try {
      return localStorage.getItem(`${this.prefix}/${name}`);
    } catch {
      return null;
    }
  }
}

/**
 * A rater's answers. An entry is {values: {attribute: answer}, time, seconds, shown}, null where there is none.
 * `asked(place)` gives the attributes that are asked there. Entries are kept in blocks, so that one more answer among thousands writes little.
 */
class Answers {
  constructor(length, asked, store, clock, shown) {
    Object.assign(this, { asked, store, clock, shown });
    this.entries = new Array(length).fill(null);
    this.done = 0;
    this.past = [];
    this.future = [];
    for (let block = 0; block * Answers.BLOCK < length; block++) {
      const kept = JSON.parse(store.read(`block-${block}`) || "[]");
      kept.forEach((entry, i) => this.put(block * Answers.BLOCK + i, entry));
    }
  }

  put(place, entry) {
    if (place >= this.entries.length) return;
    this.done += Number(this.isComplete(place, entry)) - Number(this.isComplete(place, this.entries[place]));
    this.entries[place] = entry;
  }

  isComplete(place, entry) {
    return Boolean(entry) && this.asked(place).every((name) => entry.values[name]);
  }

  complete(place) {
    return this.isComplete(place, this.entries[place]);
  }

  /** Replaces entries, writes their blocks, and returns what stood there before. */
  replace(changes) {
    const before = changes.map(([place]) => [place, this.entries[place]]);
    changes.forEach(([place, entry]) => this.put(place, entry));
    const blocks = new Set(changes.map(([place]) => Math.floor(place / Answers.BLOCK)));
    for (const block of blocks) {
      const first = block * Answers.BLOCK;
      this.store.write(`block-${block}`, JSON.stringify(this.entries.slice(first, first + Answers.BLOCK)));
    }
    return before;
  }

  /** Answers for some places; `values(old, place)` returns the new values of one, from its old ones. */
  answer(places, values) {
    const seconds = this.clock.lap() / places.length;
    const time = new Date().toISOString();
    const changes = places.map((place) => {
      const old = this.entries[place];
      const fresh = values(old ? old.values : {}, place);
      const spent = Math.round(1000 * ((old ? old.seconds : 0) + seconds)) / 1000;
      return [place, Object.keys(fresh).length ? { values: fresh, time, seconds: spent, shown: this.shown } : null];
    });
    this.past.push(this.replace(changes));
    this.future = [];
  }

  /** Takes the last answer back and returns the places that changed; none where there is nothing to take back. */
  undo() {
    return this.step(this.past, this.future);
  }

  redo() {
    return this.step(this.future, this.past);
  }

  step(from, to) {
    const changes = from.pop();
    if (!changes) return [];
    to.push(this.replace(changes));
    return changes.map(([place]) => place);
  }

  /** Returns the first place after `place` that lacks an answer, going round; -1 where all have theirs. */
  nextOpen(place) {
    const count = this.entries.length;
    for (let i = 1; i <= count; i++) {
      if (!this.complete((place + i) % count)) return (place + i) % count;
    }
    return -1;
  }

  seconds() {
    return this.entries.reduce((sum, entry) => sum + (entry ? entry.seconds : 0), 0);
  }
}
Answers.BLOCK = 100;
