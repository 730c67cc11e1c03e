// Where the units of a layer are in its picture: those of a row of numbers in a block of squares, those of feature maps as
// tiles of places.

const LARGEST = 22; // pixels of a square
const GAP = 4; // pixels between feature maps

// The arrangement of a layer's units in at most so many pixels: { width, height, box(unit), at(x, y), beside(unit, dx, dy) }.
export const arrange = (layer, width, height) =>
  (layer.shape.length === 3 ? maps(layer.shape, width, height) : squares(layer.shape[0], width, height));

function squares(count, width, height) {
  let side = Math.min(LARGEST, Math.floor(Math.sqrt((width * height) / count)) + 1);
  while (side > 2 && Math.floor(width / side) * Math.floor(height / side) < count) side -= 1;
  const across = Math.max(1, Math.min(Math.floor(width / side), Math.ceil(Math.sqrt((count * width) / height))));
  const down = Math.ceil(count / across);
  const unit = (column, row) => (column < 0 || row < 0 || column >= across || row * across + column >= count ? null : row * across + column);
  return {
    width: across * side, height: down * side, side,
    box: (index) => [(index % across) * side, Math.floor(index / across) * side, side, side],
    at: (x, y) => unit(Math.floor(x / side), Math.floor(y / side)),
    beside: (index, dx, dy) => unit((index % across) + dx, Math.floor(index / across) + dy) ?? index,
  };
}

function maps([h, w, count], width, height) {
  let [across, scale] = [1, 0];
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const fits = Math.min((width - GAP * (columns - 1)) / (columns * w), (height - GAP * (rows - 1)) / (rows * h));
    if (fits > scale) [across, scale] = [columns, fits];
  }
  scale = scale > 2 ? Math.floor(scale * 2) / 2 : Math.max(scale, 0.2);
  const down = Math.ceil(count / across);
  const [tileWidth, tileHeight] = [w * scale + GAP, h * scale + GAP];
  const tile = (filter) => [(filter % across) * tileWidth, Math.floor(filter / across) * tileHeight];
  const unit = (filter, row, column) => (row * w + column) * count + filter;

  function at(x, y) {
    const [i, j] = [Math.floor(x / tileWidth), Math.floor(y / tileHeight)];
    const filter = j * across + i;
    const [column, row] = [Math.floor((x - i * tileWidth) / scale), Math.floor((y - j * tileHeight) / scale)];
    return i < 0 || i >= across || filter >= count || row < 0 || row >= h || column < 0 || column >= w ? null : unit(filter, row, column);
  }

  function box(index) {
    const [x, y] = tile(index % count);
    const place = Math.floor(index / count);
    return [x + (place % w) * scale, y + Math.floor(place / w) * scale, scale, scale];
  }

  // From the edge of a map one comes to the map beside it.
  function beside(index, dx, dy) {
    const place = Math.floor(index / count);
    let [filter, row, column] = [index % count, Math.floor(place / w) + dy, (place % w) + dx];
    const [i, j] = [filter % across, Math.floor(filter / across)];
    if (column < 0 || column >= w) {
      if (i + dx < 0 || i + dx >= across) return index;
      [filter, column] = [filter + dx, dx > 0 ? 0 : w - 1];
    }
    if (row < 0 || row >= h) {
      if (j + dy < 0) return index;
      [filter, row] = [filter + dy * across, dy > 0 ? 0 : h - 1];
    }
    return filter >= count ? index : unit(filter, row, column);
  }

  return {
    width: across * tileWidth - GAP, height: down * tileHeight - GAP, side: scale, tile, maps: { h, w, count, scale },
    box, at, beside,
  };
}
