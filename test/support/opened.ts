// Owns: what supports have started for the tests of one file, and that it ends with the file: unit tests share processes.

const opened: (() => unknown)[] = [];

export function endsWithFile(close: () => unknown): void {
  opened.push(close);
}

/** The last first. */
export async function closeOpened(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}
