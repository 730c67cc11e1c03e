// A sheet of paper, and what is drawn on it with mouse, pen, finger or keys. Places are shares of the sheet's side, so that
// the same drawing can be painted at any size.

import { eightBits } from "./deep.js";
import { groundOf, smaller } from "./picture.js";

const WIDTH = 1 / 12; // of a stroke
// Its soft edge, as in MNIST: one upon the other, ever narrower strokes [share of the width, opacity].
const EDGE = [[1.3, 0.12], [1.2, 0.2], [1.1, 0.3], [1, 0.4], [0.9, 0.5], [0.8, 0.7], [0.7, 1]];
const SENT = 280; // pixels of the sheet in the picture that the network is asked about
const SIZE = 0.62; // of a digit in that picture, as a share of the sheet: strokes of WIDTH are then as thick as MNIST's
const CLOSEST = 6; // how much a small drawing is enlarged at most
const LARGEST = 1_000_000; // bytes of a picture file that is sent as it is
const STEP = 1 / 40; // of the keys' cursor
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const INK = "#111", PAPER = "#fff";

const MARGIN = 0.3; // of the sheet, left and right together of what is wider than it once it is enlarged
const SHEET = { left: 0, top: 0, across: 1, down: 1, scale: 1 };

export class Drawing {
  acts = []; // one after the other: a stroke { points }, a picture { sheet, dark }, or a { clear } sheet

  get #shown() {
    const last = this.acts.findLastIndex((act) => act.clear || act.sheet); // what is before it is covered
    return this.acts.slice(this.acts[last]?.clear ? last + 1 : Math.max(last, 0));
  }

  get empty() {
    return this.#shown.length === 0;
  }

  get pictured() {
    return this.#shown.some(({ sheet }) => sheet);
  }

  begin(point) {
    this.acts.push({ points: [point] });
    return this.acts.at(-1).points;
  }

  clear() {
    if (!this.empty) this.acts.push({ clear: true });
  }

  undo() {
    this.acts.pop();
  }

  // Lay a picture on the sheet, as large as it fits; where it does not reach, the sheet takes the colour of its border.
  // As long as nothing is drawn on it, the file itself is sent, so that the answer is that of `glassnet predict`.
  async lay(file) {
    const bitmap = await createImageBitmap(await eightBits(file));
    const ground = groundOf(bitmap);
    const sheet = Object.assign(document.createElement("canvas"), { width: 2 * SENT, height: 2 * SENT });
    const context = sheet.getContext("2d");
    context.fillStyle = `rgb(${ground})`;
    context.fillRect(0, 0, sheet.width, sheet.height);
    context.imageSmoothingQuality = "high";
    const scale = sheet.width / Math.max(bitmap.width, bitmap.height);
    const [width, height] = [bitmap.width * scale, bitmap.height * scale];
    context.drawImage(bitmap, (sheet.width - width) / 2, (sheet.height - height) / 2, width, height);
    const share = [width / sheet.width, height / sheet.height];
    const sent = file.size <= LARGEST ? file : await smaller(bitmap);
    this.acts.push({ sheet, sent, share, dark: ground[0] + ground[1] + ground[2] < 3 * 128 });
  }

  // Paint the sheet, each of its sides `side` pixels, where a drawing is not enlarged and the window is the sheet itself.
  paint(context, side, { left, top, across, down, scale } = SHEET) {
    context.fillStyle = PAPER;
    context.fillRect(0, 0, across * scale * side, down * scale * side);
    context.lineCap = context.lineJoin = "round";
    context.imageSmoothingQuality = "high";
    let ink = INK;
    for (const { points, sheet, dark } of this.#shown) {
      if (sheet) {
        context.drawImage(sheet, 0, 0, side, side);
        ink = dark ? PAPER : INK;
      } else {
        context.strokeStyle = ink;
        stroke(context, side, points.map(([x, y]) => [(x - left) * scale, (y - top) * scale]));
      }
    }
  }

  // A box [left, top, right, bottom] in shares of the picture that `picture` sends, in shares of the sheet.
  onSheet([left, top, right, bottom]) {
    const window = this.#window;
    const x = (share) => window.left + share * window.across;
    const y = (share) => window.top + share * window.down;
    return [x(left), y(top), x(right), y(bottom)];
  }

  get lone() {
    const shown = this.#shown;
    return shown.length === 1 && shown[0].sheet ? shown[0] : null;
  }

  // The part of the sheet that is sent, and how much it is enlarged. Strokes are painted anew at their new size and no
  // thicker, so that a small drawing is no blot. What is drawn on a picture is sent as it is seen.
  get #window() {
    if (this.lone) {
      const [across, down] = this.lone.share; // it is in the middle
      return { left: 0.5 - across / 2, top: 0.5 - down / 2, across, down, scale: 1 };
    }
    const shown = this.#shown;
    if (!shown.length || shown.some(({ sheet }) => sheet)) return SHEET;
    const [xs, ys] = [0, 1].map((axis) => shown.flatMap(({ points }) => points.map((point) => point[axis])));
    const [[left, right], [top, bottom]] = [xs, ys].map((places) => [Math.min(...places), Math.max(...places)]);
    const long = Math.max(bottom - top, (right - left) / 2); // two digits side by side are twice as wide as high
    const scale = Math.min(Math.max(SIZE / Math.max(long, 1e-6), 1), CLOSEST);
    if (scale === 1) return SHEET;
    const across = Math.max(1 / scale, right - left + MARGIN / scale);
    const down = 1 / scale;
    return { left: (left + right - across) / 2, top: (top + bottom - down) / 2, across, down, scale };
  }

  // What is sent of strokes: a canvas.
  canvas() {
    const window = this.#window;
    const [width, height] = [window.across, window.down].map((share) => Math.round(share * window.scale * SENT));
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    this.paint(canvas.getContext("2d", { willReadFrequently: true }), SENT, window);
    return canvas;
  }

  picture() {
    if (this.lone) return Promise.resolve(this.lone.sent);
    return new Promise((done) => this.canvas().toBlob(done));
  }
}

// The one drawing of the page: it is still there when one comes back to Draw, and other views show it to their networks.
export const drawing = new Drawing();

// A point, which a line would not paint, is a dot as wide as a stroke.
function stroke(context, side, points) {
  const [first, ...rest] = points.map((point) => point.map((share) => share * side));
  const line = new Path2D();
  line.moveTo(...first);
  const isDot = rest.every(([x, y]) => x === first[0] && y === first[1]);
  rest.forEach((point, i) => {
    const next = rest[i + 1];
    if (next) line.quadraticCurveTo(...point, (point[0] + next[0]) / 2, (point[1] + next[1]) / 2);
    else line.lineTo(...point);
  });
  if (isDot) line.lineTo(first[0] + 0.01, first[1]);
  for (const [width, opacity] of EDGE) {
    context.lineWidth = width * WIDTH * side;
    context.globalAlpha = opacity;
    context.stroke(line);
  }
  context.globalAlpha = 1;
}

// Let a person draw on a canvas. `changed(done)` is told of every change, and whether a stroke is still under way.
// Returns { repaint, close }.
// `boxes()` are the places of digits to be shown, as shares of the sheet: [left, top, right, bottom].
export function paper(canvas, drawing, changed, boxes) {
  const context = canvas.getContext("2d");
  const held = new Set();
  let points = null; // of the stroke under way
  let cursor = null; // of the keys: [x, y], once they are used
  let planned = false;

  function repaint() {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => {
      planned = false;
      const side = Math.round(canvas.clientWidth * devicePixelRatio);
      if (canvas.width !== side) canvas.width = canvas.height = side;
      drawing.paint(context, side);
      canvas.classList.toggle("pictured", drawing.pictured); // in the dark a sheet of strokes is dark, and a picture as it is
      paintBoxes(side);
      if (cursor && document.activeElement === canvas) paintCursor(side);
      else if (drawing.empty) invite(side);
    });
  }

  function paintBoxes(side) {
    context.strokeStyle = "#0072b2";
    context.lineWidth = side / 200;
    for (const [left, top, right, bottom] of boxes()) {
      context.strokeRect(left * side, top * side, (right - left) * side, (bottom - top) * side);
    }
  }

  function invite(side) {
    context.fillStyle = "#8a8a8a";
    context.font = `${side / 16}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.fillText("Draw a digit here", side / 2, side / 2);
  }

  function paintCursor(side) {
    context.strokeStyle = points ? "#d55e00" : "#0072b2";
    context.lineWidth = side / 120;
    context.beginPath();
    context.arc(cursor[0] * side, cursor[1] * side, (WIDTH * side) / 2, 0, 2 * Math.PI);
    context.stroke();
  }

  function tell(done) {
    repaint();
    changed(done);
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };

  const pointer = {
    pointerdown(event) {
      if (!event.isPrimary || event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      cursor = null;
      points = drawing.begin(place(event));
      repaint(); // a point is no digit to ask about
    },
    pointermove(event) {
      if (!points || cursor || !event.isPrimary) return;
      const all = event.getCoalescedEvents?.() ?? [];
      points.push(...(all.length ? all : [event]).map(place));
      tell(false);
    },
    pointerup: lift,
    pointercancel: lift,
  };

  function lift(event) {
    if (!points || cursor || !event.isPrimary) return;
    points = null;
    tell(true);
  }

  const keys = {
    keydown(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || (points && !cursor)) return;
      if (event.key in ARROWS) {
        held.add(event.key);
        move();
      } else if (event.key === " ") {
        if (!event.repeat) putOrLift();
      } else if (event.key === "Backspace") {
        points = null;
        drawing.undo();
        tell(true);
      } else if (event.key === "Delete") {
        points = null;
        drawing.clear();
        tell(true);
      } else {
        return;
      }
      event.preventDefault();
    },
    keyup: (event) => held.delete(event.key),
    focus: repaint,
    blur() {
      held.clear();
      if (cursor && points) putOrLift();
      repaint();
    },
  };

  // Two arrows at a time go aslant.
  function move() {
    const from = cursor ?? [0.5, 0.5];
    const step = (axis) => [...held].reduce((sum, key) => sum + ARROWS[key][axis] * STEP, 0);
    cursor = from.map((share, axis) => Math.min(Math.max(share + step(axis), 0), 1));
    points?.push(cursor);
    if (points) tell(false);
    else repaint();
  }

  function putOrLift() {
    cursor ??= [0.5, 0.5];
    const down = points === null;
    points = down ? drawing.begin(cursor) : null;
    if (down) repaint();
    else tell(true);
  }

  const handlers = Object.entries({ ...pointer, ...keys });
  for (const [name, handle] of handlers) canvas.addEventListener(name, handle);
  const size = new ResizeObserver(repaint);
  size.observe(canvas);
  return {
    repaint,
    close() {
      size.disconnect();
      for (const [name, handle] of handlers) canvas.removeEventListener(name, handle);
    },
  };
}
