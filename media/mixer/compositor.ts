// Owns: the canvas of a view: who stands where on it, and painting what is new. Nothing is ever rebuilt.
// May import: media/av, core's words.
import type { ViewInput as ViewInputInfo, ViewLook, ViewPlace } from '#core/view-messages.ts';
import { Canvas } from '../av/canvas.ts';
import type { Box } from '../av/video-hint.ts';
import { Backdrop } from './backdrop.ts';
import { CellPainter } from './cell-painter.ts';
import { type Cell, capacityOf, cellsFor } from './layout.ts';
import { Stage } from './stage.ts';
import { TileShelf } from './tile-shelf.ts';
import { beginningOf, cellBetween, eased, maxMovingCells } from './transition.ts';
import { ViewInput, type ViewInputEvents } from './view-input.ts';

export interface CompositorOptions {
  readonly width: number;
  readonly height: number;
  readonly look: ViewLook;
  /** Somebody stands elsewhere than before. */
  readonly onArranged: (order: readonly number[], places: readonly ViewPlace[]) => void;
}

export class Compositor implements Disposable {
  #canvas: Canvas;
  readonly stage: Stage;
  readonly inputs = new Map<number, ViewInput>();
  readonly #options: CompositorOptions;
  #look: ViewLook;
  readonly #backdrop = new Backdrop(() => {
    this.#isWiped = true;
  });
  readonly #tiles = new TileShelf();
  #painters: CellPainter[] = [];
  /** For each painter those above it that it would paint over. */
  #above: CellPainter[][] = [];
  /** On their way to other cells, since then. */
  #moves: readonly { readonly painter: CellPainter; readonly from: Cell }[] = [];
  #movesSinceMs = 0;
  #nowMs = 0;
  /** The canvas is another: nobody glides from where he was on the last one. */
  #isNewCanvas = true;
  #isWiped = true;
  #changed: Box[] = [];
  #isToArrange = true;
  #lastArranged = '';

  constructor(options: CompositorOptions) {
    this.#options = options;
    this.#look = options.look;
    this.#canvas = new Canvas(options.width, options.height);
    this.#layGround();
    this.stage = new Stage(stageOptions(this.#look));
  }

  get canvas(): Canvas {
    return this.#canvas;
  }

  /** Everybody keeps his place; what is encoded is scaled until its encoder follows. */
  resize(width: number, height: number): void {
    if (this.#canvas.width === width && this.#canvas.height === height) return;
    this.#canvas[Symbol.dispose]();
    this.#canvas = new Canvas(width, height);
    this.#isNewCanvas = true;
    this.setLook(this.#look);
  }

  setLook(look: ViewLook, keepsImage = false): void {
    this.#look = keepsImage ? { ...look, backgroundImage: this.#look.backgroundImage } : look;
    this.stage.setOptions(stageOptions(look));
    this.#layGround();
    this.#isWiped = true;
    this.arrangeSoon();
  }

  /** @returns the input, new or changed */
  put(info: ViewInputInfo, events: ViewInputEvents): ViewInput {
    const known = this.inputs.get(info.inputId);
    if (known) known.update(info);
    const input = known ?? new ViewInput(info, events);
    this.inputs.set(input.id, input);
    this.stage.add({ id: input.id, isShared: info.isShared });
    this.arrangeSoon();
    return input;
  }

  drop(id: number): ViewInput | undefined {
    const input = this.inputs.get(id);
    if (!input) return undefined;
    this.inputs.delete(id);
    this.stage.remove(id);
    // The cells are given away before anything is painted again.
    this.#arrange();
    input[Symbol.dispose]();
    return input;
  }

  /** Before the next picture is painted: several changes at once move everybody once. */
  arrangeSoon(): void {
    this.#isToArrange = true;
  }

  get seenCount(): number {
    return this.#painters.length;
  }

  /** What the last painting painted. */
  get changed(): readonly Box[] {
    return this.#changed;
  }

  /** @returns whether anything on the canvas has changed */
  paint(nowMs: number): boolean {
    this.#nowMs = nowMs;
    if (this.stage.step(nowMs, this.#places)) this.#isToArrange = true;
    if (this.#isToArrange) this.#arrange();
    const isMoving = this.#move();
    this.canvas.open();
    const { width, height } = this.canvas;
    this.#changed = this.#isWiped ? [{ x: 0, y: 0, width, height }] : [];
    if (this.#isWiped) this.#wipe();
    this.#tiles.beginPicture();
    const { speaker } = this.stage;
    const { hasLabels, hasSpeakerBorder } = this.#look;
    this.#painters.forEach((painter, index) => {
      const isSpeaking = hasSpeakerBorder && painter.input.id === speaker;
      if (!painter.paint(this.canvas, this.#backdrop, { hasLabels, isSpeaking, isMoving })) return;
      this.#changed.push(painter.cell);
      for (const other of this.#above[index] ?? []) other.invalidate();
    });
    return this.#changed.length > 0;
  }

  [Symbol.dispose](): void {
    for (const painter of this.#painters) painter[Symbol.dispose]();
    for (const input of this.inputs.values()) input[Symbol.dispose]();
    this.#backdrop[Symbol.dispose]();
    this.canvas[Symbol.dispose]();
  }

  get #places(): number {
    return capacityOf(this.#look.layout, Math.min(this.stage.count, this.#look.maxInputs));
  }

  #layGround(): void {
    const { backgroundColor, backgroundImage } = this.#look;
    const { width, height } = this.#canvas;
    this.#backdrop.set({ backgroundColor, backgroundImage, width, height });
  }

  #wipe(): void {
    const { width, height } = this.canvas;
    this.#backdrop.restore(this.canvas, { x: 0, y: 0, width, height });
    for (const painter of this.#painters) painter.invalidate();
    this.#isWiped = false;
  }

  #arrange(): void {
    this.#isToArrange = false;
    const seen = this.stage.seen(this.#places);
    const cells = cellsFor(this.#look.layout, this.canvas, seen.length, seen[0]?.isShared ?? false);
    const past = new Map(this.#painters.map((painter) => [painter.input.id, painter]));
    const shown = new Map(this.#painters.map((painter) => [painter, painter.cell]));
    this.#painters = seen.flatMap(({ id }, index) => {
      const [input, cell] = [this.inputs.get(id), cells[index]];
      if (!input || !cell) return [];
      const painter = past.get(id) ?? new CellPainter(input, cell, this.#tiles);
      past.delete(id);
      painter.place = cell;
      return [painter];
    });
    for (const painter of past.values()) painter[Symbol.dispose]();
    this.#above = this.#painters.map(({ place }, index) =>
      this.#painters.slice(index + 1).filter((other) => isOver(place, other.place)),
    );
    if (this.#tellArranged()) this.#beginMoves(shown);
    // In the same places, but perhaps fitted into them in another way.
    else if (this.#moves.length === 0) this.#settle();
    this.#isNewCanvas = false;
  }

  /** @param shown where everybody was, who was seen */
  #beginMoves(shown: ReadonlyMap<CellPainter, Cell>): void {
    const { transitionMs = 0 } = this.#look;
    const isStill =
      transitionMs === 0 || this.#isNewCanvas || shown.size === 0 || this.#painters.length > maxMovingCells;
    this.#moves = isStill
      ? []
      : this.#painters.map((painter) => ({ painter, from: shown.get(painter) ?? beginningOf(painter.place) }));
    this.#movesSinceMs = this.#nowMs;
    if (isStill) this.#settle();
  }

  #settle(): void {
    for (const painter of this.#painters) painter.setCell(painter.place);
  }

  /** Everybody a little further on his way. @returns whether anybody is on one still */
  #move(): boolean {
    if (this.#moves.length === 0) return false;
    const way = eased((this.#nowMs - this.#movesSinceMs) / (this.#look.transitionMs || 1));
    for (const { painter, from } of this.#moves) {
      painter.setCell(cellBetween(from, painter.place, way, this.#canvas));
    }
    this.#isWiped = true;
    if (way >= 1) this.#moves = [];
    return way < 1;
  }

  /** @returns whether anybody stands elsewhere */
  #tellArranged(): boolean {
    const places = this.#painters.map(({ input, place: { regionId, x, y, width, height } }) => {
      return { inputId: input.id, regionId, x, y, width, height };
    });
    const order = [...places.map(({ inputId }) => inputId), ...this.#unseen(places)];
    const arranged = JSON.stringify({ order, places });
    if (arranged === this.#lastArranged && !this.#isNewCanvas) return false;
    this.#lastArranged = arranged;
    this.#isWiped = true;
    this.#options.onArranged(order, places);
    return true;
  }

  #unseen(places: readonly ViewPlace[]): number[] {
    return this.stage.order.filter((id) => !places.some(({ inputId }) => inputId === id));
  }
}

function stageOptions({ maxInputs, isVoicePrimary, layout }: ViewLook) {
  return { maxInputs, isVoicePrimary, isShareFirst: layout.base === 'share-first' };
}

function isOver(a: Cell, b: Cell): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
