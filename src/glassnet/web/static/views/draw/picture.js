// What has to be known of a picture before it is laid on the sheet, and how it is sent.

const SMALLER = 1600; // pixels of the longer side of a picture that is too large to be sent as it is

// A picture that is too large to be sent, with its longer side brought down.
export function smaller(bitmap) {
  const scale = Math.min(1, SMALLER / Math.max(bitmap.width, bitmap.height));
  const canvas = Object.assign(document.createElement("canvas"), {
    width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)),
  });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // of what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
}

// The mean colour of a picture's border. Strokes on nothing get white paper, or black if they are light themselves.
export function groundOf(bitmap) {
  const SIDE = 32;
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, SIDE, SIDE);
  const mean = (wanted) => {
    const sum = [0, 0, 0, 0];
    for (let i = 0; i < SIDE * SIDE; i++) {
      if (!wanted(i % SIDE, Math.floor(i / SIDE))) continue;
      const alpha = data[4 * i + 3];
      for (let c = 0; c < 3; c++) sum[c] += data[4 * i + c] * alpha;
      sum[3] += alpha;
    }
    return { colour: sum.slice(0, 3).map((s) => Math.round(s / Math.max(sum[3], 1))), alpha: sum[3] };
  };
  const border = mean((x, y) => x % (SIDE - 1) === 0 || y % (SIDE - 1) === 0);
  if (border.alpha > 128 * 4 * (SIDE - 1)) return border.colour;
  const [r, g, b] = mean(() => true).colour;
  return r + g + b > 3 * 128 ? [0, 0, 0] : [255, 255, 255];
}
