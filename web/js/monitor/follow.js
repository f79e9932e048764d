// Keeps a scrolled part where it is: at its end while it grows, unless the user has scrolled back.
export function followEnd(element, scroll, client, whole, grow) {
  const atEnd = element[scroll] + element[client] >= element[whole] - 8;
  grow();
  if (atEnd) requestAnimationFrame(() => (element[scroll] = element[whole])); // it may not be on the page yet
}

/** While it gets narrower, so that its lines are others, and after it was not on the page. */
export function keepPlace(element) {
  let share = 1;
  const rest = () => element.scrollHeight - element.clientHeight;
  element.addEventListener("scroll", () => rest() > 0 && (share = element.scrollTop / rest()));
  new ResizeObserver(() => rest() > 0 && (element.scrollTop = share * rest())).observe(element);
}
