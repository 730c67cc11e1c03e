// Telling the ink of a picture from its ground, as glassnet/data/ground.py does, whose comments say why.

import { border, count, everyNth, grid, kth, map, median, quantile, rint, where } from "./grids.js";
import { blurred, dilated, eroded, maximum, minimum } from "./filters.js";
import { reduced } from "./resample.js";

const SMALL = 96, NEAR = 12, SCANNED = 40, COARSE = 12;
const SURELY = 0.8, AS_GOOD = 0.04, ONE_SIDED = 0.97, WINDOW = 0.4, FAINT = 0.6;
export const LEAST_CONTRAST = 14;

// { depth, threshold }: gray levels by which each pixel differs from the ground towards the ink, and those that make it ink.
export function findInk(gray) {
  const depth = aboveGround(gray);
  const size = depth.data.length;
  const few = everyNth(depth.data, 1 + Math.floor(size / 20_000)).map(Math.abs);
  const own = Math.max(noise(depth), quantile(few, 0.1) / 0.1257);
  const least = Math.max(LEAST_CONTRAST, 5 * own);
  if (kth(depth.data, size - 1 - Math.floor(size / 5000)) < least) return { depth, threshold: Infinity };
  return { depth, threshold: Math.max(FAINT * otsu(depth), 3 * own, least / 3) };
}

function noise({ height, width, data }) {
  if (Math.min(height, width) < COARSE) return 0;
  const differences = new Float32Array(height * (width - 1));
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 1; x < width; x++) differences[i++] = Math.abs(data[y * width + x] - data[y * width + x - 1]);
  }
  return 1.05 * median(everyNth(differences, 1 + Math.floor((height * width) / 20_000)));
}

function otsu({ data }) {
  const counts = new Float64Array(256);
  for (let i = 0; i < data.length; i++) counts[Math.min(Math.max(data[i], 0), 255) | 0] += 1;
  const [below, sums] = [new Float64Array(256), new Float64Array(256)];
  counts.forEach((times, level) => {
    below[level] = times + (level ? below[level - 1] : 0);
    sums[level] = times * level + (level ? sums[level - 1] : 0);
  });
  const all = below[255];
  const between = below.map((some, i) => ((sums[255] * some) / all - sums[i]) ** 2 / Math.max(some * (all - some), 1));
  const best = Math.max(...between);
  const levels = [...between.keys()].filter((level) => between[level] === best);
  return count(levels) / levels.length;
}

function aboveGround(gray) {
  const edge = border(gray);
  if (edge.every((value) => value === edge[0])) return inkUp(map(gray, (value) => value - edge[0]));
  const small = smaller(gray);
  const near = Math.max(NEAR, 4 * noise(small));
  const level = commonest(small, near);
  const fromLevel = () => {
    const middle = median(gray.data.filter((value) => Math.abs(value - level) < near));
    return inkUp(map(gray, (value) => value - middle));
  };
  if (isLevel(small, level, near)) return fromLevel();
  const dark = isDark(small, level, near);
  const enough = explained(less(small, neighbourhood(small, dark)), near) - AS_GOOD;
  if (explained(map(small, (value) => value - level), near) >= enough) return fromLevel();
  for (const degree of [1, 2]) {
    const coefficients = fitted(small, degree);
    if (explained(less(small, surface(coefficients, small)), near) >= enough) {
      const ground = surface(coefficients, gray);
      return asLitEvenly(inkUp(less(gray, ground)), ground);
    }
  }
  const smooth = blurred(gray);
  const ground = neighbourhood(smooth, dark);
  return asLitEvenly(dark ? less(ground, smooth) : less(smooth, ground), ground);
}

const less = (a, b) => map(a, (value, i) => value - b.data[i]);

function smaller(gray) {
  const factor = Math.floor(Math.max(gray.height, gray.width) / SMALL);
  return factor < 2 ? gray : reduced(gray, factor, false);
}

function isLevel(small, level, near) {
  if (explained(map(small, (value) => value - level), near) >= SURELY) return true;
  if (Math.max(small.height, small.width) > SCANNED) return false;
  const others = small.data.filter((value) => Math.abs(value - level) >= near);
  const middle = median(others);
  return others.reduce((sum, value) => sum + Math.abs(value - middle), 0) / others.length < near;
}

function asLitEvenly(depth, ground) {
  const usual = median(ground.data);
  return map(depth, (value, i) => value * Math.fround(usual / Math.max(ground.data[i], 16)));
}

// The fraction of pixels near the ground: the mean of that in a strip along the border and that of the whole.
function explained({ height, width, data }, near) {
  const margin = Math.max(1, Math.floor(Math.min(height, width) / 8));
  let [all, inside] = [0, 0];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (Math.abs(data[i]) >= near) continue;
      all += 1;
      if (y >= margin && y < height - margin && x >= margin && x < width - margin) inside += 1;
    }
  }
  const within = Math.max(height - 2 * margin, 0) * Math.max(width - 2 * margin, 0);
  return (all / data.length + (all - inside) / Math.max(1, data.length - within)) / 2;
}

// The one gray value that explains most, among the commonest ones of the whole picture and of its border.
function commonest(gray, near) {
  const edge = border(gray);
  const starts = [Math.fround(median(edge))];
  for (const values of [gray.data, edge]) {
    const counts = new Float64Array(256);
    for (const value of values) counts[value | 0] += 1;
    const around = counts.map((_, i) => count(counts.subarray(Math.max(i - 4, 0), i + 5)));
    for (let turn = 0; turn < 2; turn++) {
      const peak = around.indexOf(Math.max(...around));
      starts.push(peak);
      around.fill(0, Math.max(0, peak - 40), peak + 41);
    }
  }
  const shares = starts.map((level) => explained(map(gray, (value) => value - level), near));
  return starts[shares.indexOf(Math.max(...shares))];
}

function inkUp(difference) {
  const { data } = difference;
  let cubes = 0;
  for (let i = 0; i < data.length; i++) cubes += data[i] * data[i] * data[i];
  return cubes < 0 ? map(difference, (value) => -value) : difference;
}

const across = (side, i) => (side === 1 ? -1 : Math.fround(-1 + (2 * i) / (side - 1)));
const monomials = (x, y, degree) => (degree === 1 ? [1, x, y] : [1, x, y, x * x, x * y, y * y]);

// The coefficients of a surface, fitted by least squares in which a pixel weighs less the further it lies from it.
function fitted({ height, width, data }, degree) {
  const margin = Math.max(1, Math.floor(Math.min(height, width) / 12));
  const [rows, values] = [[], []];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (y >= margin && y < height - margin && x >= margin && x < width - margin) continue;
      rows.push(monomials(across(width, x), across(height, y), degree));
      values.push(data[y * width + x]);
    }
  }
  let coefficients = rows[0].map((_, i) => (i ? 0 : median(values)));
  for (let turn = 0; turn < 10; turn++) {
    const far = 64 * (NEAR / 64) ** (turn / 9);
    const size = coefficients.length;
    const system = Array.from({ length: size }, () => new Float64Array(size + 1));
    rows.forEach((row, n) => {
      const off = row.reduce((sum, value, i) => sum + coefficients[i] * value, -values[n]) / far;
      const weight = (1 + off * off) ** -2;
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) system[i][j] += weight * row[i] * row[j];
        system[i][size] += weight * row[i] * values[n];
      }
    });
    coefficients = solved(system);
  }
  return coefficients.map(Math.fround);
}

// Gauss's elimination, with the largest pivot of each column.
function solved(system) {
  const size = system.length;
  for (let i = 0; i < size; i++) {
    const best = system.slice(i).reduce((top, row, k) => (Math.abs(row[i]) > Math.abs(system[top][i]) ? i + k : top), i);
    [system[i], system[best]] = [system[best], system[i]];
    for (let k = 0; k < size; k++) {
      if (k === i) continue;
      const factor = system[k][i] / system[i][i];
      for (let j = i; j <= size; j++) system[k][j] -= factor * system[i][j];
    }
  }
  return system.map((row, i) => row[size] / row[i]);
}

function surface(coefficients, { height, width }) {
  const degree = coefficients.length === 3 ? 1 : 2;
  const out = grid(height, width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const terms = monomials(across(width, x), across(height, y), degree);
      out.data[y * width + x] = terms.reduce((sum, term, i) => sum + coefficients[i] * term, 0);
    }
  }
  return out;
}

function isDark(gray, level, near) {
  const others = gray.data.filter((value) => Math.abs(value - level) >= near);
  if (others.filter((value) => value > level).length > ONE_SIDED * others.length) return false;
  const relief = less(neighbourhood(gray, true), neighbourhood(gray, false));
  const highest = relief.data.reduce((a, b) => Math.max(a, b));
  const busy = where(relief, (value) => value > Math.max(LEAST_CONTRAST, 0.3 * highest));
  const [wider, narrower] = [dilated(busy), eroded(busy)];
  const outside = gray.data.filter((_, i) => wider.data[i] && !busy.data[i]);
  const inside = gray.data.filter((_, i) => busy.data[i] && !narrower.data[i]);
  if (!outside.length || !inside.length) return true;
  return count(outside) / outside.length - count(inside) / inside.length > -0.1 * highest;
}

function neighbourhood(gray, dark) {
  const size = Math.max(3, rint(WINDOW * Math.max(gray.height, gray.width)));
  return dark ? minimum(maximum(gray, size), size) : maximum(minimum(gray, size), size);
}
