/**
 * Says what set-up is doing. Everything goes to stderr, so that the output of the command that was asked for stays clean.
 * Imports nothing of ours.
 */
const isTerminal = process.stderr.isTTY === true;
const reminderMs = isTerminal ? 1_000 : 30_000;

/** A failure that the person at the keyboard can mend: what went wrong, and what to do about it. */
export class SetupError extends Error {
  /**
   * @param {string} message what went wrong, in one line
   * @param {string} [whatToDo] the next step, as many lines as it takes
   * @param {ErrorOptions} [options]
   */
  constructor(message, whatToDo = '', options = undefined) {
    super(message, options);
    this.name = 'SetupError';
    this.whatToDo = whatToDo;
  }
}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`switchyard: ${line}\n`);
}

/**
 * Runs one long piece of work under one line with the seconds it has taken: rewritten in place on a terminal, repeated
 * every half minute in a log.
 * @template T
 * @param {string} title what is being done, as in "Installing the dependencies"
 * @param {(tell: (detail: string) => void) => Promise<T>} work may tell how far it is
 * @returns {Promise<T>}
 */
export async function step(title, work) {
  const startedAt = performance.now();
  let detail = '';
  const line = () => `${title}${detail && ` ${detail}`}, ${Math.round((performance.now() - startedAt) / 1000)} s`;
  if (!isTerminal) say(`${title} …`);
  const reminder = setInterval(() => show(line()), reminderMs);
  try {
    const result = await work((text) => {
      detail = text;
    });
    detail = '';
    show(`${line()}: done`, '\n');
    return result;
  } catch (error) {
    show(`${line()}: failed`, '\n');
    throw error;
  } finally {
    clearInterval(reminder);
  }
}

/**
 * @param {string} line
 * @param {string} [end]
 */
function show(line, end = isTerminal ? '' : '\n') {
  process.stderr.write(isTerminal ? `\r\x1b[2Kswitchyard: ${line}${end}` : `switchyard: ${line}${end}`);
}

/**
 * Prints a failed set-up the way its reader needs it and picks the exit code.
 * @param {unknown} error
 * @returns {number} exit code
 */
export function reportFailure(error) {
  if (error instanceof SetupError) {
    say(`set-up stopped: ${error.message}`);
    if (error.whatToDo) process.stderr.write(`${error.whatToDo.trimEnd()}\n`);
  } else {
    say(`set-up stopped by a fault of its own: ${error instanceof Error ? error.stack : String(error)}`);
  }
  return 1;
}
