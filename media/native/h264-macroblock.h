/* How one macroblock is coded: passed over, moved, from beside it, or as it is (ITU-T H.264 §7.3.5). */
#ifndef SWITCHYARD_H264_MACROBLOCK_H
#define SWITCHYARD_H264_MACROBLOCK_H
#include "h264-intra.h"
#include "h264-motion.h"
#include "h264-residual.h"
#include "h264-state.h"

/* Of P pictures, of which those from beside come after. */
enum { TYPE_INTRA_16X16 = 1, TYPE_PCM = 25, INTRA_AFTER = 5, PCM_BYTES = 3 * BLOCK / 2 };
/* What it takes to say that one comes from beside, in bits. */
enum { INTRA_PRICE = 8 };

static void enter(const struct slice *in, struct macroblock *mb, int column, int row) {
  const struct encoder *of = in->of;
  int at = row * of->columns + column;
  mb->at = at;
  mb->column = column;
  mb->row = row;
  mb->has_left = column > 0 && at - 1 >= in->first;
  mb->has_above = at - of->columns >= in->first;
  mb->has_above_right = column + 1 < of->columns && at - of->columns + 1 >= in->first;
  mb->has_above_left = column > 0 && at - of->columns - 1 >= in->first;
  for (int plane = 0; plane < 3; plane++) {
    ptrdiff_t here = (ptrdiff_t)row * side_of(plane) * of->strides[plane] + column * side_of(plane);
    mb->now[plane] = of->now[plane] + here;
    mb->past[plane] = of->past[plane] + here;
  }
}

/* Where its source lies; at an edge that is not whole, it goes on as its last column and row. */
static void open_source(const struct slice *in, struct macroblock *mb) {
  const struct compared *seen = &in->of->seen;
  int width = seen->width - mb->column * SIDE, height = seen->height - mb->row * SIDE;
  uint8_t *to = mb->edge;
  for (int plane = 0; plane < 3; plane++) {
    int side = side_of(plane), wide = plane ? width / 2 : width, high = plane ? height / 2 : height;
    const uint8_t *from = in->picture->data[plane] + mb->row * side * in->picture->strides[plane] + mb->column * side;
    mb->source[plane] = from;
    mb->strides[plane] = in->picture->strides[plane];
    if (width >= SIDE && height >= SIDE) continue;
    mb->source[plane] = to;
    mb->strides[plane] = side;
    for (int y = 0; y < side; y++, to += side) {
      const uint8_t *line = from + (y < high ? y : high - 1) * in->picture->strides[plane];
      for (int x = 0; x < side; x++) to[x] = line[x < wide ? x : wide - 1];
    }
  }
}

static void note_written(struct encoder *of, int at) { of->written[of->written_count++] = at; }

static void put_skipped(struct slice *in) {
  if (!in->is_key) put_unsigned(&in->bits, (uint32_t)in->skipped);
  in->skipped = 0;
}

static void note_skipped(struct slice *in, int at, struct vector v) {
  struct encoder *of = in->of;
  in->skipped++;
  of->vectors[at] = v;
  of->is_intra[at] = 0;
  memset(of->counts[at], 0, ALL_BLOCKS);
}

static int is_at_rest(const struct encoder *of, int at) {
  return !of->is_intra[at] && of->vectors[at].x == 0 && of->vectors[at].y == 0;
}

/* Of most of what is still nothing more need be known. -> whether it was passed over: everybody guesses that it stays where it is */
static int pass_over(struct slice *in, int column, int row) {
  const struct encoder *of = in->of;
  int left = row * of->columns + column - 1, above = left + 1 - of->columns;
  int is_guessed = column == 0 || left < in->first || above < in->first || is_at_rest(of, left) || is_at_rest(of, above);
  if (is_guessed) note_skipped(in, left + 1, (struct vector){0, 0});
  return is_guessed;
}

/* As the last picture has it at the vector that everybody guesses. */
static void skip(struct slice *in, const struct macroblock *mb, const struct prediction *by) {
  struct encoder *of = in->of;
  note_skipped(in, mb->at, mb->skip);
  if (mb->skip.x == 0 && mb->skip.y == 0) return;
  for (int plane = 0; plane < 3; plane++) copy_block(mb->now[plane], of->strides[plane], by->at[plane], by->strides[plane], side_of(plane));
  note_written(of, mb->at);
}

/* The samples themselves (§7.3.5, I_PCM). */
static void put_samples(struct slice *in, const struct macroblock *mb) {
  struct encoder *of = in->of;
  put_skipped(in);
  put_unsigned(&in->bits, TYPE_PCM + (in->is_key ? 0 : INTRA_AFTER));
  align_bits(&in->bits);
  for (int plane = 0; plane < 3; plane++) {
    int side = side_of(plane);
    copy_block(mb->now[plane], of->strides[plane], mb->source[plane], mb->strides[plane], side);
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) put_bits(&in->bits, 8, mb->source[plane][y * mb->strides[plane] + x]);
    }
  }
  of->is_intra[mb->at] = 1;
  of->vectors[mb->at] = (struct vector){0, 0};
  memset(of->counts[mb->at], 16, ALL_BLOCKS);
}

static void code_from_beside(struct slice *in, const struct macroblock *mb, struct prediction *by, int mode) {
  struct encoder *of = in->of;
  struct residual rest;
  int is_left[3] = {1};
  rest.chroma_pattern = 0;
  predict_luma_from_beside(in, mb, mode, by);
  quantise_whole_luma(in, mb, by, &rest);
  int chroma_mode = choose_chroma_mode(in, mb, by);
  for (int plane = 1; plane < 3; plane++) is_left[plane] = quantise_chroma(in, mb, by, plane, 1, &rest);
  put_skipped(in);
  int type = TYPE_INTRA_16X16 + mode + 4 * rest.chroma_pattern + (rest.luma_pattern ? 12 : 0);
  put_unsigned(&in->bits, (uint32_t)(type + (in->is_key ? 0 : INTRA_AFTER)));
  put_unsigned(&in->bits, (uint32_t)chroma_mode);
  put_signed(&in->bits, 0);
  of->is_intra[mb->at] = 1;
  of->vectors[mb->at] = (struct vector){0, 0};
  memset(of->counts[mb->at], 0, ALL_BLOCKS);
  put_residual(&in->bits, &rest.dc, count_around(of, mb, 0, 0, 4, 0), 16);
  put_luma(in, mb, &rest, 15);
  put_chroma(in, mb, &rest);
  for (int pair = 0; pair < 8; pair++) {
    if (rest.luma_pattern) scale_pair(&rest.luma[pair], &in->intra_luma);
    else memset(&rest.luma[pair], 0, sizeof rest.luma[pair]);
  }
  restore_dc(in, &rest);
  for (int pair = 0; pair < 8; pair++) restore_luma(in, mb, by, pair, &rest);
  for (int plane = 1; plane < 3; plane++) {
    if (is_left[plane]) restore_chroma(in, mb, by, plane, &rest);
    else copy_block(mb->now[plane], of->strides[plane], by->at[plane], HALF, HALF);
  }
}

/* With a vector and what is left after it; as one that is skipped where that says the same. -> whether it is another now */
static int code_moved(struct slice *in, const struct macroblock *mb, struct vector v, const unsigned *strips, int is_asked, struct prediction *by) {
  struct encoder *of = in->of;
  unsigned nothing = is_asked ? in->nothing_at_rest : in->nothing;
  unsigned nothing_chroma = is_asked ? in->nothing_chroma_at_rest : in->nothing_chroma;
  struct residual rest;
  int is_left[3] = {0}, is_moved = v.x != 0 || v.y != 0;
  rest.chroma_pattern = 0;
  quantise_luma(in, mb, by, strips, nothing, &rest);
  for (int plane = 1; plane < 3; plane++) {
    unsigned differs = block_difference(mb->source[plane], mb->strides[plane], by->at[plane], by->strides[plane], HALF);
    if (differs > nothing_chroma) is_left[plane] = quantise_chroma(in, mb, by, plane, 0, &rest);
    if (!is_left[plane]) clear_chroma(&rest, plane);
  }
  int pattern = rest.luma_pattern + 16 * rest.chroma_pattern;
  if (!pattern && is_same_vector(v, mb->skip)) {
    skip(in, mb, by);
    return is_moved;
  }
  put_skipped(in);
  put_unsigned(&in->bits, 0);
  put_signed(&in->bits, 4 * (v.x - mb->guess.x));
  put_signed(&in->bits, 4 * (v.y - mb->guess.y));
  put_unsigned(&in->bits, inter_pattern_codes[pattern]);
  of->is_intra[mb->at] = 0;
  of->vectors[mb->at] = v;
  memset(of->counts[mb->at], 0, ALL_BLOCKS);
  if (pattern) put_signed(&in->bits, 0);
  put_luma(in, mb, &rest, 16);
  put_chroma(in, mb, &rest);
  if (is_moved) copy_block(mb->now[0], of->strides[0], by->at[0], by->strides[0], SIDE);
  for (int pair = 0; pair < 8; pair++) {
    if (!rest.set[pair]) continue;
    scale_pair(&rest.luma[pair], &in->luma);
    restore_luma(in, mb, by, pair, &rest);
  }
  for (int plane = 1; plane < 3; plane++) {
    if (is_left[plane]) restore_chroma(in, mb, by, plane, &rest);
    else if (is_moved) copy_block(mb->now[plane], of->strides[plane], by->at[plane], by->strides[plane], HALF);
  }
  if (is_moved || pattern) note_written(of, mb->at);
  return is_moved || pattern;
}

/* -> whether nothing would be left of it, shown as the last picture has it at the vector that everybody guesses */
static int can_skip(const struct slice *in, const struct macroblock *mb, struct prediction *by) {
  unsigned strips[8];
  if (!is_allowed(in->of, mb, mb->skip)) return 0;
  predict_luma(in->of, mb, mb->skip, by);
  strip_differences(mb->source[0], mb->strides[0], by->at[0], by->strides[0], strips);
  for (int i = 0; i < 8; i++) if (strips[i] > in->nothing) return 0;
  predict_chroma(in->of, mb, mb->skip, by);
  for (int plane = 1; plane < 3; plane++) {
    if (block_difference(mb->source[plane], mb->strides[plane], by->at[plane], by->strides[plane], HALF) > in->nothing_chroma) return 0;
  }
  return 1;
}

/* One that is as it was, and is not passed over: another vector is guessed, or it may be shown better. */
static void code_still(struct slice *in, struct macroblock *mb, int is_asked) {
  const struct vector still = {0, 0};
  unsigned strips[8];
  struct prediction by;
  predict_luma(in->of, mb, still, &by);
  predict_chroma(in->of, mb, still, &by);
  open_source(in, mb);
  strip_differences(mb->source[0], mb->strides[0], by.at[0], by.strides[0], strips);
  if (is_asked) in->of->shown_at[mb->at] = (uint8_t)in->qp;
  code_moved(in, mb, still, strips, is_asked, &by);
}

static void code_changed(struct slice *in, struct macroblock *mb) {
  struct encoder *of = in->of;
  struct prediction by, beside;
  unsigned least, strips[8];
  int mode = MEAN;
  open_source(in, mb);
  of->shown_at[mb->at] = (uint8_t)(in->is_key ? in->qp : in->qp | HAS_MOVED);
  if (in->is_key) {
    choose_luma_mode(in, mb, UINT32_MAX / 2, &beside, &mode);
    code_from_beside(in, mb, &beside, mode);
    return;
  }
  if (can_skip(in, mb, &by)) {
    skip(in, mb, &by);
    return;
  }
  struct vector best = search_vector(in, mb, &least);
  if (choose_luma_mode(in, mb, least, &beside, &mode) + (unsigned)(INTRA_PRICE * in->lambda) < least) {
    code_from_beside(in, mb, &beside, mode);
    note_written(of, mb->at);
    return;
  }
  predict_luma(of, mb, best, &by);
  predict_chroma(of, mb, best, &by);
  strip_differences(mb->source[0], mb->strides[0], by.at[0], by.strides[0], strips);
  code_moved(in, mb, best, strips, 0, &by);
}

#endif
