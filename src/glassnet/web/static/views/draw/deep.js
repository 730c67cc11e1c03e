// Gray PNGs of 16 bits a pixel, of which a browser keeps the upper eight: a picture that uses a small part of the range, as
// those of most scanners do, would be black.

// The places of an interlaced picture's seven parts: left, top, and the steps across and down (Adam7).
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const HEADER = 29; // bytes: the signature and the chunk IHDR, up to the byte that says whether it is interlaced
const FAULTS = 5000; // at either end one value in so many is a fault of the camera, as in glassnet/data/pictures.py

// The file itself, or such a PNG with its values stretched to 0 … 255. Throws an Error if it is damaged.
export async function eightBits(file) {
  const head = new DataView(await file.slice(0, HEADER).arrayBuffer());
  const isDeep = head.byteLength === HEADER && head.getUint32(0) === 0x89504e47 && head.getUint16(24) === 0x1000; // bits, gray
  if (!isDeep) return file;
  const [width, height] = [head.getUint32(16), head.getUint32(20)];
  const rows = await inflated(new DataView(await file.arrayBuffer()));
  const gray = stretched(values(rows, width, height, head.getUint8(28) ? ADAM7 : [[0, 0, 1, 1]]));
  const picture = new ImageData(width, height);
  gray.forEach((value, i) => picture.data.set([value, value, value, 255], 4 * i));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return new Promise((done) => canvas.toBlob(done));
}

// The content of the chunks IDAT.
function inflated(png) {
  const parts = [];
  for (let at = 8; at + 12 <= png.byteLength; at += 12 + png.getUint32(at)) {
    if (png.getUint32(at + 4) === 0x49444154) parts.push(new Uint8Array(png.buffer, at + 8, png.getUint32(at)));
  }
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer().then((buffer) => new Uint8Array(buffer));
}

function values(rows, width, height, parts) {
  const out = new Uint16Array(width * height);
  let at = 0;
  for (const [left, top, across, down] of parts) {
    const columns = Math.ceil((width - left) / across);
    if (columns < 1) continue;
    let above = new Uint8Array(2 * columns);
    for (let y = top; y < height; y += down) {
      const row = rows.subarray(at + 1, at + 1 + 2 * columns);
      if (row.length < 2 * columns) throw new Error("The picture is cut off.");
      unfilter(row, above, rows[at]);
      for (let i = 0; i < columns; i++) out[y * width + left + i * across] = (row[2 * i] << 8) | row[2 * i + 1];
      at += 1 + row.length;
      above = row;
    }
  }
  return out;
}

// Add to each byte what its row's filter predicts from the pixel on the left, the one above and the one above that on the left
// (Portable Network Graphics, third edition, section 9).
function unfilter(row, above, filter) {
  for (let i = 0; i < row.length; i++) {
    const [a, b, c] = [i < 2 ? 0 : row[i - 2], above[i], i < 2 ? 0 : above[i - 2]];
    row[i] += [0, a, b, (a + b) >> 1, nearest(a, b, c)][filter];
  }
}

// Paeth's predictor.
function nearest(a, b, c) {
  const [toA, toB, toC] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
}

function stretched(deep) {
  const faults = Math.floor(deep.length / FAULTS);
  const sorted = deep.slice().sort();
  const [low, high] = [sorted[faults], sorted[sorted.length - 1 - faults]];
  return Uint8ClampedArray.from(deep, (value) => (255 * (value - low)) / (high - low || 1)); // which rounds as np.rint does
}
