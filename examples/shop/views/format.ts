const money = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

const UNITS = [
  ["day", 24 * 60 * 60_000],
  ["hour", 60 * 60_000],
  ["minute", 60_000],
] as const;

/** An amount in cents, such as "€18.50". */
export function formatMoney(cents: number): string {
  return money.format(cents / 100);
}

/** How far a time in Unix milliseconds is away, such as "2 hours ago" or "in 14 days". */
export function formatDistance(time: number, now: number): string {
  const distance = time - now;
  const [unit, length] = UNITS.find(([, size]) => Math.abs(distance) >= size) ?? ["minute", 60_000];
  const count = Math.round(distance / length);
  return count === 0 ? "just now" : relative.format(count, unit);
}
