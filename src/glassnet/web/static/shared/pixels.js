// Small images on canvases, each pixel a square.

import { AGAINST, FOR } from "./palette.js";

function paint(canvas, rows, shade) {
  const [height, width] = [rows.length, rows[0].length];
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  rows.flat().forEach((value, i) => image.data.set(shade(value), 4 * i));
  context.putImageData(image, 0, 0);
}

// Gray values 0 … 255, shown as dark ink on white.
export const paintGray = (canvas, rows) => paint(canvas, rows, (v) => [255 - v, 255 - v, 255 - v, 255]);

// Numbers around 0: blue above, vermillion below, white at 0; the largest in size is the full colour.
export function paintSigned(canvas, rows, largest = Math.max(1e-9, ...rows.flat().map(Math.abs))) {
  paint(canvas, rows, (value) => {
    const share = Math.min(Math.abs(value) / largest, 1);
    return [...(value > 0 ? FOR : AGAINST).map((full) => Math.round(255 + share * (full - 255))), 255];
  });
}
