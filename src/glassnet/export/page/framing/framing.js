// Bringing a picture of a digit into the form of the training images, as glassnet/data/framing.py does.

import { count, cut, extent, grid, padded, quantile, rint, taken, where } from "./grids.js";
import { maximum, squaredDistances } from "./filters.js";
import { BICUBIC, BOX, reduced, resized } from "./resample.js";
import { findInk, LEAST_CONTRAST } from "./ground.js";
import { dropStrayParts, peelLines, withoutFrame } from "./strokes.js";

const WORKING_SIDE = 640, SMALLEST = 0.02, THINNEST = 0.07;
const BLANK = "no digit found in the drawing: it is blank or too faint; write it darker or crop closer";
const SPECKS = "no digit found in the drawing: there are only specks; write it larger or crop closer";

// The gray values (h·w), whole numbers, that the network is given for a picture. form: the model's preprocessing.
// Throws an Error that says so where there is no digit.
export function framePicture(gray, form) {
  if (gray.height === form.height && gray.width === form.width && form.box === Math.max(gray.height, gray.width)) {
    const [least, most] = [Math.min(...gray.data), Math.max(...gray.data)];
    if (most - least < LEAST_CONTRAST) throw new Error(BLANK);
    const light = count(gray.data) / gray.data.length > 127.5;
    return gray.data.map((value) => (light === form.dark_on_light ? value : 255 - value));
  }
  const longer = Math.max(gray.height, gray.width);
  const small = longer <= WORKING_SIDE ? gray : reduced(gray, Math.ceil(longer / WORKING_SIDE), true);
  const framed = frameDigit(...oneDigit(small), form);
  return form.dark_on_light ? framed.map((value) => 255 - value) : framed;
}

function oneDigit(gray) {
  const { depth, threshold } = findInk(withoutFrame(gray));
  if (threshold === Infinity) throw new Error(BLANK);
  const all = dropStrayParts(where(depth, (value) => value > threshold), depth);
  const digit = dropStrayParts(peelLines(all), depth);
  const [top, bottom, left, right] = extent(digit);
  const longer = Math.max(bottom - top, right - left);
  if (longer < Math.max(3, SMALLEST * Math.max(digit.height, digit.width))) throw new Error(SPECKS);
  return [depth, digit];
}

function frameDigit(depth, digit, form) {
  const full = Math.fround(quantile(taken(depth, digit), 0.9));
  const [top, bottom, left, right] = extent(digit);
  const box = [Math.max(0, top - 2), Math.min(bottom + 2, digit.height), Math.max(0, left - 2), Math.min(right + 2, digit.width)];
  const near = maximum(cut(digit, ...box), 5); // with the soft edges of strokes
  const ink = cut(depth, ...box);
  ink.data.forEach((value, i) => { ink.data[i] = near.data[i] ? Math.min(Math.max(value / full, 0), 1) : 0; });
  const inner = [top - box[0], bottom - box[0], left - box[2], right - box[2]];
  return framed(thickened(cut(ink, ...inner)), form);
}

function framed(ink, form) {
  if (form.box >= Math.max(form.height, form.width)) return filling(ink, form);
  const digit = scaled(ink, form);
  const highest = digit.data.reduce((a, b) => Math.max(a, b));
  const full = Math.fround(quantile(digit.data.filter((value) => value > highest / 4), 0.9));
  digit.data.forEach((value, i) => { digit.data[i] = Math.min(Math.max(value / full, 0), 1); });
  const { height, width, data } = digit;
  const [rows, columns] = [new Float64Array(height), new Float64Array(width)];
  data.forEach((value, i) => {
    rows[Math.floor(i / width)] += value;
    columns[i % width] += value;
  });
  const corner = (sums, whole) => {
    const centre = sums.reduce((sum, value, i) => sum + i * value, 0) / count(sums);
    return Math.min(Math.max(Math.floor(whole / 2 - centre + 0.5), 0), whole - sums.length);
  };
  const [top, left] = [corner(rows, form.height), corner(columns, form.width)];
  const frame = new Float32Array(form.height * form.width);
  data.forEach((value, i) => { frame[(top + Math.floor(i / width)) * form.width + left + (i % width)] = rint(Math.fround(255 * value)); });
  return frame;
}

// The digit as large as the frame, its bounding box in the middle.
function filling(ink, form) {
  const scale = Math.max(ink.height / form.height, ink.width / form.width);
  const around = [[form.height, ink.height], [form.width, ink.width]].map(([whole, there]) => {
    const lacking = Math.max(rint(whole * scale) - there, 0);
    return [Math.floor(lacking / 2), lacking - Math.floor(lacking / 2)];
  });
  const whole = resized(padded(ink, ...around), form.height, form.width, BOX);
  return whole.data.map((value) => rint(Math.fround(255 * Math.min(Math.max(value, 0), 1))));
}

// Strokes that are too thin to last are thickened. In a stroke of width w, pixels are w / 4 from its edge in the mean.
function thickened(ink) {
  const stroke = padded(where(ink, (value) => value > 0.5), [1, 1], [1, 1]);
  const { width, data } = stroke;
  const least = THINNEST * Math.max(ink.height, ink.width);
  let [edges, area] = [0, 0];
  data.forEach((value, i) => {
    area += value;
    if (i % width && value !== data[i - 1]) edges += 1;
    if (i >= width && value !== data[i - width]) edges += 1;
  });
  if (2 * area > (least + 1) * edges) return ink;
  let sum = 0;
  squaredDistances(stroke).forEach((square, i) => { if (data[i]) sum += Math.sqrt(square); });
  const lacking = least - ((4 * sum) / area - 1);
  if (!(lacking > 0)) return ink;
  const margin = Math.ceil(lacking / 2);
  const around = [margin, margin];
  const outside = padded(where(ink, (value) => value <= 0.5), around, around, 1);
  const wider = squaredDistances(outside);
  const thicker = padded(ink, around, around);
  wider.forEach((square, i) => { if (Math.sqrt(square) <= lacking / 2) thicker.data[i] = 1; });
  return thicker;
}

// The digit with form.box pixels on its longer side, or fewer if the frame is too narrow for them.
function scaled(ink, form) {
  const scale = Math.min(form.box / Math.max(ink.height, ink.width), form.height / ink.height, form.width / ink.width);
  const [height, width] = [ink.height, ink.width].map((side) => Math.max(1, rint(side * scale)));
  const sized = scale === 1 ? grid(ink.height, ink.width, ink.data.slice()) : resized(ink, height, width, BICUBIC);
  return { ...sized, data: sized.data.map((value) => Math.min(Math.max(value, 0), 1)) };
}
