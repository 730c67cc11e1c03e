// Numbers as colours on the page's own ground, light or dark: blue above 0, orange below, the ground at 0.

import { colour } from "../../shared/palette.js";

const parts = (name) => {
  const hex = colour(name).replace("#", "");
  const full = hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex;
  return [0, 2, 4].map((i) => Number.parseInt(full.slice(i, i + 2), 16));
};

// The page's colours as they are now: { more, less, ground, ink, line }, each [r, g, b].
export const colours = () => ({
  more: parts("blue"), less: parts("vermillion"), ground: parts("card"), ink: parts("ink"), line: parts("line"),
});

const mixed = (from, to, share) => from.map((part, i) => Math.round(part + share * (to[i] - part)));

export const signed = (value, largest, { more, less, ground }) => mixed(ground, value < 0 ? less : more, Math.min(Math.abs(value) / largest, 1));
export const inked = (gray, { ground, ink }) => mixed(ground, ink, gray / 255);
export const css = (rgb) => `rgb(${rgb.join()})`;

// Rows of numbers on a canvas, a pixel each, by what `shade` gives for each: [r, g, b].
export function paintRows(canvas, rows, shade) {
  [canvas.width, canvas.height] = [rows[0].length, rows.length];
  const image = new ImageData(canvas.width, canvas.height);
  rows.flat().forEach((value, i) => image.data.set([...shade(value), 255], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export const largestOf = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
