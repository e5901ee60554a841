// Owns: what other processes have used, read from /proc (Linux).
import { readdirSync, readFileSync } from 'node:fs';

/** CPU time of all threads of all these processes, milliseconds, by the scheduler's clock rather than by ticks. */
export function cpuMsOf(pids: readonly number[]): number {
  const ofThread = (pid: number, thread: string): number =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  return pids.reduce(
    (sum, pid) => sum + readdirSync(`/proc/${pid}/task`).reduce((of, thread) => of + ofThread(pid, thread), 0),
    0,
  );
}

/** Resident memory, bytes. */
export function residentBytesOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1_024;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
