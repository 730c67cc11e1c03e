// What SciPy's ndimage does to grids: filters of a neighbourhood, connected parts, distances.

import { grid, mask, transposed } from "./grids.js";

// The largest number (or smallest, with sign -1) of a square of this size around each; at the edge, of what is there.
export const maximum = (image, size) => transposed(alongRows(transposed(alongRows(image, size, 1)), size, 1));
export const minimum = (image, size) => transposed(alongRows(transposed(alongRows(image, size, -1)), size, -1));

function alongRows({ height, width, data }, size, sign) {
  const before = Math.floor(size / 2);
  const after = size - before - 1;
  const out = new data.constructor(data.length);
  const queue = new Int32Array(width); // columns whose numbers fall: the first is the largest in sight
  for (let y = 0; y < height; y++) {
    const row = y * width;
    let [first, last, next] = [0, 0, 0];
    for (let x = 0; x < width; x++) {
      for (; next < width && next <= x + after; next++) {
        while (last > first && sign * data[row + queue[last - 1]] <= sign * data[row + next]) last -= 1;
        queue[last++] = next;
      }
      while (queue[first] < x - before) first += 1;
      out[row + x] = data[row + queue[first]];
    }
  }
  return { height, width, data: out };
}

// With the next pixels above, below, left and right; beyond the edge there is nothing.
export function dilated({ height, width, data }) {
  const out = mask(height, width, data.slice());
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if ((y && data[i - width]) || (y < height - 1 && data[i + width]) || (x && data[i - 1]) || (x < width - 1 && data[i + 1])) out.data[i] = 1;
    }
  }
  return out;
}

export const inverse = ({ height, width, data }) => mask(height, width, data.map((value) => 1 - value));
export const eroded = (given) => inverse(dilated(inverse(given))); // beyond the edge there is more of it

// The parts of a mask whose pixels touch, corners too, numbered from 1 in `labels`.
export function parts({ height, width, data }) {
  const labels = new Int32Array(data.length);
  const stack = new Int32Array(data.length);
  let number = 0;
  let waiting = 0; // on the stack
  for (let start = 0; start < data.length; start++) {
    if (!data[start] || labels[start]) continue;
    labels[start] = ++number;
    stack[waiting++] = start;
    while (waiting) {
      const at = stack[--waiting];
      const y = Math.floor(at / width);
      const x = at - y * width;
      const [bottom, right] = [Math.min(y + 1, height - 1), Math.min(x + 1, width - 1)];
      for (let v = Math.max(y - 1, 0); v <= bottom; v++) {
        for (let i = v * width + Math.max(x - 1, 0); i <= v * width + right; i++) {
          if (!data[i] || labels[i]) continue;
          labels[i] = number;
          stack[waiting++] = i;
        }
      }
    }
  }
  return { labels, number };
}

// The square of each pixel's distance to the nearest zero (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled
// Functions, 2012).
export function squaredDistances({ height, width, data }) {
  const far = (height + width) ** 2;
  const out = Float64Array.from(data, (value) => (value ? far : 0));
  const size = Math.max(height, width);
  const [f, places, bounds] = [new Float64Array(size), new Int32Array(size), new Float64Array(size + 1)];
  const line = (start, step, length) => {
    for (let i = 0; i < length; i++) f[i] = out[start + i * step];
    let k = 0;
    places[0] = 0;
    bounds[0] = -Infinity;
    bounds[1] = Infinity;
    for (let q = 1; q < length; q++) {
      let s = 0;
      for (; ; k--) {
        const p = places[k];
        s = (f[q] + q * q - f[p] - p * p) / (2 * (q - p));
        if (s > bounds[k]) break;
      }
      places[++k] = q;
      bounds[k] = s;
      bounds[k + 1] = Infinity;
    }
    for (let i = 0, j = 0; i < length; i++) {
      while (bounds[j + 1] < i) j += 1;
      out[start + i * step] = (i - places[j]) ** 2 + f[places[j]];
    }
  };
  for (let x = 0; x < width; x++) line(x, width, height);
  for (let y = 0; y < height; y++) line(y * width, 1, width);
  return out;
}

// Gaussian of standard deviation 1, mirrored at the edges.
export function blurred(image) {
  const REACH = 4;
  const kernel = Array.from({ length: 2 * REACH + 1 }, (_, i) => Math.exp(-0.5 * (i - REACH) ** 2));
  const sum = kernel.reduce((a, b) => a + b);
  const rows = ({ height, width, data }) => {
    const out = grid(height, width);
    const mirrored = (x) => {
      const at = ((x % (2 * width)) + 2 * width) % (2 * width);
      return at < width ? at : 2 * width - 1 - at;
    };
    const places = Array.from({ length: width + 2 * REACH }, (_, i) => mirrored(i - REACH));
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let total = 0;
        for (let i = 0; i <= 2 * REACH; i++) total += (kernel[i] / sum) * data[y * width + places[x + i]];
        out.data[y * width + x] = total;
      }
    }
    return out;
  };
  return rows(transposed(rows(transposed(image))));
}
