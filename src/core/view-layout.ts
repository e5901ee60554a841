// Owns: how the pictures of a view are arranged, as people write it: templates, rational coordinates, ways to fit. Pure.
// May import: core only.
import { GatewayError } from './errors.ts';

/**
 * `fluid`: tiles of equal size. `lecture`: a large one with small ones to its right and below. `speaker`: a large one over
 * a row of small ones. `share-first`: what is shared on the screen is large, with a column beside it; without it fluid.
 * `grid`: so many places, filled or not. `void`: nothing but the custom templates.
 */
export const layoutBases = ['fluid', 'lecture', 'speaker', 'share-first', 'grid', 'void'] as const;
export type LayoutBase = (typeof layoutBases)[number];

/** Whole picture with bars; filled and cut; filled and distorted. */
export const fitPolicies = ['letterbox', 'crop', 'stretch'] as const;
export type FitPolicy = (typeof fitPolicies)[number];

/** Parts of the canvas as rational numbers: `1/3`, `0`, `1`, `0.25`. */
export interface RegionArea {
  readonly left: string;
  readonly top: string;
  readonly width: string;
  readonly height: string;
}

export interface LayoutRegion {
  readonly id: string;
  readonly shape: 'rectangle';
  readonly area: RegionArea;
  /** The view's own when absent. */
  readonly fitPolicy?: FitPolicy | undefined;
}

/** Places for as many inputs as it has regions; the first is the primary one. Later ones lie above earlier ones. */
export interface LayoutTemplate {
  readonly region: readonly LayoutRegion[];
}

export interface ViewLayout {
  readonly base: LayoutBase;
  /** Places of `grid`. */
  readonly gridSize: number;
  /** Each takes the place of what the base would do for as many inputs. */
  readonly custom: readonly LayoutTemplate[];
  readonly fitPolicy: FitPolicy;
}

export interface Rational {
  readonly numerator: number;
  readonly denominator: number;
}

/** Products of two denominators and the width of a canvas stay exact. */
const largestDenominator = 10_000;
const rationalPattern = /^(\d{1,5})(?:\/(\d{1,5})|\.(\d{1,4}))?$/;
export const maxRegions = 256;
/** Of all templates of a view together: they are part of the room's record, which is read and sent with every change. */
const maxRegionsOfAll = 512;

/** @returns undefined for what is no rational number from 0 to 1 */
export function parseRational(text: string): Rational | undefined {
  const [, whole = '', below, decimals] = rationalPattern.exec(text) ?? [];
  if (whole === '') return undefined;
  const denominator = decimals === undefined ? Number(below ?? 1) : 10 ** decimals.length;
  const numerator = decimals === undefined ? Number(whole) : Number(whole) * denominator + Number(decimals);
  if (denominator === 0 || denominator > largestDenominator || numerator > denominator) return undefined;
  return { numerator, denominator };
}

export function addRationals(a: Rational, b: Rational): Rational {
  if (a.denominator === b.denominator) return { ...a, numerator: a.numerator + b.numerator };
  return {
    numerator: a.numerator * b.denominator + b.numerator * a.denominator,
    denominator: a.denominator * b.denominator,
  };
}

/** @throws GatewayError `invalid_request` that says which region is wrong, and what in it */
export function assertLayout({ base, gridSize, custom }: ViewLayout): void {
  if (base === 'void' && custom.length === 0) refuse('custom', 'of base "void" needs templates');
  if (!Number.isInteger(gridSize) || gridSize < 1 || gridSize > maxRegions) {
    refuse('gridSize', `is a whole number from 1 to ${maxRegions}`);
  }
  const count = custom.reduce((sum, { region }) => sum + region.length, 0);
  if (count > maxRegionsOfAll) refuse('custom', `has at most ${maxRegionsOfAll} regions in all`);
  for (const [index, { region }] of custom.entries()) {
    const path = `custom.${index}.region`;
    if (region.length === 0 || region.length > maxRegions) refuse(path, `has 1 to ${maxRegions} regions`);
    if (new Set(region.map(({ id }) => id)).size < region.length) refuse(path, 'has the same id twice');
    for (const [at, { area }] of region.entries()) assertArea(area, `${path}.${at}.area`);
  }
}

function assertArea(area: RegionArea, path: string): void {
  const parsed = (side: keyof RegionArea): Rational => {
    const number = parseRational(area[side]);
    const said = area[side].slice(0, 16);
    return number ?? refuse(`${path}.${side}`, `is a part from 0 to 1, as 1/3 or 0.3333 (to 10000ths), not "${said}"`);
  };
  for (const [start, size] of [['left', 'width'] as const, ['top', 'height'] as const]) {
    const [from, length] = [parsed(start), parsed(size)];
    if (length.numerator === 0) refuse(`${path}.${size}`, 'is more than nothing');
    const end = addRationals(from, length);
    if (end.numerator > end.denominator) {
      refuse(`${path}.${size}`, `reaches beyond the canvas: ${start} + ${size} is more than 1`);
    }
  }
}

function refuse(field: string, message: string): never {
  const path = `layout.${field}`;
  throw new GatewayError('invalid_request', `${path} ${message}.`, { fields: [{ path, message }] });
}
