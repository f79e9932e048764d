// How numbers are written.
export function short(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 100000)) return value.toExponential(2).replace("e+", "e");
  return String(Number(value.toPrecision(4)));
}

export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export const speed = (rate) => (rate >= 1 ? `${rate.toFixed(2)} it/s` : `${(1 / rate).toFixed(1)} s/it`);

export const gigabytes = (bytes) => (bytes / 2 ** 30).toFixed(1);

export const wholeGigabytes = (bytes) => String(Number(gigabytes(bytes))); // 24, not 24.0

const NICE = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

/** The next round number, so that an axis grows seldom. */
export function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return power * NICE.find((each) => each * power >= value);
}

/** Round numbers between low and high, some `count` of them. */
export function ticks(low, high, count, log) {
  if (log) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const digit of [1, 2, 5]) found.push(digit * 10 ** power);
    const inside = found.filter((each) => each >= low && each <= high);
    if (inside.length >= 2) return inside;
  }
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= raw);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, n) => (first + n) * step);
}
