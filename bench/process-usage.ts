// Owns: what other processes have used, read from /proc (Linux).
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** CPU time of all threads of all these processes, milliseconds, by the scheduler's clock rather than by ticks. */
export function cpuMsOf(pids: readonly number[]): number {
  const ofThread = (pid: number, thread: string): number =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  return pids.reduce(
    (sum, pid) => sum + readdirSync(`/proc/${pid}/task`).reduce((of, thread) => of + ofThread(pid, thread), 0),
    0,
  );
}

/** Datagrams that the sockets of a process, open now, had no room for; 0 for a process that is gone. */
export function datagramsLostBy(pid: number): number {
  const sockets = new Set(attempt(() => readdirSync(`/proc/${pid}/fd`))?.map((fd) => inodeOf(`/proc/${pid}/fd/${fd}`)));
  const [, ...rows] = readFileSync('/proc/net/udp', 'utf8').trim().split('\n');
  const columns = rows.map((row) => row.trim().split(/\s+/));
  return columns.reduce((sum, row) => sum + (sockets.has(row[9]) ? Number(row[12]) : 0), 0);
}

const inodeOf = (path: string) => attempt(() => /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1]);

/** What a process is: its program, and for Node the script. */
export function nameOf(pid: number): string {
  const [program = '', ...rest] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const script = rest.find((argument) => argument.endsWith('.ts'));
  return basename(script ?? program);
}

/** @returns undefined for what has ended meanwhile */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
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
