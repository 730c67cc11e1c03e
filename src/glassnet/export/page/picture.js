// A picture as gray values, as glassnet/data/pictures.py reads it: luminance, or where that shows much less than one of the
// colours, that colour; strokes on nothing get a ground that leaves them visible.

import { count as written } from "../../web/static/shared/format.js";
import { eightBits } from "../../web/static/views/draw/deep.js";
import { count, grid, median, rint } from "./framing/grids.js";
import { reduced } from "./framing/resample.js";

const ENOUGH = 1024; // pixels
const MOST_PIXELS = 64_000_000; // as in glassnet/data/pictures.py
const LONGEST = 32_767; // pixels of a side: a larger canvas stays empty in some browsers, without an error

// What is drawn, or the picture that was opened, as { height, width, data }.
export async function grayOf(drawing) {
  const lone = drawing.lone;
  if (!lone) {
    const canvas = drawing.canvas();
    return luminance(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height));
  }
  lone.gray ??= await grayOfFile(lone.sent);
  return lone.gray;
}

export async function grayOfFile(file) {
  const as = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(await eightBits(file), as);
  if (bitmap.width * bitmap.height > MOST_PIXELS || Math.max(bitmap.width, bitmap.height) > LONGEST) {
    const size = `${written(bitmap.width)} × ${written(bitmap.height)} pixels`;
    throw new Error(`${size}; allowed are ${written(MOST_PIXELS)} in all and ${written(LONGEST)} on a side`);
  }
  const context = canvasOf(bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  return smaller(gray(context.getImageData(0, 0, bitmap.width, bitmap.height)));
}

const canvasOf = (width, height) =>
  Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", { willReadFrequently: true });

function channel({ width, height, data }, of) {
  const out = grid(height, width);
  for (let i = 0; i < out.data.length; i++) out.data[i] = of(data[4 * i], data[4 * i + 1], data[4 * i + 2], data[4 * i + 3]);
  return out;
}

// As Pillow has it: the weights of ITU-R 601 in 65,536ths.
const luminance = (image) => channel(image, (r, g, b) => (19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16);

function gray(image) {
  const light = clearest(image);
  const alpha = channel(image, (r, g, b, a) => a);
  if (alpha.data.every((value) => value === 255)) return light;
  const drawn = light.data.filter((_, i) => alpha.data[i] >= 128);
  if (!drawn.length) return { ...light, data: light.data.fill(255) };
  let ground = median(drawn);
  if (2 * drawn.length < light.data.length) ground = ground < 128 ? 255 : 0;
  return { ...light, data: light.data.map((value, i) => rint(value * (alpha.data[i] / 255) + ground * (1 - alpha.data[i] / 255))) };
}

function clearest(image) {
  const light = luminance(image);
  const colours = [0, 1, 2].map((c) => channel(image, (...rgb) => rgb[c]));
  const step = 1 + Math.floor(Math.max(light.height, light.width) / ENOUGH);
  const spread = ({ height, width, data }) => {
    const some = [];
    for (let y = 0; y < height; y += step) for (let x = 0; x < width; x += step) some.push(data[y * width + x]);
    const mean = count(some) / some.length;
    return Math.sqrt(some.reduce((sum, value) => sum + (value - mean) ** 2, 0) / some.length);
  };
  const spreads = colours.map(spread);
  const most = Math.max(...spreads);
  return most > 4 * spread(light) ? colours[spreads.indexOf(most)] : light;
}

function smaller(image) {
  const factor = Math.floor(Math.max(image.height, image.width) / (2 * ENOUGH));
  return factor < 2 ? image : reduced(image, factor, true);
}
