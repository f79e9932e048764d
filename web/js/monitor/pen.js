// Lines on a canvas.
export function segment(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

/** Through points [x, y]; where y is null it has a gap, and a point between gaps is a dot. */
export function line(pen, points, color, width, dash = []) {
  Object.assign(pen, { strokeStyle: color, fillStyle: color, lineWidth: width, lineJoin: "round" });
  pen.setLineDash(dash);
  for (const piece of pieces(points)) {
    pen.beginPath();
    if (piece.length > 1) {
      for (const [x, y] of piece) pen.lineTo(x, y);
      pen.stroke();
    } else {
      pen.arc(...piece[0], width + 1, 0, 7);
      pen.fill();
    }
  }
  pen.setLineDash([]);
}

function* pieces(points) {
  let piece = [];
  for (const point of [...points, [0, null]]) {
    if (point[1] !== null) piece.push(point);
    else if (piece.length) {
      yield piece;
      piece = [];
    }
  }
}
