// Telling a digit's strokes from frames, lines of the paper and specks, as glassnet/data/strokes.py does.

import { count, cut, median, rint, transposed, turned } from "./grids.js";
import { parts } from "./filters.js";

const ALIKE = 12, OTHER = 24, MOST = 0.8, DEEPEST = 0.4;
const OUTER = 0.2, NINE_TENTHS = 0.9, SPECK = 0.03;
const STEEPEST = Math.tan((5 * Math.PI) / 180);
const SLOPES = Array.from({ length: 41 }, (_, i) => -STEEPEST + (2 * STEEPEST * i) / 40);
const SPAN = 0.75, THICK = 0.04, PREPARED = 40;

// What is inside of bars and frames of one gray value along the picture's whole sides.
export function withoutFrame(gray) {
  if (Math.min(gray.height, gray.width) < PREPARED) return gray;
  const taken = [0, 0, 0, 0]; // from the top, right, bottom and left
  let left = gray;
  for (let turn = 0; turn < 8; turn++) {
    if (turn === 4 && !count(taken)) break;
    const own = bar(left);
    taken[turn % 4] += own;
    left = turned(own ? cut(left, own, left.height, 0, left.width) : left);
  }
  return count(taken) === 0 ? gray : cut(gray, taken[0], gray.height - taken[2], taken[3], gray.width - taken[1]);
}

function bar({ height, width, data }) {
  const colour = Math.fround(median(data.subarray(0, width)));
  const deepest = Math.floor(DEEPEST * height);
  if (deepest < 1 || data.subarray(0, width).some((value) => Math.abs(value - colour) > ALIKE)) return 0;
  const differing = (row, by) => {
    let some = 0;
    for (let i = row * width; i < (row + 1) * width; i++) if (Math.abs(data[i] - colour) > by) some += 1;
    return some / width;
  };
  const rows = Math.min(deepest + 3, height);
  let first = 0;
  while (first < rows && !(differing(first, ALIKE) > 0.05)) first += 1;
  if (first === rows || first > deepest) return 0;
  for (let row = first; row < Math.min(first + 3, rows); row++) if (differing(row, OTHER) >= MOST) return row;
  return 0;
}

// Without straight lines across the picture, but with what crosses them.
export function peelLines(given) {
  if (Math.min(given.height, given.width) < PREPARED) return given;
  return transposed(withoutRows(transposed(withoutRows(given))));
}

function withoutRows(given) {
  const { height, width, data } = given;
  const reach = Math.floor(width / 20) + 1;
  const touches = (from, to) => {
    for (let y = 0; y < height; y++) if (data.subarray(y * width + from, y * width + to).includes(1)) return true;
    return false;
  };
  if (!touches(0, reach) || !touches(width - reach, width)) return given;
  const margin = Math.floor(STEEPEST * width) + 1;
  const rows = height + 2 * margin;
  const counts = SLOPES.map(() => new Int32Array(rows));
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (data[i]) SLOPES.forEach((slope, n) => { counts[n][rint(y + slope * (x - width / 2)) + margin] += 1; });
    }
  }
  const left = { height, width, data: data.slice() };
  const thickest = Math.max(3, rint(THICK * height));
  for (;;) {
    const tops = counts.map((own) => Math.max(...own));
    const most = Math.max(...tops);
    if (most < SPAN * width) return left;
    const slope = tops.indexOf(most);
    const peak = counts[slope].indexOf(most);
    let [first, last] = [peak, peak];
    while (first > 0 && counts[slope][first - 1] >= 0.5 * most) first -= 1;
    while (last < rows - 1 && counts[slope][last + 1] >= 0.5 * most) last += 1;
    if (last - first < thickest) peel(left, given, SLOPES[slope], first - margin - 1, last - margin + 1);
    for (const own of counts) own.fill(0, Math.max(0, first - thickest), last + thickest + 1);
  }
}

function peel(left, { height, width, data }, slope, first, last) {
  const row = (x, i) => i + rint(slope * (width / 2 - x));
  const has = (x, i) => row(x, i) >= 0 && row(x, i) < height && data[row(x, i) * width + x];
  const reach = Math.floor((last - first + 1) / 2);
  const near = (one, other) => {
    const there = Array.from({ length: width }, (_, x) => has(x, one) || has(x, other));
    return there.map((_, x) => there.slice(Math.max(x - reach, 0), x + reach + 1).some(Boolean));
  };
  const [above, below] = [near(first - 2, first - 1), near(last + 1, last + 2)];
  for (let x = 0; x < width; x++) {
    if (above[x] && below[x]) continue;
    for (let i = first; i <= last; i++) if (row(x, i) >= 0 && row(x, i) < height) left.data[row(x, i) * width + x] = 0;
  }
}

// Without the parts that touch the edge and hardly leave it, and then without specks, unless nothing else is there.
export function dropStrayParts(given, depth) {
  const { height, width, data } = given;
  const { labels, number } = parts(given);
  if (number < 2) return given;
  const [amounts, sizes, inner, atEdge] = Array.from({ length: 4 }, () => new Float64Array(number + 1));
  const strip = Math.max(1, rint(OUTER * Math.min(height, width)));
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const label = labels[i];
      if (!label) continue;
      amounts[label] += depth.data[i];
      sizes[label] += 1;
      if (y >= strip && y < height - strip && x >= strip && x < width - strip) inner[label] += 1;
      if (y === 0 || x === 0 || y === height - 1 || x === width - 1) atEdge[label] = 1;
    }
  }
  const all = Array.from({ length: number }, (_, i) => i + 1);
  let stray = new Set(all.filter((label) => atEdge[label] && inner[label] <= (1 - NINE_TENTHS) * sizes[label]));
  if (stray.size === number) stray = new Set();
  const kept = all.reduce((sum, label) => sum + (stray.has(label) ? 0 : amounts[label]), 0);
  for (const label of all) if (amounts[label] < SPECK * kept) stray.add(label);
  return { height, width, data: data.map((value, i) => (value && !stray.has(labels[i]) ? 1 : 0)) };
}
