// A map that lies as another one does: turned, or turned over, but nothing nearer to anything else. Which way up a map comes
// is chance; only so is seen what has moved between two networks.
//
// Of all rotations and reflections of the plane it is the one that leaves the least sum of squared distances between the
// same points of both maps (orthogonal Procrustes problem; Schönemann, 1966).

// Returns a function of a point { x, y }. points: of the map; model: the same points of the other one.
export function turning(points, model) {
  const [from, to] = [points, model].map(centred);
  // With a reflection y is turned over first; it is taken where it brings the points nearer to those of the other map.
  const [plain, flipped] = [1, -1].map((sign) => {
    let [dot, cross] = [0, 0];
    from.forEach(([x, y], i) => {
      dot += x * to[i][0] + sign * y * to[i][1];
      cross += x * to[i][1] - sign * y * to[i][0];
    });
    return { sign, size: Math.hypot(dot, cross), angle: Math.atan2(cross, dot) };
  });
  const { sign, angle } = flipped.size > plain.size ? flipped : plain;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return (point) => ({ ...point, x: cos * point.x - sin * sign * point.y, y: sin * point.x + cos * sign * point.y });
}

function centred(points) {
  const mean = (pick) => points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)];
  return points.map((point) => [point.x - x, point.y - y]);
}
