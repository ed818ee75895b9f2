// Numbers, times and sizes as people read them.
import { locale, t } from "./texts";

export const count = (value: number): string => value.toLocaleString(locale());

/** Three figures are enough for a loss or a speed. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString(locale());
  return Number(value.toPrecision(3)).toLocaleString(locale(), { maximumFractionDigits: 6 });
}

/** The length of a piece, e.g. 3:07. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(rest).padStart(2, "0")}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** How long something still takes, no more exactly than anybody can know. */
export function left(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return "";
  if (seconds < 50) return t("left.seconds", { n: Math.max(5, Math.ceil(seconds / 5) * 5) });
  if (seconds < 5400) return t("left.minutes", { n: Math.max(1, Math.round(seconds / 60)) });
  return t("left.hours", { n: Math.round(seconds / 360) / 10 });
}

export function size(bytes: number): string {
  if (bytes < 1000) return t("size.bytes", { n: bytes });
  if (bytes < 1e6) return t("size.kilobytes", { n: Math.round(bytes / 1000) });
  return t("size.megabytes", { n: Math.round(bytes / 1e5) / 10 });
}

/** A moment: the time if it was today, else the day. */
export function when(seconds: number): string {
  const moment = new Date(seconds * 1000);
  const now = new Date();
  if (moment.toDateString() === now.toDateString()) {
    return moment.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  }
  const year = moment.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return moment.toLocaleDateString(locale(), { day: "numeric", month: "short", year });
}
