/* H264, constrained baseline, for pictures of which most is as it was: views of rooms. What is still costs next to nothing here;
 * x264 takes for a macroblock that it passes over half of what it takes for one that it encodes, as it copies it, looks at its
 * neighbours and keeps what it found. See docs/adr/0012-an-h264-encoder-for-views.md.
 *
 * One reference picture, vectors of whole samples for 16x16, macroblocks from beside them as 16x16, one quantiser for a picture
 * (media/av/rate-control.ts says which), no filter over edges: what x264 has at its fastest. ITU-T H.264 is what § refers to.
 *
 * Needs no headers but those of the C library (see node-api.h):
 *   cc -O2 -shared -fPIC -o h264-encode.node h264-encode.c */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cavlc.h"
#include "differences.h"
#include "h264-headers.h"
#include "h264-macroblock.h"
#include "h264-state.h"

/* Finer ones would need codes that there are not; the coarsest is 51. */
enum { LEAST_QP = 12 };
/* Of a macroblock of any level (table A-1, note on 3200 bits); what takes more goes as it is. */
enum { MOST_BITS = 3200 };
/* Steps by which still macroblocks must be able to be shown better, and in how many pictures all of them are asked. */
enum { LEAST_GAIN = 2, PICTURES_OF_REGAIN = 12 };
/* What a slice takes besides its whole bytes, of which the last eight are not known yet: its first byte, escapes in those eight,
 * how many are skipped until it ends, and where it does. */
enum { SLICE_END = 14 };
/* In 64ths of a step: what is less than a step away from nothing is more often nothing. */
enum { ROUNDING = 11, INTRA_ROUNDING = 21 };

static const uint8_t chroma_quantisers[52] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17,
                                              18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 29, 30, 31, 32, 32, 33,
                                              34, 34, 35, 35, 36, 36, 37, 37, 37, 38, 38, 38, 39, 39, 39, 39};

static void free_encoder(struct encoder *of) {
  if (!of) return;
  end_compared(&of->seen);
  free(of->memory);
  free(of->vectors);
  free(of->is_intra);
  free(of->counts);
  free(of->shown_at);
  free(of->written);
  free(of->raw);
  free(of);
}

static struct encoder *create_encoder(int width, int height, int framerate, const char *profile, int slice_bytes) {
  struct encoder *of = strcmp(profile, "baseline") ? NULL : calloc(1, sizeof *of);
  if (!of) return NULL;
  int is_begun = begin_compared(&of->seen, width, height) == 0;
  size_t count = (size_t)of->seen.columns * of->seen.rows, luma = count * BLOCK;
  of->columns = of->seen.columns;
  of->rows = of->seen.rows;
  of->framerate = framerate;
  of->slice_bytes = slice_bytes;
  of->memory = calloc(3, luma);
  of->vectors = calloc(count, sizeof *of->vectors);
  of->is_intra = calloc(count, 1);
  of->counts = calloc(count, sizeof *of->counts);
  of->shown_at = calloc(count, 1);
  of->written = calloc(count, sizeof *of->written);
  of->raw = malloc(count * (PCM_BYTES + 16) + 4096);
  if (!is_begun || !of->memory || !of->vectors || !of->is_intra || !of->counts || !of->shown_at || !of->written || !of->raw) {
    free_encoder(of);
    return NULL;
  }
  for (int i = 0; i < 2; i++) {
    uint8_t **planes = i ? of->now : of->past, *from = of->memory + (size_t)i * luma * 3 / 2;
    planes[0] = from;
    planes[1] = from + luma;
    planes[2] = from + luma + luma / 4;
  }
  for (int plane = 0; plane < 3; plane++) of->strides[plane] = (ptrdiff_t)of->columns * side_of(plane);
  prepare_zigzag();
  return of;
}

static void begin_slice(struct slice *in, int first) {
  in->first = first;
  in->skipped = 0;
  begin_bits(&in->bits, in->of->raw);
  in->escaped = (struct escaped){.at = in->of->raw};
  put_slice_header(&in->bits, in->of, first, in->is_key, in->qp);
}

/* -> 0, or -1 where there is no room for it */
static int end_slice(struct slice *in) {
  if (in->skipped) put_skipped(in);
  put_bits(&in->bits, 1, 1);
  const uint8_t *end = end_bits(&in->bits);
  size_t length = put_unit(in->out, in->room, in->is_key ? UNIT_KEY_SLICE : UNIT_SLICE, in->of->raw, (size_t)(end - in->of->raw));
  in->out += length;
  in->room -= length;
  return length ? 0 : -1;
}

static void copy_macroblock(struct encoder *of, int at, uint8_t *const *to, uint8_t *const *from) {
  int column = at % of->columns, row = at / of->columns;
  for (int plane = 0; plane < 3; plane++) {
    int side = side_of(plane);
    ptrdiff_t stride = of->strides[plane], here = (ptrdiff_t)row * side * stride + column * side;
    copy_block(to[plane] + here, stride, from[plane] + here, stride, side);
  }
}

/* -> whether it would be longer than it may be with what it has now, escaped */
static int is_full(struct slice *in) {
  int64_t bytes = bits_since(&in->bits, in->of->raw) / 8 + SLICE_END, most = in->of->slice_bytes;
  /* Each third byte at the most. */
  if (bytes * 3 / 2 <= most) return 0;
  count_escapes(&in->escaped, in->bits.at);
  return bytes + in->escaped.count > most;
}

/* Codes one into the slice; one that does not fit begins the next. -> 0, or -1 where there is no room for it */
static int code_macroblock(struct slice *in, int column, int row, int is_asked) {
  struct encoder *of = in->of;
  const int at = row * of->columns + column, is_still = of->seen.info[at] == UNCHANGED && !in->is_key;
  for (int is_again = 0;; is_again = 1) {
    const struct bits before = in->bits;
    const int skipped = in->skipped, written = of->written_count;
    struct macroblock mb;
    if (is_still && !is_asked && pass_over(in, column, row)) return 0;
    enter(in, &mb, column, row);
    if (!in->is_key) guess_vectors(of, &mb);
    /* The vector that was found before is not what it was a picture ago any more; it is as good. */
    if (is_still) code_still(in, &mb, is_asked);
    else code_changed(in, &mb);
    if (in->skipped > skipped) return 0;
    if (in->is_beyond || bits_since(&in->bits, before.at) - (64 - before.free) > MOST_BITS) {
      in->is_beyond = 0;
      in->bits = before;
      in->skipped = skipped;
      of->written_count = written;
      open_source(in, &mb);
      put_samples(in, &mb);
      note_written(of, at);
    }
    if (of->slice_bytes <= 0 || is_again || at == in->first || !is_full(in)) return 0;
    in->bits = before;
    in->skipped = skipped;
    of->written_count = written;
    if (!in->is_key) copy_macroblock(of, at, of->now, of->past);
    if (end_slice(in)) return -1;
    begin_slice(in, at);
  }
}

/* After a picture, the last is as this one. */
static void catch_up(struct encoder *of, int is_key) {
  size_t luma = (size_t)of->columns * of->rows * BLOCK;
  if (is_key) memcpy(of->past[0], of->now[0], luma * 3 / 2);
  for (int i = 0; i < of->written_count && !is_key; i++) copy_macroblock(of, of->written[i], of->past, of->now);
  of->written_count = 0;
}

static void set_quantisers(struct slice *in, int qp) {
  static const uint8_t steps[6] = {10, 11, 13, 14, 16, 18}, lambdas[6] = {16, 18, 20, 23, 25, 28};
  int chroma = chroma_quantisers[qp];
  unsigned step = (unsigned)steps[qp % 6] << (qp / 6), chroma_step = (unsigned)steps[chroma % 6] << (chroma / 6);
  in->qp = qp;
  in->lambda = (lambdas[qp % 6] << (qp / 6)) >> 6;
  /* In 16ths: what a block of 4x4 could have at the most and no DC left; of chroma a quarter more, as its DC are quantised together.
   * Lines and dots leave other coefficients of half of that, which is seen for as long as nothing moves there. */
  in->nothing = step / 4;
  in->nothing_chroma = chroma_step / 3;
  in->nothing_at_rest = in->nothing / 2;
  in->nothing_chroma_at_rest = in->nothing_chroma / 2;
  set_quantiser(&in->luma, qp, ROUNDING);
  set_quantiser(&in->chroma, chroma, ROUNDING);
  set_quantiser(&in->intra_luma, qp, INTRA_ROUNDING);
  set_quantiser(&in->intra_chroma, chroma, INTRA_ROUNDING);
}

/* -> whether one that is still may be shown better. What has moved must have been at rest for a round of these questions: in
 * pictures that come half as often as the view's, all is still every other time. */
static int may_gain(struct encoder *of, int at, int qp) {
  int shown = of->shown_at[at];
  if ((shown & SHOWN_QP) >= qp + LEAST_GAIN || shown & HAS_RESTED) return 1;
  if (shown & HAS_MOVED) of->shown_at[at] = (uint8_t)((shown & SHOWN_QP) | HAS_RESTED);
  return 0;
}

static int encode_picture(struct encoder *of, const struct planes *picture, int is_key, int quantiser, uint8_t *to, size_t room) {
  struct slice in = {.of = of, .picture = picture, .out = to, .room = room};
  int count = of->columns * of->rows, share = count / PICTURES_OF_REGAIN + 1;
  is_key = is_key || !of->has_key;
  /* Of one that fails nobody knows how much of it a decoder has: all begins anew. */
  of->has_key = 0;
  of->written_count = 0;
  in.is_key = is_key;
  set_quantisers(&in, quantiser < LEAST_QP ? LEAST_QP : quantiser);
  if (is_key) {
    of->frame_number = 0;
    size_t length = put_parameter_sets(to, room, of);
    if (!length) return -1;
    in.out += length;
    in.room -= length;
  }
  begin_slice(&in, 0);
  for (int row = 0, at = 0, since = count - of->regain_from; row < of->rows; row++) {
    for (int column = 0; column < of->columns; column++, at++, since++) {
      if (since == count) since = 0;
      int is_asked = since < share && may_gain(of, at, in.qp);
      if (code_macroblock(&in, column, row, is_asked)) return -1;
    }
  }
  if (end_slice(&in)) return -1;
  catch_up(of, is_key);
  of->has_key = 1;
  /* That of the next must be another. */
  if (is_key) of->idr_number ^= 1;
  of->regain_from = (of->regain_from + share) % count;
  of->frame_number = (of->frame_number + 1) % FRAME_NUMBERS;
  return (int)(in.out - to);
}

#include "encoder-port.h"

/* (number, y, u, v, strides) -> 0, and there the last picture as a decoder has it, or -1. For tests: it is to the bit. */
static napi_value shown(napi_env env, napi_callback_info info) {
  napi_value args[5];
  size_t count = 5;
  struct planes planes;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  struct encoder *of = encoder_of(env, args[0]);
  if (!of || planes_of(env, args + 1, &of->seen, &planes)) return answer(env, -1);
  for (int plane = 0; plane < 3; plane++) {
    int width = of->seen.width >> (plane > 0), height = of->seen.height >> (plane > 0);
    for (int y = 0; y < height; y++) {
      memcpy((uint8_t *)planes.data[plane] + y * planes.strides[plane], of->past[plane] + y * of->strides[plane], (size_t)width);
    }
  }
  return answer(env, 0);
}

EXPORT(ENCODER_PORT, {"shown", shown})
