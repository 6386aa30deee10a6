const money = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

const UNITS = [
  ["day", 24 * 60 * 60_000],
  ["hour", 60 * 60_000],
  ["minute", 60_000],
] as const;

/** An amount in cents, such as "€18.50". */
export function formatMoney(cents: number): string {
  return money.format(cents / 100);
}

/** A time in Unix milliseconds on this machine's clock, such as "10:42". */
export function formatClock(time: number): string {
  return clock.format(time);
}

/** How far a time in Unix milliseconds is away, such as "2 hours ago" or "in 14 days". */
export function formatDistance(time: number, now: number): string {
  const distance = time - now;
  const [unit, length] = UNITS.find(([, size]) => Math.abs(distance) >= size) ?? ["minute", 60_000];
  const count = Math.round(distance / length);
  return count === 0 ? "just now" : relative.format(count, unit);
}

/** "1 pie", "2 pies". */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A time span in milliseconds, such as "8 ms" or "1.2 s". */
export function formatDuration(span: number): string {
  return span < 1000 ? `${Math.ceil(span)} ms` : `${(span / 1000).toFixed(1)} s`;
}
