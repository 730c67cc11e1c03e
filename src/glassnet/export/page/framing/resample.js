// Pictures made smaller and larger as Pillow does it.

import { grid } from "./grids.js";

// Each square of so many pixels becomes their mean. `whole`: the numbers are whole, and so are the means.
export function reduced({ height, width, data }, factor, whole) {
  const out = grid(Math.ceil(height / factor), Math.ceil(width / factor));
  for (let y = 0; y < out.height; y++) {
    for (let x = 0; x < out.width; x++) {
      const [bottom, right] = [Math.min((y + 1) * factor, height), Math.min((x + 1) * factor, width)];
      let sum = 0;
      for (let v = y * factor; v < bottom; v++) for (let u = x * factor; u < right; u++) sum += data[v * width + u];
      const count = (bottom - y * factor) * (right - x * factor);
      out.data[y * out.width + x] = whole ? wholeMean(sum, count) : sum / count;
    }
  }
  return out;
}

// Pillow divides by multiplying with a fixed-point number, which it has from a division in float32.
function wholeMean(sum, count) {
  const factor = Math.floor(Math.fround(2 ** 32 / (256 * count)));
  return Math.floor(((sum + (count >> 1)) * factor) / 2 ** 24);
}

// Keys's cubic with a = -0.5 (Cubic Convolution Interpolation for Digital Image Processing, 1981), and the box.
function cubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
}
export const BICUBIC = { support: 2, weigh: cubic };
export const BOX = { support: 0.5, weigh: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };

export function resized(image, height, width, filter) {
  const wide = width === image.width ? image : alongRows(image, width, filter);
  return height === wide.height ? wide : alongColumns(wide, height, filter);
}

// For each new pixel the first old one that it is made from, and the weights of these.
function weights(from, to, { support, weigh }) {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support * stretch + 0.5), 0);
    const last = Math.min(Math.trunc(centre + support * stretch + 0.5), from);
    const own = Array.from({ length: last - first }, (_, j) => weigh((j + first - centre + 0.5) / stretch));
    const sum = own.reduce((a, b) => a + b, 0);
    return { first, own: sum ? own.map((weight) => weight / sum) : own };
  });
}

function alongRows({ height, width, data }, to, filter) {
  const out = grid(height, to);
  weights(width, to, filter).forEach(({ first, own }, x) => {
    for (let y = 0; y < height; y++) {
      let sum = 0;
      for (let j = 0; j < own.length; j++) sum += data[y * width + first + j] * own[j];
      out.data[y * to + x] = sum;
    }
  });
  return out;
}

function alongColumns({ height, width, data }, to, filter) {
  const out = grid(to, width);
  weights(height, to, filter).forEach(({ first, own }, y) => {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let j = 0; j < own.length; j++) sum += data[(first + j) * width + x] * own[j];
      out.data[y * width + x] = sum;
    }
  });
  return out;
}
