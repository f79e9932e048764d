// Light or dark: what is drawn on a ground must stand out from it, whatever theme the page has.
const known = new Map(); // color as CSS writes it -> whether it is light

/** By WCAG's luminance; a color that black stands out from better than white is light. */
export function isLight(color) {
  if (!known.has(color)) known.set(color, luminance(color) > 0.179);
  return known.get(color);
}

function luminance(color) {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  pen.fillStyle = color;
  pen.fillRect(0, 0, 1, 1);
  const part = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = [...pen.getImageData(0, 0, 1, 1).data].map((byte) => part(byte / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
