// Small images on canvases, each pixel a square.

import { AGAINST, FOR } from "./palette.js";

// shade(value, data, i) writes the four numbers of a pixel into the image's data, from i on.
function paint(canvas, rows, shade) {
  const [height, width] = [rows.length, rows[0].length];
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  let i = 0;
  for (const row of rows) {
    for (const value of row) {
      shade(value, image.data, i);
      i += 4;
    }
  }
  context.putImageData(image, 0, 0);
}

// Gray values 0 … 255, shown as dark ink on white.
export const paintGray = (canvas, rows) => paint(canvas, rows, (value, data, i) => data.fill(255 - value, i, i + 3).fill(255, i + 3, i + 4));

// Numbers around 0: blue above, vermillion below, white at 0; the largest in size is the full colour.
export function paintSigned(canvas, rows, largest = Math.max(1e-9, ...rows.flat().map(Math.abs))) {
  paint(canvas, rows, (value, data, i) => {
    const share = Math.min(Math.abs(value) / largest, 1);
    const full = value > 0 ? FOR : AGAINST;
    for (let c = 0; c < 3; c++) data[i + c] = Math.round(255 + share * (full[c] - 255));
    data[i + 3] = 255;
  });
}
