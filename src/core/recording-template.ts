// Owns: names of recorded files: what a template may say, and what comes of it. Pure. May import: core only.
import { GatewayError } from './errors.ts';

export interface TemplateValues {
  readonly room: string;
  readonly id: string;
  readonly name: string;
  readonly track: string;
  readonly part: number;
  readonly startedAtMs: number;
}

export const templateWords = ['room', 'id', 'name', 'track', 'part', 'date', 'time'] as const;
type TemplateWord = (typeof templateWords)[number];

/** Letters, digits and marks that mean nothing to any file system; folders by slashes. */
const allowedText = /^[A-Za-z0-9 ._~+=@,{}/-]*$/;
const maxLength = 200;
const maxValueLength = 64;
/** File systems take 255 bytes; a number and an ending come behind it. */
const maxNameLength = 200;

/** @throws GatewayError `invalid_request` in words for whoever wrote it */
export function checkTemplate(template: string): void {
  const refuse = (why: string): never => {
    throw new GatewayError('invalid_request', `The file name template ${why}.`);
  };
  if (template.length === 0 || template.length > maxLength) refuse(`has to have 1 to ${maxLength} characters`);
  if (!allowedText.test(template)) refuse('may have letters, digits, spaces, "._~+=@,-", "/" and words in braces');
  for (const [, word = ''] of template.matchAll(/\{([^}]*)\}?/g)) {
    if (!isWord(word)) refuse(`has "{${word}}"; it can have ${templateWords.map((one) => `{${one}}`).join(' ')}`);
  }
  const bare = template.replace(/\{[a-z]+\}/g, 'x');
  if (/[{}]/.test(bare)) refuse('has a brace too many');
  if (bare.split('/').some((segment) => !/^[^. ](.*[^. ])?$/.test(segment))) {
    refuse('may not begin or end with "/", nor may a name in it begin or end with a dot or a space');
  }
}

/** @returns a path below the folder of recordings, without the ending; never one that leads out of it */
export function fillTemplate(template: string, values: TemplateValues): string {
  const at = new Date(values.startedAtMs).toISOString();
  const texts: Readonly<Record<TemplateWord, string>> = {
    room: safe(values.room),
    id: safe(values.id),
    name: safe(values.name),
    track: safe(values.track),
    part: String(values.part).padStart(3, '0'),
    date: at.slice(0, 10),
    time: at.slice(11, 19).replaceAll(':', ''),
  };
  const path = template.replace(/\{([a-z]+)\}/g, (_, word: string) => (isWord(word) ? texts[word] : ''));
  return path.split('/').map(shortened).join('/');
}

const shortened = (name: string): string => name.slice(0, maxNameLength).replace(/[. ]+$/, '');

/** What people call things, as a part of a file name: no slash, no dot in front, nothing a shell would take amiss. */
function safe(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._~-]+/g, '-')
    .replace(/^[.-]+|[.-]+$/g, '')
    .slice(0, maxValueLength);
  return plain || 'x';
}

const isWord = (word: string): word is TemplateWord => (templateWords as readonly string[]).includes(word);
