// Grids of numbers, { height, width, data }: how NumPy and Pillow calculate with them, so that a picture is prepared here as
// it is in Python. Gray values and depths are Float32Array, masks Uint8Array of 0 and 1.

export const grid = (height, width, data = new Float32Array(height * width)) => ({ height, width, data });
export const mask = (height, width, data = new Uint8Array(height * width)) => ({ height, width, data });
export const map = (image, change) => grid(image.height, image.width, image.data.map(change));

export function where({ height, width, data }, test) {
  const out = mask(height, width);
  for (let i = 0; i < data.length; i++) out.data[i] = test(data[i]) ? 1 : 0;
  return out;
}

// The values at places of a mask.
export function taken({ data }, at) {
  const out = new Float32Array(count(at.data));
  for (let i = 0, n = 0; i < data.length; i++) if (at.data[i]) out[n++] = data[i];
  return out;
}

export function count(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum;
}

// Halves go to the even neighbour, as in np.rint.
export function rint(value) {
  const low = Math.floor(value);
  const over = value - low;
  return over > 0.5 || (over === 0.5 && low % 2 !== 0) ? low + 1 : low;
}

// The k-th of values in order, from 0, without sorting them all (Hoare's selection, 1961).
export function kth(values, k) {
  const a = values.slice();
  let [low, high] = [0, a.length - 1];
  while (low < high) {
    const pivot = a[(low + high) >> 1];
    let [i, j] = [low, high];
    while (i <= j) {
      while (a[i] < pivot) i += 1;
      while (a[j] > pivot) j -= 1;
      if (i <= j) [a[i++], a[j--]] = [a[j], a[i]];
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return a[k];
}

export function quantile(values, share) {
  const at = share * (values.length - 1);
  const low = kth(values, Math.floor(at));
  return at === Math.floor(at) ? low : low + (kth(values, Math.floor(at) + 1) - low) * (at - Math.floor(at));
}

export const median = (values) => quantile(values, 0.5);

export function everyNth(values, step) {
  const out = new Float32Array(Math.ceil(values.length / step));
  for (let i = 0; i < out.length; i++) out[i] = values[i * step];
  return out;
}

export function turned(image, Kind = image.data.constructor) { // a quarter to the left, as np.rot90
  const { height, width, data } = image;
  const out = { height: width, width: height, data: new Kind(data.length) };
  for (let y = 0; y < width; y++) for (let x = 0; x < height; x++) out.data[y * height + x] = data[x * width + width - 1 - y];
  return out;
}

export function transposed({ height, width, data }) {
  const out = { height: width, width: height, data: new data.constructor(data.length) };
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) out.data[x * height + y] = data[y * width + x];
  return out;
}

export function cut({ height, width, data }, top, bottom, left, right) {
  const out = { height: bottom - top, width: right - left, data: new data.constructor((bottom - top) * (right - left)) };
  for (let y = top; y < bottom; y++) out.data.set(data.subarray(y * width + left, y * width + right), (y - top) * out.width);
  return out;
}

// With so many zeros, or others, around it.
export function padded({ height, width, data }, [top, bottom], [left, right], value = 0) {
  const out = { height: height + top + bottom, width: width + left + right };
  out.data = new data.constructor(out.height * out.width).fill(value);
  for (let y = 0; y < height; y++) out.data.set(data.subarray(y * width, (y + 1) * width), (y + top) * out.width + left);
  return out;
}

export function border({ height, width, data }) {
  const column = (x) => Array.from({ length: height }, (_, y) => data[y * width + x]);
  return Float32Array.from([...data.subarray(0, width), ...data.subarray((height - 1) * width), ...column(0), ...column(width - 1)]);
}

// Top, bottom, left and right of what is not zero, of which the second and the last are the first row and column after it.
export function extent({ height, width, data }) {
  let [top, bottom, left, right] = [height, 0, width, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!data[y * width + x]) continue;
      top = Math.min(top, y);
      bottom = y + 1;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
    }
  }
  return [top, bottom, left, right];
}
