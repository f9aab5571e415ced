/* Faces from sheets of pictures, each of which is decoded when the first of its faces comes into view. */

class Pictures {
  constructor(side) {
    this.side = side;
    this.urls = new Map();
  }

  url(sheet) {
    if (!this.urls.has(sheet)) {
      const text = atob(document.getElementById(`sheet-${sheet}`).textContent);
      const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
      this.urls.set(sheet, URL.createObjectURL(new Blob([bytes], { type: "image/png" })));
    }
    return this.urls.get(sheet);
  }

  /** Shows a face in an element that is `pixels` wide and high. */
  paint(element, face, pixels) {
    const perSheet = this.side * this.side;
    const place = face % perSheet;
    const [column, row] = [place % this.side, Math.floor(place / this.side)];
    Object.assign(element.style, {
      width: `${pixels}px`,
      height: `${pixels}px`,
      backgroundImage: `url(${this.url(Math.floor(face / perSheet))})`,
      backgroundSize: `${this.side * pixels}px ${this.side * pixels}px`,
      backgroundPosition: `${-column * pixels}px ${-row * pixels}px`,
    });
  }
}
