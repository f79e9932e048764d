// Keeps a scrolled part at its end while it grows, unless the user has scrolled back.
export function followEnd(element, scroll, client, whole, grow) {
  const atEnd = element[scroll] + element[client] >= element[whole] - 8;
  grow();
  if (atEnd) requestAnimationFrame(() => (element[scroll] = element[whole])); // it may not be on the page yet
}
